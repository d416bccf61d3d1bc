//! Flags of `lsr-train pseudo`.

use clap::Args;
use lsr_train::DeviceChoice;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct PseudoArgs {
    /// Folder of a run whose network is the teacher (may be given more than once: the mean of all)
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) run: Vec<PathBuf>,
    /// Folder with images/ (may be given more than once)
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Block labels, which say how much of each block may be cancer (CSV: image,x,y,width,height,probability,z)
    #[arg(long, value_name = "FILE")]
    pub(crate) blocks: PathBuf,
    /// Count prior (CSV: z,class,mean,std,n)
    #[arg(long, value_name = "FILE")]
    pub(crate) prior: PathBuf,
    /// Standard deviation of the teacher's own count of a block
    #[arg(long, value_name = "SD", default_value_t = 0.15)]
    pub(crate) teacher_std: f64,
    /// How many standard deviations of the count a pixel must be away from its block's limit to be sure
    #[arg(long, value_name = "X", default_value_t = 0.5)]
    pub(crate) margin: f64,
    /// cpu, cuda or cuda:N [default: cpu]
    #[arg(long)]
    pub(crate) device: Option<DeviceChoice>,
    /// Folder to write NAME.png (255 cancer, 0 other, 128 unsure) and pseudo.json to
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}
