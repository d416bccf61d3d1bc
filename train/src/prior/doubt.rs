//! Reasons to doubt an estimated prior, each with its label and what to do.

use super::{CANCER, Estimate, Interval};
use crate::data::Block;
use lsr_core::LabelBins;
use std::collections::{BTreeMap, BTreeSet};

/// Below this many blocks a standard deviation is hardly known.
const FEW_BLOCKS: usize = 5;

/// Where both ends of the standard deviation's interval differ by more than this factor, the weight 1/rho^2 is unknown by its square. With
/// Gaussian counts this is the case for 8 blocks or fewer.
const WIDE_FACTOR: f64 = 3.0;

impl Estimate {
    /// What should make one doubt this estimate, a line each, with the labels that it concerns: few blocks, standard deviations that are hardly known, labels of
    /// `expected` without a block, and (for two classes) means that fall with z by more than their intervals explain.
    pub fn doubts(&self, expected: &BTreeSet<usize>) -> Vec<String> {
        let mut doubts = Vec::new();
        // How well a standard deviation is known depends on the number of blocks alone: labels with as many share a line.
        let mut by_n: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for label in &self.labels {
            by_n.entry(label.n).or_default().push(label.z.to_string());
        }
        for (n, labels) in by_n {
            let z = labels.join(", ");
            let factor = Interval::of_std(1.0, n).map_or(f64::INFINITY, |interval| interval.high / interval.low);
            if n == 1 {
                let floor = 100.0 * self.rho_floor;
                doubts.push(format!(
                    "z {z}: one block has no standard deviation; the floor of {floor} % stands in and trusts this block far too much: annotate more or merge labels"
                ));
            } else if n < FEW_BLOCKS {
                doubts.push(format!("z {z}: {n} blocks are few for a standard deviation; annotate more or merge labels"));
            } else if factor > WIDE_FACTOR {
                doubts.push(format!(
                    "z {z}: with {n} blocks the standard deviation's interval spans a factor of {factor:.1}, and the label's weight in most losses the square of it; annotate more"
                ));
            }
        }
        let missing: Vec<String> =
            expected.iter().filter(|z| self.labels.iter().all(|label| label.z != **z)).map(ToString::to_string).collect();
        if !missing.is_empty() {
            doubts.push(format!("no block of z {}: the prior has no row there, and blocks of it cannot be trained on", missing.join(", ")));
        }
        if self.classes == 2 {
            self.doubt_order(&mut doubts);
        }
        doubts
    }

    /// A higher probability of cancer should go with more cancer.
    fn doubt_order(&self, doubts: &mut Vec<String>) {
        // Of the labels so far, the one whose mean is surely the highest: (lower end of its interval, z, mean).
        let mut highest: Option<(f64, usize, f64)> = None;
        for label in &self.labels {
            let Some((cancer, interval)) = label.classes.get(CANCER).and_then(|cancer| Some((cancer, cancer.mean_interval?))) else {
                continue;
            };
            if let Some((low, z, mean)) = highest
                && interval.high < low
            {
                doubts.push(format!(
                    "z {}: its mean of {:.2} % lies below the {:.2} % of z {z} by more than both intervals explain: do labels and annotations belong together?",
                    label.z,
                    100.0 * cancer.mean,
                    100.0 * mean,
                ));
            }
            if highest.is_none_or(|(low, ..)| interval.low > low) {
                highest = Some((interval.low, label.z, cancer.mean));
            }
        }
    }
}

/// The labels that a prior for these blocks should have rows for: the paper's ten where every label follows from its probability by the paper's
/// bins, otherwise 0 to the highest.
pub fn expected_labels(blocks: &[Block]) -> BTreeSet<usize> {
    let bins = LabelBins::<f64, 9>::paper();
    let follow_the_paper = blocks.iter().all(|block| bins.label(block.probability) == Ok(block.z));
    let highest = if follow_the_paper { Some(bins.labels() - 1) } else { blocks.iter().map(|block| block.z).max() };
    highest.map(|highest| (0..=highest).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{AnnotatedBlock, RHO_FLOOR};
    use super::*;

    fn doubts(labels: &[(usize, &[f64])], expected: std::ops::Range<usize>) -> Vec<String> {
        let blocks: Vec<AnnotatedBlock> =
            labels.iter().flat_map(|(z, cancer)| cancer.iter().map(|&fraction| AnnotatedBlock::with_cancer(*z, fraction))).collect();
        Estimate::new(&blocks, RHO_FLOOR).unwrap().doubts(&expected.collect())
    }

    const LOW: &[f64] = &[0.1, 0.12, 0.08, 0.1, 0.11, 0.09, 0.1, 0.1, 0.12, 0.08];
    const HIGH: &[f64] = &[0.7, 0.72, 0.68, 0.7, 0.71, 0.69, 0.7, 0.7, 0.72, 0.68];

    #[test]
    fn a_good_estimate_gives_no_cause_for_doubt() {
        assert_eq!(doubts(&[(0, LOW), (1, HIGH)], 0..2), Vec::<String>::new());
        // Equal means are explained by their intervals.
        assert_eq!(doubts(&[(0, LOW), (1, LOW)], 0..2), Vec::<String>::new());
    }

    #[test]
    fn each_doubt_names_its_label() {
        let single = doubts(&[(0, &[0.5])], 0..1);
        assert!(single.len() == 1 && single[0].starts_with("z 0: one block"), "{single:?}");
        let few = doubts(&[(3, &LOW[..4])], 3..4);
        assert!(few.len() == 1 && few[0].starts_with("z 3: 4 blocks are few"), "{few:?}");
        let wide = doubts(&[(3, &LOW[..8])], 3..4);
        // Chi-square with 7 degrees of freedom, 0.025 and 0.975: sqrt(16.013 / 1.690) = 3.08.
        assert!(wide.len() == 1 && wide[0].starts_with("z 3") && wide[0].contains("factor of 3.1"), "{wide:?}");
        assert!(doubts(&[(3, &LOW[..9])], 3..4).is_empty());
        let both = doubts(&[(0, &LOW[..3]), (1, &HIGH[..3])], 0..2);
        assert!(both.len() == 1 && both[0].starts_with("z 0, 1: 3 blocks"), "{both:?}");
        let missing = doubts(&[(0, LOW), (2, HIGH)], 0..5);
        assert!(missing.len() == 1 && missing[0].contains("z 1, 3, 4"), "{missing:?}");
        let falling = doubts(&[(0, HIGH), (1, LOW)], 0..2);
        assert!(falling.len() == 1 && falling[0].starts_with("z 1") && falling[0].contains("of z 0"), "{falling:?}");
    }

    #[test]
    fn the_ten_bins_are_expected_where_labels_follow_them() {
        let block = |probability, z| Block { image: "a".into(), x: 0, y: 0, width: 1, height: 1, probability, z };
        assert_eq!(expected_labels(&[block(0.1, 0), block(0.55, 4)]), (0..10).collect());
        assert_eq!(expected_labels(&[block(0.1, 0), block(0.55, 2)]), (0..3).collect());
    }
}
