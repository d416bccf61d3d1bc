//! The quantised network and its arithmetic, simulated: every number that it makes is a whole number.

use super::grid::Grid;
use super::reader::shared_grids;
use super::weights::QuantizedConvolution;
use crate::error::Result;
use crate::network::{FoldedNetwork, Operation, Value};
use burn::tensor::{Device, Tensor, TensorData};

/// A network of 8-bit weights and activations.
#[derive(Debug, Clone)]
pub struct Int8Network {
    /// The float network that it stands for: names, order, and weights before rounding.
    pub(crate) float: FoldedNetwork,
    /// Of every value.
    pub(crate) grids: Vec<Grid>,
    /// For every value the first that shares its grid.
    pub(crate) shared: Vec<Value>,
    /// Of every layer.
    pub(crate) layers: Vec<QuantizedConvolution>,
}

/// What the simulation needs of a layer.
struct Layer {
    weight: Tensor<4>,
    bias: Tensor<1>,
    /// From sums of products to steps of the output's grid, `[1, outputs, 1, 1]`.
    multiplier: Tensor<4>,
    /// Smallest and largest output, less the zero point.
    limits: [f32; 2],
}

impl Int8Network {
    /// Rounds a network's weights.
    ///
    /// # Errors
    /// A layer that integers cannot stand for, by its name.
    pub(crate) fn new(float: FoldedNetwork, grids: Vec<Grid>) -> Result<Self> {
        let mut layers = Vec::with_capacity(float.layers.len());
        for step in &float.steps {
            if let Operation::Convolution { layer, input } = step.operation {
                layers.push(QuantizedConvolution::of(&float.layers[layer], grids[input])?);
            }
        }
        Ok(Self { shared: shared_grids(&float), float, grids, layers })
    }

    /// Layers' names with the grid that each makes its output on, in order.
    pub fn output_grids(&self) -> Vec<(&str, Grid)> {
        let values = self.float.layer_values();
        self.float.layers.iter().zip(values).map(|(layer, value)| (layer.name.as_str(), self.grids[value])).collect()
    }

    /// The network, ready to run (see [`Simulation::forward`]).
    pub fn simulation(&self) -> Simulation<'_> {
        let device = Device::flex();
        let values = self.float.layer_values();
        let layers = self.float.layers.iter().zip(&self.layers).zip(values).map(|((layer, quantized), value)| {
            let grid = self.grids[value];
            let zero = f32::from(grid.zero_point);
            let multiplier: Vec<f32> = quantized.bias_scale.iter().map(|scale| scale / grid.scale).collect();
            let numbers = |values: Vec<f32>| TensorData::new(values, [layer.outputs]);
            Layer {
                weight: Tensor::from_data(
                    TensorData::new(quantized.weight.iter().map(|&w| f32::from(w)).collect::<Vec<f32>>(), layer.shape()),
                    &device,
                ),
                bias: Tensor::from_data(numbers(quantized.bias.iter().map(|&b| b as f32).collect()), &device),
                multiplier: Tensor::<1>::from_data(numbers(multiplier), &device).reshape([1, layer.outputs, 1, 1]),
                limits: [if layer.rectified { 0.0 } else { -zero }, 255.0 - zero],
            }
        });
        Simulation { network: self, layers: layers.collect() }
    }
}

/// An [`Int8Network`] that runs.
pub struct Simulation<'a> {
    network: &'a Int8Network,
    layers: Vec<Layer>,
}

impl Simulation<'_> {
    /// `[n, 3, h, w]` normalised pixels to `[n, outputs, h, w]` logits, each on the logits' grid: integer sums of products of `q - zero point`,
    /// one multiplication in f32, rounding to the nearest (halves to the even), limits. The sums are made in f32, which holds whole numbers up to
    /// 2^24 exactly; beyond, they are off by 1e-7 of themselves, which rounding nearly always hides.
    ///
    /// # Errors
    /// None today: the walk over the network could stop.
    pub fn forward(&self, image: Tensor<4>) -> Result<Tensor<4>> {
        self.run(image, |_, sums| Ok(sums))
    }

    /// As [`Simulation::forward`], with each layer's sums passed through `with` before they are brought to the grid of the output.
    pub(super) fn run(&self, image: Tensor<4>, mut with: impl FnMut(usize, Tensor<4>) -> Result<Tensor<4>>) -> Result<Tensor<4>> {
        let network = self.network;
        let pixels = image.div_scalar(Grid::IMAGE.scale).round();
        let steps = network.float.run(pixels, |layer, x| {
            let Layer { weight, bias, multiplier, limits: [low, high] } = &self.layers[layer];
            let sums = with(layer, network.float.layers[layer].apply(x, weight.clone(), bias.clone()))?;
            Ok(sums.mul(multiplier.clone()).round().clamp(*low, *high))
        })?;
        let logits = network.grids[network.float.steps.len()];
        Ok(steps.mul_scalar(logits.scale))
    }
}
