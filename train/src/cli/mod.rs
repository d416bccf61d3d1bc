//! The command line of `lsr-train`: types only.

mod bench;
mod classify;
mod doctor;
mod evaluate;
mod export;
mod fit;
mod label;
mod prior;
mod quantize;
mod recipe;
mod reference;
mod rejection;
mod report;
mod reproduce;
mod rescale;
mod synth;

use clap::{Parser, Subcommand};

pub(crate) use bench::BenchArgs;
pub(crate) use classify::{ApplyArgs, ClassifyArgs, ClassifyCommand, ClassifyFitArgs};
pub(crate) use doctor::DoctorArgs;
pub(crate) use evaluate::EvaluateArgs;
pub(crate) use export::ExportArgs;
pub(crate) use fit::FitArgs;
pub(crate) use label::LabelArgs;
pub(crate) use prior::{EstimateArgs, PriorArgs, PriorCommand, SheetArgs};
pub(crate) use quantize::QuantizeArgs;
pub(crate) use recipe::RecipeArgs;
pub(crate) use reference::ReferenceArgs;
pub(crate) use rejection::RejectionArgs;
pub(crate) use report::ReportArgs;
pub(crate) use reproduce::ReproduceArgs;
pub(crate) use rescale::RescaleArgs;
pub(crate) use synth::SynthArgs;

/// Train pixel-accurate cancer masks from block labels (label super-resolution). Research use only.
#[derive(Debug, Parser)]
#[command(name = "lsr-train", version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make synthetic H&E-like tissue with exact masks
    Synth(SynthArgs),
    /// Write a folder of data at another pixel size
    Rescale(RescaleArgs),
    /// Lay blocks over images and label them
    Label(LabelArgs),
    /// Train a block classifier from cancer / not cancer labels, and let it label blocks
    Classify(ClassifyArgs),
    /// The count prior: from a few annotated blocks, an expert's estimates, text files, or the paper's Table 1
    Prior(PriorArgs),
    /// Train a network from images, block labels and a count prior
    Fit(Box<FitArgs>),
    /// Write a run's report as one HTML page
    Report(ReportArgs),
    /// Compare a network's masks with true ones
    Evaluate(EvaluateArgs),
    /// Does the network know when it does not know? Dice of the fields that are kept when those unlike its training images are rejected
    Rejection(RejectionArgs),
    /// Write a network as ONNX
    Export(ExportArgs),
    /// Write a network of 8-bit integers as ONNX
    Quantize(QuantizeArgs),
    /// Make an int8 network from several folders of tissue by a recipe, and judge it
    Recipe(RecipeArgs),
    /// Say what this machine has, whether a device can be used, and what to install
    Doctor(DoctorArgs),
    /// Time the training steps of a network on synthetic tissue
    Bench(BenchArgs),
    /// Train and compare every system of the paper on the same images
    Reproduce(ReproduceArgs),
}
