//! Confusion counts near the true boundary and everywhere, and the ratios made from them.

use crate::boundary::distance_to_boundary;
use lsr_core::Confusion;
use serde::{Deserialize, Serialize};

/// IoU, Dice and so on of a set of pixels; `null` where a ratio is not defined.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Pixels counted.
    pub pixels: u64,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// Dice coefficient.
    pub dice: Option<f64>,
    /// TP / (TP + FP).
    pub precision: Option<f64>,
    /// TP / (TP + FN).
    pub recall: Option<f64>,
    /// (TP + TN) / all.
    pub accuracy: Option<f64>,
}

impl From<Confusion> for Scores {
    fn from(counts: Confusion) -> Self {
        Self {
            pixels: counts.pixels(),
            iou: counts.iou(),
            dice: counts.dice(),
            precision: counts.precision(),
            recall: counts.recall(),
            accuracy: counts.accuracy(),
        }
    }
}

/// Scores of a prediction inside the band around the true boundary and over everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BandScores {
    /// Within `band_px` of the true boundary.
    pub masked: Scores,
    /// All pixels.
    pub whole: Scores,
}

/// Pixels by predicted and true class: within the band around the true boundary, and all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Within the band.
    pub masked: Confusion,
    /// Everywhere.
    pub whole: Confusion,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self { masked: self.masked.merge(other.masked), whole: self.whole.merge(other.whole) }
    }

    /// The ratios.
    pub fn scores(self) -> BandScores {
        BandScores { masked: self.masked.into(), whole: self.whole.into() }
    }
}

/// A mask against the truth: `predicted` and `truth` (0 or not) are of an image `width` pixels wide, row by row; pixels where `valid` is 0 count for
/// nothing; the band is `band_px` wide on either side of the true boundary.
pub fn count_mask(predicted: &[bool], truth: &[u8], valid: Option<&[u8]>, width: usize, band_px: f64) -> Counts {
    let distance = distance_to_boundary(truth, width, truth.len() / width.max(1));
    let mut counts = Counts::default();
    for (i, ((&predicted, &truth), &distance)) in predicted.iter().zip(truth).zip(&distance).enumerate() {
        if valid.is_some_and(|valid| valid[i] == 0) {
            continue;
        }
        counts.whole.push(predicted, truth != 0);
        if f64::from(distance) <= band_px {
            counts.masked.push(predicted, truth != 0);
        }
    }
    counts
}

/// A probability map, cut at `threshold`, against the truth; as [`count_mask`].
pub fn count_image(map: &[f32], threshold: f64, truth: &[u8], valid: Option<&[u8]>, width: usize, band_px: f64) -> Counts {
    count_mask(&cut(map, threshold), truth, valid, width, band_px)
}

/// Where a probability reaches the threshold. Compared as the edge runtime compares it: in f32, on the network's own probability.
pub fn cut(map: &[f32], threshold: f64) -> Vec<bool> {
    map.iter().map(|&p| p >= threshold as f32).collect()
}
