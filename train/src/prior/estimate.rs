//! The count prior from a few annotated blocks.

use super::interval::Interval;
use super::{AnnotatedBlock, CANCER, MAX_CLASSES, Prior, RHO_FLOOR, choose_blocks, count_in_masks, mean_and_std};
use crate::data::{Block, Dataset};
use crate::error::{Error, Result};
use lsr_core::Count;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What annotated blocks say about the counts of each label.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// One for each label that has an annotated block, in the order of z.
    pub labels: Vec<LabelEstimate>,
    /// Number of high-resolution classes.
    pub classes: usize,
    /// Smallest standard deviation that the prior is given.
    pub rho_floor: f64,
}

/// Counts of the blocks of one label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelEstimate {
    /// Low-resolution class.
    pub z: usize,
    /// Annotated blocks.
    pub n: usize,
    /// For each high-resolution class.
    pub classes: Vec<ClassEstimate>,
}

/// Counts of one high-resolution class in the blocks of one label, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassEstimate {
    /// Mean eta.
    pub mean: f64,
    /// Sample standard deviation (n - 1) before the floor; 0 for a single block.
    pub std: f64,
    /// 95 % confidence interval of the mean; none for a single block.
    pub mean_interval: Option<Interval>,
    /// 95 % confidence interval of the standard deviation; none for a single block.
    pub std_interval: Option<Interval>,
}

impl ClassEstimate {
    fn of(counts: &[f64]) -> Self {
        let (mean, std) = mean_and_std(counts);
        let n = counts.len();
        Self { mean, std, mean_interval: Interval::of_mean(mean, std, n), std_interval: Interval::of_std(std, n) }
    }

    /// The same blocks seen from the other one of two classes.
    fn of_the_rest(&self) -> Self {
        let flip = |interval: Interval| Interval { low: 1.0 - interval.high, high: 1.0 - interval.low };
        Self { mean: 1.0 - self.mean, mean_interval: self.mean_interval.map(flip), ..*self }
    }
}

impl Estimate {
    /// Mean, standard deviation and their intervals for each label of some annotated blocks.
    ///
    /// # Errors
    /// No block; blocks of different or too many classes; a floor that is not in (0, 1].
    pub fn new(blocks: &[AnnotatedBlock], rho_floor: f64) -> Result<Self> {
        if !(rho_floor > 0.0 && rho_floor <= 1.0) {
            return Err(Error::setting("--rho-floor", "a standard deviation in (0, 1], as a fraction", rho_floor));
        }
        let mut by_label: BTreeMap<usize, Vec<&[f64]>> = BTreeMap::new();
        for block in blocks {
            by_label.entry(block.z).or_default().push(&block.counts);
        }
        let classes = blocks.first().map_or(0, |block| block.counts.len());
        if !(2..=MAX_CLASSES).contains(&classes) {
            return Err(Error::setting("annotated blocks", format!("some, with 2 to {MAX_CLASSES} classes"), classes));
        }
        if let Some(other) = blocks.iter().find(|block| block.counts.len() != classes) {
            return Err(Error::setting("annotated blocks", format!("{classes} classes in each"), other.counts.len()));
        }
        let label = |(z, blocks): (usize, Vec<&[f64]>)| {
            let of_class = |class: usize| ClassEstimate::of(&blocks.iter().map(|counts| counts[class]).collect::<Vec<f64>>());
            let classes = match classes {
                // The rest is 1 less cancer to the last bit, not only but for rounding.
                2 => vec![of_class(CANCER).of_the_rest(), of_class(CANCER)],
                _ => (0..classes).map(of_class).collect(),
            };
            LabelEstimate { z, n: blocks.len(), classes }
        };
        Ok(Self { labels: by_label.into_iter().map(label).collect(), classes, rho_floor })
    }

    /// The prior: means, and standard deviations raised to the floor.
    pub fn prior(&self) -> Prior {
        let count = |class: &ClassEstimate| Count { mean: class.mean, std: class.std.max(self.rho_floor) };
        Prior {
            rows: self.labels.iter().map(|label| (label.z, label.classes.iter().map(count).collect())).collect(),
            annotated: self.labels.iter().map(|label| (label.z, u32::try_from(label.n).unwrap_or(u32::MAX))).collect(),
            classes: self.classes,
        }
    }

