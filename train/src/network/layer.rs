//! The building stones of every network here.

use super::merged_norm::merged_batch_norm;
use crate::processes::Processes;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, GroupNorm};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Normalisation of either kind.
#[derive(Module, Debug)]
pub enum Norm {
    /// Over the batch.
    Batch(BatchNorm),
    /// Over groups of channels of one image.
    Group(GroupNorm),
}

impl Norm {
    fn forward(&self, x: Tensor<4>, processes: Processes) -> Tensor<4> {
        match self {
            Self::Batch(norm) if !processes.alone() && x.device().is_autodiff() => merged_batch_norm(norm, x, processes),
            Self::Batch(norm) => norm.forward(x),
            Self::Group(norm) => norm.forward(x),
        }
    }
}

/// 3x3 convolution without bias, normalisation, ReLU.
#[derive(Module, Debug)]
pub struct Layer {
    /// The convolution.
    pub conv: Conv2d,
    /// Its normalisation.
    pub norm: Norm,
}

impl Layer {
    /// `[n, c_in, h, w] -> [n, c_out, h, w]`
    pub(crate) fn forward(&self, x: Tensor<4>, processes: Processes) -> Tensor<4> {
        relu(self.norm.forward(self.conv.forward(x), processes))
    }
}

/// Two layers.
#[derive(Module, Debug)]
pub struct Stage {
    /// The first.
    pub first: Layer,
    /// The second.
    pub second: Layer,
}

impl Stage {
    /// `[n, c_in, h, w] -> [n, c_out, h, w]`
    pub(crate) fn forward(&self, x: Tensor<4>, processes: Processes) -> Tensor<4> {
        self.second.forward(self.first.forward(x, processes), processes)
    }
}
