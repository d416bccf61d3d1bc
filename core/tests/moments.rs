//! What holds for moments: chunks, order and devices do not matter, the law of total variance, and the exactness of the u8 path.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_core::{BlockMoments, Distance, GroupMoments, Loss, Real, Scheme, Stabilisers, Target, U8Sums, VarianceModel};
use proptest::collection::vec;
use proptest::prelude::*;

const MODELS: [VarianceModel; 2] = [VarianceModel::CountFraction, VarianceModel::BernoulliMean];

/// Blocks of different sizes, as probabilities.
fn pixels(blocks: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<f64>>> {
    vec(vec(0.0..=1.0_f64, 1..12), blocks)
}

fn block<R: Real>(probabilities: &[f64]) -> BlockMoments<R> {
    BlockMoments::from_masked(probabilities.iter().map(|&p| (R::from_f64(p), true))).unwrap()
}

/// (mean, between, within count_fraction, within bernoulli_mean) in two passes and f64.
fn two_pass(pixels: &[Vec<f64>]) -> [f64; 4] {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means: Vec<f64> = pixels.iter().map(|p| mean(p)).collect();
    let m = mean(&means);
    let spread = |p: &Vec<f64>| mean(&p.iter().map(|p| p * (1.0 - p)).collect::<Vec<_>>());
    let within: Vec<f64> = pixels.iter().map(spread).collect();
    let fractions: Vec<f64> = pixels.iter().map(|p| spread(p) / p.len() as f64).collect();
    [m, mean(&means.iter().map(|x| (x - m).powi(2)).collect::<Vec<_>>()), mean(&fractions), mean(&within)]
}

fn four<R: Real>(group: &GroupMoments<R>) -> [f64; 4] {
    let [fraction, bernoulli] = MODELS.map(|model| group.within_variance(model).to_f64());
    [group.mean().to_f64(), group.between_variance().to_f64(), fraction, bernoulli]
}

fn far(a: [f64; 4], b: [f64; 4]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Merges chunks of the given sizes in the order that `picks` draws: any tree, any order.
fn merged<R: Real>(pixels: &[Vec<f64>], sizes: &[usize], picks: &[prop::sample::Index]) -> GroupMoments<R> {
    let mut rest = pixels;
    let mut parts = vec![GroupMoments::new()];
    for size in sizes {
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        parts.push(chunk.iter().map(|p| block::<R>(p)).collect::<Vec<_>>().iter().collect());
        rest = after;
    }
    parts.push(rest.iter().map(|p| block::<R>(p)).collect::<Vec<_>>().iter().collect());
    let mut picks = picks.iter().cycle();
    while parts.len() > 1 {
        let a = parts.swap_remove(picks.next().unwrap().index(parts.len()));
        let b = parts.swap_remove(picks.next().unwrap().index(parts.len()));
        parts.push(a.merge(b));
    }
    parts[0]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// Any chunks, merged in any order = one pass = two passes. All four moments lie in [0, 1], so the tolerances are absolute: a few dozen
    /// roundings of 2^-53 or 2^-24.
    #[test]
    fn chunks_merged_in_any_order_are_the_whole(
        pixels in pixels(1..40),
        sizes in vec(0..9_usize, 0..9),
        picks in vec(any::<prop::sample::Index>(), 8..24),
    ) {
        let expected = two_pass(&pixels);
        let whole64: GroupMoments<f64> = pixels.iter().map(|p| block(p)).collect::<Vec<_>>().iter().collect();
        let whole32: GroupMoments<f32> = pixels.iter().map(|p| block(p)).collect::<Vec<_>>().iter().collect();
        let merged64 = merged::<f64>(&pixels, &sizes, &picks);
        let merged32 = merged::<f32>(&pixels, &sizes, &picks);
        prop_assert_eq!(merged64.blocks() as usize, pixels.len());
        prop_assert_eq!(merged32.blocks() as usize, pixels.len());
        for (name, got, tolerance) in [
            ("one pass, f64", four(&whole64), 2e-15),
            ("merged, f64", four(&merged64), 2e-15),
            ("one pass, f32", four(&whole32), 1e-6),
            ("merged, f32", four(&merged32), 1e-6),
        ] {
            prop_assert!(far(got, expected) <= tolerance, "{}: {:?} instead of {:?}", name, got, expected);
        }
    }

    /// `a.merge(b)` and `b.merge(a)` are the same bits, and the empty group changes none.
    #[test]
    fn merging_commutes_to_the_bit(a in pixels(0..9), b in pixels(0..9)) {
        fn check<R: Real>(a: &[Vec<f64>], b: &[Vec<f64>]) -> Result<(), TestCaseError> {
            let [a, b]: [GroupMoments<R>; 2] = [a, b].map(|p| p.iter().map(|p| block(p)).collect::<Vec<_>>().iter().collect());
            let bits = |group: GroupMoments<R>| (group.blocks(), four(&group).map(f64::to_bits));
            prop_assert_eq!(bits(a.merge(b)), bits(b.merge(a)));
            prop_assert_eq!(bits(a.merge(GroupMoments::new())), bits(a));
            prop_assert_eq!(bits(GroupMoments::new().merge(a)), bits(a));
            Ok(())
        }
        check::<f32>(&a, &b)?;
        check::<f64>(&a, &b)?;
    }

    /// Moments that went to another device as five numbers and back are the same up to one rounding each.
    #[test]
    fn moments_survive_being_taken_apart(pixels in pixels(0..20)) {
        let whole: GroupMoments<f64> = pixels.iter().map(|p| block(p)).collect::<Vec<_>>().iter().collect();
        let [mean, between, fraction, bernoulli] = four(&whole);
        let back = GroupMoments::from_parts(whole.blocks(), mean, between, fraction, bernoulli).unwrap();
        prop_assert_eq!(back.blocks(), whole.blocks());
        prop_assert!(far(four(&back), four(&whole)) <= 3e-16);
    }

    /// Law of total variance. A block is drawn, then each of its pixels is cancer with its probability: the variance of the fraction of cancer,
    /// from its whole distribution (built pixel by pixel), is S of intra_inter. To 1e-14, since E[c^2] - E[c]^2 cancels.
    #[test]
    fn total_variance_is_within_plus_between(pixels in pixels(1..12)) {
        let (mut first, mut second) = (0.0, 0.0);
        for block in &pixels {
            let mut chance = vec![1.0_f64]; // chance[c]: c pixels are cancer
            for p in block {
                let mut next = vec![0.0; chance.len() + 1];
                for (c, weight) in chance.iter().enumerate() {
                    next[c] += weight * (1.0 - p);
                    next[c + 1] += weight * p;
                }
                chance = next;
            }
            for (c, weight) in chance.iter().enumerate() {
                let fraction = c as f64 / block.len() as f64;
                first += weight * fraction / pixels.len() as f64;
                second += weight * fraction * fraction / pixels.len() as f64;
            }
        }
        let group: GroupMoments<f64> = pixels.iter().map(|p| block(p)).collect::<Vec<_>>().iter().collect();
        let s = Scheme::IntraInter.variance(group.between_variance(), group.within_variance(VarianceModel::CountFraction));
        prop_assert!((group.mean() - first).abs() <= 1e-14);
        prop_assert!((s - (second - first * first)).abs() <= 1e-14, "S {} instead of {}", s, second - first * first);
    }

    /// The erratum of Eq. 3: with `bernoulli_mean` and equally large blocks S = m(1-m) - mean_k Var_within(p): the spread between blocks is gone.
    #[test]
    fn with_equation_3_as_printed_the_spread_between_blocks_cancels_out(pixels in (1..9_usize).prop_flat_map(|n| vec(vec(0.0..=1.0_f64, n), 1..12))) {
        let group: GroupMoments<f64> = pixels.iter().map(|p| block(p)).collect::<Vec<_>>().iter().collect();
        let s = Scheme::IntraInter.variance(group.between_variance(), group.within_variance(VarianceModel::BernoulliMean));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let variance = |p: &Vec<f64>| mean(&p.iter().map(|x| (x - mean(p)).powi(2)).collect::<Vec<_>>());
        let within = mean(&pixels.iter().map(variance).collect::<Vec<_>>());
        let m = group.mean();
        prop_assert!((s - (m * (1.0 - m) - within)).abs() <= 2e-15);
    }

    /// Integer sums: rows, chunks and merging give the same sums; the moments are the exact rational numbers rounded once (f64), or once more
    /// to f32; and they are those of the probabilities q/255 in f64 to 4 units of 2^-53.
    #[test]
    fn u8_moments_are_exact_rational_numbers(bytes in vec(prop_oneof![any::<u8>(), Just(0), Just(255)], 1..400), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(bytes.len());
        let mut rows = U8Sums::default();
        for row in bytes.chunks(7) {
            rows.push_row(row);
        }
        let mut single = U8Sums::default();
        bytes[..cut].iter().for_each(|&q| single.push(q));
        let mut rest = U8Sums::default();
        rest.push_row(&bytes[cut..]);
        prop_assert_eq!(rows, single.merge(rest));
        prop_assert_eq!(rows, rest.merge(single));

        let n = bytes.len() as u128;
        let sum = bytes.iter().map(|&q| u128::from(q)).sum::<u128>();
        let spread = bytes.iter().map(|&q| u128::from(q) * (255 - u128::from(q))).sum::<u128>();
        let exact = BlockMoments::<f64>::from_u8(&bytes).unwrap();
        let bernoulli = exact.variance(VarianceModel::BernoulliMean);
        prop_assert!(rounded_once(exact.mean(), sum, 255 * n), "{} is not {}/{}", exact.mean(), sum, 255 * n);
        prop_assert!(rounded_once(bernoulli, spread, 65_025 * n), "{} is not {}/{}", bernoulli, spread, 65_025 * n);

        let single = BlockMoments::<f32>::from_u8_sums(rows).unwrap();
        prop_assert_eq!(single.mean().to_bits(), (exact.mean() as f32).to_bits());
        prop_assert_eq!(single.variance(VarianceModel::BernoulliMean).to_bits(), (bernoulli as f32).to_bits());

        let float = block::<f64>(&bytes.iter().map(|&q| f64::from(q) / 255.0).collect::<Vec<_>>());
        prop_assert!((float.mean() - exact.mean()).abs() <= 4.0 * f64::EPSILON / 2.0);
        prop_assert!((float.variance(VarianceModel::BernoulliMean) - bernoulli).abs() <= 4.0 * f64::EPSILON / 2.0);
    }

    /// The same for sums near the ends of their types (up to 2^32 - 2 pixels), where no list of bytes is at hand: k pixels of each of two values.
    #[test]
    fn u8_moments_are_exact_for_four_thousand_million_pixels(a in any::<u8>(), b in any::<u8>(), k in 1..=u32::MAX / 2, l in 0..=u32::MAX / 2) {
        let [q, r] = [a, b].map(u64::from);
        let [k, l] = [k, l].map(u64::from);
        let sums = U8Sums { pixels: (k + l) as u32, sum: k * q + l * r, sum_of_squares: k * q * q + l * r * r };
        let moments = BlockMoments::<f64>::from_u8_sums(sums).unwrap();
        let n = u128::from(k + l);
        prop_assert!(rounded_once(moments.mean(), u128::from(sums.sum), 255 * n));
        let spread = u128::from(k * q * (255 - q) + l * r * (255 - r));
        prop_assert!(rounded_once(moments.variance(VarianceModel::BernoulliMean), spread, 65_025 * n));
    }
}

/// Three pixels: what some bytes have is taken, and what is just beyond all of them, or odd where they are even, is refused.
#[test]
fn sums_that_no_bytes_have_are_refused() {
    let mut squares_of = vec![(u64::MAX, 0); 3 * 255 + 1];
    let taken = |sum, sum_of_squares| BlockMoments::<f64>::from_u8_sums(U8Sums { pixels: 3, sum, sum_of_squares }).is_ok();
    for a in 0..=255_u64 {
        for b in a..=255 {
            for c in b..=255 {
                let (sum, squares) = (a + b + c, a * a + b * b + c * c);
                assert!(taken(sum, squares), "{a} {b} {c}");
                let (least, most) = &mut squares_of[sum as usize];
                (*least, *most) = ((*least).min(squares), (*most).max(squares));
            }
        }
    }
    for (sum, (least, most)) in (0..).zip(squares_of) {
        assert!(!taken(sum, least + 1) && !taken(sum, most + 2) && (least < 2 || !taken(sum, least - 2)), "{sum}");
    }
}

/// Whether `value` is `numerator / denominator` to half a unit in its last place, by integers alone.
fn rounded_once(value: f64, numerator: u128, denominator: u128) -> bool {
    if value == 0.0 || numerator == 0 {
        return value == 0.0 && numerator == 0;
    }
    // value = mantissa / 2^shift
    let bits = value.to_bits();
    let exponent = (bits >> 52) as i64; // sign 0, normal
    let mantissa = u128::from(bits & ((1 << 52) - 1) | 1 << 52);
    let shift = u32::try_from(1075 - exponent).unwrap();
    // |mantissa / 2^shift - numerator / denominator| <= 1/2 / 2^shift, times 2 * 2^shift * denominator
    (2 * mantissa * denominator).abs_diff((2 * numerator) << shift) <= denominator
}

#[test]
fn the_check_of_rounding_sees_one_unit_in_the_last_place() {
    let third = 1.0_f64 / 3.0;
    assert!(rounded_once(third, 1, 3));
    assert!(!rounded_once(f64::from_bits(third.to_bits() + 1), 1, 3));
    assert!(!rounded_once(f64::from_bits(third.to_bits() - 1), 1, 3));
}

/// A block of 240 x 240 px in f32 keeps its moments to 2 units of 2^-24 (a naive sum loses four digits), and sixteen million pixels
/// of probability 1 have a mean of exactly 1.
#[test]
fn large_blocks_keep_their_digits_in_f32() {
    let mut state = 1_u32;
    let probabilities: Vec<f32> = (0..57_600)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0
        })
        .collect();
    let single = BlockMoments::from_probabilities(&probabilities).unwrap();
    let double = block::<f64>(&probabilities.iter().map(|&p| f64::from(p)).collect::<Vec<_>>());
    assert!((f64::from(single.mean()) - double.mean()).abs() <= 2.0 * f64::from(f32::EPSILON) / 2.0);
    let bernoulli = VarianceModel::BernoulliMean;
    assert!((f64::from(single.variance(bernoulli)) - double.variance(bernoulli)).abs() <= 2.0 * f64::from(f32::EPSILON) / 2.0);
    let saturated = BlockMoments::from_masked(std::iter::repeat_n((1.0_f32, true), (1 << 24) + 3)).unwrap();
    assert_eq!((saturated.mean(), saturated.variance(bernoulli)), (1.0, 0.0));
}

