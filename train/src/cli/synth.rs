//! Flags of `lsr-train synth`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// Folder to write images/, masks/ and dataset.toml to
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Number of images
    #[arg(long, value_name = "N")]
    pub(crate) images: u64,
    /// Width and height in pixels
    #[arg(long, value_name = "PX", default_value_t = 512)]
    pub(crate) size: u32,
    /// Pixel size in micrometres
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) um_per_px: f32,
    /// Seed; image i is the same whatever the number of images
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}
