//! Quantisation-aware fine-tuning: the weights learn to do without the bits that rounding takes.
//!
//! Weights and activations are rounded in the forward pass; in the backward pass rounding counts as the identity (straight-through, Bengio et al.
//! 2013), and what lies outside a grid has no gradient. The target is the float network's own probability at every pixel (distillation), so no
//! label is needed. BatchNorm stays folded: its statistics are those of the training.

use super::grid::Grid;
use super::progress::Progress;
use super::settings::QuantizeSettings;
use super::tiles::Tiles;
use super::weights::LEAST_SCALE;
use crate::config::Schedule;
use crate::error::{Error, Result};
use crate::loss::binary_cross_entropy;
use crate::network::{Convolution, FoldedNetwork, probabilities};
use crate::optimizer::RmsProp;
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Crops in a batch.
const CROPS: usize = 8;
/// Largest side of a crop in pixels.
const CROP_PX: u32 = 128;
/// Gradients are scaled down to this norm: the first steps of RMSprop know little of their size.
const CLIP_NORM: f64 = 1.0;

/// The weights that learn.
#[derive(Module, Debug)]
struct Student {
    weights: Vec<Param<Tensor<4>>>,
    biases: Vec<Param<Tensor<1>>>,
}

/// Trains the weights of `start`, whose activations are on `grids`, towards what `teacher` says.
///
/// # Errors
/// An image that cannot be read, a loss that is no number, an interruption.
pub(crate) fn fine_tuned(
    start: &FoldedNetwork,
    grids: &[Grid],
    teacher: &FoldedNetwork,
    tiles: &Tiles,
    settings: &QuantizeSettings,
    progress: &mut Progress,
) -> Result<FoldedNetwork> {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let mut student = Student::of(start, &device);
    let teacher_weights = teacher.tensors(&plain);
    let mut optimizer = RmsProp::new(Some(CLIP_NORM));
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let values = start.layer_values();
    progress.stage("fine-tuning", settings.fine_tune);
    for step in 0..settings.fine_tune {
        let image = tiles.crops(CROPS, CROP_PX, &mut random, &plain)?;
        let target = probabilities(teacher.run(image.clone(), |layer, x| Ok(teacher.layer(layer, x, &teacher_weights[layer])))?);
        let logits = start.run(image.autodiff(), |layer, x| {
            let convolution = &start.layers[layer];
            let weight = rounded_weights(convolution, student.weights[layer].val());
            let made = convolution.apply(x, weight, student.biases[layer].val());
            let made = if convolution.rectified { relu(made) } else { made };
            Ok(rounded(made, grids[values[layer]]))
        })?;
        let loss = distillation(logits, target.autodiff());
        let value = loss.clone().into_scalar::<f32>();
        if !value.is_finite() {
            let reason = format!("the loss of the fine-tuning is {value} (try a smaller --learning-rate)");
            return Err(Error::Training { step: step + 1, reason });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &student);
        let rate = Schedule::Cosine.rate(settings.learning_rate, step, settings.fine_tune);
        student = optimizer.step(student, gradients, rate);
        progress.step()?;
    }
    student.into_network(start)
}

impl Student {
    fn of(network: &FoldedNetwork, device: &Device) -> Self {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        // Ids of our own: burn's are random, and the order of anything that goes by them would be too.
        let mut next = 0_u64;
        let mut id = || {
            next += 1;
            ParamId::from(next)
        };
        for (weight, bias) in network.tensors(device) {
            weights.push(Param::initialized(id(), weight.require_grad()));
            biases.push(Param::initialized(id(), bias.require_grad()));
        }
        Self { weights, biases }
    }

    fn into_network(self, start: &FoldedNetwork) -> Result<FoldedNetwork> {
        let mut network = start.clone();
        let double = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
        for ((layer, weight), bias) in network.layers.iter_mut().zip(self.weights).zip(self.biases) {
            layer.weight = double(super::progress::values(weight.val().inner())?);
            layer.bias = double(super::progress::values(bias.val().inner())?);
        }
        Ok(network)
    }
}

/// Cross-entropy of the student's logits against the teacher's probabilities, mean over pixels.
fn distillation(logits: Tensor<4>, target: Tensor<4>) -> Tensor<1> {
    if logits.dims()[1] == 1 {
        return binary_cross_entropy(logits, target).mean();
    }
    let [n, _, height, width] = logits.dims();
    (log_softmax(logits, 1) * target).sum().neg().div_scalar((n * height * width) as f64)
}

/// Numbers of a grid, with the gradient of the identity inside its limits.
fn rounded(x: Tensor<4>, grid: Grid) -> Tensor<4> {
    let (low, high) = grid.limits();
    straight_through(x.clamp(low, high), |inside| inside.div_scalar(grid.scale).round().mul_scalar(grid.scale))
}

/// Weights as the int8 network will have them.
fn rounded_weights(layer: &Convolution, weight: Tensor<4>) -> Tensor<4> {
    let others = (0..4).filter(|&axis| axis != layer.output_axis());
    let largest = others.fold(weight.clone().detach().abs(), |most, axis| most.max_dim(axis));
    let scale = largest.div_scalar(127.0).clamp_min(LEAST_SCALE);
    straight_through(weight, |w| (w / scale.clone()).round() * scale)
}

/// `f(x)` with the gradient of `x`.
fn straight_through(x: Tensor<4>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    let difference = f(x.clone().detach()) - x.clone().detach();
    x + difference
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ConvolutionKind;
    use burn::tensor::TensorData;

    #[test]
    fn rounding_has_the_gradient_of_the_identity_inside_the_grid() {
        let device = Device::flex().autodiff();
        let x = Tensor::<4>::from_data(TensorData::new(vec![-1.0_f32, 0.3, 0.74, 200.0], [1, 1, 2, 2]), &device).require_grad();
        let y = rounded(x.clone(), Grid { scale: 0.5, zero_point: 0 });
        let numbers = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(numbers(y.clone().inner()), [0.0, 0.5, 0.5, 127.5]);
        let gradients = y.sum().backward();
        assert_eq!(numbers(x.grad(&gradients).unwrap()), [0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn weights_are_rounded_as_the_int8_network_rounds_them() {
        for (kind, kernel) in [(ConvolutionKind::Same, 3), (ConvolutionKind::Transposed, 2)] {
            let weight: Vec<f64> = (0..6 * kernel * kernel).map(|i| f64::from((i * 37 % 101) as u8) - 50.3).collect();
            let layer = Convolution { name: "x".into(), kind, inputs: 3, outputs: 2, kernel, weight, bias: vec![0.0; 2], rectified: true };
            let device = Device::flex();
            let found = rounded_weights(&layer, layer.tensors(&device).0).into_data().try_to_vec::<f32>().unwrap();
            let integers = crate::quantize::weights::QuantizedConvolution::of(&layer, Grid::IMAGE).unwrap();
            for output in 0..2 {
                for at in (0..3).flat_map(|input| layer.tap(output, input)) {
                    let expected = f32::from(integers.weight[at]) * integers.scale[output];
                    assert!((found[at] - expected).abs() < 1e-4, "{kind:?} {at}: {} {expected}", found[at]);
                }
            }
        }
    }
}
