//! What a whole region comes to.

use super::error::ScanError;
use super::store::{FieldTimes, Row};
use crate::error::Error;
use crate::stage::wire::LabelMoments;
use lsr_core::{BlockMoments, VarianceModel};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// [`NOTICE`](crate::NOTICE).
    pub notice: &'static str,
    /// Version of this program.
    pub lsr_edge: &'static str,
    /// SHA-256 of `scan.json`.
    pub scan_sha256: String,
    /// Fields of the plan.
    pub fields: u32,
    /// Whether each of them has exactly one row.
    pub every_field_once: bool,
    /// Fields without one.
    pub failed: Vec<FailedField>,
    /// Visits beyond the first that led to a row, of all runs.
    pub repeats: u64,
    /// Starts of the controller that the rows come from: one more than it was reset in between.
    pub controller_starts: usize,
    /// Fields that are not fit to be counted: they are in no count, and were not held against the prior.
    pub unfit_fields: usize,
    /// The whole region without them; fields count with their pixels, and overlaps twice.
    pub cancer: Option<RegionFraction>,
    /// Fields that are unlike what the network has learned from; none where the model does not say what that was.
    pub flagged_fields: Option<usize>,
    /// For each label of a field.
    pub labels: Vec<LabelSummary>,
    /// Means over all rows, ms. Stages overlap.
    pub mean_times_ms: FieldTimes,
    /// What this run did, which may not have been the first.
    pub this_run: ThisRun,
}

/// A field without a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedField {
    /// Its number.
    pub field: u32,
    /// Its row.
    pub row: u32,
    /// Its column.
    pub column: u32,
    /// Why its last visit was in vain.
    pub reason: String,
}

/// Predicted count of a region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RegionFraction {
    /// Pixels of all fields.
    pub pixels: u64,
    /// Mean probability, a fraction of all pixels.
    pub count_fraction: f64,
    /// Its standard deviation, `sqrt(sum n^2 v) / sum n` with each field's variance v by lsr-core: for pixels that err independently of each other.
    pub count_std: f64,
    /// Pixels of the masks, a fraction of all pixels.
    pub mask_fraction: f64,
}

/// The fields of a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelSummary {
    /// Low-resolution class z.
    pub label: u8,
    /// Rows with this label.
    pub fields: usize,
    /// Of these, rows with a z-score.
    pub judged: usize,
    /// Of these, rows during an alarm.
    pub alarms: usize,
    /// What the controller has in its memory, since its last start; none where it could not be asked.
    pub controller: Option<LabelMoments>,
}

/// One run of the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ThisRun {
    /// Rows that it added.
    pub fields: usize,
    /// Pulses that gave no usable frame.
    pub pulses_in_vain: u32,
    /// Pulses without light.
    pub marks: u32,
    /// Frames that belonged to no field.
    pub stray_frames: u32,
    /// Resets of the controller.
    pub resets: u32,
    /// Times that the line was lost in the middle of a question.
    pub lost_answers: u32,
    /// Its duration, s.
    pub seconds: f64,
}

/// The sum of rows, without what only the run and the controller know.
pub(super) fn region(rows: &[Row]) -> Result<Option<RegionFraction>, ScanError> {
    let (mut pixels, mut count, mut variance, mut mask) = (0_u64, 0.0, 0.0, 0_u64);
    for row in rows.iter().filter(|row| row.is_fit()) {
        let block = BlockMoments::<f64>::from_u8_sums(row.sums()).map_err(Error::from)?;
        let n = f64::from(row.pixels);
        pixels += u64::from(row.pixels);
        count += n * block.mean();
        variance += n * n * block.variance(VarianceModel::CountFraction);
        mask += row.cancer.mask_pixels;
    }
    let n = pixels as f64;
    let fraction = RegionFraction { pixels, count_fraction: count / n, count_std: variance.sqrt() / n, mask_fraction: mask as f64 / n };
    Ok((pixels > 0).then_some(fraction))
}

/// By label; `moments` asks the controller.
pub(super) fn labels(rows: &[Row], mut moments: impl FnMut(u8) -> Option<LabelMoments>) -> Vec<LabelSummary> {
    let mut found = BTreeMap::<u8, LabelSummary>::new();
    for row in rows {
        let Some(label) = row.label else { continue };
        let of = found.entry(label).or_insert(LabelSummary { label, fields: 0, judged: 0, alarms: 0, controller: None });
        of.fields += 1;
        of.judged += usize::from(row.z_score.is_some());
        of.alarms += usize::from(row.alarm.is_some());
    }
    found.into_values().map(|summary| LabelSummary { controller: moments(summary.label), ..summary }).collect()
}

/// Rows that are flagged, of those that were held against what the network has learned from; none without such.
pub(super) fn flagged(rows: &[Row]) -> Option<usize> {
    let mut judged = rows.iter().filter_map(|row| row.training_distance.as_ref()).peekable();
    judged.peek()?;
    Some(judged.filter(|distance| distance.flagged).count())
}

pub(super) fn starts(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.boot).collect::<BTreeSet<_>>().len()
}

pub(super) fn once(rows: &[Row], fields: u32) -> bool {
    let distinct = rows.iter().map(|row| row.field).collect::<BTreeSet<_>>().len();
    distinct == rows.len() && distinct == fields as usize
}

pub(super) fn mean_times(rows: &[Row]) -> FieldTimes {
    let n = rows.len().max(1) as f64;
    let mean = |of: fn(&FieldTimes) -> f64| (1000.0 * rows.iter().map(|row| of(&row.times_ms)).sum::<f64>() / n).round() / 1000.0;
    FieldTimes {
        travel: mean(|times| times.travel),
        frame: mean(|times| times.frame),
        decode: mean(|times| times.decode),
        queue: mean(|times| times.queue),
        inference: mean(|times| times.inference),
        write: mean(|times| times.write),
        judge: mean(|times| times.judge),
    }
}
