//! Three routes to the gradient: closed form, dual numbers through the whole path, central differences. They must agree.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_core::{
    BlockMoments, Count, CountPrior, Distance, Dual, Group, Loss, Predicted, Preset, Scheme, Stabilisers, Target, VarianceModel, Weights,
    distance, distance_gradient,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Closed form and dual numbers do the same sums in another order: 1e-11 of the largest entry of the gradient.
const DUAL_TOLERANCE: f64 = 1e-11;
/// Central differences with a step of 1e-5: an error of step^2 times the third derivative, and of 2^-53 / step. 1e-5 of the largest entry.
const DIFFERENCE_TOLERANCE: f64 = 1e-5;
const STEP: f64 = 1e-5;

fn moments(pixels: &[Vec<f64>]) -> Vec<BlockMoments<f64>> {
    pixels.iter().map(|p| BlockMoments::from_probabilities(p).unwrap()).collect()
}

/// The closed-form gradient of every pixel of every block.
fn closed_form(loss: &Loss<f64>, pixels: &[Vec<f64>], target: Target<f64>) -> Vec<Vec<f64>> {
    let blocks = moments(pixels);
    let group = loss.evaluate(&blocks, target).unwrap();
    let fill = |(block, p): (&BlockMoments<f64>, &Vec<f64>)| {
        let mut gradient = vec![f64::NAN; p.len()];
        group.pixel_gradient(block).unwrap().fill(p, None, &mut gradient).unwrap();
        gradient
    };
    blocks.iter().zip(pixels).map(fill).collect()
}

/// The value and its derivative by one pixel, carried through moments, group and distance.
fn dual(loss: &Loss<f64>, pixels: &[Vec<f64>], target: Target<f64>, (k, i): (usize, usize)) -> Dual<f64> {
    let number = |at: (usize, usize), p: f64| if at == (k, i) { Dual::variable(p) } else { Dual::constant(p) };
    let blocks: Vec<BlockMoments<Dual<f64>>> = pixels
        .iter()
        .enumerate()
        .map(|(k, p)| BlockMoments::from_masked(p.iter().enumerate().map(|(i, &p)| (number((k, i), p), true))).unwrap())
        .collect();
    let target = Target { mean: Dual::constant(target.mean), std: Dual::constant(target.std) };
    loss.evaluate(&blocks, target).unwrap().value()
}

fn difference(loss: &Loss<f64>, pixels: &[Vec<f64>], target: Target<f64>, (k, i): (usize, usize)) -> f64 {
    let value_at = |moved: f64| {
        let mut pixels = pixels.to_vec();
        pixels[k][i] += moved;
        loss.evaluate(&moments(&pixels), target).unwrap().value()
    };
    (value_at(STEP) - value_at(-STEP)) / (2.0 * STEP)
}

/// The three routes on one loss and group. Returns the number of entries compared.
fn agree(loss: &Loss<f64>, pixels: &[Vec<f64>], target: Target<f64>) -> Result<usize, TestCaseError> {
    let closed = closed_form(loss, pixels, target);
    let largest = closed.iter().flatten().fold(0.0_f64, |a, b| a.max(b.abs()));
    let value = loss.evaluate(&moments(pixels), target).unwrap().value();
    let mut compared = 0;
    for (k, row) in closed.iter().enumerate() {
        for (i, &entry) in row.iter().enumerate() {
            let dual = dual(loss, pixels, target, (k, i));
            prop_assert_eq!(dual.value.to_bits(), value.to_bits(), "{:?}: the value of dual numbers", loss);
            let off = (dual.derivative - entry).abs();
            prop_assert!(off <= DUAL_TOLERANCE * largest, "{:?}: {} instead of {}", loss, entry, dual.derivative);
            let by_difference = difference(loss, pixels, target, (k, i));
            // Values of the order of 1 carry 2^-52 of noise: where the whole gradient is tiny, that decides.
            let tolerance = DIFFERENCE_TOLERANCE * largest + 4.0 * f64::EPSILON * value.abs().max(1.0) / STEP;
            prop_assert!((by_difference - entry).abs() <= tolerance, "{:?}: {} instead of {}", loss, entry, by_difference);
            compared += 1;
        }
    }
    Ok(compared)
}

