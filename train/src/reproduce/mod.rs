//! Every system of the paper, side by side: trained on the same labels, with the same network and budget, judged on the same images.
//!
//! ```text
//! REPORT/settings.toml                    what all numbers follow from
//! REPORT/data/                            the images at the scale of the experiment
//! REPORT/seed-N/classifier/ blocks.csv prior.csv     the block classifier, its labels, the count prior
//! REPORT/seed-N/known-blocks.csv known-prior.csv     the binary labels as they are, and their count prior
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
pub use system::{Labels, Method, SYSTEMS, System, Then};

use crate::classify::low_resolution_map;
use crate::config::FitOptions;
use crate::data::{Block, Dataset};
use crate::error::{Error, Result};
use crate::fit::{Observer, train};
use crate::predict::{predict, predict_turned};
use crate::prior::Prior;
use crate::run::Run;
use crate::run_folder::RunFolder;
use judge::{Outcome, judge};
use prepare::Lesson;
use settings::Plan;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use system::LABELS;

/// Who is told how far a reproduction is.
pub trait Progress: Observer + Send {
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
    for (name, value, most) in [("--seeds", settings.seeds, 1000), ("--jobs", settings.jobs as u64, 64)] {
        if !(1..=most).contains(&value) {
            return Err(Error::setting(name, format!("1 to {most}"), value));
        }
    }
    let (plan, data) = prepare::plan(settings, output)?;
    progress.note(&format!("{} training images, {} test images", plan.training.len(), plan.test.len()));
    if plan.um_per_px == 0.0 {
        progress.warn("nobody states the pixel size (--um-per-px or dataset.toml): figures have no scale bar, and models say 1 um/px");
    }
    let systems = system::chosen(&plan.systems)?;
    let folder = prepare::scaled(&plan, data, output)?;
    let mut done = Vec::new();
    for seed in 0..settings.seeds {
        let seed_folder = output.join(format!("seed-{seed}"));
        let lesson =
            prepare::lesson(&plan, &folder, seed, &seed_folder, settings.device, progress, stop).map_err(|error| stopped(error, output))?;
        let work = |system: &System| Work {
            plan: &plan,
            data: &folder,
            lesson: &lesson,
            seed,
            device: settings.device,
            folder: seed_folder.join(system.key),
        };
        // Some systems go on with the network of another one.
        let (later, first): (Vec<System>, Vec<System>) = systems.iter().partition(|system| system.method.needs_labels());
        let mut found = BTreeMap::new();
        for part in [first, later] {
            let outcomes =
                side_by_side(&part, settings.jobs, progress, stop, |system, progress| work(system).outcome(system, progress, stop));
            let outcomes = outcomes.map_err(|error| stopped(error, output))?;
            found.extend(part.iter().map(|system| system.key).zip(outcomes));
        }
        done.push(systems.iter().filter_map(|system| found.remove(system.key)).collect::<Vec<_>>());
        write::write(&plan, &systems, &folder, &done, output)?;
        progress.note(&format!("report of {} seed(s) in {}", done.len(), output.join("table.md").display()));
    }
    Ok(())
}

/// The systems' outcomes in their order, `jobs` of them in the making at a time. One job has all cores; of several, each has its share: small networks
/// do not fill two cores, two of them do. After an error no further system begins.
fn side_by_side(
    systems: &[System],
    jobs: usize,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
    outcome: impl Fn(&System, &mut dyn Progress) -> Result<Outcome> + Sync,
) -> Result<Vec<Outcome>> {
    if jobs == 1 {
        return systems.iter().map(|system| outcome(system, progress)).collect();
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (progress, next, failed) = (Mutex::new(progress), AtomicUsize::new(0), AtomicBool::new(false));
    let work = || -> Result<Vec<(usize, Outcome)>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads((cores / jobs).max(1)).build();
        let pool = pool.map_err(|error| Error::setting("--jobs", "a number of threads that can be started", error))?;
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(system) = systems.get(index).filter(|_| !failed.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed)) else {
                return Ok(done);
            };
            let mut own = Shared { progress: &progress, name: system.name };
            match pool.install(|| outcome(system, &mut own)) {
                Ok(outcome) => done.push((index, outcome)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let results: Vec<Result<_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let panicked = |_| Err(Error::setting("--jobs", "systems that train", "a panic in one of them"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let mut all: Vec<(usize, Outcome)> = results.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    if all.len() < systems.len() {
        return Err(Error::Stopped { again: "run the same command again".to_owned() });
    }
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The progress of one of several systems that are trained at once: what is said begins with its name, and steps are not shown.
struct Shared<'a, 'b> {
    progress: &'a Mutex<&'b mut dyn Progress>,
    name: &'static str,
}

impl Shared<'_, '_> {
    fn with(&self, tell: impl FnOnce(&mut dyn Progress)) {
        // A thread that panicked while it spoke leaves nothing half-said.
        tell(&mut **self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Observer for Shared<'_, '_> {
    fn warn(&mut self, text: &str) {
        self.with(|progress| progress.warn(&format!("{}: {text}", self.name)));
    }
}

impl Progress for Shared<'_, '_> {
    fn stage(&mut self, text: &str) {
        self.with(|progress| progress.stage(text));
    }

    fn note(&mut self, text: &str) {
        self.with(|progress| progress.note(text));
    }
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
        let common = if matches!(system.method, Method::Labels(_)) {
            FitOptions { blocks: Some(self.lesson.known_blocks.clone()), prior: Some(self.lesson.known_prior.clone()), ..common }
        } else {
            common
        };
        let low_resolution = |name: &str| {
            let blocks: Vec<Block> = self.lesson.test_blocks.iter().filter(|block| block.image == name).cloned().collect();
            low_resolution_map(&blocks, test.size(name)?)
        };
        let then = if let Method::Labels(how) = system.method { how.then } else { Then::Masks };
        let mut outcome = match system.options(common, self.plan.block_px()) {
            None => judge(self.plan, &test, &self.lesson.test_blocks, &prior, &masks, low_resolution)?,
            Some(options) => {
                let (run, failed) = match then {
                    Then::Turned => (self.folder.with_file_name(LABELS).join("run"), None),
                    Then::Masks => {
                        let run = self.folder.join("run");
                        let failed = self.train(options, &run, progress, stop)?;
                        (run, failed)
                    }
                };
                let folder = RunFolder::open(&run)?;
                let config = folder.config()?;
                let device = self.device.open()?;
                let trained = folder.network(&config, &device, |text| progress.warn(text))?;
                let judged = judge(self.plan, &test, &self.lesson.test_blocks, &prior, &masks, |name| {
                    let image = test.image(name)?;
                    match then {
                        Then::Turned => predict_turned(&trained.network, &config, &image, &device),
                        Then::Masks => predict(&trained.network, &config, &image, &device),
                    }
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
