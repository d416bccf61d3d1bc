//! The tensor route against the core: the same numbers from autodiff in f32 and from the closed form in f64.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::{BlockMoments, Distance, Loss, Preset, Scheme, Stabilisers, Target, VarianceModel};
use lsr_train::{BatchTarget, batch_loss};
use proptest::prelude::*;

const GROUPS: usize = 2;
const BLOCKS: usize = 5;
const CLASSES: usize = 3;
const PIXELS: usize = 12;

/// f32 against f64: a rounding of a mean (3e-8) is 1e-5 of the smallest rho used here, and enters the loss squared over R.
const TOLERANCE: f64 = 2e-3;

#[derive(Debug, Clone)]
struct Batch {
    /// `[group][block][class][pixel]`
    probabilities: Vec<f32>,
    /// `[group][block][pixel]`
    valid: Vec<bool>,
    /// `[group][class]`: (eta, rho, weight)
    targets: Vec<(f32, f32, f32)>,
}

fn batch() -> impl Strategy<Value = Batch> {
    let probabilities = prop::collection::vec(0.02_f32..0.98, GROUPS * BLOCKS * CLASSES * PIXELS);
    let valid = prop::collection::vec(prop::bool::weighted(0.8), GROUPS * BLOCKS * PIXELS);
    let targets = prop::collection::vec((0.0_f32..1.0, 0.02_f32..0.3, 0.5_f32..2.0), GROUPS * CLASSES);
    (probabilities, valid, targets).prop_map(|(probabilities, mut valid, targets)| {
        // Every block keeps a valid pixel.
        valid.chunks_exact_mut(PIXELS).for_each(|block| block[0] = true);
        Batch { probabilities, valid, targets }
    })
}

/// (value, gradient by every probability) by autodiff on tensors.
fn by_tensors(batch: &Batch, loss: &Loss<f64>, masked: bool) -> (f64, Vec<f32>) {
    let device = Device::flex().autodiff();
    let tensor = |data: Vec<f32>, shape: &[usize]| TensorData::new(data, shape.to_vec());
    let probabilities =
        Tensor::<4>::from_data(tensor(batch.probabilities.clone(), &[GROUPS, BLOCKS, CLASSES, PIXELS]), &device).require_grad();
    let valid = batch.valid.iter().map(|&v| f32::from(u8::from(v))).collect();
    let valid = masked.then(|| Tensor::<3>::from_data(tensor(valid, &[GROUPS, BLOCKS, PIXELS]), &device));
    let of = |value: fn(&(f32, f32, f32)) -> f32| {
        Tensor::<2>::from_data(tensor(batch.targets.iter().map(value).collect(), &[GROUPS, CLASSES]), &device)
    };
    let target = BatchTarget { mean: of(|t| t.0), std: of(|t| t.1), weight: Some(of(|t| t.2)), past: None };
    let result = batch_loss(probabilities.clone(), valid, target, loss);
    let value = f64::from(result.clone().into_scalar::<f32>());
    let gradient = probabilities.grad(&result.backward()).unwrap();
    (value, gradient.try_into_vec_as::<f32>().unwrap())
}

/// The same through the core's block moments and closed-form gradients in f64.
fn by_core(batch: &Batch, loss: &Loss<f64>, masked: bool) -> (f64, Vec<f64>) {
    let mut value = 0.0;
    let mut gradient = vec![0.0; batch.probabilities.len()];
    let start = |group: usize, block: usize, class: usize| ((group * BLOCKS + block) * CLASSES + class) * PIXELS;
    for group in 0..GROUPS {
        for class in 0..CLASSES {
            let pixels = |block: usize| {
                let from = start(group, block, class);
                (0..PIXELS).map(move |i| {
                    let valid = !masked || batch.valid[(group * BLOCKS + block) * PIXELS + i];
                    (f64::from(batch.probabilities[from + i]), valid)
                })
            };
            let blocks: Vec<_> = (0..BLOCKS).map(|block| BlockMoments::from_masked(pixels(block)).unwrap()).collect();
            let (eta, rho, weight) = batch.targets[group * CLASSES + class];
            let share = f64::from(weight) / GROUPS as f64;
            let result = loss.evaluate(&blocks, Target { mean: f64::from(eta), std: f64::from(rho) }).unwrap();
            value += share * result.value();
            for (block, moments) in blocks.iter().enumerate() {
                let line = result.pixel_gradient(moments).unwrap().weighted(share);
                for (i, (p, valid)) in pixels(block).enumerate() {
                    gradient[start(group, block, class) + i] = if valid { line.at(p) } else { 0.0 };
                }
            }
        }
    }
    (value, gradient)
}

fn assert_agree(batch: &Batch, loss: &Loss<f64>, masked: bool) {
    let (value, gradient) = by_tensors(batch, loss, masked);
    let (expected, closed_form) = by_core(batch, loss, masked);
    assert!((value - expected).abs() <= TOLERANCE * expected.abs().max(1.0), "{loss:?}: {value} instead of {expected}");
    let largest = closed_form.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for (i, (&got, &expected)) in gradient.iter().zip(&closed_form).enumerate() {
        assert!((f64::from(got) - expected).abs() <= TOLERANCE * largest, "{loss:?}: gradient {i} is {got} instead of {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn autodiff_is_the_closed_form(batch in batch(), masked: bool) {
        for scheme in Scheme::ALL {
            for distance in Distance::ALL {
                for variance in [VarianceModel::CountFraction, VarianceModel::BernoulliMean] {
                    assert_agree(&batch, &Loss::new(scheme, distance, variance, Stabilisers::default()).unwrap(), masked);
                }
            }
        }
        for preset in Preset::ALL {
            assert_agree(&batch, &preset.loss(), masked);
        }
    }
}
