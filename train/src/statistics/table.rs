//! Tables for people: the comparison and the calibration, rounded, ready for Markdown (here), HTML (`report`) and CSV.

use super::compare::{Comparison, Estimate, SystemSummary};
use super::interval::Interval;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Stands where a figure is not defined or not known.
const UNKNOWN: &str = "–";

/// A table of text: the first column names the row, the others are figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Column titles.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        Self { caption: caption.into(), columns: columns.iter().map(|&title| title.to_owned()).collect(), rows: Vec::new() }
    }

    /// As GitHub's Markdown, columns aligned in the source too.
    pub fn markdown(&self) -> String {
        let cell = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ");
        let titles: Vec<String> = self.columns.iter().map(|text| cell(text)).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).chain(titles.get(column));
            cells.map(|text| text.chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut text = String::from("|");
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                text += &if column == 0 { format!(" {cell:<width$} |") } else { format!(" {cell:>width$} |") };
            }
            text + "\n"
        };
        let rule: Vec<String> =
            widths.iter().enumerate().map(|(column, &width)| "-".repeat(width - 1) + if column == 0 { "-" } else { ":" }).collect();
        let mut text = if self.caption.is_empty() { String::new() } else { format!("{}\n\n", self.caption) };
        text += &line(&titles);
        text += &line(&rule);
        rows.iter().for_each(|row| text += &line(row));
        text
    }

    /// As CSV, the cells as they are shown.
    ///
    /// # Errors
    /// [`Error::Setting`] where a row is not as long as the titles.
    pub fn csv(&self) -> Result<String> {
        let refused = |error: &dyn std::fmt::Display| Error::setting("table", "rows as long as the titles", error);
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            writer.write_record(row).map_err(|error| refused(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| refused(&error))?;
        String::from_utf8(bytes).map_err(|error| refused(&error))
    }
}

/// The systems as in the paper's Table 2: masked IoU and Dice, Dice of whole images, the difference to the low-resolution model where the roles name
/// one. `collapsed` lists, by a system's key, the seeds whose predictions no longer told labels apart; systems that it lacks are shown as unknown.
pub fn results_table(comparison: &Comparison, collapsed: &BTreeMap<String, Vec<u64>>) -> Table {
    let mut table = Table::new(
        format!(
            "Mean ± standard deviation over seeds, [95 % bootstrap interval over {} images]. Masked: near the true boundary only.",
            comparison.images
        ),
        &[
            "system",
            "seeds",
            "masked IoU",
            "masked Dice",
            "Dice over everything",
            "masked Dice less that of the low-resolution model",
            "collapsed?",
        ],
    );
    let low = comparison.roles.low_resolution.as_deref();
    for system in &comparison.systems {
        let to_low = low.filter(|&key| key != system.key).and_then(|low| comparison.difference(&system.key, low));
        table.rows.push(vec![
            system.name.clone(),
            system.seeds.len().to_string(),
            with_deviation(&system.masked_iou),
            format!("{}{}", with_deviation(&system.masked_dice), brackets(system.masked_dice.interval, fixed)),
            with_deviation(&system.whole_dice),
            to_low.map_or(UNKNOWN.to_owned(), |pair| format!("{}{}", shown(pair.estimate, signed), brackets(pair.interval, signed))),
            collapsed.get(&system.key).map_or(UNKNOWN.to_owned(), |seeds| collapse(system, seeds)),
        ]);
    }
    table
}

fn collapse(system: &SystemSummary, seeds: &[u64]) -> String {
    match system.seeds.iter().filter(|own| seeds.contains(&own.seed)).count() {
        0 => "no".to_owned(),
        count if count == system.seeds.len() => "yes".to_owned(),
        count => format!("{count} of {}", system.seeds.len()),
    }
}

/// Every pair of systems: difference in masked Dice on the same images, and the share of resamples in which it is above 0.
pub fn differences_table(comparison: &Comparison) -> Table {
    let mut table = Table::new(
        format!(
            "Paired differences in masked Dice, mean over seeds, [95 % interval] of {} resamples of the same {} images.",
            comparison.bootstrap.resamples, comparison.images
        ),
        &["system", "compared with", "difference", "resamples above 0"],
    );
    for pair in &comparison.differences {
        table.rows.push(vec![
            comparison.name(&pair.of).to_owned(),
            comparison.name(&pair.from).to_owned(),
            format!("{}{}", shown(pair.estimate, signed), brackets(pair.interval, signed)),
            shown(pair.above_zero, percent_of_resamples),
        ]);
    }
    table
}

