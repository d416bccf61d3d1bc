//! Many images: one failure does not stop the others.

use crate::error::{Error, one_line};
use crate::field::stored_size;
use crate::input::{Input, find_inputs, name_of};
use crate::listener::Listener;
use crate::output::{prepare_folder, write_tables};
use crate::segment::{Outcome, Segmenter, Written};
use crate::slide::Slide;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Steps of the progress bar per image.
const STEPS: u64 = 1000;

/// What became of a batch.
#[derive(Debug)]
pub struct Report {
    /// Images whose files were written.
    pub written: usize,
    /// Images whose files were there.
    pub skipped: usize,
    /// Of the skipped ones, those made with another model, other settings or another version.
    pub outdated: usize,
    /// Of the written ones, those that were held against what the network has learned from.
    pub judged: usize,
    /// One line for each of these that is unlike it.
    pub flagged: Vec<String>,
    /// One line for each of the written ones that is not fit to be counted.
    pub unfit: Vec<String>,
    /// One line for each of the written ones whose count does not agree with its label.
    pub disagreeing: Vec<String>,
    /// Inputs that failed: first those that gave no image or a name twice, then images, in the order given.
    pub failures: Vec<(PathBuf, Error)>,
    /// Images that were not looked at because the run was stopped.
    pub not_started: usize,
    /// Whether the user asked to stop.
    pub interrupted: bool,
    /// How long it took.
    pub duration: Duration,
}

/// Segments files and folders of files. `tell` hears a line before each slide.
///
/// Small images run side by side, one on each thread; larger ones run one after the other, with their tiles (or, in an integer network, their
/// rows) side by side, and slides in the end. Either way memory holds at most one tile per thread.
///
/// # Errors
/// [`Error::OutputFolder`], and tables that cannot be written. Everything else is in the report.
pub fn segment_all(segmenter: &Segmenter, given: &[PathBuf], tell: &(dyn Fn(&str) + Sync)) -> Result<Report, Error> {
    let start = Instant::now();
    prepare_folder(segmenter.output())?;
    let (mut inputs, mut failures) = find_inputs(given);
    if let Some(shard) = segmenter.options().shard {
        inputs.retain(|input| shard.has(&input.name));
        // A folder that cannot be read is everybody's failure.
        failures.retain(|(path, _)| given.contains(path) && !path.is_file() || shard.has(&name_of(path)));
    }
    let bar = progress_bar(inputs.len() as u64);

    let (slides, images): (Vec<_>, Vec<_>) = inputs.iter().enumerate().partition(|(_, input)| Slide::is_one(&input.path));
    let (small, large): (Vec<_>, Vec<_>) =
        images.into_iter().partition(|(_, input)| stored_size(&input.path).is_none_or(|size| segmenter.is_small(size)));
    let tell = |text: &str| bar.suspend(|| tell(text));
    let run = |&(index, input): &(usize, &Input)| {
        let result = if segmenter.interrupt().is_set() { Err(Error::Interrupted) } else { tracked(segmenter, input, &bar, &tell) };
        (index, result)
    };
    let mut results: Vec<(usize, Result<Outcome, Error>)> = Vec::with_capacity(inputs.len());
    for group in small.chunks(rayon::current_num_threads().max(1)).chain(large.chunks(1)).chain(slides.chunks(1)) {
        let done: Vec<_> = match group {
            [input] => vec![run(input)],
            _ => group.par_iter().map(run).collect(),
        };
        results.extend(done);
        if results.iter().rev().take(group.len()).any(|(_, result)| result.as_ref().is_err_and(Error::stops_batch)) {
            break;
        }
    }
    bar.finish_and_clear();

    results.sort_by_key(|(index, _)| *index);
    let mut report = Report {
        written: 0,
        skipped: 0,
        outdated: 0,
        judged: 0,
        flagged: Vec::new(),
        unfit: Vec::new(),
        disagreeing: Vec::new(),
        failures: Vec::new(),
        not_started: inputs.len() - results.len(),
        interrupted: segmenter.interrupt().is_set(),
        duration: Duration::ZERO,
    };
    for (index, result) in results {
        match result {
            Ok(Outcome::Written(written)) => {
                let Written { training_distance, low_resolution, quality, cancer } = *written;
                report.written += 1;
                let empty = || format!("unfit: {}: no tissue was found (--tissue none looks at everything)", inputs[index].name);
                report.unfit.extend(cancer.is_none().then(empty));
                report.unfit.extend(quality.and_then(|quality| quality.warning(&inputs[index].name)));
                report.disagreeing.extend(low_resolution.and_then(|found| found.warning(&inputs[index].name)));
                report.judged += usize::from(training_distance.is_some());
                report.flagged.extend(training_distance.and_then(|distance| distance.warning(&inputs[index].name)));
            }
            Ok(Outcome::Skipped { same }) => {
                report.skipped += 1;
                report.outdated += usize::from(!same);
            }
            Err(Error::Interrupted) => report.not_started += 1,
            Err(error) => failures.push((inputs[index].path.clone(), error)),
        }
    }
    report.failures = failures;
    if report.written + report.skipped > 0 {
        write_tables(segmenter.output())?;
    }
    report.duration = start.elapsed();
    Ok(report)
}

/// Segments one image and moves the bar on by one image, whatever comes of it.
fn tracked(segmenter: &Segmenter, input: &Input, bar: &ProgressBar, tell: &(dyn Fn(&str) + Sync)) -> Result<Outcome, Error> {
    let shown = std::sync::atomic::AtomicU64::new(0);
    let show = |fraction: f64| {
        let steps = (fraction * STEPS as f64) as u64;
        let before = shown.swap(steps, std::sync::atomic::Ordering::Relaxed);
        bar.inc(steps.saturating_sub(before));
    };
    bar.set_message(input.name.clone());
    let result = segmenter.segment(input, Listener { progress: &show, tell });
    show(1.0);
    result
}

/// On standard error; indicatif hides it where that is no terminal.
fn progress_bar(images: u64) -> ProgressBar {
    let bar = ProgressBar::new(images * STEPS);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent}% {eta} left {msg:24!}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

impl Report {
    /// One line: how many were written, flagged, unfit, skipped and failed.
    pub fn summary(&self) -> String {
        let mut parts = vec![format!("{} written", self.written)];
        if self.judged > 0 {
            parts.push(format!("{} of them flagged as unlike what the network has learned from", self.flagged.len()));
        }
        if !self.unfit.is_empty() {
            parts.push(format!("{} of them unfit", self.unfit.len()));
        }
        if !self.disagreeing.is_empty() {
            parts.push(format!("{} of them with a count that disagrees with their label", self.disagreeing.len()));
        }
        match (self.skipped, self.outdated) {
            (0, _) => {}
            (skipped, 0) => parts.push(format!("{skipped} skipped (done before)")),
            (skipped, outdated) => parts.push(format!(
                "{skipped} skipped (done before, {outdated} of them with another model, settings or version: --overwrite redoes them)"
            )),
        }
        if !self.failures.is_empty() {
            parts.push(format!("{} failed", self.failures.len()));
        }
        if self.not_started > 0 {
            parts.push(format!("{} not done", self.not_started));
        }
        format!("{} in {:.1} s", parts.join(", "), self.duration.as_secs_f64())
    }

    /// One line for each failure.
    pub fn failure_lines(&self) -> Vec<String> {
        self.failures.iter().map(|(path, error)| format!("failed: {}: {}", path.display(), one_line(error))).collect()
    }
}
