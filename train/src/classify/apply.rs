//! Labels for label super-resolution: the calibrated probability and z of every block.

use super::folder::{ClassifierFolder, Fold};
use super::score::logits;
use crate::data::{Block, Dataset};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::label::{as_written, grid};
use lsr_core::LabelBins;
use std::path::Path;

/// Lays a grid of the classifier's blocks over every image, `stride_px` apart (a block's side without one), and gives each its calibrated
/// probability of being a cancer block and the paper's bin z of it. An image with the name of one that was trained on is judged by the
/// network of its fold, which did not see it; any other by the mean logit of all. `progress` is told the image that begins.
///
/// # Errors
/// A classifier that is unfinished or damaged, images of another pixel size than it learned (where both are known) or smaller than a block,
/// a stride of 0, a failing device.
pub fn apply_classifier(
    folder: &Path,
    data: &Dataset,
    stride_px: Option<u32>,
    device: DeviceChoice,
    mut progress: impl FnMut(&str),
) -> Result<Vec<Block>> {
    let folder = ClassifierFolder::open(folder)?;
    let (config, calibration) = (&folder.config, folder.calibration()?);
    if let Some(found) = data.um_per_px()?
        && (found - config.um_per_px).abs() > 0.02 * config.um_per_px
    {
        return Err(Error::setting("um_per_px", format!("the pixel size that the classifier learned, {}", config.um_per_px), found));
    }
    let device = device.open()?;
    let folds = (0..config.folds).map(|fold| folder.read_fold(fold, &device)).collect::<Result<Vec<Fold>>>()?;
    let bins = LabelBins::<f64, 9>::paper();
    let side = config.block_px;
    let mut blocks = Vec::new();
    for name in data.names() {
        progress(name);
        let image = data.image(name)?;
        let corners = grid(name, image.dimensions(), side, stride_px.unwrap_or(side))?;
        let judges = config.fold_of_image.get(name).map_or(&folds[..], |&fold| &folds[fold..=fold]);
        let mut sums = vec![0.0; corners.len()];
        for Fold { network, prior_logit } in judges {
            for (sum, logit) in sums.iter_mut().zip(logits(network, &image, &corners, side, &device)?) {
                *sum += logit + prior_logit;
            }
        }
        for ((x, y), sum) in corners.into_iter().zip(sums) {
            let probability = as_written(calibration.probability(sum / judges.len() as f64));
            blocks.push(Block { image: name.to_owned(), x, y, width: side, height: side, probability, z: bins.label(probability)? });
        }
    }
    Ok(blocks)
}
