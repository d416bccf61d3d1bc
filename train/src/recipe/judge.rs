//! How good the finished int8 network is, set by set.

use super::{Recipe, Source};
use crate::atomic;
use crate::checkpoint::TrainedNetwork;
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::FoldedNetwork;
use crate::quantize::{Progress, QuantizeObserver, Quantized, Validation, validate};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// `figures.json`: the network and its scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Version of lsr-train.
    pub version: String,
    /// SHA-256 of `model.int8.onnx`.
    pub model_sha256: String,
    /// Its size.
    pub model_bytes: usize,
    /// Training steps.
    pub steps: usize,
    /// Seed.
    pub seed: u64,
    /// Names of the sources that were learned from.
    pub learned_from: Vec<String>,
    /// Scores of each set.
    pub sets: Vec<JudgedSet>,
}

/// Scores of one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedSet {
    /// Its name.
    pub name: String,
    /// Images.
    pub images: usize,
    /// Float and int8 network, at the network's pixel size.
    pub scores: Validation,
}

/// Judges the int8 network, and the float one beside it.
pub(super) fn judge(
    recipe: &Recipe,
    sets: &[(&Source, Vec<PathBuf>)],
    trained: &TrainedNetwork,
    config: &RunConfig,
    quantized: &Quantized,
    observer: &mut dyn QuantizeObserver,
    stop: &AtomicBool,
) -> Result<Figures> {
    let float = FoldedNetwork::of(&trained.network)?;
    let mut judged = Vec::new();
    for (source, folders) in sets {
        let data = Dataset::open(folders)?;
        let progress = &mut Progress { observer, stop };
        let scores = validate(&float, &quantized.network, config, &data, f64::from(recipe.band_px()), progress)?;
        judged.push(JudgedSet { name: source.name.clone(), images: scores.images.len(), scores });
    }
    Ok(Figures {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model_sha256: quantized.report.int8_sha256.clone(),
        model_bytes: quantized.report.int8_bytes,
        steps: trained.step,
        seed: recipe.seed,
        learned_from: recipe.source.iter().map(|source| source.name.clone()).collect(),
        sets: judged,
    })
}

impl Figures {
    /// As a Markdown table.
    pub fn table(&self) -> String {
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
        let mut text = "| set | images | masked Dice | masked IoU | Dice over everything | precision | recall | masked Dice of the float network |\n|---|---|---|---|---|---|---|---|\n".to_owned();
        for set in &self.sets {
            let (int8, float) = (&set.scores.pooled.int8, &set.scores.pooled.float);
            let cells = [int8.masked.dice, int8.masked.iou, int8.whole.dice, int8.whole.precision, int8.whole.recall, float.masked.dice];
            let cells: Vec<String> = cells.into_iter().map(number).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} | {} | {} |", set.name, set.images, cells.join(" | "));
        }
        text
    }

    /// Writes `figures.json` and `figures.md`.
    pub(super) fn write(&self, output: &Path) -> Result<()> {
        let path = output.join("figures.json");
        let json = serde_json::to_string_pretty(self).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write(&path, json.as_bytes())?;
        atomic::write(&output.join("figures.md"), self.table().as_bytes())
    }
}
