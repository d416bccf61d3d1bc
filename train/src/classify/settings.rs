//! How a classifier is trained, and what its folder says about that.

use super::network::BlockNetworkConfig;
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a classifier is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierSettings {
    /// Parts into which the images are dealt; each has a network that does not see it.
    pub folds: usize,
    /// Steps of the optimiser in each fold.
    pub steps: usize,
    /// Blocks in a batch, half of them cancer.
    pub batch: usize,
    /// Channels of the network's first stage.
    pub width: usize,
    /// Stages of the network.
    pub depth: usize,
    /// Learning rate of RMSprop at the first step; it falls to 0 along a cosine.
    pub learning_rate: f64,
    /// Seed of folds, weights and batches.
    pub seed: u64,
    /// Where the network lives.
    pub device: DeviceChoice,
    /// Pixel size in micrometres; what the data state without one.
    pub um_per_px: Option<f64>,
}

impl Default for ClassifierSettings {
    fn default() -> Self {
        Self {
            folds: 4,
            steps: 300,
            batch: 16,
            width: 8,
            depth: 4,
            learning_rate: 2e-3,
            seed: 0,
            device: DeviceChoice::Cpu,
            um_per_px: None,
        }
    }
}

/// `config.toml` of a classifier's folder: everything that its bytes follow from, but the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassifierConfig {
    pub(super) version: String,
    /// SHA-256 over the images and labels.
    pub(super) data_digest: String,
    pub(super) um_per_px: f64,
    /// Side of a block in pixels.
    pub(super) block_px: u32,
    pub(super) folds: usize,
    pub(super) steps: usize,
    pub(super) batch: usize,
    pub(super) width: usize,
    pub(super) depth: usize,
    pub(super) learning_rate: f64,
    pub(super) seed: u64,
    /// The fold of every image that was trained on: that fold's network has not seen it.
    pub(super) fold_of_image: BTreeMap<String, usize>,
}

/// Most pixels in a batch: 1.5 GB as the network's input.
const MAX_BATCH_PIXELS: u64 = 1 << 27;

impl ClassifierConfig {
    pub(super) fn network(&self) -> BlockNetworkConfig {
        BlockNetworkConfig { width: self.width, depth: self.depth }
    }

    /// Refuses what cannot be trained; a file that was edited by hand comes through here too.
    pub(super) fn check(&self) -> Result<()> {
        let whole = [
            ("folds", self.folds, 2, 100),
            ("steps", self.steps, 1, 100_000_000),
            ("batch", self.batch, 2, 100_000),
            ("width", self.width, 1, 512),
            ("depth", self.depth, 1, 8),
        ];
        for (name, value, min, max) in whole {
            if !(min..=max).contains(&value) {
                return Err(Error::setting(name, format!("{min} to {max}"), value));
            }
        }
        let least = self.network().least_px();
        if !(least..=32_768).contains(&(self.block_px as usize)) {
            return Err(Error::setting("block", format!("{least} to 32768 px, for a network of depth {}", self.depth), self.block_px));
        }
        if i64::try_from(self.seed).is_err() {
            return Err(Error::setting("seed", format!("at most {}, the largest number of a TOML file", i64::MAX), self.seed));
        }
        if !self.batch.is_multiple_of(2) {
            return Err(Error::setting("batch", "an even number: half of it is cancer", self.batch));
        }
        let widest = self.width << (self.depth - 1);
        if widest > 4096 {
            return Err(Error::setting("width and depth", "at most 4096 channels in the last stage (width 2^(depth-1))", widest));
        }
        let pixels = self.batch as u64 * u64::from(self.block_px).pow(2);
        if pixels > MAX_BATCH_PIXELS {
            return Err(Error::setting("batch", format!("at most {MAX_BATCH_PIXELS} pixels in a batch"), pixels));
        }
        for (name, value, min, max) in [("learning_rate", self.learning_rate, 0.0, 10.0), ("um_per_px", self.um_per_px, 0.01, 100.0)] {
            if !(min..=max).contains(&value) {
                return Err(Error::setting(name, format!("{min} to {max}"), value));
            }
        }
        if let Some((image, fold)) = self.fold_of_image.iter().find(|&(_, &fold)| fold >= self.folds) {
            return Err(Error::setting("fold_of_image", format!("a fold below {}", self.folds), format!("{fold} for '{image}'")));
        }
        Ok(())
    }

    /// Refuses a folder that was begun with other settings, by the setting's name.
    pub(super) fn check_same(&self, begun: &Self) -> Result<()> {
        let settings = |config: &Self| {
            [
                ("version", config.version.clone()),
                ("data", config.data_digest.clone()),
                ("um_per_px", config.um_per_px.to_string()),
                ("block", config.block_px.to_string()),
                ("folds", config.folds.to_string()),
                ("steps", config.steps.to_string()),
                ("batch", config.batch.to_string()),
                ("width", config.width.to_string()),
                ("depth", config.depth.to_string()),
                ("learning_rate", config.learning_rate.to_string()),
                ("seed", config.seed.to_string()),
                ("fold_of_image", format!("{:?}", config.fold_of_image)),
            ]
        };
        for ((name, found), (_, expected)) in settings(self).into_iter().zip(settings(begun)) {
            if found != expected {
                let expected = format!("{expected}, with which the classifier in --output was begun (or choose another folder)");
                return Err(Error::setting(name, expected, found));
            }
        }
        Ok(())
    }
}
