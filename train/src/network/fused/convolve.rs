//! The 3x3 convolution of a strip: forward, and (with weights turned round) the gradient of its input.
//!
//! A tile of up to 16 pixels of one group of output channels stays in registers while all taps of all input channels are added up: one weight
//! vector and one broadcast pixel for each multiply-add.

use super::simd::unrolled;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};

/// Convolves a strip.
pub(super) struct Convolve<'a, 'b> {
    /// `[input groups][rows + 2][width + 2][lanes]`, zero around the image.
    pub(super) input: &'a [f32],
    /// Channels of each input group that are not padding.
    pub(super) counts: &'a [usize],
    /// `[output groups][input groups][3][3][lanes of input][lanes]`.
    pub(super) weights: &'a [f32],
    pub(super) rows: usize,
    pub(super) width: usize,
    /// For each output group `[rows][width][lanes]`.
    pub(super) output: &'a mut [&'b mut [f32]],
}

impl WithSimd for Convolve<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let tile = tile_pixels(self.width, if lanes == 16 { 16 } else { 12 });
        let weights: &[S::f32s] = cast_slice(self.weights);
        let strip = Strip { input: self.input, counts: self.counts, row: (self.width + 2) * lanes, rows: self.rows };
        for (weights, output) in weights.chunks_exact(self.counts.len() * 9 * lanes).zip(self.output) {
            let output: &mut [S::f32s] = cast_slice_mut(output);
            for (y, output) in output.chunks_exact_mut(self.width).enumerate() {
                let mut x = 0;
                while x < self.width {
                    // The last tile of a row ends with the row: some pixels are computed twice.
                    let at = x.min(self.width - tile);
                    strip.row_tile(simd, tile, y, at, weights, &mut output[at..]);
                    x = at + tile;
                }
            }
        }
    }
}

/// Sizes of tiles that there is code for.
const TILES: [usize; 7] = [16, 15, 12, 10, 8, 4, 1];

/// Pixels of a tile: the most of at least 10 that divide the row, or else the most that fit.
fn tile_pixels(width: usize, most: usize) -> usize {
    let mut fitting = TILES.into_iter().filter(|&pixels| pixels <= most.min(width));
    let even = fitting.clone().find(|&pixels| pixels >= 10 && width.is_multiple_of(pixels));
    even.or_else(|| fitting.next()).unwrap_or(1)
}

struct Strip<'a> {
    input: &'a [f32],
    counts: &'a [usize],
    row: usize,
    rows: usize,
}

impl Strip<'_> {
    /// Computes one of [`TILES`].
    #[inline(always)]
    fn row_tile<S: Simd>(&self, simd: S, pixels: usize, y: usize, x: usize, weights: &[S::f32s], output: &mut [S::f32s]) {
        match pixels {
            16 => self.tile::<S, 16>(simd, y, x, weights, output),
            15 => self.tile::<S, 15>(simd, y, x, weights, output),
            12 => self.tile::<S, 12>(simd, y, x, weights, output),
            10 => self.tile::<S, 10>(simd, y, x, weights, output),
            8 => self.tile::<S, 8>(simd, y, x, weights, output),
            4 => self.tile::<S, 4>(simd, y, x, weights, output),
            _ => self.tile::<S, 1>(simd, y, x, weights, output),
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const P: usize>(&self, simd: S, y: usize, x: usize, weights: &[S::f32s], output: &mut [S::f32s]) {
        let lanes = S::F32_LANES;
        let mut sums = [simd.splat_f32s(0.0); P];
        for (group, (&count, weights)) in self.counts.iter().zip(weights.chunks_exact(9 * lanes)).enumerate() {
            for (ky, weights) in weights.chunks_exact(3 * lanes).enumerate() {
                let start = (group * (self.rows + 2) + y + ky) * self.row + x * lanes;
                let row = &self.input[start..start + (P + 2) * lanes];
                for (kx, weights) in weights.chunks_exact(lanes).enumerate() {
                    let pixels = &row[kx * lanes..(kx + P) * lanes];
                    for (channel, &weight) in weights[..count].iter().enumerate() {
                        unrolled!(X < P, {
                            sums[X] = simd.mul_add_e_f32s(simd.splat_f32s(pixels[X * lanes + channel]), weight, sums[X]);
                        });
                    }
                }
            }
        }
        let output = &mut output[..P];
        unrolled!(X < P, {
            output[X] = sums[X];
        });
    }
}
