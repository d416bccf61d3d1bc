//! Does the network know when it does not know? Fields are sorted by how far they are from what it has learned from; the farther ones are rejected,
//! and the masks of the rest should be better.
//!
//! ```text
//! images, masks ─► fields ─► as they are, and distorted ─► judged ─► curves ─► figure, tables
//! other tissue  ─► fields ─► as they are ────────────────┘
//! ```

mod curve;
mod distortion;
mod field;
mod write;

pub use curve::{Curve, Curves};
pub use write::{FieldRow, rejection_table, write_rejection};

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::reference::{ReferenceSettings, make_reference};
use crate::run_folder::RunFolder;
use distortion::Distortion;
use field::{Judge, SCORES, fields};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is measured on what.
#[derive(Debug, Clone, Copy)]
pub struct RejectionData<'a> {
    /// Images that the network has learned from; their masks are not looked at.
    pub reference: &'a Dataset,
    /// Images of the same kind with masks, which it has not learned from: tried as they are, and distorted.
    pub data: &'a Dataset,
    /// Images of other tissue or laboratories with masks, at the network's pixel size: tried as they are.
    pub other: &'a [(String, Dataset)],
}

/// The fields of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindSummary {
    /// What was done to them, or where they come from.
    pub kind: String,
    /// How many.
    pub fields: usize,
    /// Mean Dice (1 where neither truth nor mask has any cancer).
    pub dice: f64,
    /// Mean share of pixels that are right.
    pub accuracy: f64,
    /// Mean distance of those with tissue.
    pub distance: f64,
    /// Share that is flagged.
    pub flagged: f64,
}

/// What `rejection` writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rejection {
    /// Version of lsr-train.
    pub version: String,
    /// Steps that the network was trained for.
    pub step: usize,
    /// Tiles that it is known to have learned from.
    pub reference_tiles: usize,
    /// Distance beyond which a field is flagged.
    pub limit: f64,
    /// Longest side of a field, pixels.
    pub field_px: usize,
    /// Mean Dice of the fields that are not flagged, and of those that are.
    pub dice_not_flagged: Option<f64>,
    /// Mean Dice of the fields that are flagged.
    pub dice_flagged: Option<f64>,
    /// By kind of field.
    pub kinds: Vec<KindSummary>,
    /// For each measure of quality.
    pub curves: Vec<Curves>,
    /// Field by field.
    #[serde(skip)]
    pub rows: Vec<FieldRow>,
}

/// Measures it, with the network of a run. `field_px` is the longest side of the fields that images are cut into.
///
/// # Errors
/// A run, image or mask that cannot be read; images of which no reference can be made.
pub fn rejection(
    run: &RunFolder,
    on: RejectionData<'_>,
    settings: &ReferenceSettings,
    field_px: usize,
    mut progress: impl FnMut(&str),
    mut warn: impl FnMut(&str),
) -> Result<Rejection> {
    if !(32..=16_384).contains(&field_px) {
        return Err(Error::setting("--field", "32 to 16384 px", field_px));
    }
    let config = run.config()?;
    let device = config.device.open_or_cpu(&mut warn);
    let trained = run.network(&config, &device, warn)?;
    progress("reference");
    let reference = make_reference(run, &config, &trained.network, on.reference, settings, &device)?;
    let band_px = crate::data::read_blocks(&run.path("blocks.csv"))?.first().map_or(240.0, |block| f64::from(block.width));
    let judge = Judge { network: &trained.network, config: &config, reference: &reference, device: &device, band_px };
    let mut rows = Vec::new();
    for name in on.data.names() {
        progress(name);
        for (number, field) in fields(on.data, name, &config, field_px)?.iter().enumerate() {
            rows.push(FieldRow::of(name, number, "as they are", &judge.judge(field)?));
            for distortion in Distortion::ALL {
                let distorted = distortion.of(field, rows.len())?;
                rows.push(FieldRow::of(name, number, &distortion.name(), &judge.judge(&distorted)?));
            }
        }
    }
    for (kind, data) in on.other {
        for name in data.names() {
            progress(name);
            for (number, field) in fields(data, name, &config, field_px)?.iter().enumerate() {
                rows.push(FieldRow::of(name, number, kind, &judge.judge(field)?));
            }
        }
    }
    let mean = |flagged: bool| mean_of(rows.iter().filter(|row| row.flagged == flagged).map(|row| row.dice));
    Ok(Rejection {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        step: trained.step,
        reference_tiles: reference.parts().vectors.len(),
        limit: f64::from(reference.parts().limit),
        field_px,
        dice_not_flagged: mean(false),
        dice_flagged: mean(true),
        kinds: kinds(&rows),
        curves: curves(&rows),
        rows,
    })
}

fn mean_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// In the order in which they were tried.
fn kinds(rows: &[FieldRow]) -> Vec<KindSummary> {
    let mut seen = BTreeSet::new();
    let names: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).filter(|kind| seen.insert(*kind)).collect();
    let summary = |kind: &str| {
        let of = || rows.iter().filter(|row| row.kind == kind);
        let mean = |value: fn(&FieldRow) -> f64| mean_of(of().map(value)).unwrap_or_default();
        KindSummary {
            kind: kind.to_owned(),
            fields: of().count(),
            dice: mean(|row| row.dice),
            accuracy: mean(|row| row.accuracy),
            distance: mean_of(of().map(|row| row.scores[0]).filter(|distance| distance.is_finite())).unwrap_or_default(),
            flagged: mean(|row| f64::from(u8::from(row.flagged))),
        }
    };
    names.into_iter().map(summary).collect()
}

/// A measure of quality and its name.
type Quality = (&'static str, fn(&FieldRow) -> Option<f64>);

fn curves(rows: &[FieldRow]) -> Vec<Curves> {
    let qualities: [Quality; 3] =
        [("Dice", |row| Some(row.dice)), ("masked Dice", |row| row.masked_dice), ("pixel accuracy", |row| Some(row.accuracy))];
    let of = |(name, quality): Quality| {
        let defined: Vec<(&FieldRow, f64)> = rows.iter().filter_map(|row| Some((row, quality(row)?))).collect();
        let values: Vec<f64> = defined.iter().map(|(_, value)| *value).collect();
        let scores = SCORES.iter().enumerate().map(|(i, &score)| (score, defined.iter().map(|(row, _)| row.scores[i]).collect()));
        Curves::of(name, &values, scores)
    };
    qualities.into_iter().map(of).collect()
}
