//! One step: a batch through the network, the loss, its gradient, the optimiser.

use super::shown_class;
use super::timing::Timing;
use crate::checkpoint::TrainingState;
use crate::collapse::{LabelStatistics, LabelTracker};
use crate::config::RunConfig;
use crate::data::{Batch, BlockReader, ReaderOptions};
use crate::error::{Error, Result};
use crate::loss::{BatchLoss, BatchTarget, PastMoments, batch_loss, cross_entropy};
use crate::metrics::StepReport;
use crate::network::{input_from_rgb8, probabilities};
use crate::prior::CANCER;
use crate::queue::PastBlock;
use crate::run::Run;
use crate::sampler::SampledGroup;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::{Loss, VarianceModel};
use std::sync::Arc;
use std::time::Instant;

/// What changes from step to step, and what it is changed by.
pub(super) struct Trainer<'a> {
    pub(super) run: &'a Run,
    pub(super) state: TrainingState,
    pub(super) timing: Timing,
    /// Whether each part of a step is waited for, so that its time is its own. Slower on a GPU, whose work is queued otherwise.
    pub(super) synchronised: bool,
    loss: Loss<f64>,
    device: Device,
    /// Reads the blocks that are watched; none where no image is.
    pub(super) watched: Option<BlockReader>,
}

/// A part of a batch: some of its groups.
struct Part<'a> {
    groups: &'a [SampledGroup],
    images: &'a [u8],
    valid: Option<&'a [u8]>,
    classes: Option<&'a [u8]>,
}

/// What a part's forward pass gave.
struct Outcome {
    counts: BatchLoss,
    total: Tensor<1>,
    cross_entropy: Option<Tensor<1>>,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(run: &'a Run, state: TrainingState, device: Device) -> Result<Self> {
        let watched = if run.validation.is_empty() {
            None
        } else {
            let memory_bytes = run.config.image_memory << 20;
            let options = ReaderOptions { memory_bytes, classes: run.config.classes.len(), ..ReaderOptions::default() };
            Some(BlockReader::new(run.data.clone(), Arc::clone(&run.validation), options)?)
        };
        Ok(Self { run, state, timing: Timing::default(), synchronised: false, loss: run.config.loss()?, device, watched })
    }

    /// Steps done.
    pub(super) fn step(&self) -> usize {
        self.state.progress.step
    }

    /// Predicted mean and spread of every label over its latest groups.
    pub(super) fn statistics(&self) -> Vec<LabelStatistics> {
        self.state.progress.tracker.statistics(&self.run.prior, CANCER)
    }

    fn seconds_since(&self, started: Instant) -> f64 {
        if self.synchronised {
            // What the device reports here, it reports again when the loss is read.
            let _ = self.device.sync();
        }
        started.elapsed().as_secs_f64()
    }

    /// Trains on one batch.
    pub(super) fn train_on(&mut self, batch: &Batch) -> Result<StepReport> {
        let config = &self.run.config;
        let (parts, share) = (parts(batch, config, self.run), config.groups_at_once as f64 / config.groups as f64);
        let mut gradients = GradientsAccumulator::new();
        let (mut loss, mut entropy) = (0.0, None);
        let mut moments = Vec::new();
        for part in &parts {
            let outcome = self.forward(part);
            loss += share * scalar(&outcome.total);
            if let Some(value) = &outcome.cross_entropy {
                *entropy.get_or_insert(0.0) += share * scalar(value);
            }
            moments.extend(self.moments(part, &outcome.counts)?);
            let started = Instant::now();
            let total = if parts.len() == 1 { outcome.total } else { outcome.total.mul_scalar(share) };
            gradients.accumulate(&self.state.model, GradientsParams::from_grads(total.backward(), &self.state.model));
            self.timing.backward_s += self.seconds_since(started);
        }
        let report = self.report(batch, loss, entropy, moments)?;
        let started = Instant::now();
        // The optimiser takes the network by value; a clone shares the weights.
        self.state.model = self.state.optimizer.step(self.state.model.clone(), gradients.grads(), report.learning_rate);
        self.state.progress.step += 1;
        if let Some(ema) = &mut self.state.ema {
            ema.update(&self.state.model, self.state.progress.step);
        }
        self.timing.optimizer_s += self.seconds_since(started);
        self.timing.steps += 1;
        self.timing.blocks += config.groups * config.group;
        Ok(report)
    }

