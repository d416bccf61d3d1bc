//! Two kernels on a device against the same on the processor: a convolution and a product of matrices.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Largest relative error that passes. GPUs may round the factors of a product to 10 bits (TF32), which is 5e-4 of each and less of a sum of many;
/// a kernel that is wrong is off by a share of everything.
const ALLOWED: f64 = 5e-3;

/// What the kernels compute, compared with the processor: `|a - b| / |b|` over all numbers of a result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KernelCheck {
    /// Of a 3x3 convolution of 8 to 16 channels over 2 images of 32 px.
    pub convolution: f64,
    /// Of a product of 64 x 256 and 256 x 64 numbers.
    pub product: f64,
    /// Largest error that passes.
    pub allowed: f64,
}

impl KernelCheck {
    /// What is wrong, if something is.
    pub(super) fn fault(&self) -> Option<String> {
        let wrong = |name: &str, error: f64| {
            // Also an error that is no number.
            let passes = error <= self.allowed;
            (!passes).then(|| format!("the relative error of a {name} is {error:.1e} instead of at most {:.0e}", self.allowed))
        };
        wrong("convolution", self.convolution).or_else(|| wrong("product of matrices", self.product))
    }
}

/// Runs both on the device and on the processor.
///
/// # Errors
/// Why the device gives no result.
pub(super) fn check(device: &Device) -> Result<KernelCheck, String> {
    let compute = |device: &Device| -> Result<[Vec<f32>; 2], String> {
        let no_result = |error: &dyn std::fmt::Debug| format!("it gives no result: {error:?}");
        let image = numbers([2, 8, 32, 32], 1, device);
        let convolved = conv2d(image, numbers([16, 8, 3, 3], 2, device), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        let product = numbers([64, 256], 3, device).matmul(numbers([256, 64], 4, device));
        device.sync().map_err(|error| no_result(&error))?;
        let values = [convolved.try_into_vec_as::<f32>(), product.try_into_vec_as::<f32>()];
        let [convolved, product] = values.map(|values| values.map_err(|error| no_result(&error)));
        Ok([convolved?, product?])
    };
    // A kernel that cannot be compiled or started is a panic in burn's runtime.
    let found = catch_unwind(AssertUnwindSafe(|| compute(device))).map_err(|_| "a kernel cannot be compiled or started".to_owned())??;
    let expected = compute(&Device::flex())?;
    let [convolution, product] = std::array::from_fn(|i| relative_error(&found[i], &expected[i]));
    Ok(KernelCheck { convolution, product, allowed: ALLOWED })
}

/// Numbers between -1 and 1, the same on every device.
fn numbers<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let mut state = seed;
    let mut next = || {
        // A linear congruential generator (Numerical Recipes); its upper bits are random enough here.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    let values = (0..shape.iter().product()).map(|_| next()).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `|found - expected| / |expected|`; no number where the lengths differ.
fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::NAN;
    }
    let square = |x: f64| x * x;
    let difference: f64 = found.iter().zip(expected).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    (difference / expected.iter().map(|&b| square(f64::from(b))).sum::<f64>()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_agrees_with_itself() {
        let check = check(&Device::flex()).unwrap();
        assert_eq!((check.convolution, check.product), (0.0, 0.0));
        assert_eq!(check.fault(), None);
    }

    #[test]
    fn the_numbers_are_not_all_alike() {
        let values = numbers([1000], 1, &Device::flex()).try_into_vec_as::<f32>().unwrap();
        let mean = values.iter().sum::<f32>() / 1000.0;
        assert!(mean.abs() < 0.1 && values.iter().all(|v| (-1.0..=1.0).contains(v)), "{mean}");
        assert!(values.iter().any(|&v| v < -0.9) && values.iter().any(|&v| v > 0.9));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_error() {
        assert!((relative_error(&[3.0, 4.0], &[3.0, 5.0]) - 1.0 / 34.0_f64.sqrt()).abs() < 1e-12);
        assert!(relative_error(&[1.0], &[1.0, 2.0]).is_nan());
        let fault = |convolution, product| KernelCheck { convolution, product, allowed: 5e-3 }.fault();
        assert_eq!(fault(4e-3, 1e-7), None);
        assert!(fault(1e-7, 0.5).unwrap().contains("product of matrices is 5.0e-1"));
        assert!(fault(f64::NAN, 0.0).unwrap().contains("convolution is NaN"));
    }
}
