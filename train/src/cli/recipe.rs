//! Flags of `lsr-train recipe`.

use clap::Args;
use lsr_train::DeviceChoice;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RecipeArgs {
    /// TOML file that says what the network is made from, and what it is judged by
    #[arg(value_name = "RECIPE")]
    pub(crate) recipe: PathBuf,
    /// Folder in which the folders that the recipe names lie
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Folder of what is made; a later call goes on where an earlier one was interrupted
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Leave this source out of the training and judge the network on all of it (may be given more than once)
    #[arg(long, value_name = "NAME")]
    pub(crate) without: Vec<String>,
    /// Training steps [default: the recipe's]
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// cpu, cuda or cuda:N [default: the recipe's]
    #[arg(long)]
    pub(crate) device: Option<DeviceChoice>,
}