    /// A table in percent: of cancer for two classes, of every class for more.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let class_head = if self.classes > 2 { " class" } else { "" };
        let line = |z: &str, class: &str, rest: [&str; 6]| {
            let [n, mean, mean_interval, std, std_interval, floor] = rest;
            format!("{z:>3}{class} {n:>5}  {mean:>7}  {mean_interval:<15}  {std:>7}  {std_interval:<15}  {floor}").trim_end().to_owned()
                + "\n"
        };
        let what = if self.classes > 2 { "of each class" } else { "cancer" };
        let _ = writeln!(table, "% {what} in the annotated blocks of each label z, with 95 % confidence intervals");
        table += &line("z", class_head, ["n", "mean", "interval", "sd", "interval", ""]);
        for label in &self.labels {
            for (class, estimate) in label.classes.iter().enumerate() {
                if self.classes == 2 && class != CANCER {
                    continue;
                }
                let class = if self.classes > 2 { format!(" {class:>5}") } else { String::new() };
                let percent = |value: f64| format!("{:.2}", 100.0 * value);
                let interval = |interval: Option<Interval>| {
                    interval.map_or("unknown".to_owned(), |i| format!("{} to {}", percent(i.low), percent(i.high)))
                };
                let std = if label.n > 1 { percent(estimate.std) } else { "unknown".to_owned() };
                let floor = match estimate.std < self.rho_floor {
                    true => format!("sd raised to the floor, {}", percent(self.rho_floor)),
                    false => String::new(),
                };
                let (mean_interval, std_interval) = (interval(estimate.mean_interval), interval(estimate.std_interval));
                let n = label.n.to_string();
                table += &line(&label.z.to_string(), &class, [&n, &percent(estimate.mean), &mean_interval, &std, &std_interval, &floor]);
            }
        }
        table
    }
}

impl Prior {
    /// Mean and standard deviation of the cancer fraction over at most `annotated` blocks of each label, chosen by [`choose_blocks`] and looked
    /// up in the masks. These blocks are the only thing that the prior learns from masks.
    ///
    /// # Errors
    /// As [`choose_blocks`] and [`count_in_masks`].
    pub fn from_masks(data: &Dataset, blocks: &[Block], annotated: usize, seed: u64) -> Result<Self> {
        let annotated = count_in_masks(data, &choose_blocks(blocks, annotated, seed)?, 2)?;
        Ok(Estimate::new(&annotated, RHO_FLOOR)?.prior())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(z: usize, cancer: &[f64]) -> Vec<AnnotatedBlock> {
        cancer.iter().map(|&fraction| AnnotatedBlock::with_cancer(z, fraction)).collect()
    }

    #[test]
    fn both_classes_mirror_each_other_and_the_floor_is_only_in_the_prior() {
        let mut all = blocks(2, &[0.1, 0.3, 0.2]);
        all.extend(blocks(0, &[0.0, 0.0]));
        let estimate = Estimate::new(&all, 0.02).unwrap();
        assert_eq!(estimate.labels.iter().map(|label| (label.z, label.n)).collect::<Vec<_>>(), [(0, 2), (2, 3)]);
        assert_eq!(estimate.labels[0].classes[CANCER].std, 0.0);
        let prior = estimate.prior();
        assert_eq!(prior.counts(0).unwrap(), [Count { mean: 1.0, std: 0.02 }, Count { mean: 0.0, std: 0.02 }]);
        let row = prior.counts(2).unwrap();
        // Standard deviation of 0.1, 0.2, 0.3 with n - 1: exactly 0.1.
        assert!((row[1].mean - 0.2).abs() < 1e-12 && (row[1].std - 0.1).abs() < 1e-12, "{row:?}");
        assert_eq!((row[0].mean, row[0].std), (1.0 - row[1].mean, row[1].std));
        let rest = estimate.labels[1].classes[0].mean_interval.unwrap();
        let cancer = estimate.labels[1].classes[1].mean_interval.unwrap();
        assert_eq!((rest.low, rest.high), (1.0 - cancer.high, 1.0 - cancer.low));
    }

    #[test]
    fn the_table_is_in_percent_and_says_where_the_floor_was_applied() {
        let mut all = blocks(0, &[0.0, 0.001]);
        all.extend(blocks(9, &[0.6, 0.8, 0.7]));
        all.extend(blocks(10, &[0.9]));
        let table = Estimate::new(&all, 0.01).unwrap().table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[2].contains("sd raised to the floor, 1.00"), "{table}");
        assert!(lines[3].contains("70.00") && lines[3].contains("10.00") && !lines[3].contains("floor"), "{table}");
        assert!(lines[4].contains("90.00") && lines[4].contains("unknown"), "{table}");
    }

    #[test]
    fn more_than_two_classes_have_a_line_each() {
        let of = |counts: [f64; 3]| AnnotatedBlock { z: 1, counts: counts.to_vec() };
        let estimate = Estimate::new(&[of([0.5, 0.5, 0.0]), of([0.25, 0.5, 0.25])], 0.01).unwrap();
        let means: Vec<f64> = estimate.labels[0].classes.iter().map(|class| class.mean).collect();
        assert_eq!(means, [0.375, 0.5, 0.125]);
        assert_eq!(estimate.table().lines().count(), 2 + 3);
        assert_eq!(estimate.prior().classes(), 3);
    }

    #[test]
    fn what_is_no_estimate_is_refused() {
        assert!(Estimate::new(&[], 0.01).is_err());
        let mixed = [AnnotatedBlock::with_cancer(0, 0.5), AnnotatedBlock { z: 0, counts: vec![0.5, 0.25, 0.25] }];
        assert!(Estimate::new(&mixed, 0.01).is_err());
        for floor in [0.0, -1.0, 1.5, f64::NAN] {
            assert!(Estimate::new(&blocks(0, &[0.1, 0.2]), floor).unwrap_err().to_string().contains("--rho-floor"));
        }
    }
}
