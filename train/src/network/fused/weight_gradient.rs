//! The gradient of a 3x3 convolution's weights over a strip.
//!
//! Three taps of some input channels by one group of output channels stay in registers over all pixels of the strip.

use super::simd::unrolled;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};

/// Writes a strip's share.
pub(super) struct WeightGradient<'a> {
    /// `[input groups][rows + 2][width + 2][lanes]`, zero around the image.
    pub(super) input: &'a [f32],
    pub(super) input_groups: usize,
    /// Gradient of the convolution's output, stored likewise.
    pub(super) output_gradient: &'a [f32],
    pub(super) rows: usize,
    pub(super) width: usize,
    /// `[output groups][input groups][3][3][lanes of input][lanes]`.
    pub(super) gradient: &'a mut [f32],
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as registers allow.
        match S::F32_LANES {
            16 => self.write::<S, 8>(simd),
            8 | 4 => self.write::<S, 4>(simd),
            _ => self.write::<S, 1>(simd),
        }
    }
}

impl WeightGradient<'_> {
    #[expect(clippy::out_of_bounds_indexing, reason = "the macro asks for each index whether it is below 3 first")]
    #[inline(always)]
    fn write<S: Simd, const C: usize>(self, simd: S) {
        let lanes = S::F32_LANES;
        let row = (self.width + 2) * lanes;
        let gradient: &mut [S::f32s] = cast_slice_mut(self.gradient);
        let output: &[S::f32s] = cast_slice(self.output_gradient);
        let outputs = output.chunks_exact((self.rows + 2) * (self.width + 2));
        for (output, gradient) in outputs.zip(gradient.chunks_exact_mut(self.input_groups * 9 * lanes)) {
            // Three taps side by side, of all lanes: [group][ky].
            for (number, taps) in gradient.chunks_exact_mut(3 * lanes).enumerate() {
                let first_row = number / 3 * (self.rows + 2) + number % 3;
                for channel in (0..lanes).step_by(C) {
                    let mut sums = [[simd.splat_f32s(0.0); C]; 3];
                    for y in 0..self.rows {
                        let input = &self.input[(first_row + y) * row..][..row];
                        let output = &output[(y + 1) * (self.width + 2) + 1..][..self.width];
                        for (x, &output) in output.iter().enumerate() {
                            let input = &input[x * lanes + channel..][..2 * lanes + C];
                            unrolled!(K < 3, {
                                unrolled!(I < C, {
                                    sums[K][I] = simd.mul_add_e_f32s(simd.splat_f32s(input[K * lanes + I]), output, sums[K][I]);
                                });
                            });
                        }
                    }
                    unrolled!(K < 3, {
                        unrolled!(I < C, {
                            taps[K * lanes + channel + I] = sums[K][I];
                        });
                    });
                }
            }
        }
    }
}
