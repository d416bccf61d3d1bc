//! A field: one image with its pixel size, resampled to the model's.

mod decode;

pub use decode::MAX_PIXELS;

use crate::error::Error;
use decode::decode;
pub(crate) use decode::{check_size, pixel_on_white};
use image::imageops::{FilterType, resize};
use image::{ImageReader, RgbImage};
use serde::Serialize;
use std::path::Path;

/// An image and how large its pixels are.
#[derive(Debug, Clone)]
pub struct Field {
    /// The pixels as stored in the file.
    pub image: RgbImage,
    /// Pixel size of `image`.
    pub pixel_size: PixelSize,
}

/// Micrometres per pixel, and who says so.
///
/// Resolution tags of PNG and TIFF files are not asked: they are wrong too often (72 dpi of an image editor).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelSize {
    /// Micrometres per pixel.
    pub um_per_px: f64,
    /// Where the number comes from.
    pub source: PixelSizeSource,
}

/// Where a pixel size comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PixelSizeSource {
    /// `--um-per-px`.
    #[serde(rename = "flag --um-per-px")]
    Flag,
    /// `--um-per-px-if-missing`, where the file states none.
    #[serde(rename = "flag --um-per-px-if-missing")]
    FlagIfMissing,
    /// `MPP` in the description of an Aperio slide.
    #[serde(rename = "Aperio MPP")]
    Aperio,
    /// `PhysicalSizeX` and `PhysicalSizeY` in the description of an OME-TIFF.
    #[serde(rename = "OME PhysicalSize")]
    Ome,
    /// Pixel Spacing of a DICOM slide.
    #[serde(rename = "DICOM PixelSpacing")]
    Dicom,
    /// `openslide.mpp-x` and `openslide.mpp-y`.
    #[serde(rename = "OpenSlide mpp")]
    OpenSlide,
    /// Resolution tags of a tiled TIFF.
    #[serde(rename = "TIFF resolution")]
    TiffResolution,
    /// Whoever posts it.
    #[serde(rename = "request")]
    Request,
    /// A slide as a virtual microscope, which resamples to it.
    #[serde(rename = "virtual microscope")]
    VirtualMicroscope,
    /// Nothing was said, so the image has the pixel size that the model's file gives to such fields.
    #[serde(rename = "assumed from model")]
    AssumedFromModel,
}

impl PixelSizeSource {
    /// As records have it.
    pub(crate) fn words(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl PixelSize {
    /// What whoever posts a field says.
    pub(crate) fn of_request(um_per_px: f64) -> Self {
        Self { um_per_px, source: PixelSizeSource::Request }
    }

    /// The size given by the user for all inputs or for those that state none, or else the one that the model's file gives to fields that state none.
    pub fn given_or_assumed(given: Option<f64>, if_missing: Option<f64>, field_um_per_px: f64) -> Self {
        match (given, if_missing) {
            (Some(um_per_px), _) => Self { um_per_px, source: PixelSizeSource::Flag },
            (None, Some(um_per_px)) => Self { um_per_px, source: PixelSizeSource::FlagIfMissing },
            (None, None) => Self { um_per_px: field_um_per_px, source: PixelSizeSource::AssumedFromModel },
        }
    }

    /// Width and height of an image of this pixel size at another one; at least 1 px.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn resampled(self, [width, height]: [u32; 2], um_per_px: f64) -> Result<[u32; 2], Error> {
        let scaled = |length: u32| (f64::from(length) * self.um_per_px / um_per_px).round().max(1.0) as u64;
        let (width, height) = (scaled(width), scaled(height));
        check_size("the image at the model's pixel size", width, height)?;
        Ok([width as u32, height as u32])
    }
}

impl Field {
    /// Decodes the bytes of a PNG, JPEG or TIFF file.
    ///
    /// # Errors
    /// [`Error::NotAnImage`], [`Error::Decode`], [`Error::TooLarge`].
    pub fn decode(bytes: &[u8], pixel_size: PixelSize) -> Result<Self, Error> {
        Self::decode_within(bytes, pixel_size, MAX_PIXELS)
    }

    /// The same with another bound on its pixels, and so on the memory that decoding takes.
    ///
    /// # Errors
    /// As [`Field::decode`].
    pub(crate) fn decode_within(bytes: &[u8], pixel_size: PixelSize, max_pixels: u64) -> Result<Self, Error> {
        Ok(Self { image: decode(bytes, max_pixels)?, pixel_size })
    }

    /// The pixels of such a file.
    ///
    /// # Errors
    /// As [`Field::decode`].
    pub(crate) fn decode_file(bytes: &[u8]) -> Result<RgbImage, Error> {
        decode(bytes, MAX_PIXELS)
    }

    /// The image at another pixel size; `None` when it has that size already.
    ///
    /// Lanczos-3, which image widens by the factor when shrinking: every source pixel counts, fine texture does not alias.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn at(&self, um_per_px: f64) -> Result<Option<RgbImage>, Error> {
        let size = [self.image.width(), self.image.height()];
        let resampled = self.pixel_size.resampled(size, um_per_px)?;
        Ok((resampled != size).then(|| resize(&self.image, resampled[0], resampled[1], FilterType::Lanczos3)))
    }
}

/// Width and height from a file's header, without decoding it; `None` if it has none.
pub(crate) fn stored_size(path: &Path) -> Option<[u32; 2]> {
    if !path.is_file() {
        return None;
    }
    let reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    crate::guard::guarded(|| reader.into_dimensions().ok()).ok()?.map(|(width, height)| [width, height])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_pixel_size() {
        let half = PixelSize::given_or_assumed(Some(0.5), Some(9.0), 2.0);
        assert_eq!(half.resampled([401, 3], 2.0).unwrap(), [100, 1]);
        assert_eq!(half.resampled([1, 1], 2.0).unwrap(), [1, 1]);
        assert_eq!(PixelSize::given_or_assumed(None, Some(0.5), 2.0).um_per_px, 0.5);
        assert!(matches!(half.resampled([60_000, 60_000], 0.01), Err(Error::TooLarge { .. })));
        assert!(matches!(PixelSize::given_or_assumed(Some(1e300), None, 1.0).resampled([9, 9], 1e-3), Err(Error::TooLarge { .. })));
        assert_eq!(PixelSize::given_or_assumed(None, None, 4.2).resampled([77, 5], 4.2).unwrap(), [77, 5]);
    }
}
