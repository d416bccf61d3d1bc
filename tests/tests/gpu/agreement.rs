//! Logits, losses and gradients of a device against the processor's.

use crate::device;
use crate::network::{BLOCKS, GROUPS, Run, Step, networks, step, values};
use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::{Distance, Loss, Preset, Scheme, Stabilisers, VarianceModel};
use lsr_train::{BatchTarget, batch_loss};

/// Of logits, relative to all of them (`|a - b| / |b|`).
const LOGITS: f64 = 5e-3;
/// Of the gradient of each parameter, relative to that gradient. `rounding_as_tensor_cores_do_is_within_what_is_allowed` says how much of
/// it the rounding of weights and pixels alone takes.
const GRADIENT: f64 = 5e-2;
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

/// Largest relative errors: logits, loss, gradient of a parameter, and that parameter's name.
fn errors(found: &Step, expected: &Step) -> (f64, f64, f64, String) {
    let names = |step: &Step| step.gradients.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    let each = found.gradients.iter().zip(&expected.gradients).map(|((name, a), (_, b))| (relative(a, b), name.clone()));
    // A gradient that is no number is the largest.
    let (gradient, name) = each.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs())).unwrap();
    let loss = (found.loss - expected.loss).abs() / expected.loss.abs().max(1.0);
    (relative(&found.logits, &expected.logits), loss, gradient, name)
}

fn assert_within(name: &str, found: &Step, expected: &Step) {
    let (logits, loss, gradient, parameter) = errors(found, expected);
    println!("{name}: relative errors: logits {logits:.1e}, loss {loss:.1e}, gradient {gradient:.1e} ({parameter})");
    for (what, error, allowed) in [("logits", logits, LOGITS), ("the loss", loss, LOSS), (&*parameter, gradient, GRADIENT)] {
        assert!(error <= allowed, "{name}: relative error of {what}: {error:.2e} instead of at most {allowed:.0e}");
    }
}

#[test]
#[ignore = "needs a GPU: tests/gpu.sh"]
fn logits_loss_and_the_gradient_of_every_parameter_are_the_processors() {
    let device = device().open().unwrap();
    for (name, config) in networks() {
        let expected = step(&config, &Device::flex(), Run::AsTrained);
        let found = step(&config, &device, Run::Composed);
        // Two parameters of a normalisation for each convolution, and two of the head; another two for each transposed convolution.
        assert!(found.gradients.len() > 3 * config.depth, "{name}: {} parameters", found.gradients.len());
        assert!(expected.gradients.iter().all(|(_, gradient)| gradient.iter().any(|&value| value != 0.0)), "{name}: a gradient of 0");
        assert_within(name, &found, &expected);
    }
}

#[test]
fn rounding_as_tensor_cores_do_is_within_what_is_allowed() {
    for (name, config) in networks() {
        let plain = step(&config, &Device::flex(), Run::Composed);
        let rounded = step(&config, &Device::flex(), Run::Rounded);
        assert_within(name, &rounded, &plain);
        // It was rounded: otherwise this would show nothing.
        assert!(relative(&rounded.logits, &plain.logits) > 1e-5, "{name}");
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
        let value = batch_loss(p.clone(), valid, target, loss).loss;
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
