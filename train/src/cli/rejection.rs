//! Flags of `lsr-train rejection`.

use super::ReferenceArgs;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RejectionArgs {
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Folder with images/ that the network has learned from; no masks are needed
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) reference: Vec<PathBuf>,
    /// Only reference images whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) reference_images: Vec<String>,
    #[command(flatten)]
    pub(crate) known: ReferenceArgs,
    /// Folder with images/ and masks/ of the same kind that it has not learned from: tried as they are, blurred, re-stained, compressed, and at the wrong pixel size
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Only images of --data whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) images: Vec<String>,
    /// Folder with images/ and masks/ of other tissue, at the network's pixel size (`rescale` makes it so): tried as they are
    #[arg(long, value_name = "DIR")]
    pub(crate) other: Vec<PathBuf>,
    /// Longest side of the fields that images are cut into
    #[arg(long, value_name = "PX", default_value_t = 256)]
    pub(crate) field: usize,
    /// Folder to write rejection.json, fields.csv, and the curves as PNG and SVG to
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}
