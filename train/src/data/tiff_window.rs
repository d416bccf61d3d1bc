//! TIFF files read by window: only the tiles or strips that a window touches are decoded.

use super::decode::undecodable;
use super::positioned::SharedFile;
use super::source::{ImageSource, check_window};
use crate::error::{Error, Result};
use image::RgbImage;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

/// TIFF or BigTIFF, in either byte order.
const MAGIC: [&[u8; 4]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];
/// Bytes of a table of tile places, which a slide of a million tiles needs (the crate's default is 1 MiB).
const MAX_TABLE_BYTES: usize = 64 << 20;
/// Values of the tags Compression and PlanarConfiguration.
const JPEG: u16 = 7;
const PLANAR: u16 = 2;

type TiffFile = Decoder<BufReader<SharedFile>>;

/// Whether a file's first bytes are those of a TIFF.
pub(super) fn is_tiff(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("reading", path))?;
    file.take(4).read_to_end(&mut start).map_err(Error::io("reading", path))?;
    Ok(MAGIC.iter().any(|magic| start == magic.as_slice()))
}

/// What the header of a TIFF says about its first image.
#[derive(Debug, Clone, Copy)]
pub(super) struct TiffLayout {
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    chunk: (u32, u32),
    color: ColorType,
}

impl TiffLayout {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).and_then(SharedFile::new).map_err(Error::io("reading", path))?;
        Self::of(&mut decoder(path, file)?, path)
    }

    fn of(tiff: &mut TiffFile, path: &Path) -> Result<Self> {
        let size = tiff.dimensions().map_err(|error| undecodable(path, error))?;
        let color = tiff.colortype().map_err(|error| undecodable(path, error))?;
        // The crate takes it for granted that a tile's sides fit 32 bits.
        for side in [Tag::TileWidth, Tag::TileLength] {
            tiff.find_tag_unsigned::<u32>(side).map_err(|error| undecodable(path, error))?;
        }
        let chunk = tiff.chunk_dimensions();
        if size.0 == 0 || size.1 == 0 || chunk.0 == 0 || chunk.1 == 0 {
            return Err(undecodable(path, "an image or tile without pixels"));
        }
        let layout = Self { size, chunk: (chunk.0, chunk.1.min(size.1)), color };
        let (columns, rows) = layout.chunks();
        // Tiles are numbered in 32 bits.
        match columns.checked_mul(rows) {
            Some(_) => Ok(layout),
            None => Err(undecodable(path, format!("{columns} x {rows} tiles"))),
        }
    }

    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.size.0) * u64::from(self.size.1)
    }

    pub(super) fn chunk_pixels(&self) -> u64 {
        u64::from(self.chunk.0) * u64::from(self.chunk.1)
    }

    pub(super) fn is_ycbcr(&self) -> bool {
        matches!(self.color, ColorType::YCbCr(_))
    }

    /// Tiles or strips beside each other, and above each other.
    fn chunks(&self) -> (u32, u32) {
        (self.size.0.div_ceil(self.chunk.0), self.size.1.div_ceil(self.chunk.1))
    }
}

/// How a chunk's samples become RGB.
#[derive(Debug, Clone, Copy)]
enum Samples {
    Grey,
    Rgb,
    Rgba,
    /// Full range, ITU-R BT.601, as in JPEG files (JFIF).
    YCbCr,
}

impl Samples {
    fn of(color: ColorType, compression: u16) -> Option<Self> {
        match color {
            ColorType::Gray(8) => Some(Self::Grey),
            ColorType::RGB(8) => Some(Self::Rgb),
            ColorType::RGBA(8) => Some(Self::Rgba),
            ColorType::YCbCr(8) if compression == JPEG => Some(Self::YCbCr),
            _ => None,
        }
    }

    fn per_pixel(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Rgba => 4,
        }
    }

    /// Appends a row of RGB.
    fn write(self, samples: &[u8], rgb: &mut [u8]) {
        for (source, target) in samples.chunks_exact(self.per_pixel()).zip(rgb.chunks_exact_mut(3)) {
            match self {
                Self::Grey => target.fill(source[0]),
                Self::Rgb | Self::Rgba => target.copy_from_slice(&source[..3]),
                Self::YCbCr => {
                    let (y, cb, cr) = (f32::from(source[0]), f32::from(source[1]) - 128.0, f32::from(source[2]) - 128.0);
                    // The cast saturates.
                    target[0] = (y + 1.402 * cr).round() as u8;
                    target[1] = (y - 0.344_136 * cb - 0.714_136 * cr).round() as u8;
                    target[2] = (y + 1.772 * cb).round() as u8;
                }
            }
        }
    }
}

/// A TIFF whose first image is read by window.
#[derive(Debug)]
pub(super) struct WindowedTiff {
    path: PathBuf,
    file: SharedFile,
    layout: TiffLayout,
    samples: Samples,
    /// Decoders that no thread is using: reading needs one of its own for every thread.
    idle: Mutex<Vec<TiffFile>>,
}

