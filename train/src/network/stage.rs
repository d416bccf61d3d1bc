//! The building stone of every network here.

use burn::module::Module;
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

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
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(self.norm1.forward(self.conv1.forward(x)));
        relu(self.norm2.forward(self.conv2.forward(x)))
    }
}
