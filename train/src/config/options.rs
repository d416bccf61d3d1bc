//! What clap reads from flags and serde from a TOML file, and the defaults where neither says anything.

use super::{CountTarget, FolderWeights, RunConfig, Schedule, StopOn, default_label_softness, default_label_threshold};
use crate::data::{Augmentation, OnCorrupt};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::label_weights::LabelWeights;
use crate::network::{Architecture, NetworkConfig, NormKind, UpSampling};
use crate::sampling::Sampling;
use lsr_core::{Distance, Loss, Preset, Scheme, Stabilisers};
use serde::Deserialize;
use std::path::{Path, PathBuf};

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
    /// Published variant that the loss starts from: paper, paper_literal, paper_code, lsr_iclr, lsr_early. Where neither it nor any part of a loss is
    /// given, blocks are compared with their own labels, as --count-target label --window (two blocks) --hed-jitter 0.3 --learning-rate 5e-3
    /// --schedule cosine --ema 0.99 --clip-norm 1 --boundary-weight 1 would have it [default: paper, with any part of a loss]
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
    /// What the predicted count of a block is compared with: prior (the count prior of its z) or label (its own probability, as that of having at
    /// least --label-threshold of cancer) [default: prior]
    #[arg(long)]
    pub count_target: Option<CountTarget>,
    /// Share of cancer from which a block was called cancer, for --count-target label [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub label_threshold: Option<f64>,
    /// How far from that share a predicted count must be to be sure of the label [default: 0.09]
    #[arg(long, value_name = "X")]
    pub label_softness: Option<f64>,
    /// Weight of the length of the boundaries that are drawn, for smoother masks: one, or one for each folder of --data, such as 0:1,3:0.2; with
    /// --window [default: 0]
    #[arg(long, value_name = "W")]
    pub boundary_weight: Option<FolderWeights>,
    /// Side in pixels of the windows that go through the network, so that blocks are seen with what is around them; every block inside one counts
    /// [default: 0, each block by itself]
    #[arg(long, value_name = "PX")]
    pub window: Option<u32>,
    /// Blocks of one label in a group [default: 15; 1 with --window]
    #[arg(long, value_name = "N")]
    pub group: Option<usize>,
    /// Groups (or windows) in a batch [default: 2; 8 with --window]
    #[arg(long, value_name = "N")]
    pub groups: Option<usize>,
    /// Groups that go through the network at once, for less memory: the batch is cut into groups / N parts whose gradients are added
    /// (BatchNorm sees each part by itself) [default: all groups]
    #[arg(long, value_name = "N")]
    pub groups_at_once: Option<usize>,
    /// How often each label is drawn: balanced, frequency (as often as it occurs) or weights such as 0:1,9:4; with --window, how often
    /// each folder of --data, which are counted from 0 [default: balanced]
    #[arg(long)]
    pub sampling: Option<Sampling>,
    /// Recent blocks of each label whose counts enlarge a group's statistics [default: 0, as in the paper]
    #[arg(long, value_name = "N")]
    pub queue: Option<usize>,
    /// Weight of each high-resolution class in the loss, such as 1,2 [default: 1 each]
    #[arg(long, value_name = "W", value_delimiter = ',')]
    #[serde(default)]
    pub class_weights: Vec<f64>,
    /// Weight of low-resolution classes in the loss, such as 0:0.5,9:2 [default: 1 each]
    #[arg(long, value_name = "Z:W")]
    pub label_weights: Option<LabelWeights>,
    /// Share of the blocks whose pixel masks are used too, by cross-entropy; 0 opens no mask [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub mask_fraction: Option<f64>,
    /// Weight of the label super-resolution loss; 0 for full supervision by masks alone [default: 1]
    #[arg(long, value_name = "W")]
    pub count_weight: Option<f64>,
    /// Weight of the cross-entropy where there are masks [default: 1]
    #[arg(long, value_name = "W")]
    pub cross_entropy_weight: Option<f64>,
    /// Steps of the optimiser; 0 makes a random network [default: 1000]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Learning rate of RMSprop [default: 1e-5 for intra, 1e-3 otherwise, as in the paper]
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// constant, or cosine: from the learning rate down to 0 at the last step [default: constant, as in the paper]
    #[arg(long)]
    pub schedule: Option<Schedule>,
    /// Keep a moving average of the weights with this decay, such as 0.99, and use it for masks [default: no average]
    #[arg(long, value_name = "D")]
    pub ema: Option<f64>,
    /// Store fewer activations and compute them again in the backward pass: less memory, more time [default: false]
    #[arg(long, value_name = "BOOL")]
    pub gradient_checkpointing: Option<bool>,
    /// Gradients are scaled down to this norm [default: they are not]
    #[arg(long, value_name = "X")]
    pub clip_norm: Option<f64>,
    /// unet, or full_resolution: 3x3 convolutions without pooling [default: unet]
    #[arg(long)]
    pub network: Option<Architecture>,
    /// Channels of the network's first stage [default: 16]
    #[arg(long, value_name = "N")]
    pub width: Option<usize>,
    /// Poolings of a U-Net, or layers at full resolution [default: 4]
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// batch or group normalisation [default: batch]
    #[arg(long)]
    pub norm: Option<NormKind>,
    /// nearest or transposed up-sampling [default: nearest]
    #[arg(long)]
    pub up: Option<UpSampling>,
    /// Turn and mirror blocks at random [default: true]
    #[arg(long, value_name = "BOOL")]
    pub augment: Option<bool>,
    /// Strength of random stain changes, in haematoxylin, eosin and residual: standard deviation, 0.05 is usual [default: 0]
    #[arg(long, value_name = "SD")]
    pub hed_jitter: Option<f64>,
    /// Share of blocks that are blurred a little [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub blur: Option<f64>,
    /// Share of blocks that go through JPEG compression [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub jpeg: Option<f64>,
    /// Seed of weights and batches [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// cpu, cuda or cuda:N [default: cpu]
    #[arg(long)]
    pub device: Option<DeviceChoice>,
    /// Images (by pattern) whose blocks are not trained on but watched
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    #[serde(default)]
    pub validation: Vec<String>,
    /// Steps between validations [default: checkpoint_every]
    #[arg(long, value_name = "N")]
    pub validate_every: Option<usize>,
    /// Stop after this many validations without improvement, and keep the best network [default: never]
    #[arg(long, value_name = "N")]
    pub patience: Option<usize>,
    /// What improves: counts (predicted against the prior; needs no mask) or dice (masked Dice; opens the masks of the validation images)
    /// [default: counts]
    #[arg(long)]
    pub stop_on: Option<StopOn>,
    /// Threads that read and augment blocks [default: 1]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Memory for decoded images, in MiB [default: 1024]
    #[arg(long, value_name = "MIB")]
    pub image_memory: Option<u64>,
    /// Keep the blocks' pixels in this file, for data whose images do not fit into --image-memory
    #[arg(long, value_name = "FILE")]
    pub cache: Option<PathBuf>,
    /// What to do about an image that cannot be read: stop, or skip (its blocks are replaced by others of their label) [default: stop]
    #[arg(long)]
    pub on_corrupt: Option<OnCorrupt>,
    /// Pixel size of the images in micrometres [default: what dataset.toml states]
    #[arg(long, value_name = "X")]
    pub um_per_px: Option<f64>,
    /// Pixel size in micrometres that lsr-edge takes a field to have where nobody states one [default: that of the images]
    #[arg(long, value_name = "X")]
    pub field_um_per_px: Option<f64>,
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
        FitOptions {
            data: if $a.data.is_empty() { $b.data } else { $a.data },
            class_weights: if $a.class_weights.is_empty() { $b.class_weights } else { $a.class_weights },
            validation: if $a.validation.is_empty() { $b.validation } else { $a.validation },
            $($field: $a.$field.or($b.$field)),+
        }
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
        for file in options.data.iter_mut().chain(&mut options.blocks).chain(&mut options.prior).chain(&mut options.cache) {
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
            count_target,
            label_threshold,
            label_softness,
            boundary_weight,
            window,
            variance_floor,
            log_offset,
            denominator_epsilon,
            dead_zone,
            rho_floor,
            group,
            groups,
            groups_at_once,
            sampling,
            queue,
            label_weights,
            mask_fraction,
            count_weight,
            cross_entropy_weight,
            steps,
            learning_rate,
            schedule,
            clip_norm,
            ema,
            gradient_checkpointing,
            network,
            width,
            depth,
            norm,
            up,
            augment,
            hed_jitter,
            blur,
            jpeg,
            seed,
            device,
            validate_every,
            patience,
            stop_on,
            workers,
            image_memory,
            cache,
            on_corrupt,
            um_per_px,
            field_um_per_px,
            data_licence,
            threshold,
            checkpoint_every
        )
    }

    /// Whether nothing says what predicted counts are compared with: no preset, no part of a count prior's loss, no mask.
    pub fn leaves_the_loss_open(&self) -> bool {
        let stabilisers = [self.variance_floor, self.log_offset, self.denominator_epsilon, self.dead_zone, self.rho_floor];
        let of_groups = self.group.is_some() || self.groups_at_once.is_some() || self.queue.is_some() || self.window.is_some();
        let of_masks = self.mask_fraction.is_some() || self.count_weight.is_some();
        let of_loss = self.preset.is_some() || self.scheme.is_some() || self.distance.is_some() || self.count_target.is_some();
        !(of_loss || of_groups || of_masks || stabilisers.iter().any(Option::is_some))
    }

    /// What is best where nobody chooses: blocks in windows of this side, each compared with its own label, stains that vary, and boundaries that cost
    /// something. The README's table of ablations says what each part is worth.
    pub fn own_labels(window: u32) -> Self {
        Self {
            count_target: Some(CountTarget::Label),
            window: Some(window),
            learning_rate: Some(5e-3),
            schedule: Some(Schedule::Cosine),
            ema: Some(0.99),
            clip_norm: Some(1.0),
            hed_jitter: Some(0.3),
            boundary_weight: Some(FolderWeights::All(1.0)),
            ..Self::default()
        }
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
        let window = self.window.unwrap_or(0);
        let groups = self.groups.unwrap_or(if window > 0 { 8 } else { 2 });
        let checkpoint_every = self.checkpoint_every.unwrap_or(100);
        let config = RunConfig {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: self.data,
            data_digest: String::new(),
            data_licence: self.data_licence.unwrap_or(stated_licence),
            um_per_px,
            field_um_per_px: self.field_um_per_px,
            scheme,
            distance: self.distance.unwrap_or(preset.distance()),
            variance: preset.variance_model(),
            log_variance: preset.log_variance_model(),
            count_target: self.count_target.unwrap_or_default(),
            label_threshold: self.label_threshold.unwrap_or(default_label_threshold()),
            label_softness: self.label_softness.unwrap_or(default_label_softness()),
            boundary_weight: self.boundary_weight.unwrap_or_default(),
            window,
            group: self.group.unwrap_or(if window > 0 { 1 } else { 15 }),
            groups,
            groups_at_once: self.groups_at_once.unwrap_or(groups),
            sampling: self.sampling.unwrap_or_default(),
            queue: self.queue.unwrap_or(0),
            class_weights: self.class_weights,
            label_weights: self.label_weights.unwrap_or_default(),
            mask_fraction: self.mask_fraction.unwrap_or(0.0),
            count_weight: self.count_weight.unwrap_or(1.0),
            cross_entropy_weight: self.cross_entropy_weight.unwrap_or(1.0),
            steps: self.steps.unwrap_or(1000),
            learning_rate: self.learning_rate.unwrap_or(if scheme == Scheme::Intra { 1e-5 } else { 1e-3 }),
            schedule: self.schedule.unwrap_or_default(),
            clip_norm: self.clip_norm,
            ema: self.ema,
            gradient_checkpointing: self.gradient_checkpointing.unwrap_or(false),
            validation: self.validation,
            validate_every: self.validate_every.unwrap_or(checkpoint_every),
            patience: self.patience,
            stop_on: self.stop_on.unwrap_or_default(),
            workers: self.workers.unwrap_or(1),
            image_memory: self.image_memory.unwrap_or(1024),
            cache: self.cache,
            on_corrupt: self.on_corrupt.unwrap_or_default(),
            seed: self.seed.unwrap_or(0),
            device: self.device.unwrap_or_default(),
            threshold: self.threshold.unwrap_or(0.5),
            checkpoint_every,
            classes: vec!["other".to_owned(), "cancer".to_owned()],
            network: NetworkConfig {
                architecture: self.network.unwrap_or_default(),
                width: self.width.unwrap_or(16),
                depth: self.depth.unwrap_or(4),
                norm: self.norm.unwrap_or_default(),
                up: self.up.unwrap_or_default(),
                outputs: 1,
            },
            augmentation: Augmentation {
                geometric: self.augment.unwrap_or(true),
                hed_jitter: self.hed_jitter.unwrap_or(0.0),
                blur: self.blur.unwrap_or(0.0),
                jpeg: self.jpeg.unwrap_or(0.0),
            },
            stabilisers,
        };
        config.check()?;
        Ok(config)
    }
}
