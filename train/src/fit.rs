//! Training: block labels and images in, a network out. The loop is [`train`].

use crate::atomic;
use crate::collapse::{LabelStatistics, LabelTracker, collapse};
use crate::config::RunConfig;
use crate::data::Block;
use crate::error::{Error, Result};
use crate::loss::{BatchLoss, BatchTarget, batch_loss};
use crate::metrics::{Metrics, StepReport};
use crate::network::{UNet, input_from_rgb8, probabilities};
use crate::optimizer::RmsProp;
use crate::prior::CANCER;
use crate::run::Run;
use crate::sampler::{SampledGroup, Sampler};
use burn::optim::GradientsParams;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use image::RgbImage;
use lsr_core::Loss;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run ended: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps done.
    pub steps: usize,
    /// Loss of the last step, if there was one.
    pub loss: Option<f64>,
    /// Predicted mean and spread of every label over its latest groups.
    pub labels: Vec<LabelStatistics>,
    /// Why the network counts as collapsed, if it does.
    pub collapsed: Option<String>,
    /// Version of lsr-train.
    pub version: String,
}

/// Who is told what happens.
pub trait Observer {
    /// Training starts at a step that is 0 or restored.
    fn start(&mut self, config: &RunConfig, step: usize);
    /// A step is done.
    fn step(&mut self, report: &StepReport);
    /// The labels' statistics, before every checkpoint and at the end.
    fn labels(&mut self, step: usize, statistics: &[LabelStatistics]);
    /// Something is not as it should be.
    fn warn(&mut self, text: &str);
}

/// Trains until the last step, an error or `stop`. A checkpoint is written every `checkpoint_every` steps, at the end, and when stopped.
///
/// # Errors
/// [`Error::Interrupted`] when `stop` was set, [`Error::Training`] when the loss is no number, a failing device or disk.
pub fn train(run: &Run, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Summary> {
    let config = &run.config;
    let loss = config.loss()?;
    let device = config.device.open()?.autodiff();
    let sampler = Sampler::new(&run.blocks, config.group, config.groups, config.augment, config.seed)?;

    let mut model = config.network().init(config.seed, &device);
    let mut optimizer = RmsProp::new(config.clip_norm);
    let mut tracker = LabelTracker::default();
    let mut step = 0;
    // A run that was killed before its first checkpoint has nothing to restore and starts afresh.
    if run.resume && run.folder.has_checkpoint()? {
        let restored = run.folder.restore(&model, |text| observer.warn(&text))?;
        (step, model, tracker) = (restored.step, restored.model, restored.tracker);
        let bytes = Bytes::from_bytes_vec(restored.optimizer);
        optimizer.load(&model, bytes).map_err(|error| Error::file(&run.folder.path("checkpoints"), error.to_string()))?;
    } else {
        run.folder.save(0, &model, &optimizer, &tracker)?;
    }
    let mut metrics = Metrics::open(&run.folder.path("metrics.jsonl"), step)?;
    observer.start(config, step);

    let mut last_loss = metrics.last_loss;
    while step < config.steps {
        let groups = sampler.groups(step);
        let batch = forward(run, &model, &groups, &loss, &device);
        let counts = batch.counts.into_data();
        let value = batch.loss.clone().into_scalar::<f32>();
        let report = report(run, step + 1, value, &groups, counts, &mut tracker)?;
        let gradients = GradientsParams::from_grads(batch.loss.backward(), &model);
        model = optimizer.step(model, gradients, config.schedule.rate(config.learning_rate, step, config.steps));
        step += 1;

        metrics.write(&report)?;
        last_loss = Some(report.loss);
        observer.step(&report);
        let stopped = stop.load(Ordering::Relaxed);
        if stopped || step % config.checkpoint_every == 0 || step == config.steps {
            run.folder.save(step, &model, &optimizer, &tracker)?;
            let statistics = tracker.statistics(&run.prior, CANCER);
            observer.labels(step, &statistics);
            if let Some(why) = collapse(&statistics) {
                observer.warn(&why);
            }
        }
        if stopped && step < config.steps {
            return Err(Error::Interrupted { step, run: run.folder.path("") });
        }
    }
    let labels = tracker.statistics(&run.prior, CANCER);
    let collapsed = collapse(&labels);
    let summary = Summary { steps: step, loss: last_loss, labels, collapsed, version: config.version.clone() };
    let json = serde_json::to_vec_pretty(&summary).map_err(|error| Error::file(&run.folder.path("summary.json"), error.to_string()))?;
    atomic::write(&run.folder.path("summary.json"), &json)?;
    Ok(summary)
}

/// Images of the groups through the network, and the loss of what it predicts.
fn forward(run: &Run, model: &UNet, groups: &[SampledGroup], loss: &Loss<f64>, device: &Device) -> BatchLoss {
    let (width, height) = (run.blocks[0].width as usize, run.blocks[0].height as usize);
    let (count, size) = (groups.len(), run.config.group);
    let mut bytes = Vec::with_capacity(count * size * width * height * 3);
    for &(index, symmetry) in groups.iter().flat_map(|group| &group.blocks) {
        let block = &run.blocks[index];
        append_block(&run.images[&block.image], block, symmetry, &mut bytes);
    }
    let input = input_from_rgb8(bytes, count * size, height, width, device);
    let probabilities = probabilities(model.forward(input)); // [groups * blocks, outputs, h, w]
    let outputs = probabilities.dims()[1];
    let probabilities = probabilities.reshape([count, size, outputs, height * width]);
    batch_loss(probabilities, None, target(run, groups, outputs, device), loss)
}

/// eta and rho of every group: of cancer alone for a network with one output.
fn target(run: &Run, groups: &[SampledGroup], outputs: usize, device: &Device) -> BatchTarget {
    let first = if outputs == 1 { CANCER } else { 0 };
    let of = |value: fn(&lsr_core::Count<f64>) -> f64| {
        let values: Vec<f32> = groups
            .iter()
            // `checked_images` has made sure that every label has a row.
            .flat_map(|group| run.prior.counts(group.label).unwrap_or_default().iter().skip(first).take(outputs))
            .map(|count| value(count) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, [groups.len(), outputs]), device)
    };
    BatchTarget { mean: of(|count| count.mean), std: of(|count| count.std), weight: None }
}

