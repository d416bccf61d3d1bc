//! The tensor route: value by the core's formulas on burn tensors, gradient by autodiff, in f32 with blocks padded to one size.

use crate::{F32, Kind, vectors};
use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::Loss;
use lsr_tests::golden::Case;
use lsr_train::{BatchTarget, batch_loss};

/// The case as one group of one class, and its loss and gradient by every probability (`[block][pixel]`).
fn by_tensors(case: &Case, loss: &Loss<f64>) -> (f64, Vec<Vec<f64>>) {
    let device = Device::flex().autodiff();
    let blocks = case.probabilities.len();
    let pixels = case.probabilities.iter().map(Vec::len).max().unwrap_or(0);
    let mut padded = vec![0.5_f32; blocks * pixels];
    let mut valid = vec![0.0_f32; blocks * pixels];
    for (k, block) in case.probabilities.iter().enumerate() {
        for (i, &p) in block.iter().enumerate() {
            padded[k * pixels + i] = p as f32;
            valid[k * pixels + i] = 1.0;
        }
    }
    let probabilities = Tensor::<4>::from_data(TensorData::new(padded, [1, blocks, 1, pixels]), &device).require_grad();
    let valid = Tensor::<3>::from_data(TensorData::new(valid, [1, blocks, pixels]), &device);
    let of = |value: f64| Tensor::<2>::from_data(TensorData::new(vec![value as f32], [1, 1]), &device);
    let target = BatchTarget { mean: of(case.eta), std: of(case.rho), weight: None, past: None };
    let result = batch_loss(probabilities.clone(), Some(valid), target, loss);
    let value = f64::from(result.clone().into_scalar::<f32>());
    let gradient = probabilities.grad(&result.backward()).unwrap().try_into_vec_as::<f32>().unwrap();
    let rows = gradient.chunks_exact(pixels).zip(&case.probabilities);
    for (k, (row, block)) in rows.clone().enumerate() {
        assert!(row[block.len()..].iter().all(|&g| g == 0.0), "block {k}: a padded pixel has a gradient");
    }
    (value, rows.map(|(row, block)| row[..block.len()].iter().map(|&g| f64::from(g)).collect()).collect())
}

#[test]
fn tensors_with_autodiff_hold_the_golden_values() {
    let (mut values, mut gradients) = (Kind::default(), Kind::default());
    for (index, case) in vectors().cases.iter().enumerate() {
        let of_losses = case.losses.iter().map(|l| {
            (format!("case {index}, {}, {:?}, {}", l.scheme, l.variance_model, l.distance), l.loss::<f64>().unwrap(), l.value, &l.gradient)
        });
        let of_presets = case.presets.iter().map(|p| (format!("case {index}, preset {}", p.preset), p.preset.loss(), p.value, &p.gradient));
        for (name, loss, value, gradient) in of_losses.chain(of_presets) {
            let (got, by_autodiff) = by_tensors(case, &loss);
            values.hold(|| format!("{name} on tensors"), got, value, F32.value);
            let largest = gradient.iter().flatten().fold(0.0_f64, |a, b| a.max(b.abs()));
            let (relative, share) = F32.gradient;
            for (k, (row, expected)) in by_autodiff.iter().zip(gradient).enumerate() {
                for (i, (&got, &expected)) in row.iter().zip(expected).enumerate() {
                    let what = || format!("{name} on tensors: gradient of block {k}, pixel {i}");
                    gradients.hold(what, got, expected, (relative, share * largest));
                }
            }
        }
    }
    for (name, kind) in [("loss values", &values), ("gradient entries", &gradients)] {
        println!("tensors: {} {name} compared, largest error {:.2e} of what is allowed", kind.compared, kind.worst);
        assert!(kind.compared > 0, "no {name} compared");
    }
}
