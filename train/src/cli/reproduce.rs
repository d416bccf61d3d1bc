//! Flags of `lsr-train reproduce`.

use clap::Args;
use lsr_train::DeviceChoice;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// Folder with images/ and masks/
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Folder to write the report to
    #[arg(long, value_name = "DIR", default_value = "reproduction")]
    pub(crate) output: PathBuf,
    /// Test images, by pattern [default: the last quarter by name]
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) test: Vec<String>,
    /// Only these systems, by key, such as low_resolution,labels,supervised_windows [default: all]
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub(crate) systems: Vec<String>,
    /// Runs of every system [default: 3, or 1 with --quick]
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<u64>,
    /// The same table in less than half an hour on two cores: smaller network, fewer steps
    #[arg(long)]
    pub(crate) quick: bool,
    /// Make the images smaller by this whole factor first [default: 2]
    #[arg(long, value_name = "N")]
    pub(crate) scale: Option<u32>,
    /// Side of a block in pixels of the original images [default: 128]
    #[arg(long, value_name = "PX")]
    pub(crate) block: Option<u32>,
    /// Annotated blocks of each label for the count prior [default: 12]
    #[arg(long, value_name = "K")]
    pub(crate) annotated: Option<usize>,
    /// Channels of the U-Net's first stage
    #[arg(long, value_name = "N")]
    pub(crate) width: Option<usize>,
    /// Poolings of the U-Net
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// Blocks of one label in a group
    #[arg(long, value_name = "N")]
    pub(crate) group: Option<usize>,
    /// Groups in a batch
    #[arg(long, value_name = "N")]
    pub(crate) groups: Option<usize>,
    /// Steps of the optimiser
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Learning rate
    #[arg(long, value_name = "X")]
    pub(crate) learning_rate: Option<f64>,
    /// Steps of each fold of the block classifier
    #[arg(long, value_name = "N")]
    pub(crate) classifier_steps: Option<usize>,
    /// Systems that are trained at the same time, sharing the processor's cores
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) jobs: usize,
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    pub(crate) device: DeviceChoice,
    /// Pixel size of the images in micrometres [default: what dataset.toml states]
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: Option<f64>,
}
