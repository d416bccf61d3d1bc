//! The network: a U-Net of padded 3x3 convolutions, "U-net-like" as in the paper.
//!
//! Width w and depth d: the encoder has d stages of w, 2w, 4w, ... channels with 2x2 max pooling between them, a bottom of w 2^d channels,
//! and a decoder that goes the same way back with nearest up-sampling and concatenation. Every stage is twice (3x3 convolution, BatchNorm,
//! ReLU); a 1x1 convolution makes the logits. Only operations that quantise well.

use super::maker::Maker;
use super::stage::Stage;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Shape of a [`UNet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UNetConfig {
    /// Channels of the first stage.
    pub width: usize,
    /// Number of poolings.
    pub depth: usize,
    /// Output logits: 1 for cancer or not (sigmoid), otherwise one per class (softmax).
    pub outputs: usize,
}

impl UNetConfig {
    /// Height and width of an input must be multiples of this.
    pub fn alignment(&self) -> usize {
        1 << self.depth
    }

    /// How far, in pixels, an output can depend on the input: two 3x3 convolutions in each stage of the encoder, the bottom and the
    /// decoder, and the cells of the poolings. A tile that starts at a multiple of the alignment is exact this far inside its edge.
    pub fn context_px(&self) -> usize {
        let encoder_and_bottom = 2 * ((2 << self.depth) - 1);
        let decoder = 2 * ((1 << self.depth) - 1);
        let cells = (1 << self.depth) - 1;
        encoder_and_bottom + decoder + cells
    }

    /// A network with weights drawn from the seed (He et al. 2015 for the convolutions before a ReLU).
    pub fn init(&self, seed: u64, device: &Device) -> UNet {
        let mut make = Maker::new(seed, device);
        let channels = |stage: usize| self.width << stage;
        let encoder: Vec<Stage> = (0..self.depth).map(|i| make.stage(if i == 0 { 3 } else { channels(i - 1) }, channels(i))).collect();
        let bottom_input = if self.depth == 0 { 3 } else { channels(self.depth - 1) };
        let bottom = make.stage(bottom_input, channels(self.depth));
        let decoder = (0..self.depth).rev().map(|i| make.stage(channels(i + 1) + channels(i), channels(i))).collect();
        let head = make.head(channels(0), self.outputs);
        UNet { encoder, bottom, decoder, head }
    }
}

/// The network (see the module's text).
#[derive(Module, Debug)]
pub struct UNet {
    /// From the image's resolution downwards.
    pub encoder: Vec<Stage>,
    /// At the lowest resolution.
    pub bottom: Stage,
    /// From the lowest resolution upwards.
    pub decoder: Vec<Stage>,
    /// 1x1 convolution to the logits.
    pub head: Conv2d,
}

impl UNet {
    /// `[n, 3, h, w]` normalised pixels to `[n, outputs, h, w]` logits; h and w must be multiples of the alignment.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = x;
        let halving = MaxPoolOptions::new([2, 2]);
        let mut skips = Vec::with_capacity(self.encoder.len());
        for stage in &self.encoder {
            x = stage.forward(x); // [n, w 2^i, h/2^i, w/2^i]
            skips.push(x.clone());
            x = max_pool2d(x, halving.clone()); // [n, w 2^i, h/2^(i+1), w/2^(i+1)]
        }
        x = self.bottom.forward(x); // [n, w 2^d, h/2^d, w/2^d]
        for (stage, skip) in self.decoder.iter().zip(skips.into_iter().rev()) {
            let [_, _, height, width] = skip.dims();
            let up = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([height, width]);
            x = interpolate(x, up); // [n, w 2^(i+1), h/2^i, w/2^i]
            x = stage.forward(Tensor::cat(vec![x, skip], 1)); // [n, w 2^i, h/2^i, w/2^i]
        }
        self.head.forward(x) // [n, outputs, h, w]
    }
}
