//! What can be wrong with a field, done to fields of which the truth is known.

use super::field::Field;
use crate::data::{Augmentation, BlockPixels};
use crate::error::{Error, Result};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, blur, resize};
use image::{ExtendedColorType, GrayImage, ImageFormat, RgbImage};

/// A fault of focus, stain, compression or pixel size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Distortion {
    /// Gaussian blur of this standard deviation, pixels.
    Blur(f32),
    /// Amounts of haematoxylin, eosin and DAB off by up to this share and amount.
    Stain(f64),
    /// JPEG of this quality.
    Jpeg(u8),
    /// The image of a pixel size that is wrong by this factor: above 1 everything looks larger.
    Scale(f64),
}

impl Distortion {
    /// Those that are tried, mild before strong.
    pub(super) const ALL: [Self; 8] = [
        Self::Blur(1.5),
        Self::Blur(4.0),
        Self::Stain(0.3),
        Self::Stain(0.8),
        Self::Jpeg(30),
        Self::Jpeg(5),
        Self::Scale(0.5),
        Self::Scale(2.0),
    ];

    /// As tables have it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Blur(sigma) => format!("blurred, sigma {sigma} px"),
            Self::Stain(strength) => format!("stain off by up to {strength}"),
            Self::Jpeg(quality) => format!("JPEG of quality {quality}"),
            Self::Scale(factor) => format!("pixel size wrong, x{factor}"),
        }
    }

    /// The field with this fault; `number` draws the stain.
    ///
    /// # Errors
    /// A field that cannot be compressed.
    pub(super) fn of(self, field: &Field, number: usize) -> Result<Field> {
        let Field { image, cancer, valid } = field;
        let unchanged = |image: RgbImage| Field { image, cancer: cancer.clone(), valid: valid.clone() };
        Ok(match self {
            Self::Blur(sigma) => unchanged(blur(image, sigma)),
            Self::Stain(hed_jitter) => {
                let change = Augmentation { hed_jitter, ..Augmentation::NONE };
                let mut pixels = BlockPixels { rgb: image.as_raw().clone(), valid: None, classes: None };
                change.apply(&mut pixels, image.dimensions(), 0, 0, number)?;
                unchanged(of_bytes(pixels.rgb, image.dimensions())?)
            }
            Self::Jpeg(quality) => {
                let failed = |error: image::ImageError| Error::setting("field", "an image that JPEG can hold", error);
                let mut bytes = Vec::new();
                let (width, height) = image.dimensions();
                JpegEncoder::new_with_quality(&mut bytes, quality).encode(image, width, height, ExtendedColorType::Rgb8).map_err(failed)?;
                unchanged(image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).map_err(failed)?.into_rgb8())
            }
            Self::Scale(factor) => {
                let new = |length: u32| ((f64::from(length) * factor).round() as u32).max(1);
                let (width, height) = (new(image.width()), new(image.height()));
                let plane = |mask: &GrayImage| resize(mask, width, height, FilterType::Nearest);
                let image = resize(image, width, height, FilterType::Triangle);
                Field { image, cancer: plane(cancer), valid: valid.as_ref().map(plane) }
            }
        })
    }
}

fn of_bytes(rgb: Vec<u8>, (width, height): (u32, u32)) -> Result<RgbImage> {
    RgbImage::from_raw(width, height, rgb).ok_or_else(|| Error::setting("field", "as many pixels as before", "others"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_changes_pixels_and_keeps_truth_and_image_together() {
        let image = RgbImage::from_fn(40, 24, |x, y| image::Rgb([(x * 5) as u8, (y * 9) as u8, ((x * y) % 200) as u8]));
        let cancer = GrayImage::from_fn(40, 24, |x, _| image::Luma([u8::from(x >= 20)]));
        let field = Field { image, cancer, valid: Some(GrayImage::from_pixel(40, 24, image::Luma([1]))) };
        for distortion in Distortion::ALL {
            let changed = distortion.of(&field, 3).unwrap();
            assert_ne!(changed.image, field.image, "{}", distortion.name());
            assert_eq!(changed.image.dimensions(), changed.cancer.dimensions());
            assert_eq!(changed.valid.unwrap().dimensions(), changed.cancer.dimensions());
            let share = |mask: &GrayImage| mask.pixels().filter(|p| p[0] != 0).count() as f64 / mask.len() as f64;
            assert_eq!(share(&changed.cancer), 0.5, "{}", distortion.name());
        }
    }
}
