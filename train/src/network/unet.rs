//! The U-Net of padded 3x3 convolutions, "U-net-like" as in the paper.
//!
//! Width w and depth d: the encoder has d stages of w, 2w, 4w, ... channels with 2x2 max pooling between them, a bottom of w 2^d channels,
//! and a decoder that goes the same way back with up-sampling and concatenation. Every stage is twice (3x3 convolution, normalisation, ReLU);
//! a 1x1 convolution makes the logits.

use super::config::{NetworkConfig, UpSampling};
use super::fused::FeatureMemory;
use super::layer::Stage;
use super::maker::Maker;
use crate::processes::Processes;
use burn::module::Module;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};

/// The network (see the module's text).
#[derive(Module, Debug)]
pub struct UNet {
    /// From the image's resolution downwards.
    pub encoder: Vec<Stage>,
    /// At the lowest resolution.
    pub bottom: Stage,
    /// One for each stage of the decoder, or none where up-sampling is to the nearest.
    pub up: Vec<ConvTranspose2d>,
    /// From the lowest resolution upwards.
    pub decoder: Vec<Stage>,
    /// 1x1 convolution to the logits.
    pub head: Conv2d,
    /// For feature maps on processors; no part of what is trained.
    #[module(skip)]
    pub(super) memory: FeatureMemory,
}

impl UNet {
    pub(super) fn new(config: &NetworkConfig, make: &mut Maker) -> Self {
        let channels = |stage: usize| config.width << stage;
        let below = |stage: usize| if stage == 0 { 3 } else { channels(stage - 1) };
        let encoder = (0..config.depth).map(|i| make.stage(below(i), channels(i))).collect();
        let bottom = make.stage(below(config.depth), channels(config.depth));
        let transposed = config.up == UpSampling::Transposed;
        let stages = || (0..config.depth).rev();
        let up = stages().filter(|_| transposed).map(|i| make.up(channels(i + 1), channels(i))).collect();
        let decoder = stages()
            .map(|i| {
                let from_below = if transposed { channels(i) } else { channels(i + 1) };
                make.stage(from_below + channels(i), channels(i))
            })
            .collect();
        Self { encoder, bottom, up, decoder, head: make.head(channels(0), config.outputs), memory: FeatureMemory::default() }
    }

    /// `[n, 3, h, w] -> [n, outputs, h, w]`
    pub(super) fn forward(&self, x: Tensor<4>, processes: Processes) -> Tensor<4> {
        let mut x = x;
        let halving = MaxPoolOptions::new([2, 2]);
        let mut skips = Vec::with_capacity(self.encoder.len());
        for stage in &self.encoder {
            x = stage.forward(x, processes); // [n, w 2^i, h/2^i, w/2^i]
            skips.push(x.clone());
            x = max_pool2d(x, halving.clone()); // [n, w 2^i, h/2^(i+1), w/2^(i+1)]
        }
        x = self.bottom.forward(x, processes); // [n, w 2^d, h/2^d, w/2^d]
        for (i, (stage, skip)) in self.decoder.iter().zip(skips.into_iter().rev()).enumerate() {
            x = match self.up.get(i) {
                Some(up) => up.forward(x), // [n, w 2^i, h/2^i, w/2^i]
                None => {
                    let [_, _, height, width] = skip.dims();
                    let nearest = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([height, width]);
                    interpolate(x, nearest) // [n, w 2^(i+1), h/2^i, w/2^i]
                }
            };
            x = stage.forward(Tensor::cat(vec![x, skip], 1), processes); // [n, w 2^i, h/2^i, w/2^i]
        }
        self.head.forward(x)
    }
}
