//! BatchNorm over a batch that lies in strips: statistics, the map to activations, and its gradient.

use pulp::bytemuck::cast_slice;
use pulp::{Simd, WithSimd};

/// Count, mean and sum of squared deviations of each channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    pub(super) count: f64,
    pub(super) mean: Vec<f64>,
    pub(super) squares: Vec<f64>,
}

impl Moments {
    pub(super) fn none(channels: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Of the union (Chan, Golub and LeVeque 1979).
    pub(super) fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if count == 0.0 {
            return;
        }
        let (share, weight) = (other.count / count, self.count * other.count / count);
        let own = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, squares), (&other_mean, &other_squares)) in own.zip(other.mean.iter().zip(&other.squares)) {
            let apart = other_mean - *mean;
            *mean += share * apart;
            *squares += other_squares + weight * apart * apart;
        }
        self.count = count;
    }
}

/// Takes the moments of a strip of every group, row by row: a row's in f32 (two passes, in the cache), their union in f64.
pub(super) struct StripMoments<'a, 'b> {
    pub(super) strip: &'a [&'b mut [f32]],
    pub(super) width: usize,
}

impl WithSimd for StripMoments<'_, '_> {
    type Output = Moments;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Moments {
        let lanes = S::F32_LANES;
        let mut all = Moments::none(self.strip.len() * lanes);
        let per_pixel = simd.splat_f32s(1.0 / self.width as f32);
        for (group, rows) in self.strip.iter().enumerate() {
            let mut moments = Moments::none(lanes);
            let rows: &[S::f32s] = cast_slice(rows);
            for row in rows.chunks_exact(self.width) {
                let sum = row.iter().fold(simd.splat_f32s(0.0), |sum, &z| simd.add_f32s(sum, z));
                let mean = simd.mul_f32s(sum, per_pixel);
                let squares = row.iter().fold(simd.splat_f32s(0.0), |sum, &z| {
                    let apart = simd.sub_f32s(z, mean);
                    simd.mul_add_e_f32s(apart, apart, sum)
                });
                let wide = |x: &S::f32s| cast_slice::<_, f32>(std::slice::from_ref(x)).iter().map(|&x| f64::from(x)).collect();
                moments.merge(&Moments { count: self.width as f64, mean: wide(&mean), squares: wide(&squares) });
            }
            all.count = moments.count;
            all.mean[group * lanes..][..lanes].copy_from_slice(&moments.mean);
            all.squares[group * lanes..][..lanes].copy_from_slice(&moments.squares);
        }
        all
    }
}

/// Activation `max(0, scale z + shift)` of a convolution's output z; padded channels have scale and shift 0.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// A layer's normalisation in one forward pass.
#[derive(Debug, Clone)]
pub(super) struct Normalised {
    pub(super) affine: Affine,
    /// `gamma / std`.
    gain: Vec<f64>,
    /// `1 / std`.
    inverse_std: Vec<f64>,
    mean: Vec<f64>,
    /// Pixels that the statistics were taken over, in all processes.
    count: f64,
}

impl Normalised {
    /// From mean and (biased) variance; vectors shorter than `padded` channels are filled up with zeros.
    pub(super) fn new(count: f64, mean: &[f64], variance: &[f64], gamma: &[f32], beta: &[f32], epsilon: f64, padded: usize) -> Self {
        let channels = gamma.len();
        let inverse_std: Vec<f64> =
            variance.iter().take(channels).map(|v| 1.0 / (v + epsilon).sqrt()).chain(std::iter::repeat(0.0)).take(padded).collect();
        let fill = |values: Vec<f64>| -> Vec<f64> { values.into_iter().chain(std::iter::repeat(0.0)).take(padded).collect() };
        let gain = fill(gamma.iter().zip(&inverse_std).map(|(&g, s)| f64::from(g) * s).collect());
        let mean = fill(mean[..channels].to_vec());
        let shift = fill(beta.iter().zip(mean.iter().zip(&gain)).map(|(&b, (m, g))| f64::from(b) - m * g).collect());
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
        Self { affine: Affine { scale: single(&gain), shift: single(&shift) }, gain, inverse_std, mean, count }
    }

