//! How large a reproduction is, and what its folder says about that.

use crate::classify::ClassifierSettings;
use crate::config::{FitOptions, Schedule};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What every system is given: data, labels, network and steps. The same for all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Images are made smaller by this whole factor first.
    pub scale: u32,
    /// Side of a block in pixels of the original images.
    pub block_px: u32,
    /// Annotated blocks of each label for the count prior.
    pub annotated: usize,
    /// Channels of the U-Net's first stage.
    pub width: usize,
    /// Poolings of the U-Net.
    pub depth: usize,
    /// Blocks in a group.
    pub group: usize,
    /// Groups in a batch.
    pub groups: usize,
    /// Steps of RMSprop.
    pub steps: usize,
    /// Learning rate at the first step; it falls to 0 along a cosine.
    pub learning_rate: f64,
    /// Steps of each fold of the block classifier.
    pub classifier_steps: usize,
}

impl Budget {
    /// What the README's table was made with.
    pub fn full() -> Self {
        Self {
            scale: 2,
            block_px: 128,
            annotated: 12,
            width: 8,
            depth: 3,
            group: 4,
            groups: 6,
            steps: 360,
            learning_rate: 1e-3,
            classifier_steps: 300,
        }
    }

    /// The same rows in less than half an hour on two cores: every part works, and differences between systems mean little.
    pub fn quick() -> Self {
        Self { width: 6, group: 3, steps: 120, classifier_steps: 120, ..Self::full() }
    }
}

/// What is reproduced on what.
#[derive(Debug, Clone, PartialEq)]
pub struct ReproduceSettings {
    /// Folder with images/ and masks/.
    pub data: std::path::PathBuf,
    /// Patterns of the test images; the last quarter, by name, without any.
    pub test: Vec<String>,
    /// Keys of the systems; all of them without any.
    pub systems: Vec<String>,
    /// Runs of every system, with seeds 0, 1, ...
    pub seeds: u64,
    /// The budget.
    pub budget: Budget,
    /// Systems that are trained at the same time.
    pub jobs: usize,
    /// Where networks are trained.
    pub device: DeviceChoice,
    /// Pixel size of the images in micrometres; without one what dataset.toml states.
    pub um_per_px: Option<f64>,
}

/// `settings.toml` of a report's folder: what all its numbers follow from. Seeds may be added later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) version: String,
    /// SHA-256 over images and masks.
    pub(super) data_digest: String,
    /// Pixel size of the scaled images; 0 where nobody states one.
    pub(super) um_per_px: f64,
    pub(super) data_licence: String,
    pub(super) training: Vec<String>,
    pub(super) test: Vec<String>,
    /// Keys of the systems.
    pub(super) systems: Vec<String>,
    pub(super) budget: Budget,
}

impl Plan {
    /// Side of a block in the scaled images.
    pub(super) fn block_px(&self) -> u32 {
        self.budget.block_px / self.budget.scale
    }

    /// Blocks overlap by half.
    pub(super) fn stride_px(&self) -> u32 {
        (self.block_px() / 2).max(1)
    }

    /// The pixel size that networks are told; 1 where nobody states one.
    fn pixel_size(&self) -> f64 {
        if self.um_per_px > 0.0 { self.um_per_px } else { 1.0 }
    }

    pub(super) fn classifier(&self, seed: u64, device: DeviceChoice) -> ClassifierSettings {
        ClassifierSettings {
            steps: self.budget.classifier_steps,
            seed,
            device,
            um_per_px: Some(self.pixel_size()),
            ..ClassifierSettings::default()
        }
    }

    /// What all networks are trained with.
    pub(super) fn fit_options(&self, seed: u64, device: DeviceChoice) -> FitOptions {
        let budget = &self.budget;
        FitOptions {
            width: Some(budget.width),
            depth: Some(budget.depth),
            group: Some(budget.group),
            groups: Some(budget.groups),
            steps: Some(budget.steps),
            learning_rate: Some(budget.learning_rate),
            schedule: Some(Schedule::Cosine),
            checkpoint_every: Some((budget.steps / 4).max(1)),
            seed: Some(seed),
            device: Some(device),
            um_per_px: Some(self.pixel_size()),
            data_licence: Some(self.data_licence.clone()),
            ..FitOptions::default()
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let budget = &self.budget;
        if !(1..=16).contains(&budget.scale) {
            return Err(Error::setting("--scale", "1 to 16", budget.scale));
        }
        let unit = budget.scale << budget.depth.min(10);
        if budget.block_px == 0 || !budget.block_px.is_multiple_of(unit) {
            let expected = format!("a multiple of {unit} px (scale {} times 2^{} for the depth)", budget.scale, budget.depth);
            return Err(Error::setting("--block", expected, budget.block_px));
        }
        if budget.steps == 0 {
            return Err(Error::setting("--steps", "at least 1", 0));
        }
        Ok(())
    }
}
