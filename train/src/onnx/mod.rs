//! A trained network as a standard ONNX file: opset 17, BatchNorm folded into the convolutions, any height and width that the depth divides.
//!
//! One input `image`, `[batch, 3, height, width]`, `(byte - mean) / std` in R, G, B; one output `logits`, `[batch, outputs, height, width]`. What
//! the network is and where it comes from stands in the metadata, under keys that begin with `lsr.`.

mod builder;
mod float;
mod int8;
mod metadata;
mod proto;

use crate::config::RunConfig;
use crate::data::Dataset;
use crate::error::Result;
use crate::network::{FoldedNetwork, Network};
use crate::reference::{ReferenceSettings, make_reference};
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use lsr_core::Reference;
use prost::Message;
use proto::{Graph, Model, OperatorSet, StringEntry};
use std::path::Path;

pub(crate) use int8::to_bytes as int8_to_bytes;

/// Name of the input.
pub const INPUT: &str = "image";
/// Name of the output.
pub const OUTPUT: &str = "logits";

const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// Writes the newest checkpoint of a run as ONNX; with images, also what the network has learned from, so that it is known at the microscope
/// which fields are unlike it.
///
/// # Errors
/// A run that cannot be read, a file that cannot be written, a weight that is no number; images of which no reference can be made.
pub fn export(run: &RunFolder, output: &Path, reference: Option<(&Dataset, &ReferenceSettings)>, warn: impl FnMut(&str)) -> Result<()> {
    let config = run.config()?;
    let device = Device::flex();
    let trained = run.network(&config, &device, warn)?;
    let folded = FoldedNetwork::of(&trained.network)?;
    let reference = match reference {
        Some((data, settings)) => Some(make_reference(run, &config, &trained.network, data, settings, &device)?),
        None => None,
    };
    let bytes = folded_to_bytes(&folded, &config, trained.step, reference.as_ref())?;
    crate::atomic::write(output, &bytes)
}

/// The network as the bytes of an ONNX file.
///
/// # Errors
/// A weight that is no number, by the layer's name; a network with group normalisation, whose output depends on the size of tiles.
pub fn to_bytes(model: &Network, config: &RunConfig, step: usize) -> Result<Vec<u8>> {
    folded_to_bytes(&FoldedNetwork::of(model)?, config, step, None)
}

/// As [`to_bytes`], of a network that is folded already, and with what it has learned from.
pub(crate) fn folded_to_bytes(network: &FoldedNetwork, config: &RunConfig, step: usize, reference: Option<&Reference>) -> Result<Vec<u8>> {
    Ok(model(float::graph(network), metadata::metadata(config, step, reference)?))
}

fn model(graph: Graph, metadata_props: Vec<StringEntry>) -> Vec<u8> {
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "lsr-train".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "Network trained from block labels by label super-resolution. Research use only.".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props,
    };
    model.encode_to_vec()
}
