//! Length of the boundaries that a network draws.

use burn::tensor::{Device, Tensor, TensorData};

/// Softens the root where a probability does not change: its square's derivative is bounded there.
const EPSILON: f64 = 1e-6;

/// Mean over pixels of `weight sqrt(dx^2 + dy^2)`, `[1]`, d being the difference of the probability to the next pixel: total variation, which is the
/// length of the contours of `p >= t`, averaged over all t, by the coarea formula (Rudin, Osher and Fatemi 1992). Half the sum over
/// classes where there are several, so that two of them give what one probability gives.
///
/// - `probabilities`: `[n, classes, h, w]`, h and w at least 2
/// - `valid`: 0 where a pixel counts for nothing, n h w bytes; a difference counts where all of its pixels do
/// - `weights`: n, one an image
pub(crate) fn boundary_length(probabilities: Tensor<4>, valid: Option<&[u8]>, weights: &[f64], device: &Device) -> Tensor<1> {
    let [n, classes, h, w] = probabilities.dims();
    let at = |y: usize, x: usize| probabilities.clone().slice([0..n, 0..classes, y..h - 1 + y, x..w - 1 + x]);
    let (dx, dy) = (at(0, 1) - at(0, 0), at(1, 0) - at(0, 0));
    let lengths = (dx.powi_scalar(2) + dy.powi_scalar(2)).add_scalar(EPSILON).sqrt().sub_scalar(EPSILON.sqrt()).sum_dim(1);
    let lengths = if classes > 1 { lengths.mul_scalar(0.5) } else { lengths };
    let (mut weight_of, mut pixels) = (Vec::with_capacity(n * (h - 1) * (w - 1)), 0_usize);
    for (image, &weight) in weights.iter().enumerate() {
        for (y, x) in (0..h - 1).flat_map(|y| (0..w - 1).map(move |x| (y, x))) {
            let i = (image * h + y) * w + x;
            let counts = valid.is_none_or(|valid| valid[i] != 0 && valid[i + 1] != 0 && valid[i + w] != 0);
            weight_of.push(if counts { weight as f32 } else { 0.0 });
            pixels += usize::from(counts);
        }
    }
    let weight_of = Tensor::<4>::from_data(TensorData::new(weight_of, [n, 1, h - 1, w - 1]), device);
    (lengths * weight_of).sum().div_scalar(pixels.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(values: Vec<f32>, shape: [usize; 4], valid: Option<&[u8]>) -> f64 {
        let device = Device::flex();
        let probabilities = Tensor::<4>::from_data(TensorData::new(values, shape), &device);
        f64::from(boundary_length(probabilities, valid, &vec![1.0; shape[0]], &device).into_scalar::<f32>())
    }

    /// A straight edge of height h is h pixels long, whether it is a step or a ramp; a slanted one is longer than its height.
    #[test]
    fn a_straight_edge_has_its_own_length() {
        let (h, w) = (9, 17);
        let image = |p: &dyn Fn(f32, f32) -> f32| (0..h * w).map(|i| p((i % w) as f32, (i / w) as f32)).collect::<Vec<f32>>();
        let pixels = ((h - 1) * (w - 1)) as f64;
        let step = length(image(&|x, _| f32::from(u8::from(x > 7.0))), [1, 1, h, w], None) * pixels;
        assert!((step - (h - 1) as f64).abs() < 0.01, "{step}");
        let ramp = length(image(&|x, _| ((x - 4.0) / 8.0).clamp(0.0, 1.0)), [1, 1, h, w], None) * pixels;
        assert!((ramp - (h - 1) as f64).abs() < 0.1, "{ramp}");
        let slanted = length(image(&|x, y| ((x + y - 8.0) / 8.0).clamp(0.0, 1.0)), [1, 1, h, w], None) * pixels;
        assert!((slanted / ((h - 1) as f64) - 2.0_f64.sqrt()).abs() < 0.05, "{slanted}");
    }

    #[test]
    fn agrees_with_sums_pixel_by_pixel_and_leaves_invalid_pixels_out() {
        let (n, h, w) = (2, 5, 6);
        let values: Vec<f32> = (0..n * h * w).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
        let valid: Vec<u8> = (0..n * h * w).map(|i| u8::from(i % 7 != 0)).collect();
        for valid in [None, Some(valid.as_slice())] {
            let (mut sum, mut pixels) = (0.0, 0.0);
            for (image, y, x) in (0..n).flat_map(|n| (0..h - 1).flat_map(move |y| (0..w - 1).map(move |x| (n, y, x)))) {
                let i = (image * h + y) * w + x;
                if valid.is_none_or(|valid| [i, i + 1, i + w].iter().all(|&i| valid[i] != 0)) {
                    let d = |j: usize| f64::from(values[j]) - f64::from(values[i]);
                    sum += d(i + 1).hypot(d(i + w));
                    pixels += 1.0;
                }
            }
            let found = length(values.clone(), [n, 1, h, w], valid);
            assert!((found - sum / pixels).abs() < 1e-3, "{found} {}", sum / pixels);
            // A class and its complement are one probability.
            let image = |i: usize| values[i * h * w..(i + 1) * h * w].iter();
            let both = (0..n).flat_map(|i| image(i).copied().chain(image(i).map(|p| 1.0 - p)).collect::<Vec<f32>>()).collect();
            assert!((length(both, [n, 2, h, w], valid) - found).abs() < 1e-6);
        }
        // The second image alone, at a third.
        let second = length(values[h * w..].to_vec(), [1, 1, h, w], None);
        let device = Device::flex();
        let both = Tensor::<4>::from_data(TensorData::new(values.clone(), [n, 1, h, w]), &device);
        let weighted = f64::from(boundary_length(both, None, &[0.0, 1.0 / 3.0], &device).into_scalar::<f32>());
        assert!((weighted - second / 6.0).abs() < 1e-6);
        let nothing = vec![0; n * h * w];
        assert_eq!(length(values, [n, 1, h, w], Some(&nothing)), 0.0);
    }

    /// Going down the gradient shortens a ragged edge.
    #[test]
    fn its_gradient_smooths() {
        let device = Device::flex().autodiff();
        let (h, w) = (8, 8);
        let ragged: Vec<f32> = (0..h * w).map(|i| if i % w + i / w % 2 > 3 { 0.9 } else { 0.1 }).collect();
        let x = Tensor::<4>::from_data(TensorData::new(ragged, [1, 1, h, w]), &device).require_grad();
        let before = boundary_length(x.clone(), None, &[1.0], &device);
        let gradient = x.grad(&before.clone().backward()).unwrap();
        let inner = x.clone().inner();
        let after = boundary_length(inner - gradient.mul_scalar(0.5), None, &[1.0], &device.inner());
        assert!(after.into_scalar::<f32>() < before.into_scalar::<f32>());
    }
}
