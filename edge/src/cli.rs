//! Command-line types.

use crate::label_args::{Labels, Prior};
use crate::scan_args::{SCAN_HELP, Scan};
use crate::serve_args::{SERVE_HELP, Serve};
use crate::session_args::Session;
use crate::stage_args::{STAGE_HELP, Stage};
use clap::{Args, Parser, Subcommand};
use lsr_edge::{Shard, TissueChoice};
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
    /// Check that this machine computes what the embedded network should: exit code 0, or 1 where it does not
    SelfTest,
    /// Time a model on this machine
    #[command(after_help = BENCH_HELP)]
    Bench(Bench),
    /// Move, light, trigger and watch a microscope
    #[command(after_help = STAGE_HELP)]
    Stage(Stage),
    /// Have a microscope scan a region, and write cancer masks of all its fields
    #[command(after_help = SCAN_HELP)]
    Scan(Box<Scan>),
    /// Show fields live: a page, an API, a store
    #[command(after_help = SERVE_HELP)]
    Serve(Box<Serve>),
    /// Read what `serve` and `scan` have kept
    Session(Session),
}

#[derive(Debug, Args)]
pub(crate) struct Segment {
    /// PNG, JPEG or TIFF images, whole slides, or folders of them
    #[arg(value_name = "INPUT", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Folder for the results; made if missing
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Pixel size of all inputs in micrometres, whatever they state
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: Option<f64>,
    /// Pixel size of inputs that state none [default: what the model says of images; slides are refused]
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px_if_missing: Option<f64>,
    /// What is looked at of slides: none (everything), auto (what is found to be tissue), or an image that is not black there
    #[arg(long, value_name = "none|auto|MASK.png", default_value = "auto")]
    pub(crate) tissue: TissueChoice,
    #[command(flatten)]
    pub(crate) labels: Labels,
    #[command(flatten)]
    pub(crate) prior: Prior,
    /// Only the I-th of N shares of the inputs, which follow from their names: for one of N processes that write to the same folder
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Replace results that exist
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// The network, and how it is run.
#[derive(Debug, Args)]
pub(crate) struct Network {
    /// ONNX model [default: the embedded one]
    #[arg(short, long, value_name = "F.onnx")]
    pub(crate) model: Option<PathBuf>,
    /// A pixel is cancer where its probability is at least this [default: the model's]
    #[arg(long, value_name = "T")]
    pub(crate) threshold: Option<f32>,
    /// Longest side that is run in one pass, in pixels of the model's size; less needs less memory [default: 1024, or 16384 for an int8 model]
    #[arg(long, value_name = "PX")]
    pub(crate) tile: Option<u32>,
    /// Instruction set of an int8 model's kernels [default: the fastest that this processor has]; all give the same masks
    #[arg(long, value_name = "NAME")]
    pub(crate) isa: Option<String>,
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

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// ONNX model [default: the embedded one]
    #[arg(short, long, value_name = "F.onnx")]
    pub(crate) model: Option<PathBuf>,
    /// Sides of square fields, pixels
    #[arg(long, value_name = "PX,..", value_delimiter = ',', default_values_t = [240, 512, 1200])]
    pub(crate) sizes: Vec<u32>,
    /// Numbers of threads
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_values_t = [1])]
    pub(crate) threads: Vec<usize>,
    /// Instruction sets of an int8 model's kernels, or `all` [default: the fastest that this processor has]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(crate) isa: Vec<String>,
    /// Seconds for each combination, at least
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Time the whole way from a camera's frame to the mask that is kept and shown, for each of the sizes
    #[arg(long, conflicts_with_all = ["threads", "isa", "profile"])]
    pub(crate) pipeline: bool,
    /// Frames a second of that camera
    #[arg(long, value_name = "FPS", default_value_t = 30.0, requires = "pipeline")]
    pub(crate) rate: f64,
    /// Pixel size of that camera in micrometres [default: that of fields which state none]
    #[arg(long, value_name = "X", requires = "pipeline")]
    pub(crate) um_per_px: Option<f64>,
    /// Folder in which its sessions are kept and stay [default: one for temporary files, removed]
    #[arg(long, value_name = "DIR", requires = "pipeline")]
    pub(crate) store: Option<PathBuf>,
    /// Time of each layer too (int8 models)
    #[arg(long)]
    pub(crate) profile: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Measure the one combination that is given in this process
    #[arg(long, hide = true)]
    pub(crate) here: bool,
}

const BENCH_HELP: &str = "\
Every combination of size, threads and instruction set is measured in a process of its own, so that peak memory is its own:
  median_ms, p95_ms, p99_ms, max_ms   time of a field from RGB bytes to probabilities
  cpu_ms                              processor time of the whole process for a field, median
  macs                                multiplications of a weight and a pixel, as the network is defined; executed_macs are fewer, because a
                                      convolution of an up-sampled tensor is computed at the low resolution
  int8_peak_gmacs                     what the processor's multiply-and-add instruction reaches here on registers alone, one thread
  peak_share                          macs / median time / peak / threads, which fewer executed_macs may carry past 1; executed_share counts those
Fields are noise: neither time nor memory depends on what is in them.";

const SEGMENT_HELP: &str = "\
For each image NAME.* it writes
  NAME.mask.png         0 or 255, 255 is cancer
  NAME.probability.png  round(255 p)
  NAME.overlay.png      the image with the mask and its contour
  NAME.geojson          the mask's regions as polygons with holes, in pixels of the image, as QuPath reads them
  NAME.json             cancer fraction and its spread, settings, provenance, timings; written last
all at the size of the image, and for the folder
  fields.csv, .jsonl    one row for every NAME.json in it: counts, quality, settings

For each slide (SVS, tiled TIFF, OME-TIFF, DICOM; others with the feature slides)
  NAME.mask.ome.tif, NAME.probability.ome.tif   pyramids at the model's pixel size
  NAME.overlay.png, NAME.geojson, NAME.json     as above, the regions in pixels of the slide
  NAME.seg.dcm                                  of a DICOM slide, a DICOM Segmentation
and, while it is worked on, NAME.partial, from which a run that was stopped goes on.

A field that is unfit (dark, overexposed, grey, without tissue, out of focus) is named, and has `fit` false. Images whose NAME.json exists are skipped.
Folders are not searched deeper.

Exit code: 0 all done, 1 some images failed, 2 wrong usage, 130 interrupted.
RAYON_NUM_THREADS limits the threads.";

const INSPECT_HELP: &str = "\
A model has one input 'image' float32 [batch, 3, height, width], one output 'logits' float32 [batch, classes, height, width] (or one
channel for two classes), operator set 13 to 18, all weights inside the file, metadata keys lsr.*, and only operators that work on a
neighbourhood of each pixel:
  Add AveragePool BatchNormalization Clip Concat Constant Conv ConvTranspose DequantizeLinear Div Dropout Elu HardSigmoid HardSwish
  Identity LeakyRelu MaxPool Mul PRelu QuantizeLinear Relu Resize Sigmoid Sub Tanh";
