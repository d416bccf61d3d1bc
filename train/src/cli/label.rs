//! Flags of `lsr-train label`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// Folder with images/ and masks/
    #[arg(long, value_name = "DIR", required_unless_present = "known", conflicts_with = "known")]
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
    #[arg(long, required_unless_present = "known", conflicts_with = "known")]
    pub(crate) from_masks: bool,
    /// Labels that are known (CSV: image,x,y,width,height,cancer): they become blocks with a probability of 0 or 1, for `fit --count-target label`
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Option<PathBuf>,
    /// Standard deviation of the noise that a classifier would add to the probability
    #[arg(long, value_name = "SD", default_value_t = 0.0, conflicts_with_all = ["binary", "known"])]
    pub(crate) noise: f64,
    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["binary", "known"])]
    pub(crate) seed: u64,
    /// Write cancer or not (1 or 0) instead of a probability and z: what `classify fit` learns from
    #[arg(long, conflicts_with = "known")]
    pub(crate) binary: bool,
    /// A block is cancer where more than this fraction of it is
    #[arg(long, value_name = "FRACTION", default_value_t = 0.5, requires = "binary")]
    pub(crate) cancer_from: f64,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}