/// Groups whose counts differ in the fifth digit only: `E[x^2] - E[x]^2` would lose all of it in f32, Welford and Chan lose 1 %.
#[test]
fn a_small_spread_around_a_large_mean_survives_f32() {
    let means: Vec<f64> = (0..1_000).map(|k| 0.7 + 1e-4 * f64::from(k % 7)).collect();
    let m = means.iter().sum::<f64>() / 1_000.0;
    let expected = means.iter().map(|x| (x - m).powi(2)).sum::<f64>() / 1_000.0;
    let blocks: Vec<_> = means.iter().map(|&mean| BlockMoments::from_parts(100, mean as f32, 0.1).unwrap()).collect();
    let pushed: GroupMoments<f32> = blocks.iter().collect();
    let merged = blocks.chunks(13).map(|chunk| chunk.iter().collect()).fold(GroupMoments::new(), GroupMoments::merge);
    for group in [pushed, merged] {
        assert!((f64::from(group.between_variance()) / expected - 1.0).abs() < 0.01);
    }
    let naive =
        means.iter().map(|&x| (x as f32).powi(2)).sum::<f32>() / 1_000.0 - (means.iter().map(|&x| x as f32).sum::<f32>() / 1_000.0).powi(2);
    assert!((f64::from(naive) / expected - 1.0).abs() > 1.0, "the naive form was expected to fail: {naive}");
}

