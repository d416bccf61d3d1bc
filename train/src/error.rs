//! What can go wrong while training, each with the file or value that is at fault.

use std::path::{Path, PathBuf};

/// Everything that the library refuses or fails at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system said no.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done ("reading", "writing").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file whose content is not what it should be.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A setting or argument that cannot be.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Training cannot go on from these numbers.
    #[error("step {step}: {reason}")]
    Training {
        /// The step.
        step: usize,
        /// The group and statistics that did it.
        reason: String,
    },
    /// Stopped by a signal; a checkpoint is written.
    #[error("interrupted at step {step}; continue with: lsr-train fit --resume --output {}", run.display())]
    Interrupted {
        /// Steps done.
        step: usize,
        /// The run's folder.
        run: PathBuf,
    },
    /// A block of which every pixel is masked out: it has no counts.
    #[error("block {block}: no valid pixel (its validity mask is black everywhere)")]
    NoValidPixel {
        /// Size, place and image of the block.
        block: String,
    },
    /// The training of a classifier was stopped by a signal; finished folds are kept.
    #[error("interrupted at step {step} of fold {fold}; the same command goes on with that fold in {}", folder.display())]
    ClassifierInterrupted {
        /// Fold that was being trained.
        fold: usize,
        /// Steps that it had done.
        step: usize,
        /// The classifier's folder.
        folder: PathBuf,
    },
    /// Stopped by a signal; what is finished is kept.
    #[error("interrupted; to go on, {again}")]
    Stopped {
        /// What to do to go on.
        again: String,
    },
    /// A statistic or parameter that the core refuses.
    #[error(transparent)]
    Core(#[from] lsr_core::Error),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// The generator's settings cannot be.
    #[error(transparent)]
    Synth(#[from] crate::synth::SynthError),
}

/// Short for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether a signal ended the work, not a fault.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted { .. } | Self::ClassifierInterrupted { .. } | Self::Stopped { .. })
    }

    pub(crate) fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn setting(name: &'static str, expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Setting { name, expected: expected.into(), found: found.to_string() }
    }

    /// For `map_err` on I/O.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
