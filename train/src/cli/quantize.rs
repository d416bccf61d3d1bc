//! Flags of `lsr-train quantize`.

use super::ReferenceArgs;
use clap::Args;
use lsr_train::{Equalise, QuantizeSettings, RangeRule};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct QuantizeArgs {
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Folder with images/ that show what the network will see; no labels are needed
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) calibration: Vec<PathBuf>,
    /// Only calibration images whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) images: Vec<String>,
    /// Most tiles of 512 x 512 px that are looked at [default: 64]
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<usize>,
    /// Seed that chooses tiles and crops [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How the ranges of activations are chosen
    #[arg(long, value_enum, default_value_t)]
    pub(crate) ranges: RangeRule,
    /// Share of values inside the range, for --ranges percentile [default: 99.99]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) percentile: Option<f64>,
    /// Whether weights of neighbouring layers are made equally large first
    #[arg(long, value_enum, default_value_t)]
    pub(crate) equalise: Equalise,
    /// Steps of quantisation-aware fine-tuning [default: 0]
    #[arg(long, value_name = "STEPS")]
    pub(crate) fine_tune: Option<usize>,
    /// Learning rate of the fine-tuning [default: 0.00001]
    #[arg(long, value_name = "RATE")]
    pub(crate) learning_rate: Option<f64>,
    /// Folder with images/ and masks/: scores before and after
    #[arg(long, value_name = "DIR")]
    pub(crate) validate: Vec<PathBuf>,
    /// Only validation images whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1.., requires = "validate")]
    pub(crate) validate_images: Vec<String>,
    /// Write a file that does not know what the network has learned from (otherwise the calibration images say it)
    #[arg(long)]
    pub(crate) no_reference: bool,
    #[command(flatten)]
    pub(crate) known: ReferenceArgs,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

impl QuantizeArgs {
    pub(crate) fn settings(&self) -> QuantizeSettings {
        let default = QuantizeSettings::default();
        QuantizeSettings {
            count: self.count.unwrap_or(default.count),
            seed: self.seed.unwrap_or(default.seed),
            ranges: self.ranges,
            percentile: self.percentile.unwrap_or(default.percentile),
            equalise: self.equalise,
            fine_tune: self.fine_tune.unwrap_or(default.fine_tune),
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            reference: (!self.no_reference).then(|| self.known.settings()),
        }
    }
}
