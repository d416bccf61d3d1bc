//! `metrics.jsonl`: the loss and the predicted counts of every step.

use crate::atomic;
use crate::collapse::LabelStatistics;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A step, as `metrics.jsonl` has it. Without times, so that the same seed gives the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps done.
    pub step: usize,
    /// The batch's loss before the step.
    pub loss: f64,
    /// Predicted mean and spread of each group against the prior.
    pub groups: Vec<LabelStatistics>,
}

/// `metrics.jsonl`: lines beyond the checkpoint that a run resumes from are cut off, so that no step is there twice.
pub(crate) struct Metrics {
    file: std::fs::File,
    path: PathBuf,
    /// Loss of the last step that was kept.
    pub(crate) last_loss: Option<f64>,
}

impl Metrics {
    /// Opens the file for a run that has done `step` steps.
    pub(crate) fn open(path: &Path, step: usize) -> Result<Self> {
        let old = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("reading", path)(error)),
        };
        let mut kept = String::new();
        let mut last_loss = None;
        // A line cut short by a crash ends the good ones.
        for report in old.lines().map_while(|line| serde_json::from_str::<StepReport>(line).ok()).take_while(|report| report.step <= step) {
            last_loss = Some(report.loss);
            kept.push_str(&json_line(&report, path)?);
        }
        atomic::write(path, kept.as_bytes())?;
        let file = std::fs::OpenOptions::new().append(true).open(path).map_err(Error::io("writing", path))?;
        Ok(Self { file, path: path.to_owned(), last_loss })
    }

    /// Adds a step.
    pub(crate) fn write(&mut self, report: &StepReport) -> Result<()> {
        let line = json_line(report, &self.path)?;
        self.file.write_all(line.as_bytes()).map_err(Error::io("writing", &self.path))
    }
}

fn json_line(report: &StepReport, path: &Path) -> Result<String> {
    serde_json::to_string(report).map(|line| line + "\n").map_err(|error| Error::file(path, error.to_string()))
}
