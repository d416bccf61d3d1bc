//! Times training steps: the real ones, on synthetic tissue, with loader, augmentation, loss and optimiser.
//!
//! Steps are timed twice: free running, as in training, which alone says what a step takes; and with every part waited for, which says where
//! the time goes. On a GPU both differ, since work is queued there.

mod macs;
mod report;

pub use report::{Parts, StepBench, Times};

use super::step::Trainer;
use super::{Observer, loader, part};
use crate::checkpoint::TrainingState;
use crate::config::FitOptions;
use crate::data::{Batch, Dataset, Loader, write_blocks};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::label::{LabelSettings, label_from_masks};
use crate::machine;
use crate::network::input_from_rgb8;
use crate::prior::Prior;
use crate::run::Run;
use crate::synth_folder::write_synthetic;
use burn::tensor::Device;
use lsr_core::Preset;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Images of synthetic tissue; with blocks half a side apart, nine in each.
const IMAGES: u64 = 8;

/// What to measure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchSettings {
    /// Device.
    pub device: DeviceChoice,
    /// Blocks in a batch.
    pub batch: usize,
    /// Groups of it.
    pub groups: usize,
    /// Side of a block, pixels.
    pub size: u32,
    /// Channels of the first stage.
    pub width: usize,
    /// Poolings.
    pub depth: usize,
    /// Loss.
    pub preset: Preset,
    /// Steps that are timed.
    pub steps: usize,
    /// Steps before them.
    pub warm_up: usize,
    /// Threads of the CPU's pool; all cores without.
    pub threads: Option<usize>,
    /// Whether parts of a step are timed too.
    pub parts: bool,
}

/// Measures.
///
/// # Errors
/// Settings outside their range, a device that cannot be used, a temporary folder that cannot be written; what training refuses.
pub fn bench(settings: &BenchSettings, observer: &mut dyn Observer) -> Result<StepBench> {
    check(settings)?;
    if let Some(threads) = settings.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|error| Error::setting("--threads", "a thread pool that can be started, once in a process", error))?;
    }
    let plain = settings.device.open()?;
    let folder = tempfile::tempdir().map_err(Error::io("making a folder in", &std::env::temp_dir()))?;
    let run = prepare(settings, folder.path())?;
    let device = plain.clone().autodiff();
    let state = TrainingState::new(&run.config, &device);
    let mut trainer = Trainer::new(&run, state, device.clone())?;
    observer.start(&run.config, 0);
    let mut loader = loader(&run, 0, observer, &AtomicBool::new(false))?;

    let mut last = None;
    for _ in 0..settings.warm_up {
        last = Some(step(&mut trainer, &mut loader, observer)?);
    }
    wait_for(&device)?;
    let (mut seconds, mut waits) = (Vec::new(), Vec::new());
    let began_unix_s = unix_s();
    let mut began = Instant::now();
    for i in 0..settings.steps {
        let waited = loader.waited();
        last = Some(step(&mut trainer, &mut loader, observer)?);
        if i + 1 == settings.steps {
            // What the last optimiser step queued belongs to it.
            wait_for(&device)?;
        }
        let now = Instant::now();
        seconds.push((now - std::mem::replace(&mut began, now)).as_secs_f64());
        waits.push((loader.waited() - waited).as_secs_f64());
    }
    let ended_unix_s = unix_s();
    let (peak_rss_mb, device_memory_mb) = (machine::peak_memory_mb(), machine::device_memory_mb(settings.device));

    let measured = Times::of(seconds.clone());
    let parts = match last.filter(|_| settings.parts) {
        Some(batch) => Some(parts(&mut trainer, &mut loader, &batch, settings, &device, measured.median_ms, observer)?),
        None => None,
    };
    let macs = macs::Macs::of(&run.config.network, settings.size as usize).of_step(settings.batch);
    Ok(StepBench {
        lsr_train: env!("CARGO_PKG_VERSION").to_owned(),
        device_name: machine::device_name(settings.device),
        threads: rayon::current_num_threads(),
        settings: settings.clone(),
        steps_ms: seconds.iter().map(|s| s * 1e3).collect(),
        step: measured,
        waiting_share: waits.iter().sum::<f64>() / seconds.iter().sum::<f64>(),
        loader_wait: Times::of(waits),
        began_unix_s,
        ended_unix_s,
        parts,
        images_per_s: settings.batch as f64 * 1e3 / measured.median_ms,
        macs,
        gmacs_per_s: macs as f64 / measured.median_ms / 1e6,
        peak_rss_mb,
        device_memory_mb,
    })
}

