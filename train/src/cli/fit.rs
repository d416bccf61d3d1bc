//! Flags of `lsr-train fit`.

use clap::Args;
use lsr_train::FitOptions;
use std::path::PathBuf;

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
