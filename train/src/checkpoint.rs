//! Checkpoints from which training continues to the same bits, and the network that a run ends with.

use crate::atomic;
use crate::collapse::LabelTracker;
use crate::config::RunConfig;
use crate::data::hex;
use crate::ema::Ema;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::optimizer::RmsProp;
use crate::processes::Processes;
use crate::queue::MomentQueue;
use crate::run_folder::RunFolder;
use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Device};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Checkpoints that are kept.
const KEPT: usize = 2;

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const AVERAGE: &str = "ema.bpk";

/// What training remembers beside weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps done.
    pub(crate) step: usize,
    /// Predicted counts of the latest groups.
    pub(crate) tracker: LabelTracker,
    /// Moments of the latest blocks.
    pub(crate) queue: MomentQueue,
    /// Best validation so far (smaller is better).
    pub(crate) best: Option<f64>,
    /// Validations since then.
    pub(crate) stale: usize,
}

/// `state.json` of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    progress: Progress,
    /// Of every other file.
    sha256: BTreeMap<String, String>,
    version: String,
}

/// Everything that changes while training.
#[derive(Debug)]
pub(crate) struct TrainingState {
    pub(crate) model: Network,
    pub(crate) optimizer: RmsProp,
    pub(crate) ema: Option<Ema>,
    pub(crate) progress: Progress,
}

impl TrainingState {
    /// Before the first step. `device` must have autodiff.
    pub(crate) fn new(config: &RunConfig, device: &Device) -> Self {
        let model = config.network.init(config.seed, device);
        let ema = config.ema.map(|decay| Ema::new(decay, &model));
        let progress = Progress { queue: MomentQueue::new(config.queue), ..Progress::default() };
        Self { model, optimizer: RmsProp::new(config.clip_norm), ema, progress }
    }

    /// The network that masks are drawn with.
    pub(crate) fn network(&self) -> Network {
        // `valid` brings BatchNorm's running statistics up to date first.
        self.ema.as_ref().map_or_else(|| self.model.valid(), |ema| ema.network(&self.model))
    }

    /// Sees to it that all processes are at the same step with the very same weights: their optimisers go the same way by themselves, as
    /// long as they compute alike.
    ///
    /// # Errors
    /// [`Error::Training`] where they are not.
    pub(crate) fn check_alike(&self, processes: Processes) -> Result<()> {
        if processes.alone() {
            return Ok(());
        }
        let path = Path::new("network");
        let weights = self.model.valid().into_record().into_bytes().map_err(|error| Error::file(path, error.to_string()))?;
        let digest = Sha256::digest(&*weights);
        // Pieces of the digest that are whole in f64.
        let own: Vec<f64> = digest.chunks_exact(4).map(|p| f64::from(u32::from_le_bytes([p[0], p[1], p[2], p[3]]))).collect();
        let mut total = own.clone();
        total.push(self.progress.step as f64);
        processes.sum(&mut total);
        let alike = own.iter().chain([&(self.progress.step as f64)]).zip(&total).all(|(own, total)| own * processes.count as f64 == *total);
        let reason = "the processes no longer have the same weights: let all of them run on devices of one kind, with the same files";
        if alike { Ok(()) } else { Err(Error::Training { step: self.progress.step, reason: reason.to_owned() }) }
    }

    /// Writes a checkpoint and removes all but the newest ones.
    ///
    /// # Errors
    /// [`Error::Io`], a full disk for one; the previous checkpoint is then still there.
    pub(crate) fn save(&self, run: &RunFolder) -> Result<()> {
        let path = run.path("checkpoints").join(format!("step-{:08}", self.progress.step));
        let refused = |error: RecordError| Error::file(&path, error.to_string());
        let mut files = vec![
            (MODEL, self.model.valid().into_record().into_bytes().map_err(refused)?),
            (OPTIMIZER, self.optimizer.to_bytes(&self.model).map_err(refused)?),
        ];
        if let Some(ema) = &self.ema {
            files.push((AVERAGE, ema.to_bytes(&self.model).map_err(refused)?));
        }
        write_checkpoint(&path, &files, &self.progress)?;
        let mut all = checkpoints(run)?;
        all.truncate(all.len().saturating_sub(KEPT));
        for (_, old) in all {
            std::fs::remove_dir_all(&old).map_err(Error::io("removing", &old))?;
        }
        Ok(())
    }

