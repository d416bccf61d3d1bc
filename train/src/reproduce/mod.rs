//! Every system of the paper, side by side: trained on the same labels, with the same network and budget, judged on the same images.
//!
//! ```text
//! REPORT/settings.toml                    what all numbers follow from
//! REPORT/data/                            the images at the scale of the experiment
//! REPORT/seed-N/classifier/ blocks.csv prior.csv     the block classifier, its labels, the count prior
//! REPORT/seed-N/SYSTEM/run/ masks/ result.json       each system; what is there is not made again
//! REPORT/table.md results.json results.csv report.html figures/
//! ```
//!
//! What weakly supervised systems learn from masks is the binary label of each training block (through the classifier) and the counts of the
//! annotated blocks (through the prior); their networks are trained on a view of the data in which masks are closed.

mod judge;
mod prepare;
mod settings;
mod system;
mod write;

pub use settings::{Budget, ReproduceSettings};
pub use system::{Method, SYSTEMS, System};

use crate::classify::low_resolution_map;
use crate::config::FitOptions;
use crate::data::{Block, Dataset};
use crate::error::{Error, Result};
use crate::fit::{Observer, train};
use crate::predict::predict;
use crate::prior::Prior;
use crate::run::Run;
use crate::run_folder::RunFolder;
use judge::{Outcome, judge};
use prepare::Lesson;
use settings::Plan;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Who is told how far a reproduction is.
pub trait Progress: Observer {
    /// A part of the work begins.
    fn stage(&mut self, text: &str);
    /// Something worth reading.
    fn note(&mut self, text: &str);
}

/// Trains and judges every system with every seed, and writes the report after each seed. What an earlier call has finished is kept, and what it
/// has begun is gone on with.
///
/// # Errors
/// Data or settings that cannot be, a folder begun with others, [`Error::Stopped`] when `stop` was set, a failing device or disk. A system
/// whose loss is no number is no error but a line of the report.
pub fn reproduce(settings: &ReproduceSettings, output: &Path, progress: &mut dyn Progress, stop: &AtomicBool) -> Result<()> {
    if !(1..=1000).contains(&settings.seeds) {
        return Err(Error::setting("--seeds", "1 to 1000", settings.seeds));
    }
    let (plan, data) = prepare::plan(settings, output)?;
    progress.note(&format!("{} training images, {} test images", plan.training.len(), plan.test.len()));
    if plan.um_per_px == 0.0 {
        progress.warn("nobody states the pixel size (--um-per-px or dataset.toml): figures have no scale bar, and models say 1 um/px");
    }
    let folder = prepare::scaled(&plan, data, output)?;
    let mut done = Vec::new();
    for seed in 0..settings.seeds {
        let seed_folder = output.join(format!("seed-{seed}"));
        let lesson =
            prepare::lesson(&plan, &folder, seed, &seed_folder, settings.device, progress, stop).map_err(|error| stopped(error, output))?;
        let mut outcomes = Vec::new();
        for system in SYSTEMS {
            let work =
                Work { plan: &plan, data: &folder, lesson: &lesson, seed, device: settings.device, folder: seed_folder.join(system.key) };
            outcomes.push(work.outcome(&system, progress, stop).map_err(|error| stopped(error, output))?);
        }
        done.push(outcomes);
        write::write(&plan, &folder, &done, output)?;
        progress.note(&format!("report of {} seed(s) in {}", done.len(), output.join("table.md").display()));
    }
    Ok(())
}

fn stopped(error: Error, output: &Path) -> Error {
    if error.is_interruption() {
        return Error::Stopped { again: format!("run the same command again (it continues in {})", output.display()) };
    }
    error
}

/// One system with one seed.
struct Work<'a> {
    plan: &'a Plan,
    data: &'a Path,
    lesson: &'a Lesson,
    seed: u64,
    device: crate::device::DeviceChoice,
    folder: std::path::PathBuf,
}

impl Work<'_> {
    fn outcome(&self, system: &System, progress: &mut dyn Progress, stop: &AtomicBool) -> Result<Outcome> {
        let path = self.folder.join("result.json");
        if let Some(outcome) = Outcome::read(&path)? {
            return Ok(outcome);
        }
        progress.stage(&format!("seed {}: {}", self.seed, system.name));
        let started = Instant::now();
        let test = Dataset::open(&[self.data.to_owned()])?;
        let prior = Prior::read(&self.lesson.prior)?;
        let masks = self.folder.join("masks");
        let common = FitOptions {
            data: vec![self.data.to_owned()],
            blocks: Some(self.lesson.blocks.clone()),
            prior: Some(self.lesson.prior.clone()),
            ..self.plan.fit_options(self.seed, self.device)
        };
        let mut outcome = match system.options(common) {
            None => judge(self.plan, &test, &self.lesson.test_blocks, &prior, &masks, |name| {
                let blocks: Vec<Block> = self.lesson.test_blocks.iter().filter(|block| block.image == name).cloned().collect();
                low_resolution_map(&blocks, test.size(name)?)
            })?,
            Some(options) => {
                let run = self.folder.join("run");
                let failed = self.train(options, &run, progress, stop)?;
                let folder = RunFolder::open(&run)?;
                let config = folder.config()?;
                let device = self.device.open()?;
                let trained = folder.network(&config, &device, |text| progress.warn(text))?;
                let judged = judge(self.plan, &test, &self.lesson.test_blocks, &prior, &masks, |name| {
                    predict(&trained.network, &config, &test.image(name)?, &device)
                })?;
                Outcome { failed, ..judged }
            }
        };
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped { again: "run the same command again".to_owned() });
        }
        outcome.seconds = started.elapsed().as_secs_f64();
        outcome.write(&path)?;
        Ok(outcome)
    }

    /// Trains, or goes on where an earlier call was interrupted. A loss that is no number ends the run, not the reproduction.
    fn train(&self, options: FitOptions, run: &Path, progress: &mut dyn Progress, stop: &AtomicBool) -> Result<Option<String>> {
        let begun = run.join("config.toml").exists();
        let run = if begun { Run::resume(FitOptions::default(), run)? } else { Run::create(options, run)? };
        match train(&run, progress, stop) {
            Ok(_) => Ok(None),
            Err(Error::Training { step, reason }) => {
                progress.warn(&format!("step {step}: {reason}"));
                Ok(Some(format!("step {step}: {reason}")))
            }
            Err(error) => Err(error),
        }
    }
}
