//! Flags of `lsr-train export`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}