    /// Writes the network as the best so far.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn save_best(&self, run: &RunFolder) -> Result<()> {
        let path = run.path("best");
        let weights = self.network().into_record().into_bytes().map_err(|error| Error::file(&path, error.to_string()))?;
        // The best network is for use, not for going on: its state is the step alone.
        write_checkpoint(&path, &[(MODEL, weights)], &Progress { step: self.progress.step, ..Progress::default() })
    }

    /// Reads the newest checkpoint that is whole; a damaged one is reported through `warn` and the one before it is taken. `None` where there
    /// is none at all: a run that was killed before its first.
    ///
    /// # Errors
    /// Checkpoints of which none can be read.
    pub(crate) fn restore(config: &RunConfig, device: &Device, run: &RunFolder, mut warn: impl FnMut(&str)) -> Result<Option<Self>> {
        let found = checkpoints(run)?;
        if found.is_empty() {
            return Ok(None);
        }
        for (_, path) in found.into_iter().rev() {
            match Self::read(config, device, &path) {
                Ok(state) => return Ok(Some(state)),
                Err(error) => warn(&format!("{error}; trying the checkpoint before it")),
            }
        }
        Err(Error::file(&run.path("checkpoints"), "no checkpoint that can be read"))
    }

    fn read(config: &RunConfig, device: &Device, path: &Path) -> Result<Self> {
        let refused = |error: RecordError| Error::file(path, error.to_string());
        let (progress, mut files) = read_checkpoint(path)?;
        let mut take = |name: &str| files.remove(name).ok_or_else(|| Error::file(path, format!("{name} is missing")));
        let fresh = config.network.init(config.seed, device);
        let model = with_weights(&fresh, take(MODEL)?, path)?;
        let mut optimizer = RmsProp::new(config.clip_norm);
        optimizer.load(&model, Bytes::from_bytes_vec(take(OPTIMIZER)?)).map_err(refused)?;
        let ema = match config.ema {
            Some(decay) => Some(Ema::from_bytes(decay, &model, Bytes::from_bytes_vec(take(AVERAGE)?)).map_err(refused)?),
            None => None,
        };
        Ok(Self { model, optimizer, ema, progress })
    }
}

/// A network that a run has trained, without autodiff.
#[derive(Debug)]
pub struct TrainedNetwork {
    /// Steps done.
    pub step: usize,
    /// SHA-256 of its weights as they stand in the checkpoint.
    pub sha256: String,
    /// The network; with averaged weights where the run averages them.
    pub network: Network,
}

impl RunFolder {
    /// The network that a run ended with, or has come to: that of the best validation where the run stops early, otherwise the newest whole
    /// checkpoint's.
    ///
    /// # Errors
    /// No checkpoint that can be read.
    pub fn network(&self, config: &RunConfig, device: &Device, mut warn: impl FnMut(&str)) -> Result<TrainedNetwork> {
        let fresh = config.network.init(config.seed, device);
        let best = self.path("best");
        if config.patience.is_some() && best.exists() {
            return read_network(&fresh, &best, MODEL);
        }
        let weights = if config.ema.is_some() { AVERAGE } else { MODEL };
        for (_, path) in checkpoints(self)?.into_iter().rev() {
            match read_network(&fresh, &path, weights) {
                Ok(network) => return Ok(network),
                Err(error) => warn(&format!("{error}; trying the checkpoint before it")),
            }
        }
        Err(Error::file(&self.path("checkpoints"), "no checkpoint that can be read"))
    }
}

fn read_network(fresh: &Network, path: &Path, weights: &str) -> Result<TrainedNetwork> {
    let (progress, mut files) = read_checkpoint(path)?;
    let bytes = files.remove(weights).ok_or_else(|| Error::file(path, format!("{weights} is missing")))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    Ok(TrainedNetwork { step: progress.step, sha256, network: with_weights(fresh, bytes, path)?.valid() })
}

fn with_weights(fresh: &Network, bytes: Vec<u8>, path: &Path) -> Result<Network> {
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|error| Error::file(path, error.to_string()))?;
    fresh.clone().try_load_record(record).map_err(|error| Error::file(path, error.to_string()))
}

/// Steps and folders, oldest first. Folders that were not finished have other names.
fn checkpoints(run: &RunFolder) -> Result<Vec<(usize, PathBuf)>> {
    let folder = run.path("checkpoints");
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

fn write_checkpoint(path: &Path, files: &[(&str, Bytes)], progress: &Progress) -> Result<()> {
    let sha256 = files.iter().map(|(name, bytes)| ((*name).to_owned(), hex(&Sha256::digest(&**bytes)))).collect();
    let state = State { progress: progress.clone(), sha256, version: env!("CARGO_PKG_VERSION").to_owned() };
    let json = serde_json::to_vec_pretty(&state).map_err(|error| Error::file(path, error.to_string()))?;
    atomic::write_folder(path, |folder| {
        for (name, bytes) in files {
            atomic::write(&folder.join(name), bytes)?;
        }
        atomic::write(&folder.join("state.json"), &json)
    })
}

/// A checkpoint's state and its other files, each as it was written.
fn read_checkpoint(path: &Path) -> Result<(Progress, BTreeMap<String, Vec<u8>>)> {
    let read = |name: &str| {
        let file = path.join(name);
        std::fs::read(&file).map_err(Error::io("reading", &file))
    };
    let state: State = serde_json::from_slice(&read("state.json")?).map_err(|error| Error::file(path, format!("state.json: {error}")))?;
    let mut files = BTreeMap::new();
    for name in [MODEL, OPTIMIZER, AVERAGE] {
        let Some(expected) = state.sha256.get(name) else { continue };
        let bytes = read(name)?;
        let found = hex(&Sha256::digest(&bytes));
        if found != *expected {
            return Err(Error::file(path, format!("{name} is damaged: expected SHA-256 {expected}, found {found}")));
        }
        files.insert(name.to_owned(), bytes);
    }
    Ok((state.progress, files))
}
