//! The command line of `lsr-train`: types only.

mod evaluate;
mod export;
mod fit;
mod label;
mod prior;
mod synth;

use clap::{Parser, Subcommand};

pub(crate) use evaluate::EvaluateArgs;
pub(crate) use export::ExportArgs;
pub(crate) use fit::FitArgs;
pub(crate) use label::LabelArgs;
pub(crate) use prior::PriorArgs;
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
    /// Lay blocks over images and label them
    Label(LabelArgs),
    /// Estimate the count prior from a few annotated blocks, or write the paper's Table 1
    Prior(PriorArgs),
    /// Train a network from images, block labels and a count prior
    Fit(Box<FitArgs>),
    /// Compare a network's masks with true ones
    Evaluate(EvaluateArgs),
    /// Write a network as ONNX
    Export(ExportArgs),
}
