//! Where pixels come from: an image that is decoded whole, or a file that is read by window.

use super::decode::{MAX_SIDE_PX, decode, undecodable};
use super::tiff_window::{TiffLayout, WindowedTiff, is_tiff};
use crate::error::{Error, Result};
use image::{ImageReader, RgbImage};
use std::path::Path;
use std::sync::Arc;

/// An image of which windows can be read, from several threads at a time.
pub trait ImageSource: Send + Sync {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// The pixels of a window, given in pixels from the upper left corner.
    ///
    /// # Errors
    /// A window that is not inside the image, a file that cannot be read or decoded there.
    fn window(&self, x: u32, y: u32, width: u32, height: u32) -> Result<RgbImage>;

    /// Bytes that it keeps in memory for as long as it is open.
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// File handles that it holds for as long as it is open.
    fn open_files(&self) -> usize {
        0
    }
}

/// TIFF files of more pixels are read by window (50 MB as RGB); smaller ones are faster decoded once.
const WINDOW_ABOVE_PX: u64 = 1 << 24;

/// A decoded image.
#[derive(Debug, Clone)]
pub struct WholeImage(pub RgbImage);

impl ImageSource for WholeImage {
    fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn window(&self, x: u32, y: u32, width: u32, height: u32) -> Result<RgbImage> {
        check_window(self.size(), x, y, width, height)?;
        Ok(image::imageops::crop_imm(&self.0, x, y, width, height).to_image())
    }

    fn memory_bytes(&self) -> u64 {
        self.0.as_raw().len() as u64
    }
}

/// Opens a file by its content, not its extension: a large TIFF by window, anything else whole.
pub(super) fn open_source(path: &Path) -> Result<Arc<dyn ImageSource>> {
    Ok(match windowed(path)? {
        Some(tiff) => Arc::new(tiff),
        None => Arc::new(WholeImage(decode(path)?.into_rgb8())),
    })
}

/// Reads a whole image as 8-bit RGB.
pub(super) fn read_whole(path: &Path) -> Result<RgbImage> {
    let Some(tiff) = windowed(path)? else { return Ok(decode(path)?.into_rgb8()) };
    let (width, height) = tiff.size();
    if width.max(height) > MAX_SIDE_PX {
        return Err(undecodable(path, format!("{width} x {height} px at once: the limit is {MAX_SIDE_PX} px a side")));
    }
    tiff.window(0, 0, width, height)
}

/// Width and height from the header alone.
pub(super) fn read_size(path: &Path) -> Result<(u32, u32)> {
    if is_tiff(path)? {
        return Ok(TiffLayout::read(path)?.size);
    }
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(Error::io("reading", path))?;
    reader.into_dimensions().map_err(|error| undecodable(path, &error))
}

fn windowed(path: &Path) -> Result<Option<WindowedTiff>> {
    if !is_tiff(path)? {
        return Ok(None);
    }
    let layout = TiffLayout::read(path)?;
    // A file of one or two strips would be decoded whole for every window; `image` does not read YCbCr, the window reader does.
    let by_window = layout.pixels() > WINDOW_ABOVE_PX && layout.chunk_pixels() <= layout.pixels() / 4;
    if by_window || layout.is_ycbcr() { WindowedTiff::open(path).map(Some) } else { Ok(None) }
}

/// Refuses a window that does not lie inside an image.
pub(super) fn check_window(size: (u32, u32), x: u32, y: u32, width: u32, height: u32) -> Result<()> {
    let inside = |start: u32, length: u32, limit: u32| length > 0 && u64::from(start) + u64::from(length) <= u64::from(limit);
    if inside(x, width, size.0) && inside(y, height, size.1) {
        return Ok(());
    }
    let expected = format!("a window inside the image of {} x {} px", size.0, size.1);
    Err(Error::setting("window", expected, format!("{width} x {height} px at ({x}, {y})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_whole_image_are_its_pixels() {
        let image = RgbImage::from_fn(7, 5, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let source = WholeImage(image);
        let window = source.window(2, 1, 5, 4).unwrap();
        assert_eq!(window.get_pixel(0, 0).0, [2, 1, 9]);
        assert_eq!(window.get_pixel(4, 3).0, [6, 4, 9]);
        assert_eq!(source.memory_bytes(), 105);
        for (x, y, width, height) in [(3, 0, 5, 1), (0, 0, 0, 1), (u32::MAX, 0, 2, 1), (0, 5, 1, 1)] {
            assert!(source.window(x, y, width, height).is_err(), "{x} {y} {width} {height}");
        }
    }

    #[test]
    fn sizes_come_from_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let image = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8, (x * y) as u8, y as u8]));
        for name in ["a.png", "a.jpg", "a.tif"] {
            let path = folder.path().join(name);
            image.save(&path).unwrap();
            assert_eq!(read_size(&path).unwrap(), (40, 30), "{name}");
            assert_eq!(open_source(&path).unwrap().size(), (40, 30), "{name}");
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..3]).unwrap();
            let error = read_size(&path).unwrap_err().to_string();
            assert!(error.contains("cannot be decoded") && error.contains(name), "{error}");
        }
    }
}
