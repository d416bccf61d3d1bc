//! Training of label super-resolution networks: from images and block labels to an ONNX file, on the CPU or a CUDA GPU.
//!
//! The modules in the order in which the data flows:
//!
//! ```text
//! synth ─► data ─► label ─► prior ─► sampler ─► model ─► loss ─► fit ─► checkpoint ─► evaluate, onnx
//! tissue   images  blocks   counts   same-z     U-Net    core's   the    config and    masks,
//!                  and z    per z    groups              formulas loop   weights       file for the edge
//! ```
// Asking whether CUDA's library is there is the one unsafe call (see `device`), and only builds with CUDA have it.
#![cfg_attr(not(feature = "cuda"), forbid(unsafe_code))]

mod atomic;
mod boundary;
mod checkpoint;
mod collapse;
mod config;
mod csv_file;
mod data;
mod device;
mod error;
mod evaluate;
mod fit;
mod label;
mod loss;
mod metrics;
mod network;
mod onnx;
mod optimizer;
mod predict;
mod prior;
mod run;
mod sampler;
mod synth;
mod synth_folder;

pub use boundary::distance_to_boundary;
pub use checkpoint::{Restored, RunFolder};
pub use collapse::{LabelStatistics, LabelTracker, collapse, table as statistics_table};
pub use config::{FitOptions, RunConfig, Schedule};
pub use data::{Block, DataCard, Dataset, MAX_LABELS, read_blocks, write_blocks};
pub use device::{CudaPart, DeviceChoice, DeviceError, ParseDeviceError};
pub use error::{Error, Result};
pub use evaluate::{BandScores, Evaluation, ImageScores, Scores, evaluate, table as evaluation_table};
pub use fit::{Observer, Summary, train};
pub use label::{LabelSettings, label_from_masks};
pub use loss::{BatchLoss, BatchTarget, TensorScalar, batch_loss};
pub use metrics::StepReport;
pub use network::{PIXEL_MEAN, PIXEL_STD, Stage, UNet, UNetConfig, input_from_rgb8, probabilities};
pub use onnx::{INPUT as ONNX_INPUT, OUTPUT as ONNX_OUTPUT, export, to_bytes as onnx_bytes};
pub use optimizer::RmsProp;
pub use predict::predict;
pub use prior::{CANCER, MAX_CLASSES, Prior, RHO_FLOOR};
pub use run::Run;
pub use sampler::{SampledGroup, Sampler};
pub use synth::{SIZE_RANGE_PX, SynthConfig, SynthError, SynthImage, UM_PER_PX_RANGE, generate};
pub use synth_folder::write_synthetic;