/// Appends a square block's pixels, turned by one of the eight symmetries of the square (bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps
/// the axes); a block that is not square is only mirrored.
fn append_block(image: &RgbImage, block: &Block, symmetry: u8, bytes: &mut Vec<u8>) {
    let swap = symmetry & 4 != 0 && block.width == block.height;
    for y in 0..block.height {
        for x in 0..block.width {
            let (mut u, mut v) = if swap { (y, x) } else { (x, y) };
            if symmetry & 1 != 0 {
                u = block.width - 1 - u;
            }
            if symmetry & 2 != 0 {
                v = block.height - 1 - v;
            }
            bytes.extend_from_slice(&image.get_pixel(block.x + u, block.y + v).0);
        }
    }
}

fn report(
    run: &Run,
    step: usize,
    loss: f32,
    groups: &[SampledGroup],
    counts: TensorData,
    tracker: &mut LabelTracker,
) -> Result<StepReport> {
    let counts: Vec<f32> = counts.try_to_vec().map_err(|error| Error::Training { step, reason: format!("counts: {error:?}") })?;
    let outputs = counts.len() / (groups.len() * run.config.group);
    let class = if outputs == 1 { 0 } else { CANCER };
    let mut statistics = Vec::new();
    for (group, counts) in groups.iter().zip(counts.chunks_exact(run.config.group * outputs)) {
        let cancer: Vec<f64> = counts.chunks_exact(outputs).map(|block| f64::from(block[class])).collect();
        let mut single = LabelTracker::default();
        single.push(group.label, cancer.clone());
        statistics.extend(single.statistics(&run.prior, CANCER));
        tracker.push(group.label, cancer);
    }
    if !loss.is_finite() {
        let found: Vec<String> = statistics.iter().map(|s| format!("z {}: mean {}, spread {}", s.z, s.mean, s.spread)).collect();
        let reason = format!("the loss is {loss}; predicted counts: {} (try --clip-norm, or a larger --variance-floor)", found.join("; "));
        return Err(Error::Training { step, reason });
    }
    Ok(StepReport { step, loss: f64::from(loss), groups: statistics })
}
