//! What a layer sees of its sources, strip by strip, and the way back for the gradient.
//!
//! Activations are never stored: a strip of them is made from the convolution's output when a layer reads it, normalised, rectified, pooled or
//! up-sampled, with a border of zeros.

use super::normalise::{Affine, InputGradient};
use super::plan::View;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// The map of one image that a view is taken of.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    /// `[groups][height][width][lanes]`: the convolution's output.
    pub(super) values: &'a [f32],
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) affine: &'a Affine,
}

/// Writes a strip of activations.
pub(super) struct Activations<'a> {
    pub(super) map: Map<'a>,
    pub(super) view: View,
    /// Rows of the strip, in the view's resolution.
    pub(super) rows: Range<usize>,
    /// `[groups][rows + 2][width + 2][lanes]`.
    pub(super) strip: &'a mut [f32],
}

impl WithSimd for Activations<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { map, view, rows, strip } = self;
        let (height, width) = seen(map, view);
        let zero = simd.splat_f32s(0.0);
        let values: &[S::f32s] = cast_slice(map.values);
        let (scale, shift): (&[S::f32s], &[S::f32s]) = (cast_slice(&map.affine.scale), cast_slice(&map.affine.shift));
        let strip: &mut [S::f32s] = cast_slice_mut(strip);
        let planes = values.chunks_exact(map.height * map.width).zip(strip.chunks_exact_mut((rows.len() + 2) * (width + 2)));
        for (group, (values, strip)) in planes.enumerate() {
            let (scale, shift) = (scale[group], shift[group]);
            let activation = |z| simd.max_f32s(simd.mul_add_e_f32s(z, scale, shift), zero);
            for (number, line) in strip.chunks_exact_mut(width + 2).enumerate() {
                let Some(y) = (rows.start + number).checked_sub(1).filter(|&y| y < height) else {
                    line.fill(zero);
                    continue;
                };
                line[0] = zero;
                line[width + 1] = zero;
                let line = &mut line[1..=width];
                let row = |y: usize| &values[y * map.width..][..map.width];
                match view {
                    View::Same => line.iter_mut().zip(row(y)).for_each(|(a, &z)| *a = activation(z)),
                    View::UpSampled => {
                        for (pair, &z) in line.chunks_exact_mut(2).zip(row(y / 2)) {
                            pair.fill(activation(z));
                        }
                    }
                    View::Pooled => {
                        let (upper, lower) = (row(2 * y).chunks_exact(2), row(2 * y + 1).chunks_exact(2));
                        for (a, (upper, lower)) in line.iter_mut().zip(upper.zip(lower)) {
                            let upper = simd.max_f32s(activation(upper[0]), activation(upper[1]));
                            let lower = simd.max_f32s(activation(lower[0]), activation(lower[1]));
                            *a = simd.max_f32s(upper, lower);
                        }
                    }
                }
            }
        }
    }
}

/// Height and width of a view.
fn seen(map: Map, view: View) -> (usize, usize) {
    match view {
        View::Same => (map.height, map.width),
        View::Pooled => (map.height / 2, map.width / 2),
        View::UpSampled => (map.height * 2, map.width * 2),
    }
}

/// Writes a strip of the image, of three channels, into one group (or as many as three channels need).
pub(super) struct ImageStrip<'a> {
    /// `[3][height][width]`.
    pub(super) image: &'a [f32],
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) rows: Range<usize>,
    pub(super) lanes: usize,
    /// `[groups][rows + 2][width + 2][lanes]`.
    pub(super) strip: &'a mut [f32],
}

impl ImageStrip<'_> {
    pub(super) fn write(self) {
        self.strip.fill(0.0);
        let line = (self.width + 2) * self.lanes;
        let plane = (self.rows.len() + 2) * line;
        for (channel, image) in self.image.chunks_exact(self.height * self.width).enumerate() {
            let (group, lane) = (channel / self.lanes, channel % self.lanes);
            for (number, line) in self.strip[group * plane..][..plane].chunks_exact_mut(line).enumerate() {
                let Some(y) = (self.rows.start + number).checked_sub(1).filter(|&y| y < self.height) else { continue };
                let row = &image[y * self.width..][..self.width];
                for (pixel, &value) in line[self.lanes..].chunks_exact_mut(self.lanes).zip(row) {
                    pixel[lane] = value;
                }
            }
        }
    }
}

/// Writes a strip of the gradient of a convolution's output, from that of its activation.
pub(super) struct OutputGradient<'a> {
    pub(super) map: Map<'a>,
    /// Gradient of the activation, stored as the map.
    pub(super) gradient: &'a [f32],
    pub(super) formula: &'a InputGradient,
    pub(super) rows: Range<usize>,
    /// `[groups][rows + 2][width + 2][lanes]`.
    pub(super) strip: &'a mut [f32],
}

