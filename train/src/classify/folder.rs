//! The folder of a classifier.
//!
//! ```text
//! CLASSIFIER/config.toml                     settings, version, data digest, the fold of every image
//! CLASSIFIER/fold-K/{model.bpk, fold.json}   weights and the prior of a finished fold; a folder appears whole or not at all
//! CLASSIFIER/calibration.json                temperature and reliability, once all folds are finished
//! ```

use super::calibration::Calibration;
use super::network::BlockNetwork;
use super::settings::ClassifierConfig;
use crate::atomic;
use crate::data::hex;
use crate::error::{Error, Result};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

/// What a fold's folder holds beside the weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldState {
    fold: usize,
    /// `ln(n_cancer / n_other)` of the blocks that this network learned from.
    prior_logit: f64,
    model_sha256: String,
    version: String,
}

/// A finished fold: its network, for inference, and what is added to its logits.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    pub(super) network: BlockNetwork,
    pub(super) prior_logit: f64,
}

/// The folder of a classifier.
#[derive(Debug)]
pub(super) struct ClassifierFolder {
    root: PathBuf,
    pub(super) config: ClassifierConfig,
    /// Held while training, so that two processes never write one classifier.
    _lock: Option<File>,
}

impl ClassifierFolder {
    /// A classifier that exists, for reading.
    ///
    /// # Errors
    /// No `config.toml` there, or one that cannot be.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let path = root.join("config.toml");
        if !path.is_file() {
            return Err(Error::file(root, "no classifier here (expected a folder that `lsr-train classify fit` wrote, with config.toml)"));
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        let config: ClassifierConfig = toml::from_str(&text).map_err(|error| Error::file(&path, error.message()))?;
        config.check().map_err(|error| Error::file(&path, error.to_string()))?;
        Ok(Self { root: root.to_owned(), config, _lock: None })
    }

    /// A classifier that this process trains: a new one, or one that was begun with the same settings and is gone on with.
    ///
    /// # Errors
    /// A folder begun with other settings; another process training it; an unwritable folder.
    pub(super) fn for_training(root: &Path, config: ClassifierConfig) -> Result<Self> {
        let begun = root.join("config.toml").is_file();
        if begun {
            config.check_same(&Self::open(root)?.config)?;
        }
        atomic::make_folder(root)?;
        let path = root.join("lock");
        let lock = File::create(&path).map_err(Error::io("writing", &path))?;
        if lock.try_lock().is_err() {
            return Err(Error::file(root, "another process is training this classifier"));
        }
        // What a killed process did not finish; the lock says that nobody is writing now.
        atomic::remove_unfinished(root)?;
        if !begun {
            let path = root.join("config.toml");
            let text = toml::to_string(&config).map_err(|error| Error::file(&path, error.to_string()))?;
            atomic::write(&path, text.as_bytes())?;
        }
        Ok(Self { root: root.to_owned(), config, _lock: Some(lock) })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn fold_path(&self, fold: usize) -> PathBuf {
        self.root.join(format!("fold-{fold}"))
    }

    /// Whether a fold's folder is there; whether it is whole shows when it is read.
    pub(super) fn has_fold(&self, fold: usize) -> bool {
        self.fold_path(fold).exists()
    }

    /// Writes a finished fold. The network must be one for inference (`valid`), which has BatchNorm's running statistics up to date.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write_fold(&self, fold: usize, finished: &Fold) -> Result<()> {
        let path = self.fold_path(fold);
        let weights = finished.network.clone().into_record().into_bytes().map_err(|error| Error::file(&path, error.to_string()))?;
        let state = FoldState {
            fold,
            prior_logit: finished.prior_logit,
            model_sha256: hex(&Sha256::digest(&*weights)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let json = serde_json::to_vec_pretty(&state).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write_folder(&path, |folder| {
            atomic::write(&folder.join("model.bpk"), &weights)?;
            atomic::write(&folder.join("fold.json"), &json)
        })
    }

    /// Reads a finished fold onto a device without autodiff.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub(super) fn read_fold(&self, fold: usize, device: &Device) -> Result<Fold> {
        let path = self.fold_path(fold);
        let read = |name: &str| {
            let file = path.join(name);
            std::fs::read(&file).map_err(Error::io("reading", &file))
        };
        let refused = |error: String| Error::file(&path, error);
        let state: FoldState = serde_json::from_slice(&read("fold.json")?).map_err(|error| refused(format!("fold.json: {error}")))?;
        if !state.prior_logit.is_finite() || state.fold != fold {
            return Err(refused(format!("fold.json: expected fold {fold} with a finite prior, found {state:?}")));
        }
        let weights = read("model.bpk")?;
        let found = hex(&Sha256::digest(&weights));
        if found != state.model_sha256 {
            return Err(refused(format!("model.bpk is damaged: expected SHA-256 {}, found {found}", state.model_sha256)));
        }
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(weights)).map_err(|error| refused(error.to_string()))?;
        let empty = self.config.network().init(self.config.seed, device);
        let network = empty.try_load_record(record).map_err(|error| refused(error.to_string()))?;
        Ok(Fold { network, prior_logit: state.prior_logit })
    }

    /// Writes `calibration.json`, which makes the classifier a finished one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write_calibration(&self, calibration: &Calibration) -> Result<()> {
        let path = self.root.join("calibration.json");
        let json = serde_json::to_vec_pretty(calibration).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write(&path, &json)
    }

    /// Reads `calibration.json`.
    ///
    /// # Errors
    /// An unfinished classifier; a file that cannot be understood; a temperature that is none.
    pub(super) fn calibration(&self) -> Result<Calibration> {
        let path = self.root.join("calibration.json");
        if !path.is_file() {
            return Err(Error::file(&self.root, "unfinished: calibration.json is missing (run the same `lsr-train classify fit` again)"));
        }
        let bytes = std::fs::read(&path).map_err(Error::io("reading", &path))?;
        let calibration: Calibration = serde_json::from_slice(&bytes).map_err(|error| Error::file(&path, error.to_string()))?;
        if !(calibration.temperature > 0.0 && calibration.temperature.is_finite()) {
            return Err(Error::file(&path, format!("temperature: expected a number above 0, found {}", calibration.temperature)));
        }
        Ok(calibration)
    }
}
