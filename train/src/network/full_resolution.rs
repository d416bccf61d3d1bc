//! A network that keeps the image's resolution: padded 3x3 convolutions of one width, and a 1x1 convolution to the logits.

use super::config::NetworkConfig;
use super::fused::FeatureMemory;
use super::layer::Layer;
use super::maker::Maker;
use crate::processes::Processes;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

/// The network (see the module's text).
#[derive(Module, Debug)]
pub struct FullResolutionNet {
    /// From image to logits.
    pub layers: Vec<Layer>,
    /// 1x1 convolution to the logits.
    pub head: Conv2d,
    /// For feature maps on processors; no part of what is trained.
    #[module(skip)]
    pub(super) memory: FeatureMemory,
}

impl FullResolutionNet {
    pub(super) fn new(config: &NetworkConfig, make: &mut Maker) -> Self {
        let layers = (0..config.depth).map(|i| make.layer(if i == 0 { 3 } else { config.width }, config.width)).collect();
        let inputs = if config.depth == 0 { 3 } else { config.width };
        Self { layers, head: make.head(inputs, config.outputs), memory: FeatureMemory::default() }
    }

    /// `[n, 3, h, w] -> [n, outputs, h, w]`
    pub(super) fn forward(&self, x: Tensor<4>, processes: Processes) -> Tensor<4> {
        self.head.forward(self.layers.iter().fold(x, |x, layer| layer.forward(x, processes)))
    }
}
