//! Flags of `lsr-train evaluate`.

use clap::Args;
use std::path::PathBuf;

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
    /// Take the mean over the eight turns of each image (test-time augmentation)
    #[arg(long)]
    pub(crate) turned: bool,
    /// Folder to write the predicted masks to, as NAME.mask.png
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}
