//! Command-line types.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs label-super-resolution networks on microscope fields. Research use only.
#[derive(Debug, Parser)]
#[command(name = "lsr-edge", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write cancer masks of images
    #[command(after_help = SEGMENT_HELP)]
    Segment(Segment),
    /// Say what a model is, or why it cannot be run
    #[command(after_help = INSPECT_HELP)]
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(crate) struct Segment {
    /// PNG, JPEG or TIFF images, or folders of them
    #[arg(value_name = "INPUT", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Folder for the results; made if missing
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// ONNX model [default: the embedded one]
    #[arg(short, long, value_name = "F.onnx")]
    pub(crate) model: Option<PathBuf>,
    /// Pixel size of the inputs in micrometres [default: the model's]
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: Option<f64>,
    /// A pixel is cancer where its probability is at least this [default: the model's]
    #[arg(long, value_name = "T")]
    pub(crate) threshold: Option<f32>,
    /// Replace results that exist
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Longest side that is run in one pass, in pixels of the model's size; less needs less memory
    #[arg(long, value_name = "PX", default_value_t = lsr_edge::DEFAULT_TILE)]
    pub(crate) tile: u32,
    /// Pixels that neighbouring tiles share [default: what the model needs, at most two thirds of a tile]
    #[arg(long, value_name = "PX")]
    pub(crate) overlap: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// ONNX model [default: the embedded one]
    #[arg(value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SEGMENT_HELP: &str = "\
For each image NAME.* it writes
  NAME.mask.png         0 or 255, 255 is cancer
  NAME.probability.png  round(255 p)
  NAME.overlay.png      the image with the mask and its contour
  NAME.json             cancer fraction and its spread, settings, provenance, timings; written last
all at the size of the image. Images whose NAME.json exists are skipped. Folders are not searched deeper.

Exit code: 0 all done, 1 some images failed, 2 wrong usage, 130 interrupted.
RAYON_NUM_THREADS limits the threads.";

const INSPECT_HELP: &str = "\
A model has one input 'image' float32 [batch, 3, height, width], one output 'logits' float32 [batch, classes, height, width] (or one
channel for two classes), operator set 13 to 18, all weights inside the file, metadata keys lsr.*, and only operators that work on a
neighbourhood of each pixel:
  Add AveragePool BatchNormalization Clip Concat Constant Conv ConvTranspose DequantizeLinear Div Dropout Elu HardSigmoid HardSwish
  Identity LeakyRelu MaxPool Mul PRelu QuantizeLinear Relu Resize Sigmoid Sub Tanh";