    fn forward(&mut self, part: &Part) -> Outcome {
        let config = &self.run.config;
        let (width, height) = (self.run.blocks[0].width as usize, self.run.blocks[0].height as usize);
        let (groups, size) = (part.groups.len(), config.group);
        let started = Instant::now();
        let input = input_from_rgb8(part.images, groups * size, height, width, &self.device);
        let logits = self.state.model.forward(input); // [groups * blocks, outputs, h, w]
        self.timing.forward_s += self.seconds_since(started);

        let started = Instant::now();
        let outputs = config.network.outputs;
        let nothing = logits.clone();
        let predicted = probabilities(logits.clone()).reshape([groups, size, outputs, height * width]);
        let valid = part.valid.map(|valid| {
            let valid: Vec<f32> = valid.iter().map(|&v| f32::from(v != 0)).collect();
            Tensor::from_data(TensorData::new(valid, [groups, size, height * width]), &self.device)
        });
        let counts = batch_loss(predicted, valid, self.target(part.groups, outputs), &self.loss);
        let cross_entropy = part
            .classes
            .filter(|_| config.cross_entropy_weight > 0.0)
            .and_then(|classes| cross_entropy(logits, classes, part.valid, &self.device));
        // Full supervision leaves the counts out altogether: 0 times a number that is none is none.
        let weighted = (config.count_weight > 0.0).then(|| counts.loss.clone().mul_scalar(config.count_weight));
        let total = match (weighted, &cross_entropy) {
            (Some(counts), Some(entropy)) => counts + entropy.clone().mul_scalar(config.cross_entropy_weight),
            (Some(counts), None) => counts,
            (None, Some(entropy)) => entropy.clone().mul_scalar(config.cross_entropy_weight),
            // None of these blocks has a mask, and only masks count.
            (None, None) => nothing.sum().mul_scalar(0.0),
        };
        self.timing.loss_s += self.seconds_since(started);
        Outcome { counts, total, cross_entropy }
    }

    /// eta, rho, weights and earlier moments of every group: of cancer alone for a network with one output.
    fn target(&self, groups: &[SampledGroup], outputs: usize) -> BatchTarget {
        let config = &self.run.config;
        let first = if outputs == 1 { CANCER } else { 0 };
        let table = |value: &dyn Fn(usize, usize) -> f64| {
            let values: Vec<f32> = groups
                .iter()
                .flat_map(|group| (0..outputs).map(move |class| (group.label, class)))
                .map(|(z, c)| value(z, c) as f32)
                .collect();
            Tensor::<2>::from_data(TensorData::new(values, [groups.len(), outputs]), &self.device)
        };
        // A run is refused unless every label has a row of all classes.
        let count = |z: usize, class: usize| self.run.prior.counts(z).and_then(|counts| counts.get(first + class)).copied();
        let weighted = !config.class_weights.is_empty() || !config.label_weights.is_empty();
        let queue = &self.state.progress.queue;
        let past = (config.queue > 0).then(|| PastMoments {
            share: {
                let share = |group: &SampledGroup| {
                    let earlier = f64::from(queue.moments(group.label, 0).blocks());
                    (earlier / (earlier + config.group as f64)) as f32
                };
                Tensor::from_data(TensorData::new(groups.iter().map(share).collect(), [groups.len(), 1]), &self.device)
            },
            mean: table(&|z, class| queue.moments(z, class).mean()),
            between: table(&|z, class| queue.moments(z, class).between_variance()),
            within: table(&|z, class| queue.moments(z, class).within_variance(VarianceModel::CountFraction)),
            within_bernoulli: table(&|z, class| queue.moments(z, class).within_variance(VarianceModel::BernoulliMean)),
        });
        BatchTarget {
            mean: table(&|z, class| count(z, class).map_or(f64::NAN, |count| count.mean)),
            std: table(&|z, class| count(z, class).map_or(f64::NAN, |count| count.std)),
            weight: weighted.then(|| table(&|z, class| config.label_weights.of(z) * config.class_weight(first + class))),
            past,
        }
    }

