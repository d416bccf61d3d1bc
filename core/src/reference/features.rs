//! What a tile looks like and what the network says of it, as eleven numbers.

use super::density::{DENSITY, DENSITY_STEPS, ENTROPY, ENTROPY_STEPS, UNMIX};
use super::view::{FieldView, Tile};
use crate::moments::{BlockMoments, U8Sums, VarianceModel};
use crate::{Error, Target};

/// Number of features.
pub const FEATURES: usize = 11;

/// Features of a tile, in the order of [`FEATURE_NAMES`].
pub type Features = [f32; FEATURES];

/// What each feature is, in files and messages.
pub const FEATURE_NAMES: [&str; FEATURES] = [
    "haematoxylin",
    "eosin",
    "colour beside both stains",
    "spread of haematoxylin",
    "spread of eosin",
    "spread of colour beside both stains",
    "texture at 1 px",
    "texture at 4 px",
    "texture at 16 px",
    "entropy of the prediction",
    "counts beside the prior",
];

/// Where the features of the pixels end; the rest are of the prediction.
pub const APPEARANCE: usize = 9;
/// Place of the mean entropy.
pub const ENTROPY_AT: usize = 9;
/// Place of the distance of counts from the prior.
pub const COUNTS_AT: usize = 10;

/// Distances at which texture is measured, pixels: nuclear detail, nuclei, cells in their arrangement (at 1 or 2 um a pixel).
const LAGS: [usize; 3] = [1, 4, 16];

/// A pixel is glass where its mean optical density is below this (paler than grey 231).
const GLASS_BELOW: u32 = (0.1 * 3.0 * DENSITY_STEPS) as u32;

/// Added to spreads and textures before their logarithm is taken: faults of focus and compression change them by factors, and what is nearly even
/// must not lie at minus infinity.
const EVEN: f64 = 0.02;

/// A tile with less tissue than this share has no features: too few pixels to speak of stain or texture.
pub const LEAST_TISSUE: f32 = 0.05;

/// What counts are held against: label blocks and what the prior says of them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CountRule<'a> {
    /// Side of a block in pixels.
    pub block_px: usize,
    /// The Gaussians N(eta, rho^2) of all labels; without one the feature is 0.
    pub targets: &'a [Target<f32>],
}

/// What is known of a tile.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TileFeatures {
    /// Share of pixels that are tissue.
    pub tissue: f32,
    /// The features, where there is enough tissue ([`LEAST_TISSUE`]).
    pub features: Option<Features>,
}

