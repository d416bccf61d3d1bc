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
pub(crate) use progress::Progress;
pub use progress::QuantizeObserver;
pub use report::{CalibrationSummary, FineTuning, LayerGrid, Provenance, QuantizeReport, ReferenceSummary, table};
pub use settings::{Equalise, QuantizeSettings, RangeRule};
pub(crate) use validate::validate;
pub use validate::{ScorePair, Validation};
pub use weights::QuantizedConvolution;

use crate::checkpoint::TrainedNetwork;
use crate::config::RunConfig;
use crate::data::{Dataset, hex};
use crate::error::{Error, Result};
use crate::network::FoldedNetwork;
use crate::predict::predict_with;
use crate::reference::{self, ReferenceSettings, ReferenceSource};
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use calibrate::Calibration;
use image::RgbImage;
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
    if let Some(reference) = &settings.reference {
        quantized.learned_from(run, &trained, &config, calibration, reference, observer)?;
    }
    if let Some(data) = validation {
        let float = FoldedNetwork::of(&trained.network)?;
        let band_px = crate::data::read_blocks(&run.path("blocks.csv"))?.first().map_or(240.0, |block| f64::from(block.width));
        let progress = &mut Progress { observer, stop };
        quantized.report.validation = Some(validate(&float, &quantized.network, &config, data, band_px, progress)?);
    }
    crate::atomic::write(output, &quantized.bytes)?;
    Ok(quantized.report)
}

impl Quantized {
    /// Adds to the file what the network has learned from. Calibration images that are too few for that are no reason to write no file.
    ///
    /// # Errors
    /// An image or a file of the run that cannot be read.
    pub(crate) fn learned_from(
        &mut self,
        run: &RunFolder,
        trained: &TrainedNetwork,
        config: &RunConfig,
        calibration: &Dataset,
        settings: &ReferenceSettings,
        observer: &mut dyn QuantizeObserver,
    ) -> Result<()> {
        let device = Device::flex();
        let simulation = self.network.simulation();
        let predict = |image: &RgbImage| predict_with(&config.network, image, &device, |x| simulation.forward(x));
        match reference::make(calibration, config, &ReferenceSource::of(run, config)?, settings, predict) {
            Ok(reference) => {
                let provenance = self.report.quantized.json()?;
                self.bytes = crate::onnx::int8_to_bytes(&self.network, config, trained.step, provenance, Some(&reference))?;
                self.report.int8_sha256 = hex(&Sha256::digest(&self.bytes));
                self.report.int8_bytes = self.bytes.len();
                self.report.reference = Some(ReferenceSummary::of(&reference));
                Ok(())
            }
            Err(Error::Setting { name: "--reference", expected, found }) => {
                observer.warn(&format!(
                    "the file will not know which fields are unlike its training images: that needs {expected}, found {found}"
                ));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Quantises a network, without what it has learned from. The same network, images and settings give the same bytes.
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
    let float_bytes = crate::onnx::folded_to_bytes(&float, config, trained.step, None)?;
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
    let bytes = crate::onnx::int8_to_bytes(&network, config, trained.step, quantized.json()?, None)?;
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
        reference: None,
        layers: network.output_grids().into_iter().map(layer).collect(),
    };
    Ok(Quantized { network, bytes, report })
}
