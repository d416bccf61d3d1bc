//! A convolution as it is exported: its weights as plain numbers, BatchNorm folded in.

use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::Range;

/// Which convolution a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvolutionKind {
    /// Stride 1, padded by zeros so that the size stays. Weights `[outputs, inputs, kernel, kernel]`.
    Same,
    /// Transposed, of stride 2 and kernel 2: each output pixel has one input pixel. Weights `[inputs, outputs, 2, 2]`.
    Transposed,
}

/// A convolution with bias, and perhaps a ReLU.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Convolution {
    pub(crate) name: String,
    pub(crate) kind: ConvolutionKind,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Side of the kernel in pixels.
    pub(crate) kernel: usize,
    /// In the order of [`Convolution::shape`].
    pub(crate) weight: Vec<f64>,
    /// One for each output.
    pub(crate) bias: Vec<f64>,
    /// Whether a ReLU follows.
    pub(crate) rectified: bool,
}

impl Convolution {
    /// Shape of the weights, as ONNX and burn have it.
    pub(crate) fn shape(&self) -> [usize; 4] {
        let (first, second) = match self.kind {
            ConvolutionKind::Same => (self.outputs, self.inputs),
            ConvolutionKind::Transposed => (self.inputs, self.outputs),
        };
        [first, second, self.kernel, self.kernel]
    }

    /// Axis of the weights that runs over the output channels.
    pub(crate) fn output_axis(&self) -> usize {
        match self.kind {
            ConvolutionKind::Same => 0,
            ConvolutionKind::Transposed => 1,
        }
    }

    /// Where the weights between one output and one input channel lie.
    pub(crate) fn tap(&self, output: usize, input: usize) -> Range<usize> {
        let (size, pair) = (
            self.kernel * self.kernel,
            match self.kind {
                ConvolutionKind::Same => output * self.inputs + input,
                ConvolutionKind::Transposed => input * self.outputs + output,
            },
        );
        pair * size..(pair + 1) * size
    }

    /// Largest absolute weight of an output channel.
    pub(crate) fn output_range(&self, output: usize) -> f64 {
        (0..self.inputs).map(|input| self.tap_range(output, input)).fold(0.0, f64::max)
    }

    /// Largest absolute weight of an input channel.
    pub(crate) fn input_range(&self, input: usize) -> f64 {
        (0..self.outputs).map(|output| self.tap_range(output, input)).fold(0.0, f64::max)
    }

    fn tap_range(&self, output: usize, input: usize) -> f64 {
        self.weight[self.tap(output, input)].iter().fold(0.0, |most, w| most.max(w.abs()))
    }

    /// Weights and bias as tensors.
    pub(crate) fn tensors(&self, device: &Device) -> (Tensor<4>, Tensor<1>) {
        let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let weight = Tensor::from_data(TensorData::new(single(&self.weight), self.shape()), device);
        let bias = Tensor::from_data(TensorData::new(single(&self.bias), [self.outputs]), device);
        (weight, bias)
    }

    /// The convolution of `[n, inputs, h, w]` with other weights and another bias of the same shapes, without the ReLU.
    pub(crate) fn apply(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
        match self.kind {
            ConvolutionKind::Same => {
                let pad = self.kernel / 2;
                conv2d(x, weight, Some(bias), ConvOptions::new([1, 1], [pad, pad], [1, 1], 1))
            }
            ConvolutionKind::Transposed => {
                conv_transpose2d(x, weight, Some(bias), ConvTransposeOptions::new([2, 2], [0, 0], [0, 0], [1, 1], 1))
            }
        }
    }
}
