//! Does the network still tell labels apart? The predicted counts of each label z against the count prior, over the latest groups.

use crate::prior::{Prior, mean_and_std};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Groups of a label that its statistics are made from.
const WINDOW: usize = 10;

/// Predictions that span less than this share of the prior's own span of means no longer tell labels apart.
const COLLAPSED_SHARE: f64 = 0.1;

/// Means of a prior closer together than this cannot tell whether a network has collapsed.
const LEAST_SPAN: f64 = 0.05;

/// What the network predicts for a label, beside what the prior expects. Fractions; class cancer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelStatistics {
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
}

/// The latest predicted counts of every label.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelTracker {
    groups: BTreeMap<usize, VecDeque<Vec<f64>>>,
}

impl LabelTracker {
    /// Takes in the counts of a group's blocks.
    pub fn push(&mut self, label: usize, counts: Vec<f64>) {
        let groups = self.groups.entry(label).or_default();
        groups.push_back(counts);
        while groups.len() > WINDOW {
            groups.pop_front();
        }
    }

    /// Every label seen, in order.
    pub fn statistics(&self, prior: &Prior, class: usize) -> Vec<LabelStatistics> {
        self.groups
            .iter()
            .filter_map(|(&z, groups)| {
                let expected = prior.counts(z)?.get(class)?;
                let counts: Vec<f64> = groups.iter().flatten().copied().collect();
                let (mean, spread) = mean_and_std(&counts);
                Some(LabelStatistics { z, mean, spread, eta: expected.mean, rho: expected.std })
            })
            .collect()
    }
}

/// Says why, when the predictions no longer differ between labels although the prior's means do.
pub fn collapse(statistics: &[LabelStatistics]) -> Option<String> {
    let span = |value: fn(&LabelStatistics) -> f64| {
        let values = || statistics.iter().map(value);
        values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)
    };
    let (predicted, expected) = (span(|s| s.mean), span(|s| s.eta));
    if statistics.len() < 2 || expected < LEAST_SPAN || predicted >= COLLAPSED_SHARE * expected {
        return None;
    }
    let mean = statistics.iter().map(|s| s.mean).sum::<f64>() / statistics.len() as f64;
    Some(format!(
        "predictions no longer differ between labels: the mean counts of {} labels span {predicted:.4} around {mean:.4}, the prior's span {expected:.4}",
        statistics.len()
    ))
}

/// The statistics as a table for the terminal.
pub fn table(statistics: &[LabelStatistics]) -> String {
    let mut text = String::from("   z   predicted mean   spread   |   prior mean (eta)   spread (rho)\n");
    for s in statistics {
        text.push_str(&format!("  {:>2}   {:>14.4}   {:>6.4}   |   {:>16.4}   {:>12.4}\n", s.z, s.mean, s.spread, s.eta, s.rho));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracked(of: impl Fn(usize) -> f64) -> Vec<LabelStatistics> {
        let mut tracker = LabelTracker::default();
        for round in 0..30 {
            for z in 0..10 {
                tracker.push(z, vec![of(z) - 0.01, of(z) + 0.01 + round as f64 * 1e-9]);
            }
        }
        tracker.statistics(&Prior::table_1(), crate::prior::CANCER)
    }

    #[test]
    fn one_count_for_every_label_is_a_collapse() {
        let statistics = tracked(|_| 0.3);
        assert_eq!(statistics.len(), 10);
        assert!((statistics[9].mean - 0.3).abs() < 1e-6 && (statistics[9].eta - 0.7).abs() < 1e-12);
        assert!(collapse(&statistics).unwrap().contains("no longer differ"));
    }

    #[test]
    fn counts_that_follow_the_labels_are_not() {
        assert_eq!(collapse(&tracked(|z| 0.05 * z as f64)), None);
        assert_eq!(collapse(&[]), None);
    }
}
