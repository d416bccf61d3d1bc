//! Block labels simulated from masks: what a block classifier would say, without one.

use crate::data::{Block, Dataset, class_fractions};
use crate::error::{Error, Result};
use crate::prior::CANCER;
use lsr_core::LabelBins;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// How blocks are laid and labelled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelSettings {
    /// Side of a block in pixels.
    pub block_px: u32,
    /// Distance between blocks in pixels.
    pub stride_px: u32,
    /// Standard deviation of the noise that a classifier would add to the probability.
    pub noise: f64,
    /// Seed of the noise.
    pub seed: u64,
}

/// Lays a grid of blocks over every image. A block's probability is its cancer fraction plus Gaussian noise, clamped to [0, 1]; its label
/// z is the paper's bin of that probability. The last row and column are moved inwards so that the whole image is covered. Blocks without a
/// valid pixel are left out.
///
/// # Errors
/// An image smaller than a block, a missing mask, settings of 0.
pub fn label_from_masks(data: &Dataset, settings: LabelSettings) -> Result<Vec<Block>> {
    if !(0.0..=1.0).contains(&settings.noise) {
        return Err(Error::setting("--noise", "a standard deviation in [0, 1]", settings.noise));
    }
    let bins = LabelBins::<f64, 9>::paper();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut blocks = Vec::new();
    for name in data.names() {
        let size = data.size(name)?;
        let mask = data.known_classes(name, size, 2)?;
        let side = settings.block_px;
        for (x, y) in grid(name, size, side, settings.stride_px)? {
            let mut block = Block { image: name.to_owned(), x, y, width: side, height: side, probability: 0.0, z: 0 };
            let Some(fractions) = class_fractions(&mask, size.0, &block, 2) else { continue };
            let noisy = (fractions[CANCER] + settings.noise * normal(&mut random)).clamp(0.0, 1.0);
            block.probability = as_written(noisy);
            block.z = bins.label(block.probability)?;
            blocks.push(block);
        }
    }
    Ok(blocks)
}

/// A probability with the six decimals that `blocks.csv` holds: the label must follow from them.
pub(crate) fn as_written(probability: f64) -> f64 {
    (probability * 1e6).round() / 1e6
}

/// Upper left corners of the blocks of one image, row by row. The last row and column are moved inwards so that every pixel
/// is covered (unless the blocks are further apart than they are wide).
///
/// # Errors
/// A side or distance of 0, an image smaller than a block.
pub(crate) fn grid(image: &str, size: (u32, u32), block_px: u32, stride_px: u32) -> Result<Vec<(u32, u32)>> {
    for (name, value) in [("block", block_px), ("stride", stride_px)] {
        if value == 0 {
            return Err(Error::setting(name, "at least 1 px", value));
        }
    }
    if size.0 < block_px || size.1 < block_px {
        let found = format!("{block_px} px for '{image}', which is {} x {} px", size.0, size.1);
        return Err(Error::setting("block", "a side that fits into every image", found));
    }
    let columns = positions(size.0, block_px, stride_px);
    Ok(positions(size.1, block_px, stride_px).into_iter().flat_map(|y| columns.iter().map(move |&x| (x, y)).collect::<Vec<_>>()).collect())
}

fn positions(length: u32, side: u32, stride: u32) -> Vec<u32> {
    let last = length - side;
    let mut all: Vec<u32> = (0..=last).step_by(stride as usize).collect();
    if all.last() != Some(&last) {
        all.push(last);
    }
    all
}

/// A standard normal number (Box and Muller 1958).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_cover_the_whole_length() {
        assert_eq!(positions(512, 128, 128), [0, 128, 256, 384]);
        assert_eq!(positions(500, 128, 128), [0, 128, 256, 372]);
        assert_eq!(positions(128, 128, 64), [0]);
    }

    #[test]
    fn normal_numbers_have_unit_variance() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let numbers: Vec<f64> = (0..100_000).map(|_| normal(&mut random)).collect();
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
