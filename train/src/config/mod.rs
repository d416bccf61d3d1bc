//! What a run is made from: flags and a TOML file of the same keys (flags win), and where neither says anything the blocks' own labels (a
//! loss that is left open) or the paper's set-up (of any part of it that is chosen).

mod folder_weights;
mod options;
mod schedule;

pub use folder_weights::FolderWeights;
pub use options::FitOptions;
pub use schedule::Schedule;

use crate::data::{Augmentation, OnCorrupt};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::label_weights::LabelWeights;
use crate::network::{Architecture, NetworkConfig};
use crate::sampling::Sampling;
use lsr_core::{Distance, Loss, Scheme, Stabilisers, VarianceModel};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What early stopping watches on the validation images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopOn {
    /// How far the predicted counts of each label are from the count prior; needs no pixel mask.
    #[default]
    Counts,
    /// Masked Dice; needs pixel masks of the validation images.
    Dice,
}

/// What the predicted count of a block is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum CountTarget {
    /// The count prior N(eta, rho^2) of its label z: label super-resolution as published.
    #[default]
    Prior,
    /// The block's own label, the probability that cancer makes up at least `label_threshold` of it.
    Label,
}

/// The settings of a run, complete and checked: `config.toml` of its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Version of lsr-train that started the run.
    pub version: String,
    /// Folders of images.
    pub data: Vec<PathBuf>,
    /// SHA-256 over the images and labels that the run learns from.
    pub data_digest: String,
    /// Licence of the images.
    pub data_licence: String,
    /// Pixel size in micrometres.
    pub um_per_px: f64,
    /// What a field has in lsr-edge where nobody states it, unless that is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_um_per_px: Option<f64>,
    /// Scheme of the loss.
    pub scheme: Scheme,
    /// Distance of the loss.
    pub distance: Distance,
    /// Variance convention.
    pub variance: VarianceModel,
    /// Variance convention inside logarithms.
    pub log_variance: VarianceModel,
    /// What predicted counts are compared with.
    #[serde(default)]
    pub count_target: CountTarget,
    /// Count from which a block is called cancer.
    #[serde(default = "default_label_threshold")]
    pub label_threshold: f64,
    /// How far from it a count must be to be sure of the label.
    #[serde(default = "default_label_softness")]
    pub label_softness: f64,
    /// Weight of the length of the boundaries that are drawn.
    #[serde(default, skip_serializing_if = "FolderWeights::is_none")]
    pub boundary_weight: FolderWeights,
    /// Side of the windows that go through the network, in pixels; 0: each block by itself.
    #[serde(default)]
    pub window: u32,
    /// Blocks in a group.
    pub group: usize,
    /// Groups in a batch.
    pub groups: usize,
    /// Groups that go through the network at once.
    pub groups_at_once: usize,
    /// How often each label is drawn.
    pub sampling: Sampling,
    /// Recent blocks of each label that enlarge a group's statistics.
    pub queue: usize,
    /// Weight of each high-resolution class; none for 1 each.
    pub class_weights: Vec<f64>,
    /// Weight of low-resolution classes.
    pub label_weights: LabelWeights,
    /// Share of the blocks whose pixel masks are used.
    pub mask_fraction: f64,
    /// Weight of the label super-resolution loss.
    pub count_weight: f64,
    /// Weight of the cross-entropy.
    pub cross_entropy_weight: f64,
    /// Steps.
    pub steps: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// How the learning rate changes over the run.
    pub schedule: Schedule,
    /// Largest gradient norm, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Decay of the weights' moving average, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// Whether activations are computed again in the backward pass.
    pub gradient_checkpointing: bool,
    /// Patterns of the images that are watched, not trained on.
    pub validation: Vec<String>,
    /// Steps between validations.
    pub validate_every: usize,
    /// Validations without improvement that end the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// What improves.
    pub stop_on: StopOn,
    /// Threads that read blocks.
    pub workers: usize,
    /// Memory for decoded images in MiB.
    pub image_memory: u64,
    /// File that keeps the blocks' pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// What to do about an image that cannot be read.
    pub on_corrupt: OnCorrupt,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: DeviceChoice,
    /// Mask threshold.
    pub threshold: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Names of the high-resolution classes.
    pub classes: Vec<String>,
    /// The network's shape.
    pub network: NetworkConfig,
    /// How blocks are varied.
    pub augmentation: Augmentation,
    /// Stabilisers of the loss.
    pub stabilisers: Stabilisers<f64>,
}

const fn default_label_threshold() -> f64 {
    0.5
}

const fn default_label_softness() -> f64 {
    0.09
}

impl RunConfig {
    /// The loss.
    ///
    /// # Errors
    /// Stabilisers outside their intervals.
    pub fn loss(&self) -> Result<Loss<f64>> {
        Ok(Loss::new(self.scheme, self.distance, self.variance, self.stabilisers)?.with_log_variance(self.log_variance))
    }

    /// What predicted counts are compared with, and how, in a few words.
    pub fn loss_name(&self) -> String {
        match self.count_target {
            CountTarget::Prior => format!("{} {}", self.scheme, self.distance),
            CountTarget::Label => "own labels".to_owned(),
        }
    }

