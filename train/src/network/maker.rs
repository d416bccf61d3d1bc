//! Layers with weights from the seed.

use super::stage::Stage;
use burn::module::{Param, ParamId, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Makes layers whose weights and parameter ids follow from the seed and the order alone: burn's own are random in every process, and a
/// checkpoint would never have the same bytes twice.
pub(crate) struct Maker<'a> {
    random: ChaCha8Rng,
    next_id: u64,
    device: &'a Device,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(seed: u64, device: &'a Device) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), next_id: 0, device }
    }

    pub(crate) fn stage(&mut self, inputs: usize, outputs: usize) -> Stage {
        Stage {
            conv1: self.conv(inputs, outputs),
            norm1: self.norm(outputs),
            conv2: self.conv(outputs, outputs),
            norm2: self.norm(outputs),
        }
    }

    pub(crate) fn conv(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        let config = Conv2dConfig::new([inputs, outputs], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .with_initializer(Initializer::Zeros);
        let mut conv = config.init(self.device);
        let bound = (6.0 / (inputs * 9) as f64).sqrt();
        conv.weight = self.uniform([outputs, inputs, 3, 3], bound);
        conv
    }

    pub(crate) fn head(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        let mut conv = Conv2dConfig::new([inputs, outputs], [1, 1]).with_initializer(Initializer::Zeros).init(self.device);
        conv.weight = self.uniform([outputs, inputs, 1, 1], (1.0 / inputs as f64).sqrt());
        conv.bias = Some(self.param(Tensor::zeros([outputs], self.device)));
        conv
    }

    pub(crate) fn norm(&mut self, channels: usize) -> BatchNorm {
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
