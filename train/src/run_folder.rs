//! The folder of a run.
//!
//! ```text
//! RUN/config.toml        settings, version, data digest
//! RUN/blocks.csv         the labels that it learns from     RUN/prior.csv    the counts that it matches
//! RUN/checkpoints/step-N/{model.bpk, optimizer.bpk, ema.bpk, state.json}    the newest two; a folder appears whole or not at all
//! RUN/best/              the network of the best validation, where a run stops early
//! RUN/metrics.jsonl      one line a step                    RUN/validation.jsonl   one line a validation
//! RUN/summary.json       how it ended                       RUN/timing.json        where the time went
//! RUN/report.html        all of it, to look at
//! ```

use crate::atomic;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    /// Held while training, so that two processes never write one run.
    _lock: Option<File>,
}

impl RunFolder {
    /// A run that exists, for reading.
    ///
    /// # Errors
    /// No `config.toml` there.
    pub fn open(root: &Path) -> Result<Self> {
        let config = root.join("config.toml");
        if !config.is_file() {
            return Err(Error::file(root, "no run here (expected a folder that `lsr-train fit` wrote, with config.toml)"));
        }
        Ok(Self { root: root.to_owned(), _lock: None })
    }

    /// A run that this process trains; refused while another does.
    ///
    /// # Errors
    /// A run that exists although `resume` is false or the reverse; another process training it; an unwritable folder.
    pub fn for_training(root: &Path, resume: bool) -> Result<Self> {
        let exists = root.join("config.toml").is_file();
        if exists && !resume {
            return Err(Error::file(root, "already holds a run: continue it with --resume, or choose another --output"));
        }
        if !exists && resume {
            return Err(Error::file(root, "no run to resume here (config.toml is missing)"));
        }
        atomic::make_folder(&root.join("checkpoints"))?;
        let path = root.join("lock");
        let lock = File::create(&path).map_err(Error::io("writing", &path))?;
        if lock.try_lock().is_err() {
            return Err(Error::file(root, "another process is training this run"));
        }
        // What a killed process did not finish; the lock says that nobody is writing now.
        for folder in [root.to_owned(), root.join("checkpoints")] {
            atomic::remove_unfinished(&folder)?;
        }
        Ok(Self { root: root.to_owned(), _lock: Some(lock) })
    }

    /// The path of one of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn config(&self) -> Result<RunConfig> {
        let path = self.path("config.toml");
        let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        toml::from_str(&text).map_err(|error| Error::file(&path, error.message()))
    }

    /// Writes `config.toml`, which makes the folder a run.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_config(&self, config: &RunConfig) -> Result<()> {
        let path = self.path("config.toml");
        let text = toml::to_string(config).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write(&path, text.as_bytes())
    }
}
