//! Training: block labels and images in, a network out. The loop is [`train`].

mod bench;
mod outcome;
mod part;
mod spread;
mod step;
mod target;
mod timing;
mod validate;

pub use bench::{BenchSettings, Parts, StepBench, Times, bench};
pub use timing::Timing;

use crate::atomic;
use crate::checkpoint::TrainingState;
use crate::collapse::{LabelStatistics, collapse};
use crate::config::RunConfig;
use crate::data::{BlockReader, CacheEvent, Loader, LoaderSettings, OnCorrupt, ReaderOptions};
use crate::error::{Error, Result};
use crate::metrics::{Lines, StepReport, ValidationReport};
use crate::prior::CANCER;
use crate::run::Run;
use crate::sampler::Sampler;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use step::Trainer;

/// Batches that wait for the device at most.
const AHEAD: usize = 2;

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
    /// Why the run ended before its last step, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_early: Option<String>,
    /// Version of lsr-train.
    pub version: String,
}

/// Who is told what happens; only warnings have no default.
pub trait Observer {
    /// Training starts at a step that is 0 or restored.
    fn start(&mut self, _config: &RunConfig, _step: usize) {}
    /// So many blocks are in the cache file.
    fn caching(&mut self, _done: usize, _blocks: usize) {}
    /// A step is done. `waited` is the share of the time so far that the device waited for data.
    fn step(&mut self, _report: &StepReport, _waited: f64) {}
    /// The labels' statistics, before every checkpoint and at the end.
    fn labels(&mut self, _step: usize, _statistics: &[LabelStatistics]) {}
    /// A validation is done.
    fn validation(&mut self, _report: &ValidationReport) {}
    /// Something is not as it should be.
    fn warn(&mut self, text: &str);
}

