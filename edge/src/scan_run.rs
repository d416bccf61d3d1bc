//! What `lsr-edge scan` does.

use crate::keep_args::kinds;
use crate::label_args::RateError;
use crate::print;
use crate::scan_args::{Monitor, Scan};
use crate::segmenter;
use crate::stage_run::{ActionError, flag, light_level, seconds};
use indicatif::{ProgressBar, ProgressStyle};
use lsr_edge::scan::{Judge, Labels, PlanFile, ScanError, ScanSettings, Summary, Told};
use lsr_edge::source::SourceOptions;
use lsr_edge::stage::{Port, Timing};
use lsr_edge::{Error, Interrupt, Options, TissueChoice, device_name};
use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

/// What can go wrong here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Flags(#[from] ActionError),
    #[error(transparent)]
    Rate(#[from] RateError),
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error(transparent)]
    Edge(#[from] Error),
    #[error("the pixel size of the frames is missing: expected --um-per-px X, or um_per_px in a plan")]
    NoPixelSize,
    #[error("{failed} of {fields} fields failed: {names}; --resume visits them again")]
    Fields { failed: usize, fields: u32, names: String },
}

/// Scans; fields that failed are an error, like everything that was not done.
pub(crate) fn run(flags: &Scan, interrupt: &Interrupt) -> Result<(), RunError> {
    let port: Port = flags.stage.parse().map_err(ActionError::from)?;
    let timing = Timing { connect: seconds("--connect-timeout", flags.connect_timeout)?, ..Timing::default() };
    let plan = flags.grid.file()?;
    let settings = settings(flags, plan.as_ref())?;
    let um_per_px = flags.um_per_px.or(plan.and_then(|plan| plan.um_per_px)).ok_or(RunError::NoPixelSize)?;
    let segmenter = segmenter(&flags.network, &flags.store, Options { um_per_px: Some(um_per_px), ..Options::default() }, interrupt)?;
    let options = SourceOptions { field_um_per_px: um_per_px, side_px: 1, tissue: TissueChoice::None, ..SourceOptions::default() };
    let mut frames = flags.source.open(&options)?;
    let bar = progress_bar(flags.json);
    let note = |text: &str| bar.suspend(|| print(stderr(), &format!("{text}\n")));
    if frames.passed_over() > 0 {
        note(&format!("{} images were in {} before the scan: they are no frames of it", frames.passed_over(), flags.source));
    }
    let tell = |told: Told<'_>| match told {
        Told::Begun { session, done, fields } => {
            note(&format!("session {session} in {}", flags.store.display()));
            bar.set_length(fields.into());
            bar.set_position(done as u64);
            bar.reset_eta();
        }
        Told::Field(field) => {
            bar.inc(1);
            if flags.json {
                print(stdout(), &serde_json::to_string(field).map(|line| line + "\n").unwrap_or_default());
            }
        }
        Told::Note(text) => note(text),
    };
    let result = lsr_edge::scan::run(port, timing, frames.as_mut(), segmenter, &settings, &tell);
    bar.finish_and_clear();
    let summary = result?;
    if !flags.json {
        print(stdout(), &format!("{} -> {}\n", line(&summary), flags.store.display()));
    }
    if summary.every_field_once {
        return Ok(());
    }
    let names = summary.failed.iter().map(|failed| format!("{} ({})", failed.field, failed.reason)).collect::<Vec<_>>().join(", ");
    Err(RunError::Fields { failed: summary.failed.len(), fields: summary.fields, names })
}

fn settings(flags: &Scan, file: Option<&PlanFile>) -> Result<ScanSettings, RunError> {
    let light = flags.light.as_deref().map(light_level).transpose()?;
    let plan = flags.grid.plan(file, light)?;
    let labels = match (&flags.labels, flags.label, file) {
        (Some(path), _, _) | (None, None, Some(PlanFile { labels: Some(path), .. })) => Labels::read(path, plan.fields())?,
        (None, Some(label), _) | (None, None, Some(&PlanFile { label: Some(label), .. })) => Labels::All(label),
        (None, None, _) => Labels::None,
    };
    if let Some(beyond) = flags.repeat_beyond.filter(|&beyond| !(beyond > 0.0 && beyond.is_finite())) {
        return Err(flag("--repeat-beyond", beyond.to_string(), "standard deviations above 0").into());
    }
    Ok(ScanSettings {
        plan,
        plan_file: file.map(|file| file.origin.clone()).unwrap_or_default(),
        labels,
        judge: match flags.monitor {
            Monitor::Controller => Judge::Controller,
            Monitor::Host => Judge::Host,
        },
        prior: flags.prior.read()?,
        monitor: flags.alarm.monitor()?,
        repeat_beyond: flags.repeat_beyond,
        device: flags.device.clone().unwrap_or_else(device_name),
        source: flags.source.to_string(),
        keep: kinds(&flags.keep),
        home: flags.home,
        resume: flags.resume,
        frame_timeout: seconds("--frame-timeout", flags.frame_timeout)?,
        repeats: flags.repeats,
    })
}

fn line(summary: &Summary) -> String {
    let done = summary.fields as usize - summary.failed.len();
    let mut parts = vec![format!("{done} of {} fields", summary.fields)];
    if summary.repeats > 0 {
        parts.push(format!("{} visits were repeated", summary.repeats));
    }
    if summary.unlikely_fields > 0 {
        parts.push(format!("{} looked at once more for an unlikely count", summary.unlikely_fields));
    }
    if summary.unfit_fields > 0 {
        parts.push(format!("{} unfit, which are not counted", summary.unfit_fields));
    }
    if let Some(flagged) = summary.flagged_fields {
        parts.push(format!("{flagged} flagged as unlike what the network has learned from"));
    }
    if let Some(cancer) = summary.cancer {
        parts.push(format!("cancer {:.2} % (standard deviation {:.4} %)", 100.0 * cancer.count_fraction, 100.0 * cancer.count_std));
    }
    format!("{} in {:.1} s", parts.join(", "), summary.this_run.seconds)
}

/// On standard error, where that is a terminal.
fn progress_bar(json: bool) -> ProgressBar {
    if json || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} fields, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
