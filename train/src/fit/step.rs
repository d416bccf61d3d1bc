//! One step: a batch through the network, the loss, its gradient, the optimiser.

use super::outcome::{Numbers, Outcome, read};
use super::part::{Part, label_groups, parts};
use super::shown_class;
use super::spread::{Blocks, Own, sum_gradients};
use super::target::{label_target, target};
use super::timing::Timing;
use crate::checkpoint::TrainingState;
use crate::collapse::{LabelStatistics, LabelTracker};
use crate::config::CountTarget;
use crate::data::{Batch, BlockReader, ReaderOptions};
use crate::error::{Error, Result};
use crate::loss::{BatchMoments, boundary_length, known_cross_entropy, label_loss, moments_loss, window_moments};
use crate::metrics::StepReport;
use crate::network::{Gradients, from_u8, input_from_rgb8, probabilities};
use crate::prior::CANCER;
use crate::queue::PastBlock;
use crate::run::Run;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use lsr_core::Loss;
use std::collections::BTreeMap;
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
        let (mut told, mut whose) = (Vec::new(), Gradients::Own);
        for part in &parts {
            let (outcome, of) = self.forward(part)?;
            whose = of;
            let (total, to_tell) = outcome.split();
            told.push(to_tell);
            let started = Instant::now();
            let total = if parts.len() == 1 { total } else { total.mul_scalar(share) };
            gradients.accumulate(&self.state.model, GradientsParams::from_grads(total.backward(), &self.state.model));
            self.timing.backward_s += self.seconds_since(started);
        }
        let started = Instant::now();
        let mut gradients = gradients.grads();
        if whose == Gradients::Own {
            gradients = sum_gradients(self.run.processes, &self.state.model, gradients)?;
        }
        let learning_rate = config.schedule.rate(config.learning_rate, self.step(), config.steps);
        // The optimiser takes the network by value; a clone shares the weights.
        self.state.model = self.state.optimizer.step(self.state.model.clone(), gradients, learning_rate);
        self.state.progress.step += 1;
        if let Some(ema) = &mut self.state.ema {
            ema.update(&self.state.model, self.state.progress.step);
        }
        self.timing.optimizer_s += self.seconds_since(started);
        self.timing.steps += 1;
        let (width, height) = self.run.sample_size();
        self.timing.blocks += batch.images.len() / 3 / (width * height);
        self.report(batch, share, read(told, self.step())?, learning_rate)
    }

    fn forward(&mut self, part: &Part) -> Result<(Outcome, Gradients)> {
        let processes = self.run.processes;
        let (width, height) = self.run.sample_size();
        let started = Instant::now();
        let input = input_from_rgb8(part.images, part.blocks, height, width, &self.device);
        let (logits, gradients) = self.state.model.forward_among(input, processes); // [blocks, outputs, h, w]
        self.timing.forward_s += self.seconds_since(started);

        let started = Instant::now();
        let outcome = self.outcome(part, logits)?;
        self.timing.loss_s += self.seconds_since(started);
        Ok((outcome, gradients))
    }

    /// The loss over the blocks of all processes.
    pub(super) fn outcome(&self, part: &Part, logits: Tensor<4>) -> Result<Outcome> {
        let config = &self.run.config;
        let (moments, pixels) = self.moments(part, logits.clone());
        let own = Own { moments, pixels, cross_entropy: self.cross_entropy(part, &logits) };
        let blocks = Blocks {
            shape: [part.groups.len(), config.group, config.network.outputs],
            own: if part.members.is_some() { 0..part.groups.len() } else { self.run.share().range() },
            pixels: self.run.block_pixels(),
        };
        let all = own.among(self.run.processes, &blocks, &self.device)?;
        let [loss, surrogate] = all.loss(&own, &blocks, |moments| self.count_loss(part, moments), &self.device);
        // Both parts of the mean have the number of all known pixels.
        let known = all.cross_entropy.as_ref().map_or(0.0, |(_, known)| *known);
        let mean = |sum: Option<(Tensor<1>, f64)>| sum.filter(|_| known > 0.0).map(|(sum, _)| sum.div_scalar(known));
        let cross_entropy = mean(all.cross_entropy);
        let boundaries = self.boundaries(part, &logits);
        let plus = |total: Tensor<1>| match &boundaries {
            Some(boundaries) => total + boundaries.clone(),
            None => total,
        };
        Ok(Outcome {
            total: plus(self.total(surrogate, mean(own.cross_entropy), &logits)),
            loss: plus(self.total(loss, cross_entropy.clone(), &logits)).detach(),
            cross_entropy,
            counts: all.counts,
            bernoulli: all.bernoulli,
            pixels: all.pixels,
        })
    }

    /// What predicted counts cost, `[1]`.
    fn count_loss(&self, part: &Part, moments: &BatchMoments) -> Tensor<1> {
        let config = &self.run.config;
        match config.count_target {
            CountTarget::Prior => {
                let target = target(&part.groups, config, &self.run.prior, &self.state.progress.queue, &self.device);
                moments_loss(moments, target, &self.loss)
            }
            CountTarget::Label => label_loss(moments, &label_target(&part.groups, config, &self.run.blocks, &self.device)),
        }
    }

    /// Moments of the share's blocks, `[1, blocks, outputs]`, and each one's valid pixels.
    fn moments(&self, part: &Part, logits: Tensor<4>) -> (BatchMoments, Vec<u32>) {
        let predicted = probabilities(logits);
        if let Some(members) = part.members {
            return window_moments(predicted, members, part.valid, &self.device);
        }
        let (outputs, pixels) = (self.run.config.network.outputs, self.run.block_pixels());
        let valid = part.valid.map(|valid| {
            let ones: Vec<u8> = valid.iter().map(|&v| u8::from(v != 0)).collect();
            from_u8(ones, [1, part.blocks, pixels], &self.device)
        });
        (BatchMoments::of(predicted.reshape([1, part.blocks, outputs, pixels]), valid), part.valid_pixels())
    }

    /// What the length of the boundaries costs, `[1]`; none without weight. Windows are for one process, so these are all of them.
    fn boundaries(&self, part: &Part, logits: &Tensor<4>) -> Option<Tensor<1>> {
        let weights = &self.run.config.boundary_weight;
        (!weights.is_none()).then(|| {
            let weights: Vec<f64> = part.folders.iter().map(|&folder| weights.of(folder)).collect();
            boundary_length(probabilities(logits.clone()), part.valid, &weights, &self.device)
        })
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
        // With windows, the blocks of a label are one group here.
        let groups: Vec<(usize, Vec<Vec<PastBlock>>)> = match batch.members.as_deref() {
            None => batch.groups.iter().map(|group| (group.label, moments.by_ref().take(config.group).collect())).collect(),
            Some(members) => {
                let mut by_label: BTreeMap<usize, Vec<_>> = BTreeMap::new();
                for (group, block) in label_groups(members, self.run).into_iter().zip(moments) {
                    by_label.entry(group.label).or_default().push(block);
                }
                by_label.into_iter().collect()
            }
        };
        for (label, blocks) in groups {
            let counts: Vec<f64> = blocks.iter().map(|block| f64::from(block[class].mean)).collect();
            let mut single = LabelTracker::default();
            single.push(label, counts.clone());
            statistics.extend(single.statistics(&self.run.prior, CANCER));
            self.state.progress.tracker.push(label, counts);
            for block in blocks {
                self.state.progress.queue.push(label, block);
            }
        }
        if !loss.is_finite() {
            // All processes see the same number: the first one says so and ends the others, who wait for that.
            if !self.run.processes.is_first() {
                self.run.processes.wait();
            }
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
