//! Whole slides: pyramids of tiles, of which windows are read.
//!
//! ```text
//! file ─ tiff, dicom ─► levels of tiles ─ codec ─► window of a level ─ grid ─► window at the model's pixel size
//! ```

mod codec;
mod dicom;
mod dicom_series;
mod dicom_walk;
mod grid;
#[cfg(feature = "slides")]
mod openslide;
mod pixel_size;
mod read_at;
mod tiff;
mod tissue;

pub(crate) use dicom::{dicom_items, dicom_text};
pub(crate) use dicom_series::{begins_like_dicom, without_levels};
pub(crate) use grid::Grid;
pub(crate) use tissue::Tissue;
pub use tissue::TissueChoice;

use crate::error::Error;
use crate::field::{PixelSize, PixelSizeSource};
use crate::guard::guarded;
use dicom_object::InMemDicomObject;
use image::RgbImage;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is white where a slide has no pixels: glass.
const GLASS: u8 = 255;

/// Most pixels of a tile. Slides have some of 240 to 4096 px a side.
const MAX_TILE_PIXELS: u64 = 4096 * 4096;

/// Extensions of files that hold slides and nothing else; with these names what cannot be read is a damaged slide.
const EXTENSIONS: [&str; 11] = ["svs", "dcm", "dicom", "ndpi", "mrxs", "vms", "vmu", "scn", "svslide", "bif", "czi"];

/// What may be missing.
const WITHOUT_OPENSLIDE: &str =
    if cfg!(feature = "slides") { "" } else { "; lsr-edge with the feature 'slides' reads more kinds (cargo build --features slides)" };

/// A file with a pyramid of tiles.
pub(crate) struct Slide {
    /// What kind of file it is.
    pub(crate) kind: &'static str,
    /// What it is read from: the file that was opened, and those of coarser levels.
    pub(crate) files: Vec<PathBuf>,
    /// From the finest.
    pub(crate) levels: Vec<Level>,
    /// Pixel size of the finest level, where the file states one, and which part of it does.
    pub(crate) pixel_size: Option<PixelSize>,
    /// What a DICOM file says of the slide, without its pixels.
    pub(crate) dicom: Option<Box<InMemDicomObject>>,
    tiles: Box<dyn Tiles>,
}

/// One resolution of a slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Width and height.
    pub(crate) size: [u32; 2],
    /// Width and height of its tiles.
    pub(crate) tile: [u32; 2],
}

impl Level {
    /// Whether it is a smaller picture of what another one of so many pixels shows.
    fn is_smaller([width, height]: [u32; 2], than: [u32; 2]) -> bool {
        let ratio = [f64::from(than[0]) / f64::from(width), f64::from(than[1]) / f64::from(height)];
        // A rounded pixel on either side.
        let slack = 1.0 / f64::from(width.min(height)) + 0.01;
        ratio[0] > 1.0 && (ratio[0] / ratio[1] - 1.0).abs() <= slack
    }
}

/// Where tiles come from.
trait Tiles: Send + Sync {
    /// RGB bytes of a whole tile, also beyond the border of the slide; `None` where the file has left it out.
    fn tile(&self, level: usize, column: u32, row: u32) -> Result<Option<Vec<u8>>, String>;

    /// Memory that is held all the time.
    fn resident_bytes(&self) -> u64;
}

impl Slide {
    /// Whether a file is to be taken for a slide, by its name or its beginning; it may still be a damaged one.
    pub(crate) fn is_one(path: &Path) -> bool {
        path.is_file() && (is_named(path) || begins_like_dicom(path) || matches!(Self::open(path), Ok(Some(_))))
    }

