//! The two ends of a network as tables: pixels to its first bytes, logits to probabilities.
//!
//! Tables are computed with libm, whose functions are the same code, hence the same bits, on every processor.

use alloc::boxed::Box;

/// For each colour channel, the quantised value of each 8-bit level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputTable(pub Box<[[u8; 256]; 3]>);

impl InputTable {
    /// `round((level - mean) / std / scale) + zero_point`, clamped to a byte: normalisation and quantisation in one.
    pub fn new(mean: [f32; 3], std: [f32; 3], scale: f32, zero_point: u8) -> Self {
        Self(Box::new(core::array::from_fn(|channel| {
            core::array::from_fn(|level| {
                // In f32 and in this order, as the float network's input is computed and then quantised.
                let value = (level as f32 - mean[channel]) / std[channel];
                (libm::rintf(value / scale) + f32::from(zero_point)).clamp(0.0, 255.0) as u8
            })
        })))
    }

    /// A row of pixels of four bytes from RGB pixels; the fourth is left alone.
    pub(super) fn apply(&self, rgb: impl Iterator<Item = [u8; 3]>, out: &mut [u8]) {
        let [red, green, blue] = &*self.0;
        for (out, [r, g, b]) in out.chunks_exact_mut(4).zip(rgb) {
            out[0] = red[usize::from(r)];
            out[1] = green[usize::from(g)];
            out[2] = blue[usize::from(b)];
        }
    }
}

/// What is made of the logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The bytes of all logits, NHWC.
    Logits,
    /// One logit: the probability for each of its bytes, `round(255 p)`.
    Sigmoid(Box<[u8; 256]>),
    /// Several logits: `2^24 exp(-scale d)` for a logit that is `d` steps below the largest, and the class whose probability is wanted.
    Softmax {
        /// The table.
        weights: Box<[u32; 256]>,
        /// The class.
        class: usize,
    },
}

impl Output {
    /// Probability of the logit's class, or of the other one.
    pub fn sigmoid(scale: f32, zero_point: u8, of_its_class: bool) -> Self {
        let sign = if of_its_class { 1.0 } else { -1.0 };
        Self::Sigmoid(Box::new(core::array::from_fn(|byte| {
            let logit = f64::from(scale) * (byte as f64 - f64::from(zero_point));
            libm::round(255.0 / (1.0 + libm::exp(-sign * logit))) as u8
        })))
    }

    /// Probability of one of several classes.
    pub fn softmax(scale: f32, class: usize) -> Self {
        let weight = |below: usize| libm::round(f64::from(1 << 24) * libm::exp(-f64::from(scale) * below as f64)) as u32;
        Self::Softmax { weights: Box::new(core::array::from_fn(weight)), class }
    }

    /// Bytes for each pixel.
    pub fn channels(&self, logits: usize) -> usize {
        if *self == Self::Logits { logits } else { 1 }
    }

    /// A row of `out` from a row of logits of `pixel` bytes, of which `channels` count.
    pub(super) fn apply(&self, logits: &[u8], pixel: usize, channels: usize, out: &mut [u8]) {
        let pixels = logits.chunks_exact(pixel);
        match self {
            Self::Logits => {
                for (out, pixel) in out.chunks_exact_mut(channels).zip(pixels) {
                    out.copy_from_slice(&pixel[..channels]);
                }
            }
            Self::Sigmoid(table) => {
                for (out, pixel) in out.iter_mut().zip(pixels) {
                    *out = table[usize::from(pixel[0])];
                }
            }
            Self::Softmax { weights, class } => {
                for (out, pixel) in out.iter_mut().zip(pixels) {
                    let logits = &pixel[..channels];
                    let largest = logits.iter().copied().max().unwrap_or(0);
                    let weight = |logit: u8| u64::from(weights[usize::from(largest - logit)]);
                    let sum: u64 = logits.iter().map(|&logit| weight(logit)).sum();
                    *out = ((510 * weight(logits[*class]) + sum) / (2 * sum)) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_normalisation_is_the_byte_itself() {
        let table = InputTable::new([128.0; 3], [64.0; 3], 1.0 / 64.0, 128);
        assert!(table.0.iter().all(|channel| channel.iter().enumerate().all(|(level, &byte)| level == usize::from(byte))));
    }

    #[test]
    fn probabilities_are_rounded_sigmoids_and_softmaxes() {
        let Output::Sigmoid(table) = Output::sigmoid(0.05, 100, true) else { panic!() };
        assert_eq!((table[100], table[0]), (128, (255.0 / (1.0 + 5.0_f64.exp())).round() as u8));
        let Output::Sigmoid(other) = Output::sigmoid(0.05, 100, false) else { panic!() };
        assert!(table.iter().zip(other.iter()).all(|(a, b)| (i32::from(*a) + i32::from(*b) - 255).abs() <= 1));
        // Steps of ln 3: weights 1 : 3 : 1 for logits 7, 8, 7.
        let softmax = Output::softmax(3.0_f32.ln(), 1);
        let mut out = [0; 2];
        softmax.apply(&[7, 8, 7, 0, 255, 0, 0, 0], 4, 3, &mut out);
        assert_eq!(out, [153, 0]);
    }
}
