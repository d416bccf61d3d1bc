//! Training of label super-resolution networks: from images and block labels to an ONNX file, on the CPU or a CUDA GPU.
//!
//! The modules in the order in which the data flows:
//!
//! ```text
//! synth ─► data ─► classify ─► prior ─► sampler ─► network ─► loss ─► fit ─► evaluate ─► onnx
//! tissue   blocks  label z     counts   same-z     U-Net      core's   the    masks and   file for
//!          read    of every    per z    groups                formulas loop   scores      the edge
//!          lazily  block
//! onnx ─► quantize = the same network in 8-bit integers, and what that costs
//! run, checkpoint, metrics ─► run_page, report        reproduce = all of it for every system ─► statistics, figure, report
//! folder of a run             one HTML page                                                     tables, pictures, page
//! ```
// Asking CUDA's libraries whether they are there is the one unsafe block (see `device`), and only builds with CUDA have it.
#![cfg_attr(not(feature = "cuda"), forbid(unsafe_code))]

mod atomic;
mod boundary;
mod checkpoint;
mod classify;
mod collapse;
mod config;
mod csv_file;
mod data;
mod device;
mod doctor;
mod draw_target;
mod ema;
mod error;
mod evaluate;
pub mod figure;
mod fit;
mod label;
mod label_weights;
mod loss;
mod machine;
mod metrics;
mod network;
mod onnx;
mod optimizer;
mod per_parameter;
mod png_file;
mod predict;
mod prior;
mod processes;
mod quantize;
mod queue;
mod recipe;
mod reference;
mod rejection;
pub mod report;
mod reproduce;
mod rescale;
mod run;
mod run_folder;
mod run_page;
mod sampler;
mod sampling;
pub mod statistics;
mod synth;
mod synth_folder;

pub use boundary::distance_to_boundary;
pub use checkpoint::TrainedNetwork;
pub use classify::{
    BinaryBlock, Calibration, ClassifierEvent, ClassifierSettings, ReliabilityBin, apply_classifier, binary_labels_from_masks,
    fit_classifier, known_blocks, low_resolution_map, read_binary_blocks, write_binary_blocks, write_low_resolution_maps,
};
pub use collapse::{LabelStatistics, LabelTracker, collapse, table as statistics_table};
pub use config::{CountTarget, FitOptions, FolderWeights, RunConfig, Schedule, StopOn};
pub use data::{
    Augmentation, Batch, Block, BlockPixels, BlockReader, CacheEvent, DataCard, Dataset, ImageSource, ImageStore, Loader, LoaderSettings,
    MAX_LABELS, Member, OnCorrupt, ReaderOptions, SkippedImage, UNKNOWN_CLASS, WholeImage, Windows, read_blocks, write_blocks,
};
pub use device::{CudaPart, CudaVersion, DeviceChoice, DeviceError, Gpu, ParseDeviceError};
pub use doctor::{CudaFound, Diagnosis, KernelCheck, Processor, Vectors, doctor};
pub use error::{Error, Result};
pub use evaluate::{
    BandScores, ClassScores, Counts, Evaluation, ImageScores, Scores, count_image, count_mask, cut, evaluate, table as evaluation_table,
};
pub use fit::{BenchSettings, Observer, Parts, StepBench, Summary, Times, Timing, bench, train};
pub use label::{LabelSettings, label_from_masks};
pub use label_weights::LabelWeights;
pub use loss::{
    BatchMoments, BatchTarget, LabelTarget, PastMoments, TensorScalar, ValidPixels, batch_loss, cross_entropy, known_cross_entropy,
    label_loss, moments_loss,
};
pub use metrics::{StepReport, ValidationReport};
pub use network::{
    Architecture, FullResolutionNet, Layer, Network, NetworkConfig, Norm, NormKind, PIXEL_MEAN, PIXEL_STD, Stage, UNet, UpSampling,
    input_from_rgb8, probabilities,
};
pub use onnx::{INPUT as ONNX_INPUT, OUTPUT as ONNX_OUTPUT, export, to_bytes as onnx_bytes};
pub use optimizer::RmsProp;
pub use predict::{predict, predict_classes, predict_turned};
pub use prior::{
    AnnotatedBlock, CANCER, ClassEstimate, Estimate, FilledSheet, Interval, LabelEstimate, MAX_CLASSES, MAX_SHEET_BLOCKS, Prior, RHO_FLOOR,
    Unit, choose_blocks, count_in_masks, expected_labels, read_sheet, write_sheet,
};
pub use processes::{Connection, Processes, Share};
pub use quantize::{
    CalibrationSummary, Difference, Equalise, FineTuning, Grid, Int8Network, LayerGrid, Provenance, QuantizeObserver, QuantizeReport,
    QuantizeSettings, Quantized, QuantizedConvolution, RangeRule, ReferenceSummary, ScorePair, Simulation, Validation, quantize,
    quantize_network, table as quantize_table,
};
pub use queue::{MomentQueue, PastBlock};
pub use recipe::{Figures, JudgedSet, Recipe, RecipeObserver, RecipeSettings, Source, Synthetic, make as make_recipe};
pub use reference::{ReferenceSettings, make_reference};
pub use rejection::{
    Curve as RejectionCurve, Curves as RejectionCurves, FieldRow, KindSummary, Rejection, RejectionData, rejection, rejection_table,
    write_rejection,
};
pub use reproduce::{Budget, Labels, Method, Progress as ReproduceProgress, ReproduceSettings, SYSTEMS, System, Then, reproduce};
pub use rescale::{RescaleSettings, rescale};
pub use run::Run;
pub use run_folder::RunFolder;
pub use run_page::write_run_report;
pub use sampler::{SampledGroup, Sampler};
pub use sampling::Sampling;
pub use synth::{SIZE_RANGE_PX, SynthConfig, SynthError, SynthImage, UM_PER_PX_RANGE, generate};
pub use synth_folder::write_synthetic;
