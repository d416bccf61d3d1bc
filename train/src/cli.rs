//! The command line of `lsr-train`: types only.

use clap::{Args, Parser, Subcommand};
use lsr_train::FitOptions;
use std::path::PathBuf;

/// Train pixel-accurate cancer masks from block labels (label super-resolution). Research use only.
#[derive(Debug, Parser)]
#[command(name = "lsr-train", version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make synthetic H&E-like tissue with exact masks
    Synth(SynthArgs),
    /// Lay blocks over images and label them
    Label(LabelArgs),
    /// Estimate the count prior from a few annotated blocks, or write the paper's Table 1
    Prior(PriorArgs),
    /// Train a network from images, block labels and a count prior
    Fit(Box<FitArgs>),
    /// Compare a network's masks with true ones
    Evaluate(EvaluateArgs),
    /// Write a network as ONNX
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// Folder to write images/, masks/ and dataset.toml to
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Number of images
    #[arg(long, value_name = "N")]
    pub(crate) images: u64,
    /// Width and height in pixels
    #[arg(long, value_name = "PX", default_value_t = 512)]
    pub(crate) size: u32,
    /// Pixel size in micrometres
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) um_per_px: f32,
    /// Seed; image i is the same whatever the number of images
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// Folder with images/ and masks/
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Only images whose name matches one of these patterns, such as '1067*' or '1069[0-3]'
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) images: Vec<String>,
    /// Side of a block in pixels
    #[arg(long, value_name = "PX", default_value_t = 240)]
    pub(crate) block: u32,
    /// Distance between blocks in pixels [default: the block's side]
    #[arg(long, value_name = "PX")]
    pub(crate) stride: Option<u32>,
    /// Simulate the labels from the masks
    #[arg(long, required = true)]
    pub(crate) from_masks: bool,
    /// Standard deviation of the noise that a classifier would add to the probability
    #[arg(long, value_name = "SD", default_value_t = 0.0)]
    pub(crate) noise: f64,
    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PriorArgs {
    /// Write Table 1 of the paper
    #[arg(long, conflicts_with_all = ["data", "blocks", "annotated"])]
    pub(crate) paper: bool,
    /// Folder with images/ and masks/
    #[arg(long, value_name = "DIR", required_unless_present = "paper")]
    pub(crate) data: Vec<PathBuf>,
    /// Block labels
    #[arg(long, value_name = "FILE", required_unless_present = "paper")]
    pub(crate) blocks: Option<PathBuf>,
    /// Blocks of each label whose masks are looked at
    #[arg(long, value_name = "K", default_value_t = 12)]
    pub(crate) annotated: usize,
    /// Seed of their choice
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    /// TOML file with the same keys as the flags (flags win)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Go on with the run in --output from its newest checkpoint
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) options: FitOptions,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Folder with images/ and masks/
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Only images whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) images: Vec<String>,
    /// Largest distance to the true boundary that the masked metrics count [default: the width of a training block]
    #[arg(long, value_name = "PX")]
    pub(crate) band: Option<f64>,
    /// Folder to write the predicted masks to, as NAME.mask.png
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}
