//! The comparison for programs: JSON and CSV, with every digit.

use super::compare::Comparison;
use super::interval::Interval;
use crate::error::{Error, Result};
use serde::Serialize;

/// Everything, as indented JSON. Ratios that are not defined are `null`.
///
/// # Errors
/// [`Error::Setting`] when it cannot be encoded.
pub fn json(comparison: &Comparison) -> Result<String> {
    let mut text =
        serde_json::to_string_pretty(comparison).map_err(|error| Error::setting("results", "values that JSON can hold", error))?;
    text.push('\n');
    Ok(text)
}

#[derive(Serialize)]
struct Row<'a> {
    system: &'a str,
    name: &'a str,
    metric: &'a str,
    mean: Option<f64>,
    sd: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    seeds: usize,
    undefined_resamples: usize,
}

/// One line a system and metric: `system,name,metric,mean,sd,low,high,seeds,undefined_resamples`. Fields that are not defined are empty.
///
/// # Errors
/// [`Error::Setting`] when it cannot be encoded.
pub fn results_csv(comparison: &Comparison) -> Result<String> {
    let rows = comparison.systems.iter().flat_map(|system| {
        let metrics = [
            ("masked_iou", system.masked_iou),
            ("masked_dice", system.masked_dice),
            ("whole_iou", system.whole_iou),
            ("whole_dice", system.whole_dice),
        ];
        metrics.map(|(metric, found)| Row {
            system: &system.key,
            name: &system.name,
            metric,
            mean: found.mean,
            sd: found.sd,
            low: found.interval.map(|ends| ends.low),
            high: found.interval.map(|ends| ends.high),
            seeds: system.seeds.len(),
            undefined_resamples: found.undefined_resamples,
        })
    });
    csv(rows)
}

#[derive(Serialize)]
struct Pair<'a> {
    of: &'a str,
    from: &'a str,
    masked_dice_difference: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    above_zero: Option<f64>,
    below_zero: Option<f64>,
    undefined_resamples: usize,
}

/// One line a pair: `of,from,masked_dice_difference,low,high,above_zero,below_zero,undefined_resamples`.
///
/// # Errors
/// [`Error::Setting`] when it cannot be encoded.
pub fn differences_csv(comparison: &Comparison) -> Result<String> {
    let end = |interval: Option<Interval>, of: fn(Interval) -> f64| interval.map(of);
    csv(comparison.differences.iter().map(|pair| Pair {
        of: &pair.of,
        from: &pair.from,
        masked_dice_difference: pair.estimate,
        low: end(pair.interval, |ends| ends.low),
        high: end(pair.interval, |ends| ends.high),
        above_zero: pair.above_zero,
        below_zero: pair.below_zero,
        undefined_resamples: pair.undefined_resamples,
    }))
}

fn csv(rows: impl Iterator<Item = impl Serialize>) -> Result<String> {
    let refused = |error: &dyn std::fmt::Display| Error::setting("results", "values that CSV can hold", error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| refused(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| refused(&error))?;
    String::from_utf8(bytes).map_err(|error| refused(&error))
}
