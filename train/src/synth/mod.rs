//! Synthetic tissue stained with haematoxylin and eosin, with the exact mask of its cancer.
//!
//! An image is drawn the way a slide comes about: fields say what tissue lies where (`field`), structures and cells are put into it
//! (`structure`, `cell`), each leaves stain on a `canvas`, and light goes through the stain (Beer and Lambert's law), a lens and a
//! sensor (`optics`). Lengths are in um, so the same seed shows the same kind of tissue at any pixel size.
//!
//! Tumour differs from benign tissue by its cells alone: larger, irregular, vesicular nuclei with nucleoli in ample cytoplasm.
//! Benign glands, vessels, histiocytes, plasma cells and germinal centres are there to be mistaken for it. The mask is the tumour
//! cells' bodies and nuclei, without the lumens, necrosis, stroma and glass between them; lymphocytes inside a nest belong to it.
//!
//! The same configuration and index give the same bytes on every machine: random numbers are ChaCha8's or hashes of a place,
//! transcendental functions are `libm`'s, and no result depends on the order in which tiles are drawn.

mod canvas;
mod cell;
mod field;
mod ground;
mod lattice;
mod noise;
mod nucleus;
mod optics;
mod slide;
mod structure;
mod tile;

#[cfg(test)]
mod tests;

use image::{GrayImage, Luma, Rgb, RgbImage};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use field::Architecture;
use slide::Slide;
use tile::Scene;

/// Smallest and largest side of an image in pixels.
pub const SIZE_RANGE_PX: core::ops::RangeInclusive<u32> = 16..=16_384;
/// Smallest and largest pixel size in um.
pub const UM_PER_PX_RANGE: core::ops::RangeInclusive<f32> = 0.1..=8.0;

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthConfig {
    /// Width in pixels, within [`SIZE_RANGE_PX`].
    pub width_px: u32,
    /// Height in pixels, within [`SIZE_RANGE_PX`].
    pub height_px: u32,
    /// Side of a pixel in um, within [`UM_PER_PX_RANGE`]. At 1 um/px a lymphocyte is 7 px wide.
    pub um_per_px: f32,
    /// Names the series of images.
    pub seed: u64,
    /// Share of the image that tumour shall take, 0 to 1; the share reached is near it, since tumour gives way to glass, vessels
    /// and stroma. `None` lets each image draw its own: a fifth have none, a tenth are nearly full.
    pub tumour_fraction: Option<f32>,
}

impl SynthConfig {
    /// Square images of `size_px` pixels a side that draw their own tumour fraction.
    ///
    /// # Errors
    /// Those of [`SynthConfig::validate`].
    pub fn new(size_px: u32, um_per_px: f32, seed: u64) -> Result<Self, SynthError> {
        let config = Self { width_px: size_px, height_px: size_px, um_per_px, seed, tumour_fraction: None };
        config.validate()?;
        Ok(config)
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// Names the first value that is out of its range.
    pub fn validate(&self) -> Result<(), SynthError> {
        for (side, value) in [("width", self.width_px), ("height", self.height_px)] {
            if !SIZE_RANGE_PX.contains(&value) {
                return Err(SynthError::SizeOutOfRange { side, value });
            }
        }
        if !UM_PER_PX_RANGE.contains(&self.um_per_px) {
            return Err(SynthError::PixelSizeOutOfRange { value: self.um_per_px });
        }
        match self.tumour_fraction {
            Some(value) if !(0.0..=1.0).contains(&value) => Err(SynthError::TumourFractionOutOfRange { value }),
            _ => Ok(()),
        }
    }
}

/// Why no image can be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SynthError {
    /// A side is too short or too long.
    #[error("{side} of {value} px: expected {} to {} px", SIZE_RANGE_PX.start(), SIZE_RANGE_PX.end())]
    SizeOutOfRange {
        /// `width` or `height`.
        side: &'static str,
        /// The value given, in pixels.
        value: u32,
    },
    /// The pixel size is not a number of um that tissue can be drawn at.
    #[error("pixel size of {value} um/px: expected {} to {} um/px", UM_PER_PX_RANGE.start(), UM_PER_PX_RANGE.end())]
    PixelSizeOutOfRange {
        /// The value given, in um/px.
        value: f32,
    },
    /// The tumour fraction is not a fraction.
    #[error("tumour fraction of {value}: expected 0 to 1")]
    TumourFractionOutOfRange {
        /// The value given.
        value: f32,
    },
}

/// A synthetic image and its truth.
#[derive(Debug, Clone)]
pub struct SynthImage {
    /// The stained tissue, as a bright-field scanner shows it.
    pub image: RgbImage,
    /// 255 where a pixel is cancer, 0 elsewhere; as large as the image.
    pub mask: GrayImage,
    /// Share of pixels that are cancer, 0 to 1.
    pub tumour_fraction: f32,
    /// Side of a pixel in um.
    pub um_per_px: f32,
    /// Mean radius of this image's tumour nuclei in um, as drawn.
    pub tumour_nucleus_um: f32,
    /// Mean radius of this image's lymphocyte nuclei in um, as drawn.
    pub lymphocyte_nucleus_um: f32,
}

/// Draws image `index` of the series `config.seed`. It does not depend on any other image. Tiles are drawn on rayon's threads.
///
/// # Errors
/// Those of [`SynthConfig::validate`].
pub fn generate(config: &SynthConfig, index: u64) -> Result<SynthImage, SynthError> {
    config.validate()?;
    let slide = Slide::draw(config, index);
    let um = |length: u32| length as f32 * config.um_per_px;
    let architecture = Architecture::calibrate(&slide, um(config.width_px), um(config.height_px));
    let scene = Scene {
        slide: &slide,
        architecture: &architecture,
        width_px: config.width_px,
        height_px: config.height_px,
        um_per_px: config.um_per_px,
    };
    let tiles: Vec<_> = scene.corners().par_iter().map(|corner| scene.tile(*corner)).collect();
    let mut image = RgbImage::new(config.width_px, config.height_px);
    let mut mask = GrayImage::new(config.width_px, config.height_px);
    let mut cancer_px = 0_u64;
    for tile in &tiles {
        for (n, (rgb, cancer)) in (0_u32..).zip(tile.rgb.iter().zip(&tile.cancer)) {
            let (x, y) = (tile.x + n % tile.width, tile.y + n / tile.width);
            image.put_pixel(x, y, Rgb(*rgb));
            mask.put_pixel(x, y, Luma([if *cancer { 255 } else { 0 }]));
            cancer_px += u64::from(*cancer);
        }
    }
    Ok(SynthImage {
        image,
        mask,
        tumour_fraction: (cancer_px as f64 / (f64::from(config.width_px) * f64::from(config.height_px))) as f32,
        um_per_px: config.um_per_px,
        tumour_nucleus_um: slide.tumour_cell.nucleus_um,
        lymphocyte_nucleus_um: slide.lymphocyte_um,
    })
}
