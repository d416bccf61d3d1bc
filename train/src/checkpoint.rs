//! The folder of a run, and checkpoints from which training continues to the same bits.
//!
//! ```text
//! RUN/config.toml        settings, version, data digest
//! RUN/blocks.csv         the labels that it learns from     RUN/prior.csv    the counts that it matches
//! RUN/checkpoints/step-N/{model.bpk, optimizer.bpk, state.json}    the newest two; a folder appears whole or not at all
//! RUN/metrics.jsonl      one line a step                    RUN/summary.json how it ended
//! ```

use crate::atomic;
use crate::collapse::LabelTracker;
use crate::config::RunConfig;
use crate::data::hex;
use crate::error::{Error, Result};
use crate::network::UNet;
use crate::optimizer::RmsProp;
use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Checkpoints that are kept.
const KEPT: usize = 2;

/// What a checkpoint holds beside weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    step: usize,
    tracker: LabelTracker,
    model_sha256: String,
    optimizer_sha256: String,
    version: String,
}

/// A checkpoint that was read back.
#[derive(Debug)]
pub struct Restored {
    /// Steps done.
    pub step: usize,
    /// The network.
    pub model: UNet,
    /// Running averages of the optimiser, as bytes.
    pub optimizer: Vec<u8>,
    /// Predicted counts of the latest groups.
    pub tracker: LabelTracker,
}

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

    /// Writes a checkpoint and removes all but the newest ones.
    ///
    /// # Errors
    /// [`Error::Io`], a full disk for one; the previous checkpoint is then still there.
    pub fn save(&self, step: usize, model: &UNet, optimizer: &RmsProp, tracker: &LabelTracker) -> Result<()> {
        let path = self.path("checkpoints").join(format!("step-{step:08}"));
        let refused = |error: RecordError| Error::file(&path, error.to_string());
        // `valid` brings BatchNorm's running statistics up to date first.
        let weights = model.valid().into_record().into_bytes().map_err(refused)?;
        let averages = optimizer.to_bytes(model).map_err(refused)?;
        let state = State {
            step,
            tracker: tracker.clone(),
            model_sha256: hex(&Sha256::digest(&*weights)),
            optimizer_sha256: hex(&Sha256::digest(&*averages)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let json = serde_json::to_vec_pretty(&state).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write_folder(&path, |folder| {
            atomic::write(&folder.join("model.bpk"), &weights)?;
            atomic::write(&folder.join("optimizer.bpk"), &averages)?;
            atomic::write(&folder.join("state.json"), &json)
        })?;
        let mut all = self.checkpoints()?;
        all.truncate(all.len().saturating_sub(KEPT));
        for (_, old) in all {
            std::fs::remove_dir_all(&old).map_err(Error::io("removing", &old))?;
        }
        Ok(())
    }

    /// Whether any checkpoint was ever finished.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn has_checkpoint(&self) -> Result<bool> {
        Ok(!self.checkpoints()?.is_empty())
    }

    /// Reads the newest checkpoint that is whole into a network of the same shape, on that network's device; a damaged one is reported through `warn` and the one before it is taken.
    ///
    /// # Errors
    /// No checkpoint that can be read.
    pub fn restore(&self, model: &UNet, mut warn: impl FnMut(String)) -> Result<Restored> {
        for (_, path) in self.checkpoints()?.into_iter().rev() {
            match read_checkpoint(&path, model) {
                Ok(restored) => return Ok(restored),
                Err(error) => warn(format!("{error}; trying the checkpoint before it")),
            }
        }
        Err(Error::file(&self.path("checkpoints"), "no checkpoint that can be read"))
    }

    /// Steps and folders, oldest first. Folders that were not finished have other names.
    fn checkpoints(&self) -> Result<Vec<(usize, PathBuf)>> {
        let folder = self.path("checkpoints");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(Error::io("reading", &folder))? {
            let path = entry.map_err(Error::io("reading", &folder))?.path();
            let step = path.file_name().and_then(|name| name.to_str()?.strip_prefix("step-")?.parse().ok());
            if let Some(step) = step {
                found.push((step, path));
            }
        }
        found.sort();
        Ok(found)
    }
}

fn read_checkpoint(path: &Path, model: &UNet) -> Result<Restored> {
    let read = |name: &str| {
        let file = path.join(name);
        std::fs::read(&file).map_err(Error::io("reading", &file))
    };
    let json = read("state.json")?;
    let state: State = serde_json::from_slice(&json).map_err(|error| Error::file(path, format!("state.json: {error}")))?;
    let (weights, optimizer) = (read("model.bpk")?, read("optimizer.bpk")?);
    for (name, bytes, expected) in [("model.bpk", &weights, &state.model_sha256), ("optimizer.bpk", &optimizer, &state.optimizer_sha256)] {
        let found = hex(&Sha256::digest(bytes));
        if found != *expected {
            return Err(Error::file(path, format!("{name} is damaged: expected SHA-256 {expected}, found {found}")));
        }
    }
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(weights)).map_err(|error| Error::file(path, error.to_string()))?;
    let model = model.clone().try_load_record(record).map_err(|error| Error::file(path, error.to_string()))?;
    Ok(Restored { step: state.step, model, optimizer, tracker: state.tracker })
}