impl FieldView<'_> {
    /// The features of a tile. All sums are integers, so that neither order nor processor matter; what follows is f64 and libm.
    ///
    /// ```text
    /// stain      mean amounts a of haematoxylin, eosin and the rest over tissue pixels (optical density), and ln(standard deviation + 0.02)
    /// texture    ln(t + 0.02), t = mean |D(x) - D(x + lag)| over pairs of tissue pixels side by side and below each other, in standard
    ///            deviations of D (optical density, sum of the channels): t is 1.13 for white noise and nearly 0 for what is smooth
    /// entropy    mean over tissue pixels, bits
    /// counts     mean over label blocks of max(0, min_z |mu - eta_z| / sqrt(rho_z^2 + v) - 1), a block counting by its tissue pixels
    /// ```
    ///
    /// Counts within one standard deviation of a label agree with it, the dead zone of the LSR loss of Malkin et al.: priors of cancer are Gaussians
    /// only by name, and a block without any cancer lies a standard deviation below the mean of a label that stands for little cancer.
    ///
    /// `scratch` holds at least as many entries as the tile has pixels; what is in it does not matter.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for a tile beyond its field or a scratch that is too short.
    pub fn features(&self, tile: Tile, counts: CountRule<'_>, scratch: &mut [u16]) -> Result<TileFeatures, Error> {
        for (name, end, most) in [
            ("columns of the field", tile.x.saturating_add(tile.width), self.width),
            ("rows of the field", tile.y.saturating_add(tile.height), self.height),
        ] {
            if end > most {
                return Err(Error::LengthMismatch { name, expected: end, found: most });
            }
        }
        let pixels = tile.width * tile.height;
        let found = scratch.len();
        let scratch = scratch.get_mut(..pixels).ok_or(Error::LengthMismatch { name: "scratch", expected: pixels, found })?;
        let sums = self.sums(tile, scratch);
        let tissue = if pixels == 0 { 0.0 } else { sums.tissue as f32 / pixels as f32 };
        if sums.tissue == 0 || tissue < LEAST_TISSUE {
            return Ok(TileFeatures { tissue, features: None });
        }
        let (mean, covariance) = sums.moments();
        let spread = |u: [f64; 3]| {
            let variance: f64 = (0..9).map(|i| u[i / 3] * u[i % 3] * covariance[i / 3][i % 3]).sum();
            libm::sqrt(variance.max(0.0))
        };
        let mut features = [0.0; FEATURES];
        for stain in 0..3 {
            let u = UNMIX.map(|row| row[stain]);
            features[stain] = u.iter().zip(mean).map(|(u, mean)| u * mean).sum::<f64>() as f32;
            features[3 + stain] = libm::log(spread(u) + EVEN) as f32;
        }
        let whole = spread([1.0; 3]);
        for (feature, lag) in features[6..APPEARANCE].iter_mut().zip(LAGS) {
            let (sum, pairs) = differences(scratch, tile.width, lag);
            // Scratch has half steps.
            let mean = if pairs == 0 { 0.0 } else { 2.0 * sum as f64 / pairs as f64 / DENSITY_STEPS };
            *feature = libm::log(if whole > 0.0 { mean / whole } else { 0.0 } + EVEN) as f32;
        }
        features[ENTROPY_AT] = (sums.entropy as f64 / sums.tissue as f64 / ENTROPY_STEPS) as f32;
        features[COUNTS_AT] = self.disagreement(tile, counts, scratch)?;
        Ok(TileFeatures { tissue, features: Some(features) })
    }

    /// Sums over the tissue of a tile; leaves half the summed optical density of each pixel in `scratch`, 0 for glass.
    fn sums(&self, tile: Tile, scratch: &mut [u16]) -> Sums {
        let mut all = Sums::default();
        for (row, line) in scratch.chunks_exact_mut(tile.width.max(1)).enumerate() {
            let start = (tile.y + row) * self.width + tile.x;
            let rgb = self.rgb[3 * start..3 * (start + tile.width)].as_chunks::<3>().0;
            let probabilities = &self.probabilities[start..start + tile.width];
            for ((slot, pixel), &q) in line.iter_mut().zip(rgb).zip(probabilities) {
                let d = pixel.map(|level| u32::from(DENSITY[usize::from(level)]));
                let total = d[0] + d[1] + d[2];
                if total < GLASS_BELOW {
                    *slot = 0;
                    continue;
                }
                *slot = (total / 2) as u16;
                all.tissue += 1;
                all.entropy += u64::from(ENTROPY[usize::from(q)]);
                for (sum, d) in all.density.iter_mut().zip(d) {
                    *sum += u64::from(d);
                }
                // A product is below 2^29, so a sum of 2^32 of them fits.
                let products = [d[0] * d[0], d[0] * d[1], d[0] * d[2], d[1] * d[1], d[1] * d[2], d[2] * d[2]];
                for (sum, product) in all.products.iter_mut().zip(products) {
                    *sum += u64::from(product);
                }
            }
        }
        all
    }

    /// How far the counts of the tile's blocks are from the nearest label's, in standard deviations beyond the first.
    fn disagreement(&self, tile: Tile, counts: CountRule<'_>, density: &[u16]) -> Result<f32, Error> {
        if counts.targets.is_empty() {
            return Ok(0.0);
        }
        let side = |length: usize| counts.block_px.clamp(1, length.max(1));
        let (width, height) = (side(tile.width), side(tile.height));
        let (mut sum, mut weight) = (0.0_f32, 0.0_f32);
        // What is left at the right and lower edge belongs to no whole block.
        for top in (0..=tile.height - height).step_by(height) {
            for left in (0..=tile.width - width).step_by(width) {
                let (mut moments, mut tissue) = (U8Sums::default(), 0_usize);
                for row in top..top + height {
                    let start = (tile.y + row) * self.width + tile.x + left;
                    moments.push_row(&self.probabilities[start..start + width]);
                    tissue += density[row * tile.width + left..][..width].iter().filter(|&&d| d != 0).count();
                }
                let block = BlockMoments::<f32>::from_u8_sums(moments)?;
                let variance = block.variance(VarianceModel::CountFraction);
                let distance = |target: &Target<f32>| (block.mean() - target.mean).abs() / libm::sqrtf(target.std * target.std + variance);
                let nearest = counts.targets.iter().map(distance).fold(f32::INFINITY, f32::min);
                sum += tissue as f32 * (nearest - 1.0).max(0.0);
                weight += tissue as f32;
            }
        }
        Ok(if weight > 0.0 { sum / weight } else { 0.0 })
    }
}

/// Sums over tissue pixels, in steps of the tables.
#[derive(Default)]
struct Sums {
    tissue: u64,
    entropy: u64,
    density: [u64; 3],
    /// RR, RG, RB, GG, GB, BB.
    products: [u64; 6],
}

impl Sums {
    /// Means and covariances of the channels' optical density.
    fn moments(&self) -> ([f64; 3], [[f64; 3]; 3]) {
        let n = self.tissue as f64;
        let mean = self.density.map(|sum| sum as f64 / n / DENSITY_STEPS);
        let product = |a: usize, b: usize| {
            let (a, b) = (a.min(b), a.max(b));
            self.products[[0, 3, 5][a] + b - a] as f64 / n / (DENSITY_STEPS * DENSITY_STEPS)
        };
        (mean, core::array::from_fn(|a| core::array::from_fn(|b| product(a, b) - mean[a] * mean[b])))
    }
}

/// Sum of absolute differences between tissue pixels `lag` apart, side by side and below each other, and the number of pairs.
fn differences(density: &[u16], width: usize, lag: usize) -> (u64, u64) {
    let (mut sum, mut pairs) = (0, 0);
    let mut add = |a: &[u16], b: &[u16]| {
        // 32-bit sums within a chunk, which vectors have more of: 2^16 * 34,069 < 2^32.
        for (a, b) in a.chunks(1 << 16).zip(b.chunks(1 << 16)) {
            let (mut chunk_sum, mut chunk_pairs) = (0_u32, 0_u32);
            for (&a, &b) in a.iter().zip(b) {
                let both = a != 0 && b != 0;
                chunk_sum += if both { u32::from(a.abs_diff(b)) } else { 0 };
                chunk_pairs += u32::from(both);
            }
            sum += u64::from(chunk_sum);
            pairs += u64::from(chunk_pairs);
        }
    };
    for (row, line) in density.chunks_exact(width).enumerate() {
        if let Some(right) = line.get(lag..) {
            add(line, right);
        }
        if let Some(below) = density.get((row + lag) * width..(row + lag + 1) * width) {
            add(line, below);
        }
    }
    (sum, pairs)
}