/// How much of the gap in masked Dice between the low-resolution model and full supervision each other system closes.
pub fn gap_table(comparison: &Comparison) -> Table {
    let name = |key: &Option<String>| key.as_deref().map_or(UNKNOWN, |key| comparison.name(key)).to_owned();
    let mut table = Table::new(
        format!(
            "Share of the gap in masked Dice closed, [95 % interval]. 0 %: {}; 100 %: {}; {UNKNOWN} where the images show no clear gap.",
            name(&comparison.roles.low_resolution),
            name(&comparison.roles.supervised)
        ),
        &["system", "gap closed"],
    );
    for gap in &comparison.gap_closed {
        // Without an interval the gap itself is in doubt, and a share of it means nothing.
        let share = gap.share.filter(|_| gap.interval.is_some());
        let share = format!("{}{}", shown(share, percent), brackets(gap.interval, percent));
        table.rows.push(vec![comparison.name(&gap.key).to_owned(), share]);
    }
    table
}

/// A label's predicted counts beside what the prior expects and, where masks tell, what is true. Fractions of a block.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelCalibration {
    /// Low-resolution class.
    pub z: usize,
    /// Mean of the predicted counts.
    pub mean: f64,
    /// Standard deviation of the predicted counts between blocks.
    pub spread: f64,
    /// The prior's mean.
    pub eta: f64,
    /// The prior's standard deviation.
    pub rho: f64,
    /// Mean of the true counts, where known.
    pub true_mean: Option<f64>,
}

/// A system's calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The system's name.
    pub system: String,
    /// Label by label.
    pub labels: Vec<LabelCalibration>,
}

/// Predicted counts of each system and label beside the count prior.
pub fn calibration_table(systems: &[Calibration]) -> Table {
    let mut table = Table::new(
        "Fraction of a block that is cancer, by label z: mean ± standard deviation between blocks.",
        &["system", "z", "predicted", "prior (eta ± rho)", "predicted less prior", "true mean"],
    );
    for system in systems {
        for label in &system.labels {
            table.rows.push(vec![
                system.system.clone(),
                label.z.to_string(),
                format!("{} ± {}", fixed(label.mean), fixed(label.spread)),
                format!("{} ± {}", fixed(label.eta), fixed(label.rho)),
                signed(label.mean - label.eta),
                shown(label.true_mean, fixed),
            ]);
        }
    }
    table
}

fn shown(value: Option<f64>, show: fn(f64) -> String) -> String {
    value.map_or(UNKNOWN.to_owned(), show)
}

fn with_deviation(estimate: &Estimate) -> String {
    let mean = shown(estimate.mean, fixed);
    estimate.sd.map_or(mean.clone(), |sd| format!("{mean} ± {}", fixed(sd)))
}

/// ` [low, high]`, or nothing.
fn brackets(interval: Option<Interval>, show: fn(f64) -> String) -> String {
    interval.map_or(String::new(), |ends| format!(" [{}, {}]", show(ends.low), show(ends.high)))
}

/// Three decimals: a test set of some fifty images tells no more. A minus sign is a minus sign, and nothing is minus zero.
fn fixed(value: f64) -> String {
    rounded(value, 3, "")
}

fn signed(value: f64) -> String {
    rounded(value, 3, "+")
}

fn percent(share: f64) -> String {
    rounded(100.0 * share, 0, "") + " %"
}

/// Of a few thousand resamples, "100 %" would claim more than they can show.
fn percent_of_resamples(share: f64) -> String {
    match share {
        share if share > 0.999 && share < 1.0 => "> 99.9 %".to_owned(),
        share if share < 0.001 && share > 0.0 => "< 0.1 %".to_owned(),
        share => rounded(100.0 * share, 1, "") + " %",
    }
}

