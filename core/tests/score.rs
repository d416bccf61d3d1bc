//! Scores: merging is exact, ratios are fractions, and a region without anything to judge gives `None`.

use lsr_core::Confusion;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    /// Pieces of an image, merged in either order = the whole; cells are counted one by one.
    #[test]
    fn pieces_merge_to_the_whole(pixels in vec(any::<(bool, bool, bool)>(), 0..200), cut in any::<prop::sample::Index>()) {
        let masks = |pixels: &[(bool, bool, bool)]| {
            let [a, b, c] = [0, 1, 2].map(|i| pixels.iter().map(|p| [p.0, p.1, p.2][i]).collect::<Vec<_>>());
            Confusion::from_masks(&a, &b, &c)
        };
        let cut = cut.index(pixels.len() + 1);
        let (left, right) = (masks(&pixels[..cut])?, masks(&pixels[cut..])?);
        let whole = masks(&pixels)?;
        prop_assert_eq!(left.merge(right), whole);
        prop_assert_eq!(right.merge(left), whole);
        let cell = |p, t| pixels.iter().filter(|pixel| pixel.2 && pixel.0 == p && pixel.1 == t).count() as u64;
        prop_assert_eq!(
            whole,
            Confusion { true_positive: cell(true, true), false_positive: cell(true, false), false_negative: cell(false, true), true_negative: cell(false, false) }
        );
    }

    /// Any counts, up to the largest: no panic, every ratio in [0, 1], Dice = 2 IoU / (1 + IoU).
    #[test]
    fn ratios_are_fractions(cells in any::<[u64; 4]>(), small in any::<[u8; 4]>(), zero in 0..16_u8) {
        for cells in [cells, small.map(u64::from)] {
            let [tp, fp, false_negative, tn] = std::array::from_fn(|i| if zero >> i & 1 == 1 { 0 } else { cells[i] });
            let score = Confusion { true_positive: tp, false_positive: fp, false_negative, true_negative: tn };
            for ratio in [score.iou(), score.dice(), score.precision(), score.recall(), score.accuracy()].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&ratio));
            }
            if cells.iter().all(|&cell| cell < 1 << 60) && let (Some(iou), Some(dice)) = (score.iou(), score.dice()) {
                prop_assert!((dice - 2.0 * iou / (1.0 + iou)).abs() < 1e-15);
            }
        }
    }
}

/// What each ratio needs to exist.
#[test]
fn nothing_to_judge_is_none() {
    let score = |tp, fp, false_negative, tn| {
        let score = Confusion { true_positive: tp, false_positive: fp, false_negative, true_negative: tn };
        [score.iou(), score.dice(), score.precision(), score.recall(), score.accuracy()]
    };
    // An empty region.
    assert_eq!(score(0, 0, 0, 0), [None; 5]);
    // Nothing predicted, nothing true: right, but without any cancer to find.
    assert_eq!(score(0, 0, 0, 7), [None, None, None, None, Some(1.0)]);
    // Nothing predicted.
    assert_eq!(score(0, 0, 4, 4), [Some(0.0), Some(0.0), None, Some(0.0), Some(0.5)]);
    // Nothing true.
    assert_eq!(score(0, 4, 0, 4), [Some(0.0), Some(0.0), Some(0.0), None, Some(0.5)]);
    assert_eq!(score(2, 1, 1, 0), [Some(0.5), Some(4.0 / 6.0), Some(2.0 / 3.0), Some(2.0 / 3.0), Some(0.5)]);
}