impl WithSimd for OutputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { map, gradient, formula, rows, strip } = self;
        let zero = simd.splat_f32s(0.0);
        let plane = map.height * map.width;
        let vectors = |values: &'_ [f32]| -> Vec<S::f32s> { cast_slice(values).to_vec() };
        let (scale, shift) = (vectors(&map.affine.scale), vectors(&map.affine.shift));
        let (of_gradient, of_value, constant) = (vectors(&formula.of_gradient), vectors(&formula.of_value), vectors(&formula.constant));
        let (values, gradient): (&[S::f32s], &[S::f32s]) = (cast_slice(map.values), cast_slice(gradient));
        let strip: &mut [S::f32s] = cast_slice_mut(strip);
        let planes = values.chunks_exact(plane).zip(gradient.chunks_exact(plane));
        for (group, ((values, gradient), strip)) in planes.zip(strip.chunks_exact_mut((rows.len() + 2) * (map.width + 2))).enumerate() {
            let (scale, shift, of_gradient) = (scale[group], shift[group], of_gradient[group]);
            let (of_value, constant) = (of_value[group], constant[group]);
            for (number, line) in strip.chunks_exact_mut(map.width + 2).enumerate() {
                let Some(y) = (rows.start + number).checked_sub(1).filter(|&y| y < map.height) else {
                    line.fill(zero);
                    continue;
                };
                line[0] = zero;
                line[map.width + 1] = zero;
                let row = y * map.width..(y + 1) * map.width;
                for (dz, (&z, &g)) in line[1..].iter_mut().zip(values[row.clone()].iter().zip(&gradient[row])) {
                    let active = simd.greater_than_f32s(simd.mul_add_e_f32s(z, scale, shift), zero);
                    let du = simd.select_f32s(active, g, zero);
                    *dz = simd.mul_add_e_f32s(of_gradient, du, simd.mul_add_e_f32s(of_value, z, constant));
                }
            }
        }
    }
}

/// Takes the gradient of a strip of a view back to the rows of the map that it was made from.
pub(super) struct ViewGradient<'a, 'b> {
    pub(super) map: Map<'a>,
    pub(super) view: View,
    pub(super) rows: Range<usize>,
    /// Gradient of the view: for each group `[rows][width][lanes]`.
    pub(super) strip: &'a [f32],
    /// The map's rows: for each group `[rows of the map][width of the map][lanes]`.
    pub(super) to: &'a mut [&'b mut [f32]],
    /// Whether nothing was written there before.
    pub(super) first: bool,
}

impl WithSimd for ViewGradient<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { map, view, rows, strip, to, first } = self;
        let (_, width) = seen(map, view);
        let zero = simd.splat_f32s(0.0);
        let strip: &[S::f32s] = cast_slice(strip);
        let values: &[S::f32s] = cast_slice(map.values);
        let (scale, shift): (&[S::f32s], &[S::f32s]) = (cast_slice(&map.affine.scale), cast_slice(&map.affine.shift));
        let groups = strip.chunks_exact(rows.len() * width).zip(values.chunks_exact(map.height * map.width)).zip(to);
        for (group, ((strip, values), to)) in groups.enumerate() {
            let to: &mut [S::f32s] = cast_slice_mut(to);
            let put = |to: &mut S::f32s, value| *to = if first { value } else { simd.add_f32s(*to, value) };
            match view {
                View::Same => to.iter_mut().zip(strip).for_each(|(to, &value)| put(to, value)),
                View::UpSampled => {
                    let pairs = strip.chunks_exact(2 * width).map(|two| two.split_at(width));
                    for (to, (upper, lower)) in to.chunks_exact_mut(map.width).zip(pairs) {
                        for (to, (u, l)) in to.iter_mut().zip(upper.chunks_exact(2).zip(lower.chunks_exact(2))) {
                            put(to, simd.add_f32s(simd.add_f32s(u[0], u[1]), simd.add_f32s(l[0], l[1])));
                        }
                    }
                }
                View::Pooled => {
                    if first {
                        to.fill(zero);
                    }
                    let u = |z| simd.mul_add_e_f32s(z, scale[group], shift[group]);
                    let values = values[2 * rows.start * map.width..].chunks_exact(2 * map.width);
                    for ((to, z), gradient) in to.chunks_exact_mut(2 * map.width).zip(values).zip(strip.chunks_exact(width)) {
                        for (x, &gradient) in gradient.iter().enumerate() {
                            // To the first of the largest; where none is above 0 the ReLU lets nothing through anyway.
                            let at = [2 * x, 2 * x + 1, map.width + 2 * x, map.width + 2 * x + 1];
                            let [a, b, c, d] = at.map(|at| u(z[at]));
                            let most = simd.max_f32s(simd.max_f32s(a, b), simd.max_f32s(c, d));
                            let mut left = gradient;
                            for (at, u) in at.into_iter().zip([a, b, c, d]) {
                                let below = simd.less_than_f32s(u, most);
                                to[at] = simd.add_f32s(to[at], simd.select_f32s(below, zero, left));
                                left = simd.select_f32s(below, left, zero);
                            }
                        }
                    }
                }
            }
        }
    }
}
