//! Batches made in the background, in the order of the steps, whatever the number of workers.

mod make;
#[cfg(test)]
mod tests;

use super::{Augmentation, BlockReader, Member, Windows};
use crate::error::{Error, Result};
use crate::processes::Share;
use crate::sampler::{SampledGroup, Sampler};
use crossbeam_channel::{Receiver, Sender, bounded};
use make::Maker;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What to do about an image that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum OnCorrupt {
    /// Stop, naming the file.
    #[default]
    Stop,
    /// Take another block of the same label, and say so once for every image.
    Skip,
}

/// An image (or a block without a valid pixel) that was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SkippedImage {
    /// Name of the image.
    pub image: String,
    /// What is wrong with it, with the file's path.
    pub reason: String,
}

/// The input of one step: all its groups, and the pixels of this process's share of their blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The step.
    pub step: usize,
    /// The groups, with replacements in the place of blocks of this process that cannot be read. With windows, groups of one window each.
    pub groups: Vec<SampledGroup>,
    /// With windows, the label blocks in each that have a valid pixel.
    pub members: Option<Vec<Vec<Member>>>,
    /// 8-bit RGB of the share, `[blocks, h, w, 3]`.
    pub images: Vec<u8>,
    /// 1 where a pixel counts, `[blocks, h * w]`; nothing when all pixels of the share count.
    pub valid: Option<Vec<u8>>,
    /// Class of every pixel, 255 where unknown, `[blocks, h * w]`; nothing when none of the share's masks may be read.
    pub classes: Option<Vec<u8>>,
    /// What was left out and has not been reported by an earlier batch.
    pub skipped: Vec<SkippedImage>,
}

/// What a loader loads, and how.
#[derive(Clone)]
pub struct LoaderSettings {
    /// Gives the blocks.
    pub reader: Arc<BlockReader>,
    /// Says which blocks make a step.
    pub sampler: Arc<Sampler>,
    /// What the blocks are windows of, if they are.
    pub windows: Option<Arc<Windows>>,
    /// How blocks are changed.
    pub augmentation: Augmentation,
    /// Seed of the changes.
    pub seed: u64,
    /// Which blocks of a batch are this process's.
    pub share: Share,
    /// Steps to load.
    pub steps: Range<usize>,
    /// Threads; at least one is started.
    pub workers: usize,
    /// Most batches that are in memory or in the making, beside the one that the caller has; 1 to 4096.
    pub ahead: usize,
    /// What to do about images that cannot be read.
    pub on_corrupt: OnCorrupt,
}

/// Makes the batches of its steps in background threads and gives them in the order of the steps. A batch follows from (seed, step) and the
/// data alone. After an error there are no more batches. Dropping the loader ends its threads.
pub struct Loader {
    steps: Range<usize>,
    /// Steps from here on have not been given to a worker.
    issued: usize,
    tasks: Option<Sender<usize>>,
    finished: Receiver<(usize, Result<Batch>)>,
    /// Batches that were finished before those of earlier steps.
    early: BTreeMap<usize, Result<Batch>>,
    reported: BTreeSet<SkippedImage>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    not_started: Option<Error>,
    waited: Duration,
}

impl Loader {
    /// Starts the threads, which begin at once.
    pub fn start(settings: LoaderSettings) -> Self {
        let ahead = settings.ahead.clamp(1, 4096);
        // Both channels hold all batches that are under way: nobody ever waits to send.
        let (tasks, todo) = bounded::<usize>(ahead);
        let (done, finished) = bounded(ahead);
        let (steps, count, stop) = (settings.steps.clone(), settings.workers.max(1), Arc::new(AtomicBool::new(false)));
        let maker = Arc::new(Maker::new(settings, Arc::clone(&stop)));
        let (mut workers, mut not_started) = (Vec::new(), None);
        for worker in 0..count {
            let (maker, todo, done) = (Arc::clone(&maker), todo.clone(), done.clone());
            let work = move || {
                for step in todo {
                    let Some(batch) = maker.guarded(step, || maker.batch(step)).transpose() else { return };
                    if done.send((step, batch)).is_err() {
                        return;
                    }
                }
            };
            match std::thread::Builder::new().name(format!("loader {worker}")).spawn(work) {
                Ok(handle) => workers.push(handle),
                Err(error) => {
                    not_started =
                        Some(Error::setting("workers", "a number of threads that the system allows", format!("{count} ({error})")));
                    break;
                }
            }
        }
        let mut loader = Self {
            issued: steps.start,
            steps,
            tasks: Some(tasks),
            finished,
            early: BTreeMap::new(),
            reported: BTreeSet::new(),
            stop,
            workers,
            not_started,
            waited: Duration::ZERO,
        };
        for _ in 0..ahead {
            loader.issue();
        }
        loader
    }

    /// Total time that the caller has waited for batches: next to nothing when loading keeps up with training.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Gives the next step to the workers.
    fn issue(&mut self) {
        if self.issued < self.steps.end
            && let Some(tasks) = &self.tasks
            && tasks.send(self.issued).is_ok()
        {
            self.issued += 1;
        }
    }

    /// Waits for the batch of a step.
    fn wait_for(&mut self, step: usize) -> Result<Batch> {
        loop {
            if let Some(batch) = self.early.remove(&step) {
                return batch;
            }
            match self.finished.recv() {
                Ok((step, batch)) => self.early.insert(step, batch),
                Err(_) => return Err(Error::Training { step, reason: "the threads that load blocks have ended".to_owned() }),
            };
        }
    }

    fn end(&mut self) {
        self.steps.start = self.steps.end;
        self.stop.store(true, Ordering::Relaxed);
        self.tasks = None;
        self.early.clear();
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let step = self.steps.start;
        if step >= self.steps.end {
            return None;
        }
        if let Some(error) = self.not_started.take() {
            self.end();
            return Some(Err(error));
        }
        let begun = Instant::now();
        let batch = self.wait_for(step);
        self.waited += begun.elapsed();
        Some(match batch {
            Ok(mut batch) => {
                self.steps.start += 1;
                self.issue();
                // Here, in the order of the steps, and not by the workers: which batch reports an image must not depend on their timing.
                batch.skipped.retain(|skipped| self.reported.insert(skipped.clone()));
                Ok(batch)
            }
            Err(error) => {
                self.end();
                Err(error)
            }
        })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.end();
        for worker in self.workers.drain(..) {
            // A worker's panic has become an error already.
            let _ = worker.join();
        }
    }
}