fn rounded(value: f64, decimals: usize, plus: &str) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let is_zero = digits.bytes().all(|byte| byte == b'0' || byte == b'.');
    match () {
        () if is_zero => digits,
        () if value < 0.0 => format!("−{digits}"),
        () => format!("{plus}{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bootstrap, ImageCounts, Roles, SeedCounts, SystemCounts, compare, differences_csv, json, results_csv};
    use super::*;
    use lsr_core::Confusion;

    fn comparison() -> Comparison {
        let run = |seed: u64, wrong: u64| {
            let image = |i: u64| {
                let masked = Confusion { true_positive: 60 + i, false_positive: wrong, false_negative: wrong, true_negative: 100 };
                ImageCounts { image: format!("image {i}"), masked, whole: masked }
            };
            SeedCounts { seed, images: (0..10).map(image).collect() }
        };
        let system = |key: &str, name: &str, wrong: [u64; 2]| SystemCounts {
            key: key.to_owned(),
            name: name.to_owned(),
            seeds: wrong.iter().enumerate().map(|(seed, &wrong)| run(seed as u64, wrong)).collect(),
        };
        let systems = [
            system("a", "low-resolution | model", [40, 42]),
            system("b", "intra + inter", [30, 31]),
            system("c", "supervised", [20, 20]),
            system("d", "bernoulli_mean", [50, 50]),
        ];
        let roles = Roles { low_resolution: Some("a".to_owned()), supervised: Some("c".to_owned()) };
        compare(&systems, &roles, Bootstrap { resamples: 500, seed: 1 }).unwrap()
    }

    #[test]
    fn the_results_read_like_table_2() {
        let collapsed = BTreeMap::from([("a".to_owned(), vec![]), ("b".to_owned(), vec![1]), ("d".to_owned(), vec![0, 1])]);
        let table = results_table(&comparison(), &collapsed);
        // Pooled over ten images: TP 645, wrong 400 and 420: Dice 1290/2090 and 1290/2130; IoU 645/1445 and 645/1485.
        assert!(table.rows[0][2].starts_with("0.440 ± 0.009"), "{:?}", table.rows[0]);
        assert!(table.rows[0][3].starts_with("0.611 ± 0.008 [0.6"), "{:?}", table.rows[0]);
        assert_eq!((table.rows[0][5].as_str(), table.rows[0][6].as_str()), ("–", "no"));
        assert!(table.rows[1][5].starts_with("+0.068 [+0.06"), "{:?}", table.rows[1]);
        assert!(table.rows[3][5].starts_with("−0.048 [−0.0"), "{:?}", table.rows[3]);
        let verdicts: Vec<&str> = table.rows.iter().map(|row| row[6].as_str()).collect();
        assert_eq!(verdicts, ["no", "1 of 2", "–", "yes"]);

        let markdown = table.markdown();
        let lines: Vec<&str> = markdown.lines().skip(2).collect();
        assert_eq!(lines.len(), 6);
        assert!(lines[1].starts_with("|---") || lines[1].starts_with("| ---"), "{}", lines[1]);
        assert!(lines[2].starts_with("| low-resolution \\| model |"), "{}", lines[2]);
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(lines.iter().all(|line| bars(line) == 8), "{markdown}");
    }

    #[test]
    fn pairs_gaps_and_calibration_have_a_row_each() {
        let found = comparison();
        let pairs = differences_table(&found);
        assert_eq!(pairs.rows.len(), 6);
        assert_eq!(pairs.rows[0][..2], ["intra + inter".to_owned(), "low-resolution | model".to_owned()]);
        assert_eq!(pairs.rows[0][3], "100.0 %");
        let gaps = gap_table(&found);
        assert_eq!(gaps.rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["intra + inter", "bernoulli_mean"]);
        assert!(gaps.rows[0][1].starts_with("44 % [4") && gaps.rows[1][1].starts_with("−32 % [−3"), "{:?}", gaps.rows);
        let label = LabelCalibration { z: 9, mean: 0.65, spread: 0.1, eta: 0.7, rho: 0.05, true_mean: None };
        let calibration = calibration_table(&[Calibration { system: "x".to_owned(), labels: vec![label] }]);
        assert_eq!(calibration.rows[0], ["x", "9", "0.650 ± 0.100", "0.700 ± 0.050", "−0.050", "–"]);
        assert_eq!(calibration.csv().unwrap().lines().nth(1), Some("x,9,0.650 ± 0.100,0.700 ± 0.050,−0.050,–"));
    }

    #[test]
    fn programs_get_every_digit_back() {
        let found = comparison();
        assert_eq!(serde_json::from_str::<Comparison>(&json(&found).unwrap()).unwrap(), found);
        let text = results_csv(&found).unwrap();
        let mut rows = csv::Reader::from_reader(text.as_bytes());
        let row = rows.records().nth(1).unwrap().unwrap();
        assert_eq!((&row[0], &row[2], row[3].parse().ok()), ("a", "masked_dice", found.systems[0].masked_dice.mean));
        assert_eq!(differences_csv(&found).unwrap().lines().count(), 7);
    }

    #[test]
    fn numbers_round_with_a_true_minus_and_no_minus_zero() {
        assert_eq!((fixed(-0.0004), signed(-0.0004), signed(0.0126)), ("0.000".to_owned(), "0.000".to_owned(), "+0.013".to_owned()));
        assert_eq!((signed(-0.0126), fixed(f64::NAN)), ("−0.013".to_owned(), "–".to_owned()));
        assert_eq!((percent_of_resamples(0.9997), percent_of_resamples(0.0002)), ("> 99.9 %".to_owned(), "< 0.1 %".to_owned()));
        assert_eq!(
            (percent_of_resamples(1.0), percent_of_resamples(0.0), percent(-0.3162)),
            ("100.0 %".to_owned(), "0.0 %".to_owned(), "−32 %".to_owned())
        );
    }
}
