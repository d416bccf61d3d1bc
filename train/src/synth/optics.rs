//! From stain to grey values: Beer and Lambert's law, the lens, the sensor.

use super::canvas::{Canvas, Stained};
use super::noise::{hash, unit};
use super::slide::Stain;

/// A window of light: three channels a pixel, relative to empty glass.
pub(super) struct Light {
    width: usize,
    height: usize,
    values: Vec<[f32; 3]>,
}

/// Pixels on each side that the blur reaches.
pub(super) fn blur_reach(stain: &Stain, pitch_um: f32) -> usize {
    libm::ceilf(2.5 * stain.blur_um / pitch_um) as usize
}

/// The share of light that a stained place lets through, exp(-optical density).
fn transmit(stain: &Stain, place: Stained) -> [f32; 3] {
    core::array::from_fn(|c| {
        let density = place.haematoxylin * stain.haematoxylin[c] + place.eosin * stain.eosin[c] + place.erythrocyte * stain.erythrocyte[c];
        libm::expf(-density)
    })
}

impl Light {
    /// Light behind the canvas, blurred by a Gaussian lens.
    pub(super) fn through(canvas: &Canvas, stain: &Stain) -> Self {
        let values = canvas.pixels.iter().map(|pixel| transmit(stain, pixel.stain)).collect();
        let sharp = Self { width: canvas.width, height: canvas.height, values };
        let reach = blur_reach(stain, canvas.pitch_um);
        let sigma = stain.blur_um / canvas.pitch_um;
        let mut kernel: Vec<f32> = (0..=reach).map(|n| libm::expf(-0.5 * (n as f32 / sigma) * (n as f32 / sigma))).collect();
        let sum = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
        kernel.iter_mut().for_each(|k| *k /= sum);
        sharp.convolved(&kernel, 1, 0).convolved(&kernel, 0, 1)
    }

    fn convolved(&self, kernel: &[f32], dx: usize, dy: usize) -> Self {
        let (width, height) = (self.width, self.height);
        let mut values = Vec::with_capacity(self.values.len());
        for row in 0..height {
            for column in 0..width {
                let mut sum = self.values[row * width + column].map(|v| v * kernel[0]);
                for (n, k) in kernel.iter().enumerate().skip(1) {
                    let back = self.values[row.saturating_sub(n * dy) * width + column.saturating_sub(n * dx)];
                    let on = self.values[(row + n * dy).min(height - 1) * width + (column + n * dx).min(width - 1)];
                    for c in 0..3 {
                        sum[c] += k * (back[c] + on[c]);
                    }
                }
                values.push(sum);
            }
        }
        Self { width, height, values }
    }

    /// Mean light over the `factor` x `factor` pixels from (column, row) on.
    pub(super) fn mean(&self, column: usize, row: usize, factor: usize) -> [f32; 3] {
        let mut sum = [0.0; 3];
        for j in row..row + factor {
            for value in &self.values[j * self.width + column..j * self.width + column + factor] {
                for c in 0..3 {
                    sum[c] += value[c];
                }
            }
        }
        sum.map(|v| v / (factor * factor) as f32)
    }
}

/// Grey values of image pixel (column, row), at relative position (-1 to 1 along each axis).
pub(super) fn expose(stain: &Stain, key: u32, light: [f32; 3], pixel: (u32, u32), position: (f32, f32)) -> [u8; 3] {
    let lamp = 1.0 + stain.shading.0 * position.0 + stain.shading.1 * position.1;
    // The noise has a part common to the channels and a part of its own.
    let common = bell(hash(key, pixel.0 as i32, pixel.1 as i32));
    core::array::from_fn(|c| {
        let own = bell(hash(key ^ (c as u32 + 1), pixel.0 as i32, pixel.1 as i32));
        let grey = stain.light[c] * lamp * light[c] + stain.noise * (0.7 * common + 0.7 * own);
        (grey + 0.5).clamp(0.0, 255.0) as u8
    })
}

/// A number of mean 0 and standard deviation 1 out of the four bytes of a hash.
fn bell(bits: u32) -> f32 {
    let sum: u32 = bits.to_le_bytes().iter().map(|b| u32::from(*b)).sum();
    (unit(bits.wrapping_mul(0x9E37_79B1)) + sum as f32 - 510.5) / 147.8
}
