//! Every probability has exactly one label, and lies in that label's interval.

use lsr_core::{LabelBins, PAPER_BIN_EDGES};
use proptest::collection::btree_set;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// For any edges: the label's interval holds the probability, labels ascend with it, and intervals follow each other without a gap.
    #[test]
    fn a_probability_lies_in_its_labels_interval(edges in btree_set(1..1000_u32, 0..9), p in 0.0..=1.0_f64, on_edge in any::<bool>(), q in 0.0..=1.0_f64) {
        let edges: Vec<f64> = edges.into_iter().map(|edge| f64::from(edge) / 1000.0).collect();
        let bins = LabelBins::<f64, 9>::new(&edges).unwrap();
        prop_assert_eq!(bins.labels(), edges.len() + 1);
        let p = if on_edge && !edges.is_empty() { edges[(p * (edges.len() - 1) as f64) as usize] } else { p };
        let label = bins.label(p).unwrap();
        let (lower, upper) = bins.interval(label).unwrap();
        prop_assert!(lower <= p && (p < upper || (p == 1.0 && upper == 1.0)));
        prop_assert!(q < p || bins.label(q).unwrap() >= label);
        for label in 1..bins.labels() {
            prop_assert_eq!(bins.interval(label - 1).unwrap().1, bins.interval(label).unwrap().0);
        }
    }
}

/// Table 1's bins, at and just below each edge, in f32 and f64.
#[test]
fn the_papers_bins_contain_their_lower_edges() {
    let (single, double) = (LabelBins::<f32, 9>::paper(), LabelBins::<f64, 9>::paper());
    for (z, edge) in PAPER_BIN_EDGES.into_iter().enumerate() {
        assert_eq!((double.label(edge).unwrap(), double.label(edge.next_down()).unwrap()), (z + 1, z));
        let edge = edge as f32;
        assert_eq!((single.label(edge).unwrap(), single.label(edge.next_down()).unwrap()), (z + 1, z));
    }
    assert_eq!(double.interval(9).unwrap(), (0.95, 1.0));
}