/// Every stabiliser by itself and all together; those that clamp, on either side of the clamp.
fn stabilisers() -> [(&'static str, Stabilisers<f64>); 9] {
    let none = Stabilisers::none();
    [
        ("none", none),
        ("variance floor below S", Stabilisers::default()),
        ("variance floor above S", Stabilisers { variance_floor: 0.9, ..none }),
        ("logarithm offset", Stabilisers { log_offset: 0.03, ..none }),
        ("denominator epsilon", Stabilisers { denominator_epsilon: 1e-2, ..none }),
        ("dead zone of one rho", Stabilisers { dead_zone: 1.0, ..none }),
        ("dead zone over everything", Stabilisers { dead_zone: 100.0, ..none }),
        ("rho floor", Stabilisers { rho_floor: 0.3, ..none }),
        ("all", Stabilisers { variance_floor: 1e-6, log_offset: 0.03, denominator_epsilon: 1e-6, dead_zone: 0.5, rho_floor: 0.08 }),
    ]
}

/// At least two blocks of two pixels whose counts differ, so that every variance is well above 0: S of 0 is another test's.
fn pixels() -> impl Strategy<Value = Vec<Vec<f64>>> {
    vec(vec(0.02..0.98_f64, 2..7), 2..6).prop_filter("counts that differ", |pixels| {
        let means: Vec<f64> = moments(pixels).iter().map(BlockMoments::mean).collect();
        means.iter().any(|a| means.iter().any(|b| (a - b).abs() > 0.1))
    })
}

/// The edge of a dead zone is a kink, where a difference quotient says nothing.
fn near_a_kink(loss: &Loss<f64>, pixels: &[Vec<f64>], target: Target<f64>) -> bool {
    let zone = loss.stabilisers().dead_zone * target.std.max(loss.stabilisers().rho_floor);
    let blocks = moments(pixels);
    let group = blocks.iter().map(BlockMoments::mean).sum::<f64>() / blocks.len() as f64;
    let means = blocks.iter().map(BlockMoments::mean).chain([group]);
    zone > 0.0 && means.into_iter().any(|mean| ((target.mean - mean).abs() - zone).abs() < 1e-3)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// 3 schemes x 8 distances x 2 variance models x 2 models in the logarithm x 9 sets of stabilisers, and the five presets, on every case.
    #[test]
    fn closed_form_is_dual_numbers_is_differences(pixels in pixels(), eta in 0.0..=1.0_f64, rho in 0.02..0.3_f64) {
        let target = Target { mean: eta, std: rho };
        let models = [VarianceModel::CountFraction, VarianceModel::BernoulliMean];
        let mut compared = 0;
        for scheme in Scheme::ALL {
            for distance in Distance::ALL {
                for (variance, log_variance) in models.into_iter().flat_map(|a| models.map(|b| (a, b))) {
                    for (_, stabilisers) in stabilisers() {
                        let loss = Loss::new(scheme, distance, variance, stabilisers).unwrap().with_log_variance(log_variance);
                        if !near_a_kink(&loss, &pixels, target) {
                            compared += agree(&loss, &pixels, target)?;
                        }
                    }
                }
            }
        }
        for loss in Preset::ALL.map(Preset::loss) {
            for loss in Scheme::ALL.map(|scheme| loss.with_scheme(scheme)) {
                if !near_a_kink(&loss, &pixels, target) {
                    compared += agree(&loss, &pixels, target)?;
                }
            }
        }
        // At most a few losses may be left out for a kink.
        let entries = pixels.iter().map(Vec::len).sum::<usize>();
        prop_assert!(compared > entries * (3 * 8 * 4 * 9) / 2, "only {} entries were compared", compared);
    }

    /// The loss of a whole batch: weights of classes and labels, several groups of different sizes.
    #[test]
    fn the_batch_is_the_weighted_mean_of_its_groups(
        first in pixels(), second in pixels(), third in pixels(),
        class_weights in [0.0..3.0_f64, 0.0..3.0], label_weights in vec(0.0..3.0_f64, 10),
        labels in [0..10_usize, 0..10, 0..10],
    ) {
        let groups = [first, second, third];
        let prior = CountPrior::<f64, 10, 2>::table_1();
        let weights = Weights { class: class_weights, label: Some(&label_weights) };
        // Class 0 is the rest: two classes that sum to 1 in every pixel, as a network with two outputs has them.
        let rest = |pixels: &[Vec<f64>]| -> Vec<Vec<f64>> { pixels.iter().map(|p| p.iter().map(|p| 1.0 - p).collect()).collect() };
        let both: Vec<Vec<[BlockMoments<f64>; 2]>> = groups
            .iter()
            .map(|pixels| moments(&rest(pixels)).into_iter().zip(moments(pixels)).map(|(a, b)| [a, b]).collect())
            .collect();
        let batch: Vec<_> = labels.iter().zip(&both).map(|(&label, blocks)| Group { label, blocks }).collect();
        for loss in Preset::ALL.map(Preset::loss) {
            let result = loss.evaluate_batch::<_, 3, 10, 2>(&batch, &prior, &weights).unwrap();
            let mut expected = 0.0;
            let mut size = 0.0;
            for (g, pixels) in groups.iter().enumerate() {
                for class in 0..2 {
                    let pixels = if class == 0 { rest(pixels) } else { pixels.clone() };
                    let target = prior.target(labels[g], class).unwrap();
                    let weight = class_weights[class] * label_weights[labels[g]] / 3.0;
                    let value = loss.evaluate(&moments(&pixels), target).unwrap().value();
                    expected += weight * value;
                    size += weight * value.abs();
                    for ((block, pixels), row) in both[g].iter().zip(&pixels).zip(closed_form(&loss, &pixels, target)) {
                        let gradient = result.pixel_gradient(g, class, &block[class]).unwrap();
                        let largest = row.iter().fold(0.0_f64, |a, b| a.max(b.abs())) * weight;
                        for (p, entry) in pixels.iter().zip(&row) {
                            prop_assert!((gradient.at(*p) - weight * entry).abs() <= 1e-12 * largest);
                        }
                    }
                }
            }
            prop_assert!((result.value() - expected).abs() <= 1e-13 * size);
        }
    }

    /// The distances by themselves, on any moments and targets (a group's S is rarely near R, a distance's minimum is).
    #[test]
    fn a_distance_and_its_derivatives_agree(
        mean in 0.0..=1.0_f64, log_s in -12.0..-0.7_f64, log_log_s in -12.0..-0.7_f64, eta in 0.0..=1.0_f64, log_rho in -5.0..-0.7_f64,
    ) {
        let [s, log_variance, rho] = [log_s, log_log_s, log_rho].map(f64::exp);
        for kind in Distance::ALL {
            for (name, stabilisers) in stabilisers() {
                let at = |m: Dual<f64>, s: Dual<f64>, l: Dual<f64>| {
                    let target = Target { mean: Dual::constant(eta), std: Dual::constant(rho) };
                    distance(kind, Predicted { mean: m, variance: s, log_variance: l }, target, &stabilisers).derivative
                };
                let (m, v, l) = (Dual::constant(mean), Dual::constant(s), Dual::constant(log_variance));
                let dual = [at(Dual::variable(mean), v, l), at(m, Dual::variable(s), l), at(m, v, Dual::variable(log_variance))];
                let predicted = Predicted { mean, variance: s, log_variance };
                let closed = distance_gradient(kind, predicted, Target { mean: eta, std: rho }, &stabilisers).unwrap();
                let r = rho.max(stabilisers.rho_floor).powi(2);
                for (dual, closed) in dual.into_iter().zip([closed.d_mean, closed.d_variance, closed.d_log_variance]) {
                    // Differences of two terms (d^2 (R-S), 1 - rho/sqrt S) lose what they cancel: the second term is of the order of 1/S or 1/R.
                    let tolerance = 1e-12 * (dual.abs() + 1.0 + (eta - mean).powi(2) / (r + s).powi(2));
                    prop_assert!((dual - closed).abs() <= tolerance, "{}, {}: {} instead of {}", kind, name, closed, dual);
                }
            }
        }
    }
}

#[test]
fn every_preset_has_stabilisers_that_are_allowed() {
    for preset in Preset::ALL {
        preset.loss::<f32>().stabilisers().check().unwrap();
        preset.loss::<f64>().stabilisers().check().unwrap();
    }
}

/// Three classes, one of which label 1 does not have at all.
#[test]
fn three_classes_are_three_losses() {
    let count = |mean, std| Count { mean, std };
    let rows = [[count(0.7, 0.1), count(0.2, 0.1), count(0.1, 0.05)], [count(0.1, 0.1), count(0.0, 0.02), count(0.9, 0.05)]];
    let prior = CountPrior::<f64, 2, 3>::new(&rows, 0.0, 0.01).unwrap();
    let block = |p: [[f64; 2]; 3]| p.map(|p| BlockMoments::from_probabilities(&p).unwrap());
    let blocks = [block([[0.7, 0.5], [0.2, 0.1], [0.1, 0.4]]), block([[0.4, 0.3], [0.3, 0.3], [0.3, 0.4]])];
    let loss = Preset::Paper.loss();
    let batch = loss.evaluate_batch::<_, 1, 2, 3>(&[Group { label: 1, blocks: &blocks }], &prior, &Weights::default()).unwrap();
    let single: f64 = (0..3).map(|c| loss.evaluate(&blocks.map(|b| b[c]), prior.target(1, c).unwrap()).unwrap().value()).sum();
    assert!((batch.value() - single).abs() < 1e-14);
}
