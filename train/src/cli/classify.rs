//! Flags of `lsr-train classify`.

use clap::{Args, Subcommand};
use lsr_train::DeviceChoice;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    #[command(subcommand)]
    pub(crate) command: ClassifyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClassifyCommand {
    /// Train a block classifier; each fold of the images has a network that did not see it
    Fit(ClassifyFitArgs),
    /// Label every block of some images with a trained classifier
    Apply(ApplyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyFitArgs {
    /// Folder with images/ (may be given more than once)
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Blocks with one bit each (CSV: image,x,y,width,height,cancer), as `label --binary` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: PathBuf,
    /// Folder of the classifier; one that was begun with the same settings is gone on with
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Parts into which the images are dealt [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) folds: Option<usize>,
    /// Steps of the optimiser in each fold [default: 300]
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Blocks in a batch, half of them cancer [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<usize>,
    /// Channels of the network's first stage [default: 8]
    #[arg(long, value_name = "N")]
    pub(crate) width: Option<usize>,
    /// Stages of the network [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// Learning rate of RMSprop at the first step; it falls to 0 along a cosine [default: 0.002]
    #[arg(long, value_name = "X")]
    pub(crate) learning_rate: Option<f64>,
    /// Seed of folds, weights and batches [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// cpu, cuda or cuda:N [default: cpu]
    #[arg(long)]
    pub(crate) device: Option<DeviceChoice>,
    /// Pixel size of the images in micrometres [default: what dataset.toml states]
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Folder of the classifier
    #[arg(long, value_name = "DIR")]
    pub(crate) classifier: PathBuf,
    /// Folder with images/ (may be given more than once)
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Only images whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) images: Vec<String>,
    /// Distance between blocks in pixels [default: the block's side]
    #[arg(long, value_name = "PX")]
    pub(crate) stride: Option<u32>,
    /// cpu, cuda or cuda:N [default: cpu]
    #[arg(long)]
    pub(crate) device: Option<DeviceChoice>,
    /// File to write (CSV: image,x,y,width,height,probability,z)
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Folder to write NAME.probability.png to: at every pixel the mean probability of the blocks over it, white = 1
    #[arg(long, value_name = "DIR")]
    pub(crate) map: Option<PathBuf>,
}
