//! Flags of `lsr-train bench`.

use clap::Args;
use lsr_core::Preset;
use lsr_train::DeviceChoice;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    pub(crate) device: DeviceChoice,
    /// Blocks in a batch
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) batch: usize,
    /// Groups that the batch is made of
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) groups: usize,
    /// Side of a block in pixels
    #[arg(long, value_name = "PX", default_value_t = 240)]
    pub(crate) size: u32,
    /// Channels of the network's first stage
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) width: usize,
    /// Poolings
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) depth: usize,
    /// Variant of the loss: paper, paper_literal, paper_code, lsr_iclr, lsr_early [default: paper]
    #[arg(long, value_name = "PRESET")]
    pub(crate) loss: Option<Preset>,
    /// Steps that are timed
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) steps: usize,
    /// Steps before them
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) warm_up: usize,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Time whole steps alone, not their parts
    #[arg(long)]
    pub(crate) steps_only: bool,
    /// Write JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
