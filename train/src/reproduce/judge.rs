//! A system's masks on the test images, and what they are worth: `result.json` of a system and seed.

use super::settings::Plan;
use crate::atomic;
use crate::collapse::{LabelStatistics, collapse};
use crate::data::{Block, Dataset};
use crate::error::{Error, Result};
use crate::evaluate::{count_mask, cut};
use crate::png_file::write_png;
use crate::prior::{CANCER, Prior};
use crate::statistics::{ImageCounts, LabelCalibration};
use image::GrayImage;
use lsr_core::GroupMoments;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Labels with fewer test blocks than this say nothing about a collapse.
const LEAST_BLOCKS: usize = 5;

/// What a trained system gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Against the masks of the test images.
    pub(super) images: Vec<ImageCounts>,
    /// Predicted counts of the test images' blocks by label, beside the prior and the truth.
    pub(super) labels: Vec<LabelCalibration>,
    /// Test blocks of each of these labels.
    pub(super) blocks: Vec<usize>,
    /// Why the system counts as collapsed, if it does.
    pub(super) collapsed: Option<String>,
    /// Why training ended early, if it did.
    pub(super) failed: Option<String>,
    /// Seconds of training and prediction.
    pub(super) seconds: f64,
}

/// Judges a system by its probability maps of the test images, and writes its masks for the figures.
pub(super) fn judge(
    plan: &Plan,
    data: &Dataset,
    blocks: &[Block],
    prior: &Prior,
    folder: &Path,
    mut map_of: impl FnMut(&str) -> Result<Vec<f32>>,
) -> Result<Outcome> {
    atomic::make_folder(folder)?;
    let mut images = Vec::new();
    let mut by_label: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for name in &plan.test {
        let size = data.size(name)?;
        let width = size.0 as usize;
        let truth = data.mask(name, size)?.into_raw();
        let valid = data.validity(name, size)?;
        let map = map_of(name)?;
        let predicted = cut(&map, 0.5);
        let counts = count_mask(&predicted, &truth, valid.as_deref(), width, f64::from(plan.block_px()));
        images.push(ImageCounts { image: name.clone(), masked: counts.masked, whole: counts.whole });
        for block in blocks.iter().filter(|block| block.image == *name) {
            if let Some(pair) = block_counts(block, &map, &truth, valid.as_deref(), width) {
                by_label.entry(block.z).or_default().push(pair);
            }
        }
        let pixels = predicted.iter().map(|&cancer| if cancer { 255 } else { 0 }).collect();
        let path = folder.join(format!("{name}.png"));
        let mask = GrayImage::from_raw(size.0, size.1, pixels).ok_or_else(|| Error::file(&path, "a map of another size than its image"))?;
        write_png(&path, &mask.into())?;
    }
    let (mut labels, mut blocks) = (Vec::new(), Vec::new());
    for (z, pairs) in by_label {
        let Some(count) = prior.counts(z).and_then(|counts| counts.get(CANCER)) else { continue };
        let (mean, spread) = mean_and_spread(pairs.iter().map(|pair| pair.0));
        let (true_mean, _) = mean_and_spread(pairs.iter().map(|pair| pair.1));
        labels.push(LabelCalibration { z, mean, spread, eta: count.mean, rho: count.std, true_mean: Some(true_mean) });
        blocks.push(pairs.len());
    }
    let telling: Vec<LabelStatistics> = labels
        .iter()
        .zip(&blocks)
        .filter(|(_, blocks)| **blocks >= LEAST_BLOCKS)
        .map(|(l, _)| LabelStatistics { z: l.z, mean: l.mean, spread: l.spread, eta: l.eta, rho: l.rho })
        .collect();
    Ok(Outcome { images, labels, blocks, collapsed: collapse(&telling), failed: None, seconds: 0.0 })
}

/// Predicted and true count of a block over its valid pixels.
fn block_counts(block: &Block, map: &[f32], truth: &[u8], valid: Option<&[u8]>, width: usize) -> Option<(f64, f64)> {
    let (mut n, mut predicted, mut cancer) = (0_u32, 0.0, 0_u32);
    for y in block.y as usize..(block.y + block.height) as usize {
        for i in y * width + block.x as usize..y * width + (block.x + block.width) as usize {
            if valid.is_none_or(|valid| valid[i] != 0) {
                n += 1;
                predicted += f64::from(map[i]);
                cancer += u32::from(truth[i] != 0);
            }
        }
    }
    (n > 0).then(|| (predicted / f64::from(n), f64::from(cancer) / f64::from(n)))
}

fn mean_and_spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut group = GroupMoments::<f64>::new();
    for value in values {
        // A count is the mean of a block of one pixel of that probability; only mean and between-variance are used.
        let mean = value.clamp(0.0, 1.0);
        if let Ok(block) = lsr_core::BlockMoments::from_parts(1, mean, 0.0) {
            group.push(&block);
        }
    }
    (group.mean(), group.between_variance().sqrt())
}

impl Outcome {
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(path).map_err(Error::io("reading", path))?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::file(path, error.to_string()))
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|error| Error::file(path, error.to_string()))?;
        atomic::write(path, &json)
    }
}
