//! What a run is made from: flags and a TOML file of the same keys (flags win), the paper's set-up where neither says anything.

use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::network::UNetConfig;
use lsr_core::{Distance, Loss, Preset, Scheme, Stabilisers, VarianceModel};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How the learning rate changes from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It does not, as in the paper.
    #[default]
    Constant,
    /// `rate (1 + cos(pi step / steps)) / 2`: large steps first, and time for BatchNorm's running statistics to settle at the end.
    Cosine,
}

impl Schedule {
    /// The learning rate of a step (0 is the first) of a run of `steps`.
    pub fn rate(self, rate: f64, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => rate,
            Self::Cosine => 0.5 * rate * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos()),
        }
    }
}

/// Every setting of `fit`, each optional: what clap reads from flags and serde from a TOML file.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitOptions {
    /// Folder with images/ (may be given more than once)
    #[arg(long, value_name = "DIR")]
    pub data: Vec<PathBuf>,
    /// Block labels (CSV: image,x,y,width,height,probability,z)
    #[arg(long, value_name = "FILE")]
    pub blocks: Option<PathBuf>,
    /// Count prior (CSV: z,class,mean,std,n)
    #[arg(long, value_name = "FILE")]
    pub prior: Option<PathBuf>,
    /// Published variant that the loss starts from: paper, paper_literal, paper_code, lsr_iclr, lsr_early [default: paper]
    #[arg(long)]
    pub preset: Option<Preset>,
    /// intra, inter or intra_inter [default: the preset's]
    #[arg(long)]
    pub scheme: Option<Scheme>,
    /// max_product, joint_max, overlap, kl_predicted_target, kl_target_predicted or wasserstein2 [default: the preset's]
    #[arg(long)]
    pub distance: Option<Distance>,
    /// Smallest variance of a predicted count [default: the preset's]
    #[arg(long, value_name = "X")]
    pub variance_floor: Option<f64>,
    /// Added to the variance inside logarithms [default: the preset's]
    #[arg(long, value_name = "X")]
    pub log_offset: Option<f64>,
    /// Added to denominators [default: the preset's]
    #[arg(long, value_name = "X")]
    pub denominator_epsilon: Option<f64>,
    /// Differences below this many rho count as none [default: the preset's]
    #[arg(long, value_name = "X")]
    pub dead_zone: Option<f64>,
    /// Smallest standard deviation of the prior [default: the preset's]
    #[arg(long, value_name = "X")]
    pub rho_floor: Option<f64>,
    /// Blocks of one label in a group [default: 15]
    #[arg(long, value_name = "N")]
    pub group: Option<usize>,
    /// Groups in a batch [default: 2]
    #[arg(long, value_name = "N")]
    pub groups: Option<usize>,
    /// Steps of the optimiser; 0 makes a random network [default: 1000]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Learning rate of RMSprop [default: 1e-5 for intra, 1e-3 otherwise, as in the paper]
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// constant, or cosine: from the learning rate down to 0 at the last step [default: constant, as in the paper]
    #[arg(long)]
    pub schedule: Option<Schedule>,
    /// Gradients are scaled down to this norm [default: they are not]
    #[arg(long, value_name = "X")]
    pub clip_norm: Option<f64>,
    /// Channels of the U-Net's first stage [default: 16]
    #[arg(long, value_name = "N")]
    pub width: Option<usize>,
    /// Poolings of the U-Net [default: 4]
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Turn and mirror blocks at random [default: true]
    #[arg(long, value_name = "BOOL")]
    pub augment: Option<bool>,
    /// Seed of weights and batches [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// cpu, cuda or cuda:N [default: cpu]
    #[arg(long)]
    pub device: Option<DeviceChoice>,
    /// Pixel size of the images in micrometres [default: what dataset.toml states]
    #[arg(long, value_name = "X")]
    pub um_per_px: Option<f64>,
    /// Licence of the images, for the model's card [default: what dataset.toml states]
    #[arg(long, value_name = "TEXT")]
    pub data_licence: Option<String>,
    /// Probability from which a pixel is cancer [default: 0.5]
    #[arg(long, value_name = "P")]
    pub threshold: Option<f64>,
    /// Steps between checkpoints [default: 100]
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<usize>,
}

macro_rules! first_of {
    ($a:ident, $b:ident, $($field:ident),+) => {
        FitOptions { data: if $a.data.is_empty() { $b.data } else { $a.data }, $($field: $a.$field.or($b.$field)),+ }
    };
}

