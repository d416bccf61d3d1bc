//! Logits, losses and gradients of a device against the processor's.

use crate::device;
use crate::network::{BLOCKS, GROUPS, Run, Step, networks, step, values};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::{Distance, Loss, Preset, Scheme, Stabilisers, VarianceModel};
use lsr_train::{BatchTarget, batch_loss};

/// Largest relative errors, `|a - b| / |b|` over all numbers, that pass.
struct Allowed {
    logits: f64,
    /// Of the gradient of all parameters together.
    gradient: f64,
    /// Of the gradient of any one parameter.
    parameter: f64,
}

/// Where products are formed in f32: sums in another order gave 2e-5 between the two implementations for processors.
const EXACT: Allowed = Allowed { logits: 1e-4, gradient: 1e-3, parameter: 2e-3 };
/// Where tensor cores round the factors of a product to 10 bits (TF32). `rounding_as_tensor_cores_do_is_within_what_is_allowed` says what that costs
/// for weights and pixels alone (3e-3, 8e-2 and 0.15): ReLU and pooling switch, and normalisation and the loss subtract what is nearly equal. Twice
/// that is allowed, since activations are rounded too; a gradient that lacks a part is off by a share of 1.
const ROUNDED: Allowed = Allowed { logits: 6e-3, gradient: 0.16, parameter: 0.3 };
/// Relative error of a convolution from which on a device counts as one that rounds: f32 gives 1e-7, TF32 3e-4.
const ROUNDS: f64 = 1e-5;
/// Of a loss, relative to itself or to 1.
const LOSS: f64 = 2e-3;

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// `|found - expected| / |expected|`.
fn relative(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference = norm(found.iter().zip(expected).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    difference / norm(expected.iter().map(|&value| f64::from(value)))
}

/// Relative error of one convolution.
fn error_of_a_convolution(device: &Device) -> f64 {
    let convolve = |device: &Device| {
        let numbers = |count: usize, k: f32| (0..count).map(|i| (i as f32 * k).sin()).collect::<Vec<f32>>();
        let image = Tensor::<4>::from_data(TensorData::new(numbers(16 * 32 * 32, 0.7), [1, 16, 32, 32]), device);
        let weight = Tensor::<4>::from_data(TensorData::new(numbers(16 * 16 * 9, 1.3), [16, 16, 3, 3]), device);
        values(conv2d(image, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1)))
    };
    relative(&convolve(device), &convolve(&Device::flex()))
}

fn assert_within(name: &str, found: &Step, expected: &Step, allowed: &Allowed) {
    let names = |step: &Step| step.gradients.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    let all = |step: &Step| step.gradients.iter().flat_map(|(_, gradient)| gradient.clone()).collect::<Vec<_>>();
    let each = found.gradients.iter().zip(&expected.gradients).map(|((name, a), (_, b))| (relative(a, b), name));
    // A gradient that is no number is the largest.
    let (parameter, worst) = each.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs())).unwrap();
    let (logits, gradient) = (relative(&found.logits, &expected.logits), relative(&all(found), &all(expected)));
    let loss = (found.loss - expected.loss).abs() / expected.loss.abs().max(1.0);
    println!("{name}: relative error of logits {logits:.1e}, loss {loss:.1e}, gradient {gradient:.1e}, at most {parameter:.1e} ({worst})");
    for (what, error, allowed) in [
        ("logits", logits, allowed.logits),
        ("the loss", loss, LOSS),
        ("the gradient", gradient, allowed.gradient),
        (worst, parameter, allowed.parameter),
    ] {
        assert!(error <= allowed, "{name}: relative error of {what}: {error:.2e} instead of at most {allowed:.0e}");
    }
}

