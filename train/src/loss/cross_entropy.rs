//! Cross-entropy of the pixels whose class is known, for mixed training and the fully supervised bound.

use crate::data::UNKNOWN_CLASS;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};

/// Cross-entropy of each logit x against its target t, 0 or 1: `max(x, 0) - x t + log(1 + exp(-|x|))`, which neither overflows nor loses a
/// small probability.
pub(crate) fn binary_cross_entropy<const D: usize>(logits: Tensor<D>, targets: Tensor<D>) -> Tensor<D> {
    relu(logits.clone()) - logits.clone() * targets + logits.abs().neg().exp().log1p()
}

/// Mean cross-entropy over all pixels whose class is known; `None` where there is no such pixel. Arguments as in [`known_cross_entropy`].
pub fn cross_entropy(logits: Tensor<4>, classes: &[u8], valid: Option<&[u8]>, device: &Device) -> Option<Tensor<1>> {
    let (sum, pixels) = known_cross_entropy(logits, classes, valid, device);
    (pixels > 0.0).then(|| sum.div_scalar(pixels))
}

/// The sum of the cross-entropy over all pixels whose class is known, `[1]`, and their number.
///
/// - `logits`: `[n, outputs, h, w]`; one output is the logit of class 1 against class 0
/// - `classes`: n h w bytes, the class of every pixel, [`UNKNOWN_CLASS`] where it is not known
/// - `valid`: n h w bytes, 0 where a pixel counts for nothing
pub fn known_cross_entropy(logits: Tensor<4>, classes: &[u8], valid: Option<&[u8]>, device: &Device) -> (Tensor<1>, f64) {
    let [n, outputs, h, w] = logits.dims();
    let known: Vec<f32> = classes
        .iter()
        .enumerate()
        .map(|(i, &class)| if class != UNKNOWN_CLASS && valid.is_none_or(|valid| valid[i] != 0) { 1.0 } else { 0.0 })
        .collect();
    let count: f64 = known.iter().map(|&k| f64::from(k)).sum();
    let known = Tensor::<4>::from_data(TensorData::new(known, [n, 1, h, w]), device);
    let terms = if outputs == 1 {
        let truth: Vec<f32> = classes.iter().map(|&class| f32::from(class == 1)).collect();
        let truth = Tensor::<4>::from_data(TensorData::new(truth, [n, 1, h, w]), device);
        binary_cross_entropy(logits, truth)
    } else {
        let pixels = h * w;
        let mut truth = vec![0_f32; n * outputs * pixels];
        for (i, &class) in classes.iter().enumerate().filter(|(_, class)| usize::from(**class) < outputs) {
            truth[(i / pixels * outputs + usize::from(class)) * pixels + i % pixels] = 1.0;
        }
        let truth = Tensor::<4>::from_data(TensorData::new(truth, [n, outputs, h, w]), device);
        (log_softmax(logits, 1) * truth).sum_dim(1).neg()
    };
    ((terms * known).sum(), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tolerance: f32 sums of a dozen terms of order 1.
    const TOLERANCE: f64 = 1e-6;

    fn value(loss: Option<Tensor<1>>) -> f64 {
        f64::from(loss.unwrap().into_scalar::<f32>())
    }

    #[test]
    fn agrees_with_the_textbook_formula_and_leaves_unknown_pixels_out() {
        let device = Device::flex();
        let x = [-2.0_f64, 0.5, 3.0, -100.0, 80.0, 1.0];
        let classes = [0_u8, 1, 0, 1, UNKNOWN_CLASS, 1];
        let logits = Tensor::<4>::from_data(TensorData::new(x.map(|x| x as f32).to_vec(), [1, 1, 2, 3]), &device);
        let term = |i: usize| {
            let z = if classes[i] == 1 { -x[i] } else { x[i] };
            if z > 30.0 { z } else { z.exp().ln_1p() }
        };
        let expected = (term(0) + term(1) + term(2) + term(3) + term(5)) / 5.0;
        assert!((value(cross_entropy(logits.clone(), &classes, None, &device)) - expected).abs() < 1e-5 * expected);
        let valid = [1, 1, 0, 0, 1, 0];
        let expected = (term(0) + term(1)) / 2.0;
        assert!((value(cross_entropy(logits.clone(), &classes, Some(&valid), &device)) - expected).abs() < TOLERANCE);
        assert!(cross_entropy(logits, &[UNKNOWN_CLASS; 6], None, &device).is_none());
    }

    #[test]
    fn two_softmax_outputs_are_one_sigmoid_output() {
        let device = Device::flex();
        let x = [0.3_f32, -1.2, 2.0, 0.1];
        let one = Tensor::<4>::from_data(TensorData::new(x.to_vec(), [1, 1, 2, 2]), &device);
        let two = Tensor::cat(vec![one.clone().zeros_like(), one.clone()], 1);
        let classes = [1, 0, UNKNOWN_CLASS, 1];
        let (a, b) = (value(cross_entropy(one, &classes, None, &device)), value(cross_entropy(two, &classes, None, &device)));
        assert!((a - b).abs() < TOLERANCE, "{a} {b}");
    }

    #[test]
    fn cross_entropy_is_that_of_the_sigmoid_and_stays_finite() {
        let device = Device::flex();
        let value = |x: f32, t: f32| {
            binary_cross_entropy::<1>(Tensor::from_floats([x], &device), Tensor::from_floats([t], &device)).into_scalar::<f32>()
        };
        for (x, t) in [(0.3_f64, 1.0_f64), (-2.0, 1.0), (1.7, 0.0), (0.0, 0.0)] {
            let p = 1.0 / (1.0 + (-x).exp());
            let expected = -(t * p.ln() + (1.0 - t) * (1.0 - p).ln());
            assert!((f64::from(value(x as f32, t as f32)) - expected).abs() < 1e-6, "{x} {t}");
        }
        assert_eq!(value(1000.0, 0.0), 1000.0);
        assert_eq!(value(-1000.0, 1.0), 1000.0);
        assert_eq!(value(1000.0, 1.0), 0.0);
    }
}
