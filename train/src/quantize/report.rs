//! What quantisation did: as JSON, and as a table for the terminal.

use super::compare::Difference;
use super::settings::{Equalise, RangeRule};
use super::validate::Validation;
use crate::error::{Error, Result};
use lsr_core::Reference;
use serde::Serialize;

/// Where an int8 file comes from: `lsr.quantized` in its metadata.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// How ranges were chosen.
    pub method: RangeRule,
    /// Percentile, where that is the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f64>,
    /// Whether weights are equalised.
    pub equalised: bool,
    /// Whether biases bring the channels' means back to the float network's.
    pub bias_corrected: bool,
    /// Steps of the fine-tuning that went into the weights.
    pub fine_tuning_steps: usize,
    /// SHA-256 over names and pixels of the calibration tiles.
    pub calibration_digest: String,
    /// SHA-256 of the float network's own ONNX file.
    pub float_sha256: String,
    /// Seed.
    pub seed: u64,
}

impl Provenance {
    /// The value of the metadata key `lsr.quantized`.
    ///
    /// # Errors
    /// None that the struct could cause.
    pub(super) fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::setting("metadata", "text", error))
    }
}

/// What the file says the network has learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReferenceSummary {
    /// Tiles.
    pub tiles: usize,
    /// Their side in pixels.
    pub tile_px: u16,
    /// Distance beyond which a field is flagged.
    pub limit: f32,
    /// Share of the tiles that lie within it.
    pub quantile: f32,
}

impl ReferenceSummary {
    pub(super) fn of(reference: &Reference) -> Self {
        let parts = reference.parts();
        Self { tiles: parts.vectors.len(), tile_px: parts.tile_px, limit: parts.limit, quantile: parts.quantile }
    }
}

/// What calibrated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationSummary {
    /// Images.
    pub images: usize,
    /// Tiles of them.
    pub tiles: usize,
    /// Pixels, padding included.
    pub pixels: u64,
}

/// The fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FineTuning {
    /// Steps.
    pub steps: usize,
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// Difference from the float network before.
    pub before: Difference,
    /// And after.
    pub after: Difference,
    /// Whether the result was kept: only where it is nearer to the float network.
    pub kept: bool,
}

/// The numbers that a layer's output can take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerGrid {
    /// The layer.
    pub layer: String,
    /// Step between neighbours.
    pub scale: f32,
    /// The byte that stands for 0.
    pub zero_point: u8,
}

/// What `quantize` prints as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuantizeReport {
    /// Version of lsr-train.
    pub version: String,
    /// Steps that the network was trained for.
    pub step: usize,
    /// How the file was made.
    pub quantized: Provenance,
    /// SHA-256 of the int8 file.
    pub int8_sha256: String,
    /// Bytes of the int8 file.
    pub int8_bytes: usize,
    /// Bytes of the float network's ONNX file.
    pub float_bytes: usize,
    /// What calibrated.
    pub calibration: CalibrationSummary,
    /// What was asked for as equalisation.
    pub equalise: Equalise,
    /// Difference from the float network without equalisation, where that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain: Option<Difference>,
    /// Difference with equalisation, where that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equalised: Option<Difference>,
    /// The fine-tuning, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fine_tuning: Option<FineTuning>,
    /// Difference of the written network from the float network, on the calibration images.
    pub difference: Difference,
    /// Scores before and after, where there are masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// What the file says the network has learned from; none where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceSummary>,
    /// Layer by layer.
    pub layers: Vec<LayerGrid>,
}

/// The report as a table for the terminal.
pub fn table(report: &QuantizeReport) -> String {
    let made = &report.quantized;
    let mut text = format!(
        "  {} tiles of {} images; {} kB in place of {} kB\n\n",
        report.calibration.tiles,
        report.calibration.images,
        report.int8_bytes.div_ceil(1000),
        report.float_bytes.div_ceil(1000)
    );
    text.push_str(&format!("  {:<26}{:>13}{:>14}{:>14}\n", "against the float network", "same class", "logit error", "probability"));
    let mut row = |name: &str, difference: Option<&Difference>, kept: bool| {
        let Some(d) = difference else { return };
        let mark = if kept { "*" } else { "" };
        text.push_str(&format!(
            "  {:<26}{:>11.3} %{:>14.4}{:>14.5} {mark}\n",
            name,
            100.0 * d.pixel_agreement,
            d.logit_error,
            d.probability_error
        ));
    };
    let tuned = report.fine_tuning.as_ref();
    let untouched = !tuned.is_some_and(|tuning| tuning.kept);
    row("as trained", report.plain.as_ref(), untouched && !made.equalised);
    row("equalised", report.equalised.as_ref(), untouched && made.equalised);
    row("fine-tuned", tuned.map(|tuning| &tuning.after), !untouched);
    text.push_str("  * written\n");
    if let Some(r) = &report.reference {
        text.push_str(&format!(
            "\n  knows {} tiles of {} px that it has learned from; a field beyond distance {:.2} is flagged\n",
            r.tiles, r.tile_px, r.limit
        ));
    }
    if let Some(validation) = &report.validation {
        let number = |value: Option<f64>| value.map_or("     -".to_owned(), |v| format!("{v:.4}"));
        text.push_str(&format!(
            "\n  {:<16} within {} px of the boundary          | whole image\n  {:<16} {:<16}{:<16} | {:<16}\n",
            "", validation.band_px, "image", "IoU float  int8", "  Dice float int8", "Dice float int8  same class"
        ));
        for pair in validation.images.iter().chain([&validation.pooled]) {
            text.push_str(&format!(
                "  {:<16} {}  {}   {}  {}  | {}  {}  {:>8.3} %\n",
                pair.image,
                number(pair.float.masked.iou),
                number(pair.int8.masked.iou),
                number(pair.float.masked.dice),
                number(pair.int8.masked.dice),
                number(pair.float.whole.dice),
                number(pair.int8.whole.dice),
                100.0 * pair.pixel_agreement
            ));
        }
    }
    text
}