    /// Opens a slide; `None` where the file is no pyramid of tiles and may be an image.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Slide`] for a slide that is damaged, or of a kind that is not read.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Error> {
        if !path.is_file() {
            return Ok(None);
        }
        let named = is_named(path);
        let opened = match Beginning::of(path)? {
            Beginning::Tiff => guarded(|| tiff::open(path)).and_then(|result| result),
            Beginning::Dicom => {
                return guarded(|| dicom::open(path)).and_then(|result| result).map(Some).map_err(|reason| Error::Slide { reason });
            }
            Beginning::Other if named => Err("it begins neither like a TIFF nor like a DICOM file".to_owned()),
            Beginning::Other => Ok(None),
        };
        #[cfg(feature = "slides")]
        let opened = match opened {
            Ok(Some(slide)) => Ok(Some(slide)),
            refused => {
                guarded(|| openslide::open(path)).and_then(|result| result).and_then(|slide| slide.map_or(refused, |slide| Ok(Some(slide))))
            }
        };
        match opened {
            Ok(None) if named => Err(Error::Slide { reason: format!("its first image is not tiled{WITHOUT_OPENSLIDE}") }),
            Ok(slide) => Ok(slide),
            Err(reason) if named => Err(Error::Slide { reason: format!("{reason}{WITHOUT_OPENSLIDE}") }),
            // An image decoder has the last word.
            Err(_) => Ok(None),
        }
    }

    /// Pixels of a window of a level; beyond the slide there is glass.
    ///
    /// # Errors
    /// [`Error::Slide`], naming the tile.
    pub(crate) fn window(&self, level: usize, origin: [i64; 2], size: [u32; 2]) -> Result<RgbImage, Error> {
        let Level { size: whole, tile } = &self.levels[level];
        let mut window = RgbImage::from_pixel(size[0], size[1], image::Rgb([GLASS; 3]));
        // First and last column and row of the window that the slide has.
        let from: [i64; 2] = std::array::from_fn(|axis| origin[axis].max(0));
        let to: [i64; 2] = std::array::from_fn(|axis| (origin[axis] + i64::from(size[axis])).min(i64::from(whole[axis])));
        if from[0] >= to[0] || from[1] >= to[1] {
            return Ok(window);
        }
        let indices = |axis: usize| from[axis] / i64::from(tile[axis])..=(to[axis] - 1) / i64::from(tile[axis]);
        for row in indices(1) {
            for column in indices(0) {
                let pixels = guarded(|| self.tiles.tile(level, column as u32, row as u32)).and_then(|result| result);
                let said = |reason| Error::Slide { reason: format!("tile in column {column}, row {row} of level {level}: {reason}") };
                let Some(pixels) = pixels.map_err(said)? else { continue };
                let corner = [column * i64::from(tile[0]), row * i64::from(tile[1])];
                let x = from[0].max(corner[0])..to[0].min(corner[0] + i64::from(tile[0]));
                let (stride, width) = (3 * tile[0] as usize, 3 * (x.end - x.start) as usize);
                for y in from[1].max(corner[1])..to[1].min(corner[1] + i64::from(tile[1])) {
                    let source = (y - corner[1]) as usize * stride + 3 * (x.start - corner[0]) as usize;
                    let target = 3 * ((y - origin[1]) as usize * size[0] as usize + (x.start - origin[0]) as usize);
                    let pixels_of_window: &mut [u8] = &mut window;
                    pixels_of_window[target..target + width].copy_from_slice(&pixels[source..source + width]);
                }
            }
        }
        Ok(window)
    }

    /// Most bytes that reading on one thread takes beside the window: a compressed and a decoded tile.
    pub(crate) fn tile_bytes(&self, level: usize) -> u64 {
        let [width, height] = self.levels[level].tile.map(u64::from);
        // Decoders keep coefficients or samples of their own: four bytes a sample for JPEG 2000.
        7 * 3 * width * height
    }

    /// Memory that the open file holds.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.tiles.resident_bytes()
    }

    /// Pixel size of the finest level: given for all inputs, stated by the slide, or given for those that state none.
    ///
    /// # Errors
    /// [`Error::NoPixelSize`].
    pub(crate) fn pixel_size_or(&self, given: Option<f64>, if_missing: Option<f64>) -> Result<PixelSize, Error> {
        let given = given.map(|um| stated(um, PixelSizeSource::Flag));
        let if_missing = if_missing.map(|um| stated(um, PixelSizeSource::FlagIfMissing));
        given.or(self.pixel_size).or(if_missing).ok_or(Error::NoPixelSize)
    }

    /// Micrometres per pixel of a level, in x and y: levels are rounded to whole pixels.
    pub(crate) fn um_per_px(&self, level: usize, finest: f64) -> [f64; 2] {
        std::array::from_fn(|axis| finest * f64::from(self.levels[0].size[axis]) / f64::from(self.levels[level].size[axis]))
    }

    /// The coarsest level that is no coarser than this pixel size; the finest where all are.
    pub(crate) fn level_for(&self, finest: f64, um_per_px: f64) -> usize {
        let fits = |level: &usize| self.um_per_px(*level, finest).into_iter().all(|um| um <= 1.01 * um_per_px);
        (0..self.levels.len()).rev().find(fits).unwrap_or(0)
    }
}

/// Whether a file's name promises a slide.
fn is_named(path: &Path) -> bool {
    path.extension().is_some_and(|name| EXTENSIONS.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// What a file begins like.
enum Beginning {
    Tiff,
    Dicom,
    Other,
}

impl Beginning {
    fn of(path: &Path) -> Result<Self, Error> {
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| file.take(132).read_to_end(&mut head));
        read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Ok(match &head[..] {
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Self::Tiff,
            [.., b'D', b'I', b'C', b'M'] if head.len() == 132 => Self::Dicom,
            _ => Self::Other,
        })
    }
}

/// A pixel size that the file states.
fn stated(um_per_px: f64, source: PixelSizeSource) -> PixelSize {
    PixelSize { um_per_px, source }
}