/// Trains until the last step, an early stop, an error or `stop`. A checkpoint is written every `checkpoint_every` steps, at the end, and when
/// stopped. Of several processes the first one writes; each of them must call this, and a `stop` in any of them stops all.
///
/// # Errors
/// [`Error::Interrupted`] when `stop` was set, [`Error::Training`] when the loss is no number, an image that cannot be read, a failing device
/// or disk.
pub fn train(run: &Run, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Summary> {
    let (config, processes) = (&run.config, run.processes);
    let plain = config.device.open()?;
    let device = plain.clone().autodiff();
    let device = if config.gradient_checkpointing { device.gradient_checkpointing() } else { device };
    let restored = if run.resume { TrainingState::restore(config, &device, &run.folder, |text| observer.warn(text))? } else { None };
    let state = match restored {
        Some(state) => state,
        // Also a run that was killed before its first checkpoint: it starts afresh.
        None => {
            let state = TrainingState::new(config, &device);
            if processes.is_first() {
                state.save(&run.folder)?;
            }
            state
        }
    };
    state.check_alike(processes)?;
    let step = state.progress.step;
    let mut metrics = Lines::<StepReport>::open(&run.folder.path("metrics.jsonl"), step, processes.is_first())?;
    let mut validations = Lines::<ValidationReport>::open(&run.folder.path("validation.jsonl"), step, processes.is_first())?;
    let mut trainer = Trainer::new(run, state, device)?;
    let mut last_loss = metrics.last.as_ref().map(|report| report.loss);
    let mut stopped_early = trainer.stale_for(config);
    observer.start(config, trainer.step());

    let mut loader = loader(run, trainer.step(), observer, stop)?;
    let started = Instant::now();
    while trainer.step() < config.steps && stopped_early.is_none() {
        let Some(batch) = loader.next() else { break };
        let batch = batch?;
        for skipped in &batch.skipped {
            observer.warn(&format!("skipped '{}': {}", skipped.image, skipped.reason));
        }
        let report = trainer.train_on(&batch)?;
        metrics.write(&report)?;
        last_loss = Some(report.loss);
        observer.step(&report, loader.waited().as_secs_f64() / started.elapsed().as_secs_f64());

        let step = trainer.step();
        if !run.validation.is_empty() && (step % config.validate_every == 0 || step == config.steps) {
            if processes.is_first() {
                let validation = trainer.validate(&plain)?;
                validations.write(&validation)?;
                observer.validation(&validation);
            }
            trainer.share_validation();
            stopped_early = trainer.stale_for(config);
        }
        let stopped = processes.any(stop.load(Ordering::Relaxed));
        if stopped || stopped_early.is_some() || step % config.checkpoint_every == 0 || step == config.steps {
            trainer.state.check_alike(processes)?;
            if processes.is_first() {
                trainer.state.save(&run.folder)?;
            }
            let statistics = trainer.statistics();
            observer.labels(step, &statistics);
            if let Some(why) = collapse(&statistics) {
                observer.warn(&why);
            }
        }
        if stopped && step < config.steps {
            return Err(Error::Interrupted { step, run: run.folder.path("") });
        }
    }
    trainer.timing.waiting_s = loader.waited().as_secs_f64();
    drop(loader);
    let labels = trainer.statistics();
    let collapsed = collapse(&labels);
    let summary = Summary { steps: trainer.step(), loss: last_loss, labels, collapsed, stopped_early, version: config.version.clone() };
    if !processes.is_first() {
        return Ok(summary);
    }
    write_json(run, "summary.json", &summary)?;
    if trainer.timing.steps > 0 {
        trainer.timing.exchange_s = processes.exchanged().as_secs_f64();
        write_json(run, "timing.json", &trainer.timing.finished(started.elapsed()))?;
    }
    Ok(summary)
}

fn write_json(run: &Run, name: &str, value: &impl Serialize) -> Result<()> {
    let path = run.folder.path(name);
    let json = serde_json::to_vec_pretty(value).map_err(|error| Error::file(&path, error.to_string()))?;
    atomic::write(&path, &json)
}

/// Background workers that read and augment the blocks of the steps to come.
fn loader(run: &Run, from: usize, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Loader> {
    let config = &run.config;
    let options = ReaderOptions {
        memory_bytes: config.image_memory << 20,
        cache: config.cache.clone(),
        with_masks: with_masks(config, run.samples().len()),
        classes: config.classes.len(),
    };
    let reader = BlockReader::with_events(run.data.clone(), Arc::clone(run.samples()), options, |event| {
        match event {
            CacheEvent::Rebuild { path, reason } => observer.warn(&format!("{}: {reason}; building it anew", path.display())),
            CacheEvent::Progress { done, blocks } => observer.caching(done, blocks),
            // Blocks under a pen mark are replaced when they are drawn, and reported then.
            CacheEvent::Unreadable(Error::NoValidPixel { .. }) => {}
            CacheEvent::Unreadable(error) if config.on_corrupt == OnCorrupt::Stop => return Err(error),
            CacheEvent::Unreadable(error) => observer.warn(&error.to_string()),
        }
        if stop.load(Ordering::Relaxed) { Err(Error::Interrupted { step: from, run: run.folder.path("") }) } else { Ok(()) }
    })?;
    Ok(Loader::start(LoaderSettings {
        reader: Arc::new(reader),
        sampler: Arc::new(Sampler::new(run.samples(), config.group, config.groups, &config.sampling, config.seed)?),
        windows: run.windows.clone(),
        augmentation: config.augmentation,
        seed: config.seed,
        share: run.share(),
        steps: from..config.steps,
        workers: config.workers,
        ahead: AHEAD,
        on_corrupt: config.on_corrupt,
    }))
}

/// Which blocks' pixel masks are used: the given share, chosen by the seed.
fn with_masks(config: &RunConfig, blocks: usize) -> Vec<bool> {
    let count = (config.mask_fraction * blocks as f64).round() as usize;
    let mut chosen = vec![false; blocks];
    let mut order: Vec<usize> = (0..blocks).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(config.seed));
    for &index in order.iter().take(count) {
        chosen[index] = true;
    }
    chosen
}

/// The class whose counts are shown.
fn shown_class(outputs: usize) -> usize {
    if outputs == 1 { 0 } else { CANCER }
}
