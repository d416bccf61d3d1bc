//! The 1x1 convolution to the logits.

use super::view::Map;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};

/// Logits of one image.
pub(super) struct Logits<'a> {
    pub(super) map: Map<'a>,
    /// `[outputs][groups][lanes]`, padded with zeros.
    pub(super) weights: &'a [f32],
    pub(super) bias: &'a [f32],
    /// `[outputs][height][width]`.
    pub(super) logits: &'a mut [f32],
}

impl WithSimd for Logits<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let plane = self.map.height * self.map.width;
        let values: &[S::f32s] = cast_slice(self.map.values);
        let (scale, shift): (&[S::f32s], &[S::f32s]) = (cast_slice(&self.map.affine.scale), cast_slice(&self.map.affine.shift));
        let weights: &[S::f32s] = cast_slice(self.weights);
        let zero = simd.splat_f32s(0.0);
        let outputs = self.logits.chunks_exact_mut(plane).zip(weights.chunks_exact(scale.len())).zip(self.bias);
        for ((logits, weights), &bias) in outputs {
            for (pixel, logit) in logits.iter_mut().enumerate() {
                let mut sum = zero;
                for (group, &weight) in weights.iter().enumerate() {
                    let a = simd.max_f32s(simd.mul_add_e_f32s(values[group * plane + pixel], scale[group], shift[group]), zero);
                    sum = simd.mul_add_e_f32s(a, weight, sum);
                }
                *logit = bias + simd.reduce_sum_f32s(sum);
            }
        }
    }
}

/// The way back through one image: writes the gradient of the last activation and gives those of weights and bias.
pub(super) struct LogitsGradient<'a> {
    pub(super) map: Map<'a>,
    /// `[outputs][groups][lanes]`, padded with zeros.
    pub(super) weights: &'a [f32],
    /// Gradient of the logits, `[outputs][height][width]`.
    pub(super) logits: &'a [f32],
    /// Gradient of the activation, `[groups][height][width][lanes]`.
    pub(super) gradient: &'a mut [f32],
}

impl WithSimd for LogitsGradient<'_> {
    /// Of the weights, `[outputs][groups][lanes]`, and of the bias.
    type Output = (Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let (plane, width) = (self.map.height * self.map.width, self.map.width);
        let values: &[S::f32s] = cast_slice(self.map.values);
        let (scale, shift): (&[S::f32s], &[S::f32s]) = (cast_slice(&self.map.affine.scale), cast_slice(&self.map.affine.shift));
        let weights: &[S::f32s] = cast_slice(self.weights);
        let gradient: &mut [S::f32s] = cast_slice_mut(self.gradient);
        let zero = simd.splat_f32s(0.0);
        let mut of_weights = vec![0.0; self.weights.len()];
        for (group, (values, gradient)) in values.chunks_exact(plane).zip(gradient.chunks_exact_mut(plane)).enumerate() {
            for (output, logits) in self.logits.chunks_exact(plane).enumerate() {
                let place = output * scale.len() + group;
                let weight = weights[place];
                for (row, logits) in logits.chunks_exact(width).enumerate() {
                    let (values, gradient) = (&values[row * width..][..width], &mut gradient[row * width..][..width]);
                    let mut sum = zero;
                    for ((&z, to), &g) in values.iter().zip(gradient).zip(logits) {
                        let g = simd.splat_f32s(g);
                        let before = if output == 0 { zero } else { *to };
                        *to = simd.mul_add_e_f32s(g, weight, before);
                        let a = simd.max_f32s(simd.mul_add_e_f32s(z, scale[group], shift[group]), zero);
                        sum = simd.mul_add_e_f32s(g, a, sum);
                    }
                    let sum: &[f32] = cast_slice(std::slice::from_ref(&sum));
                    of_weights[place * sum.len()..].iter_mut().zip(sum).for_each(|(to, &from)| *to += f64::from(from));
                }
            }
        }
        let of_bias = self.logits.chunks_exact(plane).map(|logits| logits.iter().map(|&g| f64::from(g)).sum()).collect();
        (of_weights, of_bias)
    }
}
