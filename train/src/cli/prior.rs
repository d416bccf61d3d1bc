//! Flags of `lsr-train prior`.

use clap::Args;
use std::path::PathBuf;

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
