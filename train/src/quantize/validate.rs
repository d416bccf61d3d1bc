//! What quantisation costs where the truth is known: scores of the float and the int8 network on the same images.

use super::int8::Int8Network;
use super::progress::Progress;
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::error::Result;
use crate::evaluate::{BandScores, Counts, classes_of, count_mask, known};
use crate::network::FoldedNetwork;
use crate::predict::predict_with;
use crate::prior::CANCER;
use burn::tensor::Device;
use serde::Serialize;

/// Scores of one image or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScorePair {
    /// Name of the image.
    pub image: String,
    /// Share of pixels to which both give the same class.
    pub pixel_agreement: f64,
    /// Scores before.
    pub float: BandScores,
    /// Scores after.
    pub int8: BandScores,
}

/// Scores on images with masks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validation {
    /// Half the width of the band, in pixels.
    pub band_px: f64,
    /// Over the pixels of all images together.
    pub pooled: ScorePair,
    /// Image by image.
    pub images: Vec<ScorePair>,
}

#[derive(Default, Clone, Copy)]
struct Pair {
    float: Counts,
    int8: Counts,
    same: u64,
    pixels: u64,
}

impl Pair {
    fn merge(self, other: Self) -> Self {
        Self {
            float: self.float.merge(other.float),
            int8: self.int8.merge(other.int8),
            same: self.same + other.same,
            pixels: self.pixels + other.pixels,
        }
    }

    fn scores(self, image: &str) -> ScorePair {
        ScorePair {
            image: image.to_owned(),
            pixel_agreement: self.same as f64 / self.pixels.max(1) as f64,
            float: self.float.scores(),
            int8: self.int8.scores(),
        }
    }
}

/// Draws the masks of both networks, and counts.
///
/// # Errors
/// An image or mask that cannot be read; an interruption.
pub(crate) fn validate(
    float: &FoldedNetwork,
    int8: &Int8Network,
    config: &RunConfig,
    data: &Dataset,
    band_px: f64,
    progress: &mut Progress,
) -> Result<Validation> {
    let device = Device::flex();
    let weights = float.tensors(&device);
    let simulation = int8.simulation();
    let classes = config.classes.len();
    let (mut all, mut images) = (Pair::default(), Vec::new());
    progress.stage("validating", data.names().count());
    for name in data.names() {
        let image = data.image(name)?;
        let size = image.dimensions();
        let truth = data.class_mask(name, size, classes)?;
        let valid = known(&truth, data.validity(name, size)?);
        let cancer: Vec<u8> = truth.iter().map(|&class| u8::from(usize::from(class) == CANCER)).collect();
        let count = |predicted: &[u8]| {
            let mask: Vec<bool> = predicted.iter().map(|&class| usize::from(class) == CANCER).collect();
            count_mask(&mask, &cancer, valid.as_deref(), size.0 as usize, band_px)
        };
        let before = predict_with(&config.network, &image, &device, |x| float.run(x, |i, x| Ok(float.layer(i, x, &weights[i]))))?;
        let after = predict_with(&config.network, &image, &device, |x| simulation.forward(x))?;
        let [before, after] = [before, after].map(|maps| classes_of(&maps, config.threshold));
        let counted = |i: &usize| valid.as_ref().is_none_or(|valid| valid[*i] != 0);
        let pair = Pair {
            float: count(&before),
            int8: count(&after),
            same: (0..before.len()).filter(counted).filter(|&i| before[i] == after[i]).count() as u64,
            pixels: (0..before.len()).filter(counted).count() as u64,
        };
        images.push(pair.scores(name));
        all = all.merge(pair);
        progress.step()?;
    }
    Ok(Validation { band_px, pooled: all.scores("all images"), images })
}