    /// From the sums over all pixels (of all processes) of du and of du times the normalised z: how a pixel's dz follows from du and z.
    pub(super) fn backward(&self, sums: &Sums) -> InputGradient {
        let mut gradient = InputGradient { of_gradient: Vec::new(), of_value: Vec::new(), constant: Vec::new() };
        for channel in 0..self.gain.len() {
            let (gain, inverse, mean) = (self.gain[channel], self.inverse_std[channel], self.mean[channel]);
            let slope = -gain * inverse * sums.by_value[channel] / self.count;
            gradient.of_gradient.push(gain as f32);
            gradient.of_value.push(slope as f32);
            gradient.constant.push((-gain * sums.plain[channel] / self.count - slope * mean) as f32);
        }
        gradient
    }
}

/// `dz = of_gradient du + of_value z + constant`.
#[derive(Debug, Clone)]
pub(super) struct InputGradient {
    pub(super) of_gradient: Vec<f32>,
    pub(super) of_value: Vec<f32>,
    pub(super) constant: Vec<f32>,
}

/// Sums over pixels for each channel.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    /// Of du: the gradient of beta.
    pub(super) plain: Vec<f64>,
    /// Of du times the normalised z: the gradient of gamma.
    pub(super) by_value: Vec<f64>,
}

impl Sums {
    pub(super) fn none(channels: usize) -> Self {
        Self { plain: vec![0.0; channels], by_value: vec![0.0; channels] }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in [(&mut self.plain, &other.plain), (&mut self.by_value, &other.by_value)] {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
        }
    }
}

/// The sums over one image: rows in f32, their total in f64.
pub(super) struct ImageSums<'a> {
    /// `[groups][pixels][lanes]`: the convolution's output and the gradient of its activation.
    pub(super) values: &'a [f32],
    pub(super) gradient: &'a [f32],
    pub(super) normalised: &'a Normalised,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl WithSimd for ImageSums<'_> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums {
        let lanes = S::F32_LANES;
        let plane = self.width * self.height;
        let (values, gradient): (&[S::f32s], &[S::f32s]) = (cast_slice(self.values), cast_slice(self.gradient));
        let affine = &self.normalised.affine;
        let (scale, shift): (&[S::f32s], &[S::f32s]) = (cast_slice(&affine.scale), cast_slice(&affine.shift));
        let zero = simd.splat_f32s(0.0);
        let mut all = Sums::none(scale.len() * lanes);
        for (group, (values, gradient)) in values.chunks_exact(plane).zip(gradient.chunks_exact(plane)).enumerate() {
            let channels = group * lanes..(group + 1) * lanes;
            let mean: Vec<f32> = self.normalised.mean[channels.clone()].iter().map(|&m| m as f32).collect();
            let mean: &[S::f32s] = cast_slice(&mean);
            for (values, gradient) in values.chunks_exact(self.width).zip(gradient.chunks_exact(self.width)) {
                let (mut plain, mut by_value) = (zero, zero);
                for (&z, &g) in values.iter().zip(gradient) {
                    let active = simd.greater_than_f32s(simd.mul_add_e_f32s(z, scale[group], shift[group]), zero);
                    let du = simd.select_f32s(active, g, zero);
                    plain = simd.add_f32s(plain, du);
                    by_value = simd.mul_add_e_f32s(du, simd.sub_f32s(z, mean[0]), by_value);
                }
                let add = |to: &mut [f64], from: &S::f32s| {
                    let from: &[f32] = cast_slice(std::slice::from_ref(from));
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to += f64::from(from));
                };
                add(&mut all.plain[channels.clone()], &plain);
                add(&mut all.by_value[channels.clone()], &by_value);
            }
        }
        all.by_value.iter_mut().zip(&self.normalised.inverse_std).for_each(|(sum, inverse)| *sum *= inverse);
        all
    }
}