impl WindowedTiff {
    /// Opens a file of 8-bit grey, RGB, RGBA or (in JPEG) YCbCr samples, in tiles or strips.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).and_then(SharedFile::new).map_err(Error::io("reading", path))?;
        let mut tiff = decoder(path, file.clone())?;
        let layout = TiffLayout::of(&mut tiff, path)?;
        let tag = |tiff: &mut TiffFile, tag| tiff.find_tag_unsigned::<u16>(tag).map_err(|error| undecodable(path, error));
        let compression = tag(&mut tiff, Tag::Compression)?.unwrap_or(1);
        let planar = tag(&mut tiff, Tag::PlanarConfiguration)? == Some(PLANAR);
        let samples = Samples::of(layout.color, compression).filter(|samples| !planar || matches!(samples, Samples::Grey));
        let samples = samples.ok_or_else(|| {
            let found = format!("{:?}{}", layout.color, if planar { ", one plane per channel" } else { "" });
            undecodable(path, format!("a TIFF of this size needs 8-bit grey or interleaved RGB samples, found {found}"))
        })?;
        Ok(Self { path: path.to_owned(), file, layout, samples, idle: Mutex::new(vec![tiff]) })
    }

    fn take_decoder(&self) -> Result<TiffFile> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| decoder(&self.path, self.file.clone()), Ok)
    }

    /// Copies the part of a chunk that lies in the window.
    fn copy_chunk(&self, tiff: &mut TiffFile, (column, row): (u32, u32), window: &Window, rgb: &mut RgbImage) -> Result<()> {
        let index = row * self.layout.chunks().0 + column;
        let (width, height) = tiff.chunk_data_dimensions(index);
        let data = match tiff.read_chunk(index).map_err(|error| undecodable(&self.path, error))? {
            DecodingResult::U8(data) => data,
            _ => return Err(undecodable(&self.path, "samples that are not 8-bit")),
        };
        let samples = self.samples.per_pixel();
        if data.len() < width as usize * height as usize * samples {
            return Err(undecodable(&self.path, format!("tile {index} has fewer pixels than the header says")));
        }
        let (left, top) = (column * self.layout.chunk.0, row * self.layout.chunk.1);
        let (from_x, to_x) = (window.x.max(left), (window.x + window.width).min(left + width));
        let (from_y, to_y) = (window.y.max(top), (window.y + window.height).min(top + height));
        for y in from_y..to_y {
            let start = ((y - top) as usize * width as usize + (from_x - left) as usize) * samples;
            let source = &data[start..start + (to_x - from_x) as usize * samples];
            let start = ((y - window.y) as usize * window.width as usize + (from_x - window.x) as usize) * 3;
            let target = &mut rgb.as_flat_samples_mut().samples[start..start + (to_x - from_x) as usize * 3];
            self.samples.write(source, target);
        }
        Ok(())
    }
}

struct Window {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl ImageSource for WindowedTiff {
    fn size(&self) -> (u32, u32) {
        self.layout.size
    }

    fn window(&self, x: u32, y: u32, width: u32, height: u32) -> Result<RgbImage> {
        check_window(self.size(), x, y, width, height)?;
        let window = Window { x, y, width, height };
        let (chunk_width, chunk_height) = self.layout.chunk;
        let mut tiff = self.take_decoder()?;
        let mut rgb = RgbImage::new(width, height);
        for row in y / chunk_height..=(y + height - 1) / chunk_height {
            for column in x / chunk_width..=(x + width - 1) / chunk_width {
                // After a failure the decoder is dropped: its state is not known.
                self.copy_chunk(&mut tiff, (column, row), &window, &mut rgb)?;
            }
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(tiff);
        Ok(rgb)
    }

    fn memory_bytes(&self) -> u64 {
        // Offset and length of every tile, eight bytes each.
        let (columns, rows) = self.layout.chunks();
        16 * u64::from(columns) * u64::from(rows)
    }

    fn open_files(&self) -> usize {
        1
    }
}

fn decoder(path: &Path, file: SharedFile) -> Result<TiffFile> {
    let mut limits = Limits::default();
    limits.ifd_value_size = MAX_TABLE_BYTES;
    let tiff = Decoder::new(BufReader::new(file)).map_err(|error| undecodable(path, error))?;
    Ok(tiff.with_limits(limits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiff::encoder::TiffEncoder;

    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, (x * y) as u8]))
    }

