//! Flags of `lsr-train prior`.

use clap::{Args, Subcommand};
use lsr_train::{RHO_FLOOR, Unit};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct PriorArgs {
    #[command(subcommand)]
    pub(crate) command: PriorCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PriorCommand {
    /// Write Table 1 of the paper
    Paper(PaperArgs),
    /// Estimate the prior from a few blocks of each label: looked up in masks, or from a sheet that an expert filled in
    Estimate(EstimateArgs),
    /// Make a sheet on which an expert estimates by eye how much of a few blocks is cancer
    Sheet(SheetArgs),
    /// Read a prior from plain text files of means and standard deviations
    Import(ImportArgs),
    /// Write a prior as plain text files of means and standard deviations
    Export(ExportPriorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PaperArgs {
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// Folder with images/ and masks/
    #[arg(long, value_name = "DIR", required_unless_present = "sheet", requires = "blocks")]
    pub(crate) data: Vec<PathBuf>,
    /// Block labels
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(crate) blocks: Option<PathBuf>,
    /// Blocks of each label whose masks are looked at
    #[arg(long, value_name = "K", default_value_t = 12)]
    pub(crate) annotated: usize,
    /// Seed of their choice
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// High-resolution classes: with 2, white is class 1 (cancer); with more, a mask's grey value is the class
    #[arg(long, value_name = "L", default_value_t = 2)]
    pub(crate) classes: usize,
    /// Filled-in sheet.csv of `prior sheet`, instead of masks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "blocks", "annotated", "seed", "classes"])]
    pub(crate) sheet: Option<PathBuf>,
    /// Smallest standard deviation, as a fraction: blocks can agree by chance, and a label weighs 1/rho^2 in most losses
    #[arg(long, value_name = "RHO", default_value_t = RHO_FLOOR)]
    pub(crate) rho_floor: f64,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SheetArgs {
    /// Folder with images/
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Block labels
    #[arg(long, value_name = "FILE")]
    pub(crate) blocks: PathBuf,
    /// Blocks of each label
    #[arg(long, value_name = "K", default_value_t = 12)]
    pub(crate) annotated: usize,
    /// Seed of their choice and order
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Surroundings shown on each side of a block [default: a quarter of the block's longer side]
    #[arg(long, value_name = "PX")]
    pub(crate) context: Option<u32>,
    /// New folder for sheet.csv, sheet.html and sheet.png
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Means: a row for each low-resolution class, a column for each high-resolution class, no header
    #[arg(long, value_name = "FILE")]
    pub(crate) mu: PathBuf,
    /// Standard deviations, in the same shape
    #[arg(long, value_name = "FILE")]
    pub(crate) sigma: PathBuf,
    /// What their numbers are
    #[arg(long, value_enum)]
    pub(crate) unit: Unit,
    /// Raise smaller standard deviations, zeros among them, to this fraction
    #[arg(long, value_name = "RHO")]
    pub(crate) rho_floor: Option<f64>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ExportPriorArgs {
    /// Count prior
    #[arg(long, value_name = "FILE")]
    pub(crate) prior: PathBuf,
    /// What the numbers shall be
    #[arg(long, value_enum)]
    pub(crate) unit: Unit,
    /// Means to write
    #[arg(long, value_name = "FILE")]
    pub(crate) mu: PathBuf,
    /// Standard deviations to write
    #[arg(long, value_name = "FILE")]
    pub(crate) sigma: PathBuf,
}