/// Drawn masks, not formulas: 200,000 draws of a block and of its pixels have the variance S to 2 % (four standard errors).
#[test]
fn sampled_masks_have_the_variance_of_intra_inter() {
    let pixels = [vec![0.9, 0.7, 0.8, 0.2], vec![0.3, 0.1, 0.4], vec![0.6, 0.5, 0.55, 0.65, 0.95]];
    let mut state = 20_190_601_u64;
    let mut uniform = || {
        // SplitMix64 (Steele et al. 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut counts = GroupMoments::<f64>::new();
    for _ in 0..200_000 {
        let block = &pixels[(uniform() * 3.0) as usize];
        let mask: Vec<f64> = block.iter().map(|&p| f64::from(uniform() < p)).collect();
        counts.push(&BlockMoments::from_probabilities(&mask).unwrap());
    }
    let group: GroupMoments<f64> = pixels.iter().map(|p| block(p)).collect::<Vec<_>>().iter().collect();
    let s = group.between_variance() + group.within_variance(VarianceModel::CountFraction);
    assert!((counts.between_variance() / s - 1.0).abs() < 0.02, "{} instead of {s}", counts.between_variance());
    assert!((counts.mean() - group.mean()).abs() < 4.0 * (s / 200_000.0).sqrt());
}

/// Pixels that are not valid do not count, whatever they hold.
#[test]
fn masked_pixels_do_not_count() {
    let masked = BlockMoments::from_masked([(0.25_f64, true), (f64::NAN, false), (0.75, true), (7.0, false)]).unwrap();
    assert_eq!(masked, BlockMoments::from_probabilities(&[0.25, 0.75]).unwrap());
}

/// A loss of merged moments is the loss of the blocks: what several GPUs rely on. The same bits where the merge is a sequence of pushes.
#[test]
fn a_loss_of_moments_is_the_loss_of_its_blocks() {
    let blocks = [[0.1_f64, 0.3], [0.6, 0.8], [0.4, 0.2]].map(|p| BlockMoments::from_probabilities(&p).unwrap());
    let target = Target { mean: 0.5, std: 0.1 };
    for scheme in [Scheme::Inter, Scheme::IntraInter] {
        for model in MODELS {
            let loss = Loss::new(scheme, Distance::Overlap, model, Stabilisers::none()).unwrap();
            let whole = loss.evaluate(&blocks, target).unwrap();
            let of_moments = loss.evaluate_moments(&blocks.iter().collect(), target).unwrap();
            assert_eq!(whole.value(), of_moments.value());
            assert_eq!(whole.pixel_gradient(&blocks[1]).unwrap(), of_moments.pixel_gradient(&blocks[1]).unwrap());
        }
    }
}