    /// The moments of every block and class of a part, in the order of its blocks.
    fn moments(&self, part: &Part, outcome: &BatchLoss) -> Result<Vec<Vec<PastBlock>>> {
        let outputs = self.run.config.network.outputs;
        let step = self.step() + 1;
        let values = |tensor: &Tensor<3>| {
            tensor.clone().try_into_vec_as::<f32>().map_err(|error| Error::Training { step, reason: format!("counts: {error:?}") })
        };
        let (means, bernoulli) = (values(&outcome.counts)?, values(&outcome.bernoulli)?);
        let pixels = self.run.blocks[0].width as usize * self.run.blocks[0].height as usize;
        let valid = |block: usize| match part.valid {
            None => pixels as u32,
            Some(valid) => valid[block * pixels..(block + 1) * pixels].iter().map(|&v| u32::from(v != 0)).sum(),
        };
        let blocks = means.chunks_exact(outputs).zip(bernoulli.chunks_exact(outputs)).enumerate();
        Ok(blocks
            .map(|(block, (means, bernoulli))| {
                let pixels = valid(block);
                means.iter().zip(bernoulli).map(|(&mean, &bernoulli)| PastBlock { pixels, mean, bernoulli }).collect()
            })
            .collect())
    }

    /// Takes the counts into the tracker and the queue, and refuses a loss that is no number with the groups that made it.
    fn report(&mut self, batch: &Batch, loss: f64, cross_entropy: Option<f64>, moments: Vec<Vec<PastBlock>>) -> Result<StepReport> {
        let config = &self.run.config;
        let class = shown_class(config.network.outputs);
        let step = self.step() + 1;
        let mut statistics = Vec::new();
        let mut moments = moments.into_iter();
        for group in &batch.groups {
            let blocks: Vec<_> = moments.by_ref().take(config.group).collect();
            let counts: Vec<f64> = blocks.iter().map(|block| f64::from(block[class].mean)).collect();
            let mut single = LabelTracker::default();
            single.push(group.label, counts.clone());
            statistics.extend(single.statistics(&self.run.prior, CANCER));
            self.state.progress.tracker.push(group.label, counts);
            for block in blocks {
                self.state.progress.queue.push(group.label, block);
            }
        }
        if !loss.is_finite() {
            let found: Vec<String> = statistics
                .iter()
                .map(|s| format!("z {}: mean {}, spread {} for eta {}, rho {}", s.z, s.mean, s.spread, s.eta, s.rho))
                .collect();
            let reason =
                format!("the loss is {loss}; predicted counts: {} (try --clip-norm, or a larger --variance-floor)", found.join("; "));
            return Err(Error::Training { step, reason });
        }
        let learning_rate = config.schedule.rate(config.learning_rate, self.step(), config.steps);
        Ok(StepReport { step, loss, cross_entropy, learning_rate, groups: statistics })
    }
}

/// The batch in parts of `groups_at_once` groups.
fn parts<'a>(batch: &'a Batch, config: &RunConfig, run: &Run) -> Vec<Part<'a>> {
    let pixels = run.blocks[0].width as usize * run.blocks[0].height as usize;
    let blocks = config.groups_at_once * config.group;
    batch
        .groups
        .chunks(config.groups_at_once)
        .enumerate()
        .map(|(i, groups)| {
            let of = |per_block: usize| i * blocks * per_block..(i + 1) * blocks * per_block;
            Part {
                groups,
                images: &batch.images[of(3 * pixels)],
                valid: batch.valid.as_deref().map(|valid| &valid[of(pixels)]),
                classes: batch.classes.as_deref().map(|classes| &classes[of(pixels)]),
            }
        })
        .collect()
}

fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}
