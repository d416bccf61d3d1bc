//! Validation: the counts of blocks that are not trained on against the prior, and masked Dice where that is asked for.

use super::shown_class;
use super::step::Trainer;
use crate::collapse::LabelStatistics;
use crate::config::{RunConfig, StopOn};
use crate::data::{Block, BlockPixels};
use crate::error::{Error, Result};
use crate::evaluate::{Counts, count_image};
use crate::metrics::ValidationReport;
use crate::network::{Network, input_from_rgb8, probabilities};
use crate::predict::predict;
use crate::prior::CANCER;
use burn::tensor::Device;
use lsr_core::{BlockMoments, Distance, GroupMoments, Predicted, Stabilisers, Target, VarianceModel, distance};
use std::collections::BTreeMap;
use std::time::Instant;

/// Blocks of each label that are looked at, spread evenly over the label's blocks.
const BLOCKS_PER_LABEL: usize = 32;

/// A validation counts as better when it improves the best by more than this share: noise in the last digits is no progress.
const LEAST_IMPROVEMENT: f64 = 1e-4;

impl Trainer<'_> {
    /// Validates on `device`, which has no autodiff; remembers the best, and writes its network where the run stops early.
    pub(super) fn validate(&mut self, device: &Device) -> Result<ValidationReport> {
        let started = Instant::now();
        let config = &self.run.config;
        let network = self.state.network();
        let moments = self.block_moments(&network, device)?;
        let labels = statistics(&moments, &self.run.prior, shown_class(config.network.outputs));
        let count_mismatch = mismatch(&moments, self.run, config);
        let masked_dice = match config.stop_on {
            StopOn::Counts => None,
            StopOn::Dice => Some(self.masked_dice(&network, device)?),
        };
        let report = ValidationReport { step: self.step(), count_mismatch, masked_dice, labels };
        let score = masked_dice.map_or(count_mismatch, |dice| 1.0 - dice);
        let progress = &mut self.state.progress;
        if progress.best.is_none_or(|best| score < best * (1.0 - LEAST_IMPROVEMENT)) {
            (progress.best, progress.stale) = (Some(score), 0);
            if config.patience.is_some() {
                self.state.save_best(&self.run.folder)?;
            }
        } else {
            progress.stale += 1;
        }
        self.timing.validation_s += started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Tells all processes what the first one's validation has come to, so that they stop together.
    pub(super) fn share_validation(&mut self) {
        let (processes, progress) = (self.run.processes, &mut self.state.progress);
        if processes.alone() {
            return;
        }
        let own = if processes.is_first() { [progress.best.unwrap_or(f64::NAN), progress.stale as f64] } else { [0.0; 2] };
        let mut told = own;
        processes.sum(&mut told);
        (progress.best, progress.stale) = (Some(told[0]), told[1] as usize);
    }

    /// Why the run should end, when its validations have not improved for as long as the settings allow.
    pub(super) fn stale_for(&self, config: &RunConfig) -> Option<String> {
        let stale = self.state.progress.stale;
        config.patience.filter(|&patience| stale >= patience).map(|_| format!("no better validation for {stale} validations"))
    }

    /// The moments of each class of some validation blocks, by label.
    fn block_moments(&self, network: &Network, device: &Device) -> Result<BTreeMap<usize, Vec<Vec<BlockMoments<f64>>>>> {
        let run = self.run;
        let Some(reader) = &self.watched else { return Ok(BTreeMap::new()) };
        let chosen = chosen(&run.validation);
        let mut found: BTreeMap<usize, Vec<Vec<BlockMoments<f64>>>> = BTreeMap::new();
        for indices in chosen.chunks(run.config.groups_at_once * run.config.group) {
            let mut readable = Vec::new();
            let mut pixels: Vec<BlockPixels> = Vec::new();
            for &index in indices {
                match reader.read(index) {
                    Ok(block) => {
                        readable.push(index);
                        pixels.push(block);
                    }
                    // It has no count.
                    Err(Error::NoValidPixel { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if pixels.is_empty() {
                continue;
            }
            let first = &run.validation[indices[0]];
            let (height, width) = (first.height as usize, first.width as usize);
            for (&index, moments) in readable.iter().zip(moments_of(network, &pixels, height, width, device)?) {
                found.entry(run.validation[index].z).or_default().push(moments);
            }
        }
        Ok(found)
    }

    fn masked_dice(&self, network: &Network, device: &Device) -> Result<f64> {
        let run = self.run;
        let band = f64::from(run.validation[0].width);
        let mut pooled = Counts::default();
        for name in run.validation_images() {
            let image = run.data.image(&name)?;
            let truth = run.data.mask(&name, image.dimensions())?;
            let valid = run.data.validity(&name, image.dimensions())?;
            let map = predict(network, &run.config, &image, device)?;
            let counts = count_image(&map, run.config.threshold, truth.as_raw(), valid.as_deref(), image.width() as usize, band);
            pooled = pooled.merge(counts);
        }
        Ok(pooled.masked.dice().unwrap_or(0.0))
    }
}

/// At most [`BLOCKS_PER_LABEL`] blocks of each label, evenly spaced.
fn chosen(blocks: &[Block]) -> Vec<usize> {
    let mut by_label: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, block) in blocks.iter().enumerate() {
        by_label.entry(block.z).or_default().push(index);
    }
    let spread = |all: Vec<usize>| {
        let count = all.len().min(BLOCKS_PER_LABEL);
        (0..count).map(move |i| all[i * all.len() / count]).collect::<Vec<_>>()
    };
    by_label.into_values().flat_map(spread).collect()
}

/// The moments of each class of some blocks, as the network predicts them in evaluation.
fn moments_of(
    network: &Network,
    blocks: &[BlockPixels],
    height: usize,
    width: usize,
    device: &Device,
) -> Result<Vec<Vec<BlockMoments<f64>>>> {
    let pixels = height * width;
    let bytes: Vec<u8> = blocks.iter().flat_map(|block| block.rgb.iter().copied()).collect();
    let output = probabilities(network.forward(input_from_rgb8(&bytes, blocks.len(), height, width, device)));
    let outputs = output.dims()[1];
    let values = output.try_into_vec_as::<f32>().map_err(|error| Error::Training { step: 0, reason: format!("prediction: {error:?}") })?;
    blocks
        .iter()
        .enumerate()
        .map(|(i, block)| {
            (0..outputs)
                .map(|class| {
                    let map = &values[(i * outputs + class) * pixels..][..pixels];
                    let valid = |pixel: usize| block.valid.as_ref().is_none_or(|valid| valid[pixel] != 0);
                    let pairs = map.iter().enumerate().map(|(pixel, &p)| (f64::from(p), valid(pixel)));
                    Ok(BlockMoments::from_masked(pairs)?)
                })
                .collect()
        })
        .collect()
}

fn statistics(moments: &BTreeMap<usize, Vec<Vec<BlockMoments<f64>>>>, prior: &crate::Prior, class: usize) -> Vec<LabelStatistics> {
    moments
        .iter()
        .filter_map(|(&z, blocks)| {
            let expected = prior.counts(z)?.get(CANCER)?;
            let group: GroupMoments<f64> = blocks.iter().map(|classes| &classes[class]).collect();
            Some(LabelStatistics { z, mean: group.mean(), spread: group.between_variance().sqrt(), eta: expected.mean, rho: expected.std })
        })
        .collect()
}

/// Mean over labels (and classes) of the squared 2-Wasserstein distance: the same measure for every loss, and one that has a minimum where the
/// counts match, which Eq. 9 has not.
fn mismatch(moments: &BTreeMap<usize, Vec<Vec<BlockMoments<f64>>>>, run: &crate::Run, config: &RunConfig) -> f64 {
    let outputs = config.network.outputs;
    let first = if outputs == 1 { CANCER } else { 0 };
    let mut terms = Vec::new();
    for (&z, blocks) in moments {
        for class in 0..outputs {
            let Some(count) = run.prior.counts(z).and_then(|counts| counts.get(first + class)) else { continue };
            let group: GroupMoments<f64> = blocks.iter().map(|classes| &classes[class]).collect();
            let variance = group.between_variance() + group.within_variance(VarianceModel::CountFraction);
            let predicted = Predicted { mean: group.mean(), variance, log_variance: variance };
            let target = Target { mean: count.mean, std: count.std };
            terms.push(distance(Distance::Wasserstein2, predicted, target, &Stabilisers::none()));
        }
    }
    terms.iter().sum::<f64>() / terms.len().max(1) as f64
}
