//! One step: a batch through the network, the loss, its gradient, the optimiser.

use super::outcome::{Numbers, Outcome, constant, read};
use super::part::{Part, parts};
use super::shown_class;
use super::spread::{Blocks, Own, bring_together, sum_gradients};
use super::target::target;
use super::timing::Timing;
use crate::checkpoint::TrainingState;
use crate::collapse::{LabelStatistics, LabelTracker};
use crate::data::{Batch, BlockReader, ReaderOptions};
use crate::error::{Error, Result};
use crate::loss::{BatchMoments, BatchTarget, known_cross_entropy, moments_loss};
use crate::metrics::StepReport;
use crate::network::{from_u8, input_from_rgb8, probabilities};
use crate::prior::CANCER;
use crate::queue::PastBlock;
use crate::run::Run;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use lsr_core::Loss;
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

    /// Trains on this process's share of a batch.
    pub(super) fn train_on(&mut self, batch: &Batch) -> Result<StepReport> {
        let config = &self.run.config;
        let (parts, share) = (parts(batch, self.run, &self.run.share()), config.groups_at_once as f64 / config.groups as f64);
        let mut gradients = GradientsAccumulator::new();
        let mut told = Vec::new();
        for part in &parts {
            let (total, to_tell) = self.forward(part)?.split();
            told.push(to_tell);
            let started = Instant::now();
            let total = if parts.len() == 1 { total } else { total.mul_scalar(share) };
            gradients.accumulate(&self.state.model, GradientsParams::from_grads(total.backward(), &self.state.model));
            self.timing.backward_s += self.seconds_since(started);
        }
        let started = Instant::now();
        let gradients = sum_gradients(self.run.processes, &self.state.model, gradients.grads())?;
        let learning_rate = config.schedule.rate(config.learning_rate, self.step(), config.steps);
        // The optimiser takes the network by value; a clone shares the weights.
        self.state.model = self.state.optimizer.step(self.state.model.clone(), gradients, learning_rate);
        self.state.progress.step += 1;
        if let Some(ema) = &mut self.state.ema {
            ema.update(&self.state.model, self.state.progress.step);
        }
        self.timing.optimizer_s += self.seconds_since(started);
        self.timing.steps += 1;
        self.timing.blocks += batch.images.len() / 3 / self.run.block_pixels();
        self.report(batch, share, read(told, self.step())?, learning_rate)
    }

    fn forward(&mut self, part: &Part) -> Result<Outcome> {
        let processes = self.run.processes;
        let (width, height) = (self.run.blocks[0].width as usize, self.run.blocks[0].height as usize);
        let started = Instant::now();
        let input = input_from_rgb8(part.images, part.blocks, height, width, &self.device);
        let logits = self.state.model.forward_among(input, processes); // [blocks, outputs, h, w]
        self.timing.forward_s += self.seconds_since(started);

        let started = Instant::now();
        let outcome = if processes.alone() { self.whole(part, logits) } else { self.spread(part, logits) };
        self.timing.loss_s += self.seconds_since(started);
        outcome
    }

    /// The loss where all of it is in this process.
    fn whole(&self, part: &Part, logits: Tensor<4>) -> Result<Outcome> {
        let config = &self.run.config;
        let moments = self.moments(part, logits.clone(), [part.groups.len(), config.group]);
        let counts = moments_loss(&moments, self.target(part), &self.loss);
        let entropy = self.cross_entropy(part, &logits).filter(|(_, known)| *known > 0.0).map(|(sum, known)| sum.div_scalar(known));
        let total = self.total(counts, entropy.clone(), &logits);
        let (loss, cross_entropy) = (total.clone().detach(), entropy.map(Tensor::detach));
        let BatchMoments { counts, bernoulli, .. } = moments;
        Ok(Outcome { total, loss, cross_entropy, counts: counts.detach(), bernoulli: bernoulli.detach(), pixels: part.valid_pixels() })
    }

    /// The loss where its blocks are spread over processes.
    fn spread(&self, part: &Part, logits: Tensor<4>) -> Result<Outcome> {
        let config = &self.run.config;
        let own = Own {
            moments: self.moments(part, logits.clone(), [1, part.blocks]),
            pixels: part.valid_pixels(),
            cross_entropy: self.cross_entropy(part, &logits),
        };
        let blocks = Blocks {
            shape: [part.groups.len(), config.group, config.network.outputs],
            own: self.run.share().range(),
            pixels: self.run.block_pixels(),
        };
        let all = bring_together(self.run.processes, &own, &blocks, self.target(part), &self.loss, &self.device)?;
        let (sum, known) = all.cross_entropy;
        let entropy = (known > 0.0).then(|| constant(sum / known, &self.device));
        let own_entropy = own.cross_entropy.filter(|_| known > 0.0).map(|(sum, _)| sum.div_scalar(known));
        Ok(Outcome {
            total: self.total(all.surrogate, own_entropy, &logits),
            loss: self.total(all.loss, entropy.clone(), &logits).detach(),
            cross_entropy: entropy,
            counts: all.counts,
            bernoulli: all.bernoulli,
            pixels: all.pixels,
        })
    }

    /// Moments of the share's blocks, in so many groups of so many blocks.
    fn moments(&self, part: &Part, logits: Tensor<4>, [groups, size]: [usize; 2]) -> BatchMoments {
        let (outputs, pixels) = (self.run.config.network.outputs, self.run.block_pixels());
        let predicted = probabilities(logits).reshape([groups, size, outputs, pixels]);
        let valid = part.valid.map(|valid| {
            let ones: Vec<u8> = valid.iter().map(|&v| u8::from(v != 0)).collect();
            from_u8(ones, [groups, size, pixels], &self.device)
        });
        BatchMoments::of(predicted, valid)
    }

    fn target(&self, part: &Part) -> BatchTarget {
        target(part.groups, &self.run.config, &self.run.prior, &self.state.progress.queue, &self.device)
    }

    /// Sum of the cross-entropy of the share's pixels of known class, and their number; none where it has no weight or no mask may be read.
    fn cross_entropy(&self, part: &Part, logits: &Tensor<4>) -> Option<(Tensor<1>, f64)> {
        let classes = part.classes.filter(|_| self.run.config.cross_entropy_weight > 0.0)?;
        Some(known_cross_entropy(logits.clone(), classes, part.valid, &self.device))
    }

    /// The weighted sum of both losses. Full supervision leaves the counts out altogether: 0 times a number that is none is none.
    fn total(&self, counts: Tensor<1>, cross_entropy: Option<Tensor<1>>, logits: &Tensor<4>) -> Tensor<1> {
        let config = &self.run.config;
        let counts = (config.count_weight > 0.0).then(|| counts.mul_scalar(config.count_weight));
        match (counts, cross_entropy.map(|entropy| entropy.mul_scalar(config.cross_entropy_weight))) {
            (Some(counts), Some(entropy)) => counts + entropy,
            (Some(counts), None) => counts,
            (None, Some(entropy)) => entropy,
            // None of these blocks has a mask, and only masks count.
            (None, None) => logits.clone().sum().mul_scalar(0.0),
        }
    }

    /// Takes the counts into the tracker and the queue, and refuses a loss that is no number with the groups that made it.
    fn report(&mut self, batch: &Batch, share: f64, parts: Vec<Numbers>, learning_rate: f64) -> Result<StepReport> {
        let config = &self.run.config;
        let class = shown_class(config.network.outputs);
        let step = self.step();
        let loss: f64 = parts.iter().map(|part| share * part.loss).sum();
        let entropies: Vec<f64> = parts.iter().filter_map(|part| part.cross_entropy).collect();
        let cross_entropy = (!entropies.is_empty()).then(|| entropies.iter().map(|entropy| share * entropy).sum());
        let mut statistics = Vec::new();
        let mut moments = parts.into_iter().flat_map(|part| part.moments);
        for group in &batch.groups {
            let blocks: Vec<Vec<PastBlock>> = moments.by_ref().take(config.group).collect();
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
        Ok(StepReport { step, loss, cross_entropy, learning_rate, groups: statistics })
    }
}
