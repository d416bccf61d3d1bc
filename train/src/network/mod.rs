//! The networks that are trained: a U-Net, and a net that keeps the full resolution throughout. Both are made of operations that quantise
//! well: 3x3 and 1x1 convolution, ReLU, 2x2 max pooling, nearest or transposed up-sampling, concatenation.

mod config;
mod convolution;
mod folded;
mod full_resolution;
mod fused;
mod layer;
mod maker;
mod merged_norm;
mod pixels;
mod unet;

pub use config::{Architecture, NetworkConfig, NormKind, UpSampling};
pub(crate) use convolution::{Convolution, ConvolutionKind};
pub(crate) use folded::{FoldedNetwork, Operation, Value};
pub use full_resolution::FullResolutionNet;
pub use layer::{Layer, Norm, Stage};
pub(crate) use maker::Maker;
pub(crate) use pixels::from_u8;
pub use pixels::{PIXEL_MEAN, PIXEL_STD, input_from_rgb8, probabilities};
pub use unet::UNet;

use crate::processes::Processes;
use burn::module::Module;
use burn::tensor::Tensor;

/// A network of either architecture.
#[expect(clippy::large_enum_variant, reason = "there is one network at a time, and its weights are elsewhere")]
#[derive(Module, Debug)]
pub enum Network {
    /// See [`UNet`].
    UNet(UNet),
    /// See [`FullResolutionNet`].
    FullResolution(FullResolutionNet),
}

/// Whose gradients the backward pass gives to the parameters, where several processes train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gradients {
    /// This process's part of them.
    Own,
    /// Already added up over all processes.
    OfAll,
}

impl Network {
    /// `[n, 3, h, w]` normalised pixels to `[n, outputs, h, w]` logits; h and w must be multiples of the network's alignment.
    ///
    /// On this machine's processors the network is one fused operation where it can be, which gives the input no gradient.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_among(x, Processes::ALONE).0
    }

    /// The same of this process's part of a batch: in training, BatchNorm takes the statistics of the batch in all processes. Says too whose
    /// gradients the parameters will get.
    pub(crate) fn forward_among(&self, x: Tensor<4>, processes: Processes) -> (Tensor<4>, Gradients) {
        match fused::forward(self, &x, self.memory(), processes) {
            Some(logits) => (logits, Gradients::OfAll),
            None => (self.composed_among(x, processes), Gradients::Own),
        }
    }

    /// Memory for feature maps that is kept between batches.
    fn memory(&self) -> &fused::FeatureMemory {
        match self {
            Self::UNet(net) => &net.memory,
            Self::FullResolution(net) => &net.memory,
        }
    }

    /// The same of burn's operations, on any device.
    pub fn composed(&self, x: Tensor<4>) -> Tensor<4> {
        self.composed_among(x, Processes::ALONE)
    }

    fn composed_among(&self, x: Tensor<4>, processes: Processes) -> Tensor<4> {
        match self {
            Self::UNet(net) => net.forward(x, processes),
            Self::FullResolution(net) => net.forward(x, processes),
        }
    }
}
