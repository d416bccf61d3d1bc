//! Layers with weights from the seed.

use super::config::NormKind;
use super::layer::{Layer, Norm, Stage};
use burn::module::{Param, ParamId, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Channels that a GroupNorm takes together; fewer where this does not divide a layer's channels.
const GROUP_CHANNELS: usize = 8;

/// Makes layers whose weights and parameter ids follow from the seed and the order alone: burn's own are random in every process, and a
/// checkpoint would never have the same bytes twice.
pub(crate) struct Maker<'a> {
    random: ChaCha8Rng,
    next_id: u64,
    norm: NormKind,
    device: &'a Device,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(seed: u64, norm: NormKind, device: &'a Device) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), next_id: 0, norm, device }
    }

    pub(crate) fn stage(&mut self, inputs: usize, outputs: usize) -> Stage {
        Stage { first: self.layer(inputs, outputs), second: self.layer(outputs, outputs) }
    }

    pub(crate) fn layer(&mut self, inputs: usize, outputs: usize) -> Layer {
        let conv = self.conv(inputs, outputs);
        let norm = match self.norm {
            NormKind::Batch => Norm::Batch(self.batch_norm(outputs)),
            NormKind::Group => Norm::Group(self.group_norm(outputs)),
        };
        Layer { conv, norm }
    }

    fn conv(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        let config = Conv2dConfig::new([inputs, outputs], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .with_initializer(Initializer::Zeros);
        let mut conv = config.init(self.device);
        conv.weight = self.uniform([outputs, inputs, 3, 3], (6.0 / (inputs * 9) as f64).sqrt());
        conv
    }

    /// 1x1 convolution with bias.
    pub(crate) fn head(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        let mut conv = Conv2dConfig::new([inputs, outputs], [1, 1]).with_initializer(Initializer::Zeros).init(self.device);
        conv.weight = self.uniform([outputs, inputs, 1, 1], (1.0 / inputs as f64).sqrt());
        conv.bias = Some(self.param(Tensor::zeros([outputs], self.device)));
        conv
    }

    /// 2x2 convolution of stride 2, transposed, with bias: each output pixel has one input pixel.
    pub(crate) fn up(&mut self, inputs: usize, outputs: usize) -> ConvTranspose2d {
        let config = ConvTranspose2dConfig::new([inputs, outputs], [2, 2]).with_stride([2, 2]).with_initializer(Initializer::Zeros);
        let mut conv = config.init(self.device);
        conv.weight = self.uniform([inputs, outputs, 2, 2], (3.0 / inputs as f64).sqrt());
        conv.bias = Some(self.param(Tensor::zeros([outputs], self.device)));
        conv
    }

    fn batch_norm(&mut self, channels: usize) -> BatchNorm {
        let mut norm = BatchNormConfig::new(channels).init(self.device);
        norm.gamma = self.param(Tensor::ones([channels], self.device));
        norm.beta = self.param(Tensor::zeros([channels], self.device));
        norm.training = Param::initialized(self.id(), norm.training.val());
        norm.running_mean = RunningState::with_id(self.id(), Tensor::zeros([channels], self.device));
        norm.running_var = RunningState::with_id(self.id(), Tensor::ones([channels], self.device));
        norm
    }

    fn group_norm(&mut self, channels: usize) -> GroupNorm {
        let together = (1..=GROUP_CHANNELS.min(channels)).rev().find(|size| channels.is_multiple_of(*size)).unwrap_or(1);
        let mut norm = GroupNormConfig::new(channels / together, channels).init(self.device);
        norm.gamma = Some(self.param(Tensor::ones([channels], self.device)));
        norm.beta = Some(self.param(Tensor::zeros([channels], self.device)));
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