#[test]
#[ignore = "needs a GPU: tests/gpu.sh"]
fn logits_loss_and_the_gradient_of_every_parameter_are_the_processors() {
    let device = device().open().unwrap();
    let error = error_of_a_convolution(&device);
    let allowed = if error < ROUNDS { &EXACT } else { &ROUNDED };
    println!("relative error of a convolution {error:.1e}: products are {}", if error < ROUNDS { "in f32" } else { "rounded" });
    for (name, config) in networks() {
        let expected = step(&config, &Device::flex(), Run::AsTrained);
        let found = step(&config, &device, Run::Composed);
        // Two parameters of a normalisation for each convolution, and two of the head; another two for each transposed convolution.
        assert!(found.gradients.len() > 3 * config.depth, "{name}: {} parameters", found.gradients.len());
        assert!(expected.gradients.iter().all(|(_, gradient)| gradient.iter().any(|&value| value != 0.0)), "{name}: a gradient of 0");
        assert_within(name, &found, &expected, allowed);
    }
}

#[test]
fn rounding_as_tensor_cores_do_is_within_what_is_allowed() {
    for (name, config) in networks() {
        let plain = step(&config, &Device::flex(), Run::Composed);
        let rounded = step(&config, &Device::flex(), Run::Rounded);
        assert_within(name, &rounded, &plain, &ROUNDED);
        // It was rounded, beyond what passes for f32: otherwise this would show nothing.
        assert!(relative(&rounded.logits, &plain.logits) > EXACT.logits, "{name}");
    }
}

#[test]
#[ignore = "needs a GPU: tests/gpu.sh"]
fn every_loss_and_its_gradient_by_the_probabilities_are_the_processors() {
    const CLASSES: usize = 2;
    const PIXELS: usize = 500;
    let wave = |i: usize, k: f32| 0.5 + 0.45 * (i as f32 * k).sin();
    let evaluate = |device: &Device, loss: &Loss<f64>, masked: bool| {
        let device = device.clone().autodiff();
        let shape = [GROUPS, BLOCKS, CLASSES, PIXELS];
        let p: Vec<f32> = (0..shape.iter().product()).map(|i| wave(i, 0.37)).collect();
        let p = Tensor::<4>::from_data(TensorData::new(p, shape), &device).require_grad();
        let valid: Vec<f32> = (0..GROUPS * BLOCKS * PIXELS).map(|i| f32::from(u8::from(i % 7 != 0))).collect();
        let valid = masked.then(|| Tensor::<3>::from_data(TensorData::new(valid, [GROUPS, BLOCKS, PIXELS]), &device));
        let table = |k: f32, scale: f32| {
            let values: Vec<f32> = (0..GROUPS * CLASSES).map(|i| scale * wave(i, k)).collect();
            Tensor::<2>::from_data(TensorData::new(values, [GROUPS, CLASSES]), &device)
        };
        let target = BatchTarget { mean: table(0.9, 1.0), std: table(1.7, 0.2), weight: Some(table(2.3, 1.0)), past: None };
        let value = batch_loss(p.clone(), valid, target, loss);
        let gradient = p.grad(&value.clone().backward()).unwrap();
        (f64::from(value.into_scalar::<f32>()), values(gradient))
    };
    let variants = Scheme::ALL.into_iter().flat_map(|scheme| {
        let of = move |variance| Distance::ALL.map(|distance| Loss::new(scheme, distance, variance, Stabilisers::default()).unwrap());
        [VarianceModel::CountFraction, VarianceModel::BernoulliMean].map(of).into_iter().flatten()
    });
    let device = device().open().unwrap();
    let (mut compared, mut worst) = (0, 0.0_f64);
    for loss in variants.chain(Preset::ALL.map(|preset| preset.loss())) {
        for masked in [false, true] {
            let ((found, gradient), (expected, closed)) = (evaluate(&device, &loss, masked), evaluate(&Device::flex(), &loss, masked));
            let error = ((found - expected).abs() / expected.abs().max(1.0)).max(relative(&gradient, &closed));
            assert!(error <= LOSS, "{loss:?}, masked {masked}: {found} instead of {expected}, relative error {error:.2e}");
            (compared, worst) = (compared + 1, worst.max(error));
        }
    }
    assert!(compared > 50, "{compared}");
    println!("{compared} losses: largest relative error {worst:.1e}");
}
