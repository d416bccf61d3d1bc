//! Flags of `lsr-train rescale`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RescaleArgs {
    /// Folder with images/, and masks/ and valid/ if there are any
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Only images whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) images: Vec<String>,
    /// Pixel size of the images in micrometres [default: what dataset.toml states]
    #[arg(long, value_name = "X")]
    pub(crate) from_um_per_px: Option<f64>,
    /// Pixel size to come, in micrometres
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: f64,
    /// What the images' names begin with afterwards, such as 'bcss-'
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}
