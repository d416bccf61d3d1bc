//! Flags of `lsr-train doctor`.

use clap::Args;
use lsr_train::DeviceChoice;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// cpu, cuda or cuda:N [default: the best that this build is made for]
    #[arg(long)]
    pub(crate) device: Option<DeviceChoice>,
    /// Write JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
