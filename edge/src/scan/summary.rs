//! What a whole region comes to.

use crate::error::Error;
use crate::session::{FieldRecord, ScanPlace, ScanTimes, StageTimes};
use crate::stage::wire::LabelMoments;
use lsr_core::{BlockMoments, VarianceModel};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// `summary.json` in the session's folder.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// [`NOTICE`](crate::NOTICE).
    pub notice: &'static str,
    /// Version of this program.
    pub lsr_edge: &'static str,
    /// The session, which has plan, settings and model.
    pub session: String,
    /// SHA-256 of the model.
    pub model_sha256: String,
    /// Fields of the plan.
    pub fields: u32,
    /// Whether each of them is kept exactly once.
    pub every_field_once: bool,
    /// Fields that are not.
    pub failed: Vec<FailedField>,
    /// Visits beyond the first that led to a field, of all runs.
    pub repeats: u64,
    /// Fields that were looked at once more because their count was unlikely.
    pub unlikely_fields: usize,
    /// Starts of the controller that the fields come from: one more than it was reset in between.
    pub controller_starts: usize,
    /// Fields that are not fit to be counted: they are in no count, and were not held against the prior.
    pub unfit_fields: usize,
    /// The whole region without them; fields count with their pixels, and overlaps twice.
    pub cancer: Option<RegionFraction>,
    /// Fields that are unlike what the network has learned from; none where the model does not say what that was.
    pub flagged_fields: Option<usize>,
    /// For each label of a field.
    pub labels: Vec<LabelSummary>,
    /// Means over all fields, ms, of what a scan adds to a field. Stages overlap.
    pub mean_scan_times_ms: ScanTimes,
    /// Means over all fields, ms, of a field's own stages.
    pub mean_times_ms: StageTimes,
    /// What this run did, which may not have been the first.
    pub this_run: ThisRun,
}

/// A field that is not kept.
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
    /// Fields with this label.
    pub fields: usize,
    /// Of these, fields with a z-score.
    pub judged: usize,
    /// Of these, fields during an alarm.
    pub alarms: usize,
    /// What the controller has in its memory, since its last start; none where it is not the judge, or could not be asked.
    pub controller: Option<LabelMoments>,
}

/// One run of the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ThisRun {
    /// Fields that it added.
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

/// The sum of fields, without what only the run and the controller know.
pub(super) fn region(fields: &[FieldRecord]) -> Result<Option<RegionFraction>, Error> {
    let (mut pixels, mut count, mut variance, mut mask) = (0_u64, 0.0, 0.0, 0_u64);
    for field in fields.iter().filter(|field| field.quality.fit) {
        let block = BlockMoments::<f64>::from_u8_sums(field.sums())?;
        let n = f64::from(field.pixels);
        pixels += u64::from(field.pixels);
        count += n * block.mean();
        variance += n * n * block.variance(VarianceModel::CountFraction);
        mask += field.cancer.mask_pixels;
    }
    let n = pixels as f64;
    let fraction = RegionFraction { pixels, count_fraction: count / n, count_std: variance.sqrt() / n, mask_fraction: mask as f64 / n };
    Ok((pixels > 0).then_some(fraction))
}

/// By label; `moments` asks the controller.
pub(super) fn labels(fields: &[FieldRecord], mut moments: impl FnMut(u8) -> Option<LabelMoments>) -> Vec<LabelSummary> {
    let mut found = BTreeMap::<u8, LabelSummary>::new();
    for field in fields {
        let Some(label) = field.label else { continue };
        let of = found.entry(label).or_insert(LabelSummary { label, fields: 0, judged: 0, alarms: 0, controller: None });
        of.fields += 1;
        of.judged += usize::from(field.z_score.is_some());
        of.alarms += usize::from(field.alarm.is_some());
    }
    found.into_values().map(|summary| LabelSummary { controller: moments(summary.label), ..summary }).collect()
}

/// Fields that are flagged, of those that were held against what the network has learned from; none without such.
pub(super) fn flagged(fields: &[FieldRecord]) -> Option<usize> {
    let mut judged = fields.iter().filter_map(|field| field.training_distance.as_ref()).peekable();
    judged.peek()?;
    Some(judged.filter(|distance| distance.flagged).count())
}

pub(super) fn places(fields: &[FieldRecord]) -> impl Iterator<Item = &ScanPlace> {
    fields.iter().filter_map(|field| field.scan.as_ref())
}

pub(super) fn starts(fields: &[FieldRecord]) -> usize {
    places(fields).map(|scan| scan.boot).collect::<BTreeSet<_>>().len()
}

pub(super) fn once(fields: &[FieldRecord], planned: u32) -> bool {
    let distinct = places(fields).map(|scan| scan.field).collect::<BTreeSet<_>>().len();
    distinct == fields.len() && distinct == planned as usize
}

/// Mean of milliseconds, to a microsecond.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len().max(1) as f64;
    (1000.0 * values.sum::<f64>() / n).round() / 1000.0
}

pub(super) fn mean_times(fields: &[FieldRecord]) -> StageTimes {
    let mean = |of: fn(&StageTimes) -> f64| mean(fields.iter().map(|field| of(&field.times_ms)));
    StageTimes {
        capture: mean(|times| times.capture),
        decode: mean(|times| times.decode),
        inference: mean(|times| times.inference),
        mask: mean(|times| times.mask),
        encode: mean(|times| times.encode),
    }
}

pub(super) fn mean_scan_times(fields: &[FieldRecord]) -> ScanTimes {
    let all: Vec<ScanTimes> = places(fields).map(|scan| scan.times_ms).collect();
    let mean = |of: fn(&ScanTimes) -> f64| mean(all.iter().map(of));
    ScanTimes {
        travel: mean(|times| times.travel),
        frame: mean(|times| times.frame),
        queue: mean(|times| times.queue),
        judge: mean(|times| times.judge),
    }
}