impl FitOptions {
    /// Reads a TOML file; paths in it are relative to the file.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key, a value of the wrong type: with its line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
        let mut options: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            Error::file(path, format!("line {line}: {}", error.message()))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in options.data.iter_mut().chain(&mut options.blocks).chain(&mut options.prior) {
            *file = folder.join(&*file);
        }
        Ok(options)
    }

    /// These options, and where they say nothing, the others.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let (a, b) = (self, other);
        first_of!(
            a,
            b,
            blocks,
            prior,
            preset,
            scheme,
            distance,
            variance_floor,
            log_offset,
            denominator_epsilon,
            dead_zone,
            rho_floor,
            group,
            groups,
            steps,
            learning_rate,
            schedule,
            clip_norm,
            width,
            depth,
            augment,
            seed,
            device,
            um_per_px,
            data_licence,
            threshold,
            checkpoint_every
        )
    }

    /// Fills in the defaults and checks every value.
    ///
    /// # Errors
    /// A missing file, pixel size or a value outside its interval, by name.
    pub fn resolve(self, stated_um_per_px: Option<f64>, stated_licence: String) -> Result<RunConfig> {
        let preset: Loss<f64> = self.preset.unwrap_or_default().loss();
        let of_preset = *preset.stabilisers();
        let stabilisers = Stabilisers {
            variance_floor: self.variance_floor.unwrap_or(of_preset.variance_floor),
            log_offset: self.log_offset.unwrap_or(of_preset.log_offset),
            denominator_epsilon: self.denominator_epsilon.unwrap_or(of_preset.denominator_epsilon),
            dead_zone: self.dead_zone.unwrap_or(of_preset.dead_zone),
            rho_floor: self.rho_floor.unwrap_or(of_preset.rho_floor),
        };
        let scheme = self.scheme.unwrap_or(preset.scheme());
        let um_per_px = self
            .um_per_px
            .or(stated_um_per_px)
            .ok_or_else(|| Error::setting("um_per_px", "the images' pixel size, from --um-per-px or dataset.toml", "neither"))?;
        let config = RunConfig {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: self.data,
            data_digest: String::new(),
            data_licence: self.data_licence.unwrap_or(stated_licence),
            um_per_px,
            scheme,
            distance: self.distance.unwrap_or(preset.distance()),
            variance: preset.variance_model(),
            log_variance: preset.log_variance_model(),
            group: self.group.unwrap_or(15),
            groups: self.groups.unwrap_or(2),
            steps: self.steps.unwrap_or(1000),
            learning_rate: self.learning_rate.unwrap_or(if scheme == Scheme::Intra { 1e-5 } else { 1e-3 }),
            schedule: self.schedule.unwrap_or_default(),
            clip_norm: self.clip_norm,
            width: self.width.unwrap_or(16),
            depth: self.depth.unwrap_or(4),
            augment: self.augment.unwrap_or(true),
            seed: self.seed.unwrap_or(0),
            device: self.device.unwrap_or_default(),
            threshold: self.threshold.unwrap_or(0.5),
            checkpoint_every: self.checkpoint_every.unwrap_or(100),
            classes: vec!["other".to_owned(), "cancer".to_owned()],
            stabilisers,
        };
        config.check()?;
        Ok(config)
    }
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
    /// Scheme of the loss.
    pub scheme: Scheme,
    /// Distance of the loss.
    pub distance: Distance,
    /// Variance convention.
    pub variance: VarianceModel,
    /// Variance convention inside logarithms.
    pub log_variance: VarianceModel,
    /// Blocks in a group.
    pub group: usize,
    /// Groups in a batch.
    pub groups: usize,
    /// Steps.
    pub steps: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// How the learning rate changes over the run.
    pub schedule: Schedule,
    /// Largest gradient norm, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Channels of the first stage.
    pub width: usize,
    /// Number of poolings.
    pub depth: usize,
    /// Whether blocks are turned and mirrored.
    pub augment: bool,
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
    /// Stabilisers of the loss.
    pub stabilisers: Stabilisers<f64>,
}

impl RunConfig {
    /// The loss.
    ///
    /// # Errors
    /// Stabilisers outside their intervals.
    pub fn loss(&self) -> Result<Loss<f64>> {
        Ok(Loss::new(self.scheme, self.distance, self.variance, self.stabilisers)?.with_log_variance(self.log_variance))
    }

    /// The network's shape: one logit for two classes.
    pub fn network(&self) -> UNetConfig {
        let outputs = if self.classes.len() == 2 { 1 } else { self.classes.len() };
        UNetConfig { width: self.width, depth: self.depth, outputs }
    }

    fn check(&self) -> Result<()> {
        self.loss()?;
        let whole = [
            ("group", self.group, self.scheme.least_blocks(), 10_000),
            ("groups", self.groups, 1, 10_000),
            ("width", self.width, 1, 512),
            ("depth", self.depth, 1, 6),
            ("checkpoint_every", self.checkpoint_every, 1, usize::MAX),
        ];
        for (name, value, min, max) in whole {
            if !(min..=max).contains(&value) {
                return Err(Error::setting(name, format!("{min} to {max}"), value));
            }
        }
        // Beyond this a single layer's weights take more than half a gigabyte.
        let bottom = self.width << self.depth;
        if bottom > 4096 {
            return Err(Error::setting("width and depth", "at most 4096 channels at the bottom (width 2^depth)", bottom));
        }
        let real = [
            ("learning_rate", self.learning_rate, 0.0, 10.0),
            ("um_per_px", self.um_per_px, 0.01, 100.0),
            ("threshold", self.threshold, 0.001, 0.999),
            ("clip_norm", self.clip_norm.unwrap_or(1.0), 1e-12, 1e12),
        ];
        for (name, value, min, max) in real {
            if !(min..=max).contains(&value) {
                return Err(Error::setting(name, format!("{min} to {max}"), value));
            }
        }
        Ok(())
    }
}
