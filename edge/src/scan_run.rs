//! What `lsr-edge scan` does.

use crate::print;
use crate::scan_args::{Picture, Scan};
use crate::segmenter;
use crate::stage_run::{ActionError, light_level, seconds};
use indicatif::{ProgressBar, ProgressStyle};
use lsr_edge::scan::{Labels, Row, ScanError, ScanSettings, Summary, Told};
use lsr_edge::source::FrameFolder;
use lsr_edge::stage::{Port, Timing};
use lsr_edge::{Error, Interrupt, Options, Pictures};
use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

/// What can go wrong here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Flags(#[from] ActionError),
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error(transparent)]
    Edge(#[from] Error),
    #[error("{failed} of {fields} fields failed: {names}; --resume visits them again")]
    Fields { failed: usize, fields: u32, names: String },
}

/// Scans; fields that failed are an error, like everything that was not done.
pub(crate) fn run(flags: &Scan, interrupt: &Interrupt) -> Result<(), RunError> {
    let port: Port = flags.port.parse().map_err(ActionError::from)?;
    let timing = Timing { connect: seconds("--connect-timeout", flags.connect_timeout)?, ..Timing::default() };
    let settings = settings(flags)?;
    let segmenter =
        segmenter(&flags.network, &flags.output, Options { um_per_px: Some(flags.um_per_px), ..Options::default() }, interrupt)?;
    let mut frames = FrameFolder::watch(&flags.frames)?;
    let bar = progress_bar(flags.json);
    let note = |text: &str| bar.suspend(|| print(stderr(), &format!("{text}\n")));
    if frames.ignored() > 0 {
        note(&format!("{} images were in {} before the scan: they are no frames of it", frames.ignored(), flags.frames.display()));
    }
    let tell = |told: Told<'_>| match told {
        Told::Begun { done, fields } => {
            bar.set_length(fields.into());
            bar.set_position(done as u64);
            bar.reset_eta();
        }
        Told::Row(row) => {
            bar.inc(1);
            if flags.json {
                print(stdout(), &json(row));
            }
        }
        Told::Note(text) => note(text),
    };
    let result = lsr_edge::scan::run(port, timing, &mut frames, &segmenter, &settings, &tell);
    bar.finish_and_clear();
    let summary = result?;
    if !flags.json {
        print(stdout(), &format!("{} -> {}\n", line(&summary), flags.output.display()));
    }
    if summary.every_field_once {
        return Ok(());
    }
    let names = summary.failed.iter().map(|failed| format!("{} ({})", failed.field, failed.reason)).collect::<Vec<_>>().join(", ");
    Err(RunError::Fields { failed: summary.failed.len(), fields: summary.fields, names })
}

fn settings(flags: &Scan) -> Result<ScanSettings, RunError> {
    let plan = flags.grid.plan(Some(light_level(&flags.light)?))?;
    let labels = match (&flags.labels, flags.label) {
        (Some(path), _) => Labels::read(path, plan.fields())?,
        (None, Some(label)) => Labels::All(label),
        (None, None) => Labels::None,
    };
    let has = |picture| flags.pictures.contains(&picture);
    let pictures = Pictures { mask: has(Picture::Mask), probability: has(Picture::Probability), overlay: has(Picture::Overlay) };
    let frame_timeout = seconds("--frame-timeout", flags.frame_timeout)?;
    Ok(ScanSettings { plan, labels, pictures, home: flags.home, resume: flags.resume, frame_timeout, repeats: flags.repeats })
}

fn json(row: &Row) -> String {
    serde_json::to_string(row).map(|line| line + "\n").unwrap_or_default()
}

fn line(summary: &Summary) -> String {
    let done = summary.fields as usize - summary.failed.len();
    let mut parts = vec![format!("{done} of {} fields", summary.fields)];
    if summary.repeats > 0 {
        parts.push(format!("{} visits were repeated", summary.repeats));
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
