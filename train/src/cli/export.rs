//! Flags of `lsr-train export`.

use super::ReferenceArgs;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Folder with images/ that the network has learned from: the file then knows which fields are unlike them. No labels and no masks are needed
    #[arg(long, value_name = "DIR")]
    pub(crate) reference: Vec<PathBuf>,
    /// Only reference images whose name matches one of these patterns
    #[arg(long, value_name = "PATTERN", num_args = 1.., requires = "reference")]
    pub(crate) images: Vec<String>,
    #[command(flatten)]
    pub(crate) known: ReferenceArgs,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}
