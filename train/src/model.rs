//! The network: a U-Net of padded 3x3 convolutions, "U-net-like" as in the paper.
//!
//! Width w and depth d: the encoder has d stages of w, 2w, 4w, ... channels with 2x2 max pooling between them, a bottom of w 2^d channels,
//! and a decoder that goes the same way back with nearest up-sampling and concatenation. Every stage is twice (3x3 convolution, BatchNorm,
//! ReLU); a 1x1 convolution makes the logits. Only operations that quantise well.

use burn::module::{Module, Param, ParamId, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

/// The network's input is `(byte - PIXEL_MEAN) / PIXEL_STD` in each of R, G, B: exact in f32, and in int8 the byte itself.
pub const PIXEL_MEAN: f32 = 128.0;
/// See [`PIXEL_MEAN`].
pub const PIXEL_STD: f32 = 64.0;

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
        let mut make = Maker { random: ChaCha8Rng::seed_from_u64(seed), next_id: 0, device };
        let channels = |stage: usize| self.width << stage;
        let encoder: Vec<Stage> = (0..self.depth).map(|i| make.stage(if i == 0 { 3 } else { channels(i - 1) }, channels(i))).collect();
        let bottom_input = if self.depth == 0 { 3 } else { channels(self.depth - 1) };
        let bottom = make.stage(bottom_input, channels(self.depth));
        let decoder = (0..self.depth).rev().map(|i| make.stage(channels(i + 1) + channels(i), channels(i))).collect();
        let head = make.head(channels(0), self.outputs);
        UNet { encoder, bottom, decoder, head }
    }
}

/// Twice (3x3 convolution without bias, BatchNorm, ReLU).
#[derive(Module, Debug)]
pub struct Stage {
    /// First convolution.
    pub conv1: Conv2d,
    /// Its normalisation.
    pub norm1: BatchNorm,
    /// Second convolution.
    pub conv2: Conv2d,
    /// Its normalisation.
    pub norm2: BatchNorm,
}

impl Stage {
    /// `[n, c_in, h, w] -> [n, c_out, h, w]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(self.norm1.forward(self.conv1.forward(x)));
        relu(self.norm2.forward(self.conv2.forward(x)))
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

/// Class probabilities from logits `[n, outputs, h, w]`: sigmoid of a single logit, softmax over several.
pub fn probabilities(logits: Tensor<4>) -> Tensor<4> {
    if logits.dims()[1] == 1 { sigmoid(logits) } else { softmax(logits, 1) }
}

/// A batch of 8-bit RGB images, all `height` x `width`, interleaved as decoded, to the network's input `[n, 3, h, w]`.
pub fn input_from_rgb8(images: Vec<u8>, count: usize, height: usize, width: usize, device: &Device) -> Tensor<4> {
    let pixels = height * width;
    let mut planes = vec![0_f32; images.len()];
    for (image, planes) in images.chunks_exact(3 * pixels).zip(planes.chunks_exact_mut(3 * pixels)) {
        for (i, rgb) in image.chunks_exact(3).enumerate() {
            for (channel, &byte) in rgb.iter().enumerate() {
                planes[channel * pixels + i] = (f32::from(byte) - PIXEL_MEAN) / PIXEL_STD;
            }
        }
    }
    Tensor::from_data(TensorData::new(planes, [count, 3, height, width]), device)
}

/// Makes layers whose weights and parameter ids follow from the seed and the order alone: burn's own are random in every process, and a
/// checkpoint would never have the same bytes twice.
struct Maker<'a> {
    random: ChaCha8Rng,
    next_id: u64,
    device: &'a Device,
}

impl Maker<'_> {
    fn stage(&mut self, inputs: usize, outputs: usize) -> Stage {
        Stage {
            conv1: self.conv(inputs, outputs),
            norm1: self.norm(outputs),
            conv2: self.conv(outputs, outputs),
            norm2: self.norm(outputs),
        }
    }

    fn conv(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        let config = Conv2dConfig::new([inputs, outputs], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .with_initializer(Initializer::Zeros);
        let mut conv = config.init(self.device);
        let bound = (6.0 / (inputs * 9) as f64).sqrt();
        conv.weight = self.uniform([outputs, inputs, 3, 3], bound);
        conv
    }

    fn head(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        let mut conv = Conv2dConfig::new([inputs, outputs], [1, 1]).with_initializer(Initializer::Zeros).init(self.device);
        conv.weight = self.uniform([outputs, inputs, 1, 1], (1.0 / inputs as f64).sqrt());
        conv.bias = Some(self.param(Tensor::zeros([outputs], self.device)));
        conv
    }

    fn norm(&mut self, channels: usize) -> BatchNorm {
        let mut norm = BatchNormConfig::new(channels).init(self.device);
        norm.gamma = self.param(Tensor::ones([channels], self.device));
        norm.beta = self.param(Tensor::zeros([channels], self.device));
        norm.training = Param::initialized(self.id(), norm.training.val());
        norm.running_mean = RunningState::with_id(self.id(), Tensor::zeros([channels], self.device));
        norm.running_var = RunningState::with_id(self.id(), Tensor::ones([channels], self.device));
        norm
    }

    fn uniform(&mut self, shape: [usize; 4], bound: f64) -> Param<Tensor<4>> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| (bound * (2.0 * self.random.random::<f64>() - 1.0)) as f32).collect();
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        self.param(tensor)
    }

    fn param<const D: usize>(&mut self, value: Tensor<D>) -> Param<Tensor<D>> {
        // On a device without autodiff there is nothing to record.
        let value = if self.device.is_autodiff() { value.require_grad() } else { value };
        Param::initialized(self.id(), value)
    }

    fn id(&mut self) -> ParamId {
        self.next_id += 1;
        ParamId::from(self.next_id)
    }
}
