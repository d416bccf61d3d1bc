//! Probabilities to a mask, and what is counted on it.

use crate::error::Error;
use crate::predict::ProbabilityMap;
use lsr_core::{BlockMoments, U8Sums, VarianceModel};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which pixels are cancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    cancer: Vec<bool>,
}

impl Mask {
    /// A pixel is cancer where `p >= threshold`, by the network's number and not by its rounding to a byte.
    pub fn new(map: &ProbabilityMap, threshold: f32) -> Self {
        Self { width: map.width(), cancer: map.values().iter().map(|&p| p >= threshold).collect() }
    }

    /// Row by row.
    pub(crate) fn from_pixels(width: u32, cancer: Vec<bool>) -> Self {
        Self { width, cancer }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The pixels, row by row.
    pub fn pixels(&self) -> &[bool] {
        &self.cancer
    }

    /// As bytes: 0 or 255.
    pub fn to_u8(&self) -> Vec<u8> {
        self.cancer.iter().map(|&cancer| if cancer { 255 } else { 0 }).collect()
    }

    /// Cancer pixels.
    pub fn count(&self) -> u64 {
        self.cancer.iter().filter(|&&cancer| cancer).count() as u64
    }
}

/// How much of an image is cancer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CancerFraction {
    /// Predicted count: the mean probability, a fraction of all pixels.
    pub count_fraction: f64,
    /// Its standard deviation as lsr-core has it: `sqrt(sum p (1-p)) / n`, for pixels that err independently of each other.
    pub count_std: f64,
    /// Pixels of the mask, a fraction of all pixels.
    pub mask_fraction: f64,
    /// Pixels of the mask.
    pub mask_pixels: u64,
    /// Area of the mask, square millimetres.
    pub mask_area_mm2: f64,
    /// Area of the image, square millimetres.
    pub image_area_mm2: f64,
}

impl CancerFraction {
    /// Counts. The count's moments come from the byte probabilities, as on a microcontroller, so they can be redone from the PNG.
    ///
    /// # Errors
    /// [`Error::Moments`] for an image without pixels.
    pub fn new(probability_u8: &[u8], mask: &Mask, um_per_px: f64) -> Result<Self, Error> {
        let mut sums = U8Sums::default();
        sums.push_row(probability_u8);
        Self::of_sums(sums, mask.count(), um_per_px)
    }

    /// Of pixels whose sums were collected row by row.
    ///
    /// # Errors
    /// [`Error::Moments`] where there are none.
    pub(crate) fn of_sums(sums: U8Sums, mask_pixels: u64, um_per_px: f64) -> Result<Self, Error> {
        let block = BlockMoments::<f64>::from_u8_sums(sums)?;
        let pixels = f64::from(sums.pixels);
        let pixel_mm2 = um_per_px * um_per_px * 1e-6;
        Ok(Self {
            count_fraction: block.mean(),
            count_std: block.variance(VarianceModel::CountFraction).sqrt(),
            mask_fraction: mask_pixels as f64 / pixels,
            mask_pixels,
            mask_area_mm2: mask_pixels as f64 * pixel_mm2,
            image_area_mm2: pixels * pixel_mm2,
        })
    }
}

/// A mask that is too large for a byte a pixel.
pub(crate) struct MaskBits {
    width: usize,
    bits: Vec<u64>,
}

impl MaskBits {
    /// Nothing is cancer yet.
    pub(crate) fn new([width, height]: [u32; 2]) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, bits: vec![0; (width * height).div_ceil(64)] }
    }

    /// Adds the cancer pixels of a row.
    pub(crate) fn set_row(&mut self, y: usize, cancer: &[bool]) {
        for x in (0..cancer.len()).filter(|&x| cancer[x]) {
            let at = y * self.width + x;
            self.bits[at / 64] |= 1 << (at % 64);
        }
    }

    /// Whether a pixel is cancer.
    pub(crate) fn get(&self, x: usize, y: usize) -> bool {
        let at = y * self.width + x;
        self.bits[at / 64] >> (at % 64) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_by_hand() {
        let mask = Mask { width: 2, cancer: vec![true, false, false, true] };
        let fraction = CancerFraction::new(&[255, 0, 51, 204], &mask, 500.0).unwrap();
        assert_eq!(fraction.count_fraction, 0.5);
        // sum p (1-p) = 2 * 0.16; variance = 0.32 / 16
        assert!((fraction.count_std - 0.02_f64.sqrt()).abs() < 1e-15);
        assert_eq!((fraction.mask_fraction, fraction.mask_pixels), (0.5, 2));
        assert!((fraction.mask_area_mm2 - 0.5).abs() < 1e-12 && (fraction.image_area_mm2 - 1.0).abs() < 1e-12);
    }
}