    /// Names the high-resolution classes: one logit for two of them, otherwise one each.
    pub(crate) fn set_classes(&mut self, classes: usize) -> Result<()> {
        if classes > 2 {
            self.classes = (0..classes).map(|class| format!("class {class}")).collect();
        }
        self.network.outputs = if classes == 2 { 1 } else { classes };
        if classes != 2 && self.count_target == CountTarget::Label {
            return Err(Error::setting("count_target", "prior for a count prior of more than two classes", "label"));
        }
        if !self.class_weights.is_empty() && self.class_weights.len() != self.classes.len() {
            let expected = format!("one weight for each of {} classes, or none", self.classes.len());
            return Err(Error::setting("class_weights", expected, self.class_weights.len()));
        }
        Ok(())
    }

    /// Weight of a high-resolution class in the loss.
    pub fn class_weight(&self, class: usize) -> f64 {
        self.class_weights.get(class).copied().unwrap_or(1.0)
    }

    /// Whether training may open pixel masks.
    pub fn opens_masks(&self) -> bool {
        self.mask_fraction > 0.0 || self.stop_on == StopOn::Dice
    }

    pub(super) fn check(&self) -> Result<()> {
        self.loss()?;
        self.augmentation.check()?;
        let whole = [
            ("group", self.group, if self.count_target == CountTarget::Label { 1 } else { self.scheme.least_blocks() }, 10_000),
            ("groups", self.groups, 1, 10_000),
            ("groups_at_once", self.groups_at_once, 1, self.groups),
            ("queue", self.queue, 0, 100_000),
            ("width", self.network.width, 1, 512),
            ("checkpoint_every", self.checkpoint_every, 1, usize::MAX),
            ("validate_every", self.validate_every, 1, usize::MAX),
            ("patience", self.patience.unwrap_or(1), 1, usize::MAX),
            ("workers", self.workers, 1, 64),
        ];
        let deepest = if self.network.architecture == Architecture::Unet { 6 } else { 64 };
        for (name, value, min, max) in whole.into_iter().chain([("depth", self.network.depth, 1, deepest)]) {
            if !(min..=max).contains(&value) {
                return Err(Error::setting(name, format!("{min} to {max}"), value));
            }
        }
        if !self.groups.is_multiple_of(self.groups_at_once) {
            let expected = format!("a divisor of the {} groups", self.groups);
            return Err(Error::setting("groups_at_once", expected, self.groups_at_once));
        }
        // Beyond this a single layer's weights take more than half a gigabyte.
        if self.network.most_channels() > 4096 {
            let expected = "at most 4096 channels at the bottom (width 2^depth)";
            return Err(Error::setting("width and depth", expected, self.network.most_channels()));
        }
        let real = [
            ("learning_rate", self.learning_rate, 0.0, 10.0),
            ("um_per_px", self.um_per_px, 0.01, 100.0),
            ("field_um_per_px", self.field_um_per_px.unwrap_or(1.0), 0.01, 100.0),
            ("threshold", self.threshold, 0.001, 0.999),
            ("clip_norm", self.clip_norm.unwrap_or(1.0), 1e-12, 1e12),
            ("ema", self.ema.unwrap_or(0.5), 0.0, 0.999_999),
            ("label_threshold", self.label_threshold, 0.01, 0.99),
            ("label_softness", self.label_softness, 1e-3, 10.0),
            ("mask_fraction", self.mask_fraction, 0.0, 1.0),
            ("count_weight", self.count_weight, 0.0, 1e6),
            ("cross_entropy_weight", self.cross_entropy_weight, 0.0, 1e6),
        ];
        let weights = self.class_weights.iter().map(|&weight| ("class_weights", weight, 0.0, 1e6));
        for (name, value, min, max) in real.into_iter().chain(weights) {
            if !(min..=max).contains(&value) {
                return Err(Error::setting(name, format!("{min} to {max}"), value));
            }
        }
        if self.window == 0 && !self.boundary_weight.is_none() {
            return Err(Error::setting("boundary_weight", "0 without --window", &self.boundary_weight));
        }
        if let Some(folder) = self.boundary_weight.beyond(self.data.len()) {
            let expected = format!("folders of data, 0 to {}", self.data.len().saturating_sub(1));
            return Err(Error::setting("boundary_weight", expected, folder));
        }
        if self.window > 0 && self.group > 1 {
            return Err(Error::setting("group", "1 with --window: each of its blocks is compared by itself", self.group));
        }
        if self.window > 0 && self.count_target == CountTarget::Prior && self.scheme != Scheme::Intra {
            return Err(Error::setting("scheme", "intra, or --count-target label, with --window", self.scheme));
        }
        if self.queue > 0 && self.count_target == CountTarget::Label {
            return Err(Error::setting("queue", "0 with --count-target label, which has no group", self.queue));
        }
        if self.queue > 0 && self.scheme == Scheme::Intra {
            return Err(Error::setting("queue", "0 for scheme intra, which has no group", self.queue));
        }
        if self.count_weight == 0.0 && self.mask_fraction == 0.0 {
            return Err(Error::setting("count_weight", "above 0 where no pixel mask is used (--mask-fraction)", self.count_weight));
        }
        if (self.patience.is_some() || self.stop_on == StopOn::Dice) && self.validation.is_empty() {
            return Err(Error::setting("validation", "images to validate on, for --patience and --stop-on", "none"));
        }
        Ok(())
    }
}