    /// A tiled TIFF of 8-bit RGB, tiles of 16 x 32 px, padded at the edges.
    fn write_tiled(path: &Path, image: &RgbImage) {
        let (width, height) = image.dimensions();
        let mut encoder = TiffEncoder::new(File::create(path).unwrap()).unwrap();
        let mut directory = encoder.image_directory().unwrap();
        let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
        for top in (0..height).step_by(32) {
            for left in (0..width).step_by(16) {
                let mut tile = Vec::new();
                for y in top..top + 32 {
                    for x in left..left + 16 {
                        tile.extend(image.get_pixel_checked(x, y).map_or([77; 3], |pixel| pixel.0));
                    }
                }
                offsets.push(directory.write_data(tile.as_slice()).unwrap() as u32);
                lengths.push(tile.len() as u32);
            }
        }
        directory.write_tag(Tag::ImageWidth, width).unwrap();
        directory.write_tag(Tag::ImageLength, height).unwrap();
        directory.write_tag(Tag::BitsPerSample, [8_u16, 8, 8].as_slice()).unwrap();
        directory.write_tag(Tag::Compression, 1_u16).unwrap();
        directory.write_tag(Tag::PhotometricInterpretation, 2_u16).unwrap();
        directory.write_tag(Tag::SamplesPerPixel, 3_u16).unwrap();
        directory.write_tag(Tag::TileWidth, 16_u32).unwrap();
        directory.write_tag(Tag::TileLength, 32_u32).unwrap();
        directory.write_tag(Tag::TileOffsets, offsets.as_slice()).unwrap();
        directory.write_tag(Tag::TileByteCounts, lengths.as_slice()).unwrap();
        directory.finish().unwrap();
    }

    #[test]
    fn a_window_of_tiles_or_strips_is_the_crop_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let image = picture(70, 90);
        let (tiled, strips, grey) = (folder.path().join("tiled.tif"), folder.path().join("strips.tif"), folder.path().join("grey.tif"));
        write_tiled(&tiled, &image);
        let mut encoder = TiffEncoder::new(File::create(&strips).unwrap()).unwrap().with_compression(tiff::encoder::Compression::Lzw);
        let mut directory = encoder.new_image::<tiff::encoder::colortype::RGB8>(70, 90).unwrap();
        directory.rows_per_strip(7).unwrap();
        directory.write_data(image.as_raw()).unwrap();
        image::DynamicImage::from(image.clone()).into_luma8().save(&grey).unwrap();
        for path in [tiled, strips, grey] {
            let whole = super::super::decode::decode(&path).unwrap().into_rgb8();
            let source = WindowedTiff::open(&path).unwrap();
            assert_eq!(source.size(), (70, 90));
            for (x, y, width, height) in [(0, 0, 70, 90), (13, 30, 40, 35), (69, 89, 1, 1), (16, 32, 16, 32)] {
                let expected = image::imageops::crop_imm(&whole, x, y, width, height).to_image();
                assert!(source.window(x, y, width, height).unwrap() == expected, "{path:?} {x} {y} {width} {height}");
            }
            assert!(source.window(60, 0, 11, 1).is_err());
            assert_eq!(source.idle.lock().unwrap().len(), 1, "the decoder is used again");
        }
    }

    #[test]
    fn threads_read_windows_of_one_file_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (path, image) = (folder.path().join("a.tif"), picture(64, 64));
        write_tiled(&path, &image);
        let source = WindowedTiff::open(&path).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (source, image) = (&source, &image);
                scope.spawn(move || {
                    for i in 0..50 {
                        let (x, y) = ((i * 7 + thread * 3) % 40, (i * 5) % 40);
                        let expected = image::imageops::crop_imm(image, x, y, 20, 20).to_image();
                        assert!(source.window(x, y, 20, 20).unwrap() == expected);
                    }
                });
            }
        });
    }

    #[test]
    fn a_damaged_or_unsuitable_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tif");
        write_tiled(&path, &picture(64, 64));
        let whole = std::fs::read(&path).unwrap();
        // The directory lies behind the pixels; the pixels' places then point behind the end.
        for cut in [2, 8, whole.len() / 2, whole.len() - 20] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let error = WindowedTiff::open(&path).and_then(|source| source.window(0, 0, 64, 64)).unwrap_err().to_string();
            assert!(error.contains("a.tif") && error.contains("cannot be decoded"), "{cut}: {error}");
        }
        image::DynamicImage::from(picture(8, 8)).into_rgb16().save(&path).unwrap();
        let error = WindowedTiff::open(&path).unwrap_err().to_string();
        assert!(error.contains("8-bit") && error.contains("RGB(16)"), "{error}");
    }

    #[test]
    fn full_range_ycbcr_becomes_rgb() {
        let mut rgb = [0; 9];
        Samples::YCbCr.write(&[128, 128, 128, 76, 85, 255, 255, 0, 255], &mut rgb);
        // Grey, pure red (JFIF), and a colour outside RGB that is clamped.
        assert_eq!(rgb, [128, 128, 128, 254, 0, 0, 255, 208, 28]);
    }
}
