//! `metrics.jsonl` and `validation.jsonl`: what every step and every validation said, one line each. Without times, so that the same seed
//! gives the same bytes.

use crate::atomic;
use crate::collapse::LabelStatistics;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A line that belongs to a step.
pub(crate) trait Line: Serialize + DeserializeOwned {
    /// Steps done when it was written.
    fn step(&self) -> usize;
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps done.
    pub step: usize,
    /// The batch's loss before the step.
    pub loss: f64,
    /// Its part from pixel masks, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_entropy: Option<f64>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Predicted mean and spread of each group against the prior.
    pub groups: Vec<LabelStatistics>,
}

/// A validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidationReport {
    /// Steps done.
    pub step: usize,
    /// Mean over labels of the squared 2-Wasserstein distance between the predicted counts N(m, S) and the prior N(eta, rho^2).
    pub count_mismatch: f64,
    /// Masked Dice, where masks are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_dice: Option<f64>,
    /// Predicted mean and spread of each label over the validation blocks.
    pub labels: Vec<LabelStatistics>,
}

impl Line for StepReport {
    fn step(&self) -> usize {
        self.step
    }
}

impl Line for ValidationReport {
    fn step(&self) -> usize {
        self.step
    }
}

/// A file of lines that grows with the run. Lines beyond the checkpoint that a run resumes from are cut off, so that none is there twice.
pub(crate) struct Lines<L> {
    /// None in a process that does not write.
    file: Option<std::fs::File>,
    path: PathBuf,
    /// The last line that was kept.
    pub(crate) last: Option<L>,
    kind: PhantomData<L>,
}

impl<L: Line> Lines<L> {
    /// Opens the file for a run that has done `step` steps. A process that does not write has no lines either.
    pub(crate) fn open(path: &Path, step: usize, writes: bool) -> Result<Self> {
        let (mut kept, mut last) = (String::new(), None);
        if !writes {
            return Ok(Self { file: None, path: path.to_owned(), last, kind: PhantomData });
        }
        for line in read_lines::<L>(path)?.into_iter().take_while(|line| line.step() <= step) {
            kept.push_str(&json_line(&line, path)?);
            last = Some(line);
        }
        atomic::write(path, kept.as_bytes())?;
        let file = std::fs::OpenOptions::new().append(true).open(path).map_err(Error::io("writing", path))?;
        Ok(Self { file: Some(file), path: path.to_owned(), last, kind: PhantomData })
    }

    /// Adds a line, in the process that writes.
    pub(crate) fn write(&mut self, line: &L) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = json_line(line, &self.path)?;
        file.write_all(line.as_bytes()).map_err(Error::io("writing", &self.path))
    }
}

/// All whole lines of a file; none where there is no file. A line cut short by a crash ends them.
pub(crate) fn read_lines<L: Line>(path: &Path) -> Result<Vec<L>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("reading", path)(error)),
    }
}

fn json_line<L: Line>(line: &L, path: &Path) -> Result<String> {
    serde_json::to_string(line).map(|line| line + "\n").map_err(|error| Error::file(path, error.to_string()))
}
