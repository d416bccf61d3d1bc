//! From a trained network to one of 8-bit integers: post-training static quantisation, and fine-tuning where that is not enough.
//!
//! ```text
//! network ─► folded ─► equalise ─► observe ─► range ─► weights ─► int8 ─► bias ─► compare ─► fine_tune ─► validate ─► onnx
//!            BatchNorm  weights     activations  grid of  8 bits a  whole   means   with the   weights      scores      QDQ
//!            gone       of layers   on tiles     each     channel   numbers kept    float one  learn rounding           file
//! ```
//!
//! Weights are rounded to -127..127 with a scale for each output channel; activations to 0..255 with one scale and zero point for a tensor;
//! biases to 32 bits at the scale of the products. The image's grid is the byte itself.

mod bias;
mod calibrate;
mod compare;
mod equalise;
mod fine_tune;
mod grid;
mod histogram;
mod int8;
mod logits;
mod observe;
mod progress;
mod range;
mod reader;
mod report;
mod settings;
#[cfg(test)]
mod tests;
mod tiles;
mod validate;
mod weights;

pub use compare::Difference;
pub use grid::Grid;
pub use int8::{Int8Network, Simulation};
pub use progress::QuantizeObserver;
pub use report::{CalibrationSummary, FineTuning, LayerGrid, Provenance, QuantizeReport, table};
pub use settings::{Equalise, QuantizeSettings, RangeRule};
pub(crate) use validate::validate;
pub use validate::{ScorePair, Validation};
pub use weights::QuantizedConvolution;

use crate::checkpoint::TrainedNetwork;
use crate::config::RunConfig;
use crate::data::{Dataset, hex};
use crate::error::{Error, Result};
use crate::network::FoldedNetwork;
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use calibrate::Calibration;
pub(crate) use progress::Progress;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tiles::Tiles;

/// A quantised network, its file and what is known about it.
#[derive(Debug)]
pub struct Quantized {
    /// The network.
    pub network: Int8Network,
    /// The bytes of its ONNX file.
    pub bytes: Vec<u8>,
    /// What was done and what it cost.
    pub report: QuantizeReport,
}

/// Quantises the network of a run and writes it to `output`.
///
/// # Errors
/// A run, image or mask that cannot be read; settings outside their intervals; a network or images that cannot be quantised (see
/// [`quantize_network`]); a file that cannot be written; an interruption. The file is written whole or not at all.
pub fn quantize(
    run: &RunFolder,
    calibration: &Dataset,
    validation: Option<&Dataset>,
    settings: &QuantizeSettings,
    output: &Path,
    observer: &mut dyn QuantizeObserver,
    stop: &AtomicBool,
) -> Result<QuantizeReport> {
    let config = run.config()?;
    settings.check()?;
    let trained = run.network(&config, &Device::flex(), |text| observer.warn(text))?;
    let mut quantized = quantize_network(&trained, &config, calibration, settings, observer, stop)?;
    if let Some(data) = validation {
        let float = FoldedNetwork::of(&trained.network)?;
        let band_px = crate::data::read_blocks(&run.path("blocks.csv"))?.first().map_or(240.0, |block| f64::from(block.width));
        let progress = &mut Progress { observer, stop };
        quantized.report.validation = Some(validate(&float, &quantized.network, &config, data, band_px, progress)?);
    }
    crate::atomic::write(output, &quantized.bytes)?;
    Ok(quantized.report)
}

/// Quantises a network. The same network, images and settings give the same bytes.
///
/// # Errors
/// Settings outside their intervals; group normalisation; images that cannot be read, or on which a layer's output is no number or the same
/// everywhere; a layer that integers cannot stand for; an interruption.
pub fn quantize_network(
    trained: &TrainedNetwork,
    config: &RunConfig,
    calibration: &Dataset,
    settings: &QuantizeSettings,
    observer: &mut dyn QuantizeObserver,
    stop: &AtomicBool,
) -> Result<Quantized> {
    settings.check()?;
    let float = FoldedNetwork::of(&trained.network)?;
    let float_bytes = crate::onnx::folded_to_bytes(&float, config, trained.step)?;
    let tiles = Tiles::choose(calibration, settings.count, settings.seed, config.network.alignment())?;
    let calibration_digest = tiles.digest()?;
    let progress = &mut Progress { observer, stop };

    let calibration = Calibration { float: &float, threshold: config.threshold, tiles: &tiles, settings };
    let candidates = calibration.candidates(progress)?;
    let of = |equalised: bool| candidates.iter().find(|candidate| candidate.equalised == equalised).map(|candidate| candidate.difference);
    let (plain, equalised) = (of(false), of(true));
    let chosen = calibrate::nearest(candidates)?;
    let (chosen, fine_tuning) = match settings.fine_tune {
        0 => (chosen, None),
        _ => calibration.fine_tune(chosen, progress).map(|(tuned, about)| (tuned, Some(about)))?,
    };
    let network = chosen.network;

    let quantized = Provenance {
        method: settings.ranges,
        percentile: (settings.ranges == RangeRule::Percentile).then_some(settings.percentile),
        equalised: chosen.equalised,
        bias_corrected: true,
        fine_tuning_steps: fine_tuning.as_ref().filter(|tuning| tuning.kept).map_or(0, |tuning| tuning.steps),
        calibration_digest,
        float_sha256: hex(&Sha256::digest(&float_bytes)),
        seed: settings.seed,
    };
    let provenance = serde_json::to_string(&quantized).map_err(|error| Error::setting("metadata", "text", error))?;
    let bytes = crate::onnx::int8_to_bytes(&network, config, trained.step, provenance)?;
    let layer = |(layer, grid): (&str, Grid)| LayerGrid { layer: layer.to_owned(), scale: grid.scale, zero_point: grid.zero_point };
    let report = QuantizeReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        step: trained.step,
        quantized,
        int8_sha256: hex(&Sha256::digest(&bytes)),
        int8_bytes: bytes.len(),
        float_bytes: float_bytes.len(),
        calibration: CalibrationSummary { images: tiles.images().len(), tiles: tiles.len(), pixels: tiles.pixels() },
        equalise: settings.equalise,
        plain,
        equalised,
        fine_tuning,
        difference: chosen.difference,
        validation: None,
        layers: network.output_grids().into_iter().map(layer).collect(),
    };
    Ok(Quantized { network, bytes, report })
}