fn check(settings: &BenchSettings) -> Result<()> {
    let whole = [
        ("--steps", settings.steps, 1, 100_000),
        ("--warm-up", settings.warm_up, 0, 100_000),
        ("--groups", settings.groups, 1, 10_000),
        ("--size", settings.size as usize, 8, 8192),
        ("--threads", settings.threads.unwrap_or(1), 1, 1024),
    ];
    for (name, value, min, max) in whole {
        if !(min..=max).contains(&value) {
            return Err(Error::setting(name, format!("{min} to {max}"), value));
        }
    }
    if settings.batch == 0 || !settings.batch.is_multiple_of(settings.groups) {
        return Err(Error::setting("--batch", format!("a multiple of the {} groups", settings.groups), settings.batch));
    }
    Ok(())
}

/// A run on synthetic tissue, with the paper's count prior.
fn prepare(settings: &BenchSettings, folder: &Path) -> Result<Run> {
    let (data, blocks, prior) = (folder.join("data"), folder.join("blocks.csv"), folder.join("prior.csv"));
    write_synthetic(&data, IMAGES, 2 * settings.size, 1.0, 0, |_| {})?;
    let half = LabelSettings { block_px: settings.size, stride_px: settings.size / 2, noise: 0.0, seed: 0 };
    write_blocks(&blocks, &label_from_masks(&Dataset::open(std::slice::from_ref(&data))?, half)?)?;
    Prior::table_1().write(&prior)?;
    let phases = if settings.parts { 2 } else { 1 };
    let options = FitOptions {
        data: vec![data],
        blocks: Some(blocks),
        prior: Some(prior),
        preset: Some(settings.preset),
        group: Some(settings.batch / settings.groups),
        groups: Some(settings.groups),
        width: Some(settings.width),
        depth: Some(settings.depth),
        steps: Some(settings.warm_up + phases * settings.steps),
        device: Some(settings.device),
        ..FitOptions::default()
    };
    Run::create(options, &folder.join("run"))
}

/// Seconds since 1970, for programs that watch the machine meanwhile.
fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Until everything that was queued is done.
fn wait_for(device: &Device) -> Result<()> {
    device.sync().map_err(|error| Error::Training { step: 0, reason: format!("the device: {error:?}") })
}

/// One step, as `fit` does it; gives its batch back.
fn step(trainer: &mut Trainer, loader: &mut Loader, observer: &mut dyn Observer) -> Result<Batch> {
    let ended = || Error::Training { step: trainer.step(), reason: "the loader ended before the last step".to_owned() };
    let batch = loader.next().ok_or_else(ended)??;
    let report = trainer.train_on(&batch)?;
    observer.step(&report, 0.0);
    Ok(batch)
}

/// Times the parts of some steps, and the loss by itself.
fn parts(
    trainer: &mut Trainer,
    loader: &mut Loader,
    batch: &Batch,
    settings: &BenchSettings,
    device: &Device,
    step_ms: f64,
    observer: &mut dyn Observer,
) -> Result<Parts> {
    trainer.synchronised = true;
    let mut times: [Vec<f64>; 5] = Default::default();
    for _ in 0..settings.steps {
        let (before, began) = (trainer.timing.clone(), Instant::now());
        step(trainer, loader, observer)?;
        let total = began.elapsed().as_secs_f64();
        let after = &trainer.timing;
        let parts = [
            total,
            after.forward_s - before.forward_s,
            after.loss_s - before.loss_s,
            after.backward_s - before.backward_s,
            after.optimizer_s - before.optimizer_s,
        ];
        times.iter_mut().zip(parts).for_each(|(all, seconds)| all.push(seconds));
    }
    let [step, forward, loss, backward, optimizer] = times.map(Times::of);
    let (loss_alone, loss_backward_alone) = loss_alone(trainer, batch, settings, device)?;
    Ok(Parts {
        step,
        forward,
        loss,
        backward,
        optimizer,
        loss_alone,
        loss_backward_alone,
        network_backward_ms: backward.median_ms - loss_backward_alone.median_ms,
        loss_share: (loss_alone.median_ms + loss_backward_alone.median_ms) / step_ms,
    })
}

/// The loss of the network's own logits, sigmoid included, as a step has it, and its gradient by them: a leaf ends the backward pass before
/// the network.
fn loss_alone(trainer: &Trainer, batch: &Batch, settings: &BenchSettings, device: &Device) -> Result<(Times, Times)> {
    let side = settings.size as usize;
    let input = input_from_rgb8(&batch.images, settings.batch, side, side, device);
    let leaf = trainer.state.model.forward(input).detach().require_grad();
    let wait = || wait_for(device);
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for i in 0..=settings.steps {
        // All groups go through at once here.
        for part in part::parts(batch, trainer.run, &trainer.run.share()) {
            wait()?;
            let began = Instant::now();
            let outcome = trainer.outcome(&part, leaf.clone())?;
            wait()?;
            let middle = Instant::now();
            let gradients = outcome.total.backward();
            wait()?;
            let end = Instant::now();
            drop(gradients);
            // The first compiles kernels on a GPU.
            if i > 0 {
                forward.push((middle - began).as_secs_f64());
                backward.push((end - middle).as_secs_f64());
            }
        }
    }
    Ok((Times::of(forward), Times::of(backward)))
}
