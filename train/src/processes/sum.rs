//! A sum over processes that a tensor's gradient goes back through.

use super::Processes;
#[cfg(feature = "cuda")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{GradientCheckpointingStrategy, Tensor, TensorData};

/// The tensor added up over all processes. Every process gets the sum and goes on to its part of the loss from it, so the gradient of the
/// whole loss by any one summand is the sum of all processes' gradients: the way back is the same operation.
///
/// Where the device fails, the sum is no number, and so is the loss, which ends the training.
pub(crate) fn sum_over(processes: Processes, tensor: Tensor<1>) -> Tensor<1> {
    if processes.alone() {
        return tensor;
    }
    if !tensor.device().is_autodiff() {
        return summed(processes, tensor);
    }
    // The strategy is a mark on the tensor; the operation itself has nothing that could be computed again.
    let strategy = tensor.gradient_checkpointing_strategy();
    let tensor = tensor.with_gradient_checkpointing_strategy(GradientCheckpointingStrategy::Disabled);
    let total = summed(processes, tensor.clone().inner());
    let output = on_flex(processes, &tensor, &total).or_else(|| on_cuda(processes, &tensor, &total));
    let output = output.unwrap_or_else(|| tensor.mul_scalar(f64::NAN));
    match strategy {
        Some(strategy) => output.with_gradient_checkpointing_strategy(strategy),
        None => output,
    }
}

/// The sum of a tensor on a device without autodiff.
fn summed(processes: Processes, tensor: Tensor<1>) -> Tensor<1> {
    let (length, device) = (tensor.dims()[0], tensor.device());
    let values = tensor.try_into_vec_as::<f32>().unwrap_or_else(|_| vec![f32::NAN; length]);
    let mut values: Vec<f64> = values.into_iter().map(f64::from).collect();
    processes.sum(&mut values);
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, [length]), &device)
}

#[derive(Debug)]
struct SumBackward;

/// The operation on one of burn's backends.
macro_rules! on_backend {
    ($name:ident, $backend:ty) => {
        impl Backward<$backend, 1> for SumBackward {
            type State = Processes;

            fn backward(self, ops: Ops<Processes, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let [parent] = ops.parents;
                let gradient = gradients.consume::<$backend>(&ops.node);
                let total = summed(ops.state, Tensor::<1>::from_primitive::<$backend>(gradient));
                if let (Some(parent), Ok(total)) = (parent, total.try_into_primitive::<$backend>()) {
                    gradients.register::<$backend>(parent.id, total);
                }
            }
        }

        fn $name(processes: Processes, tensor: &Tensor<1>, total: &Tensor<1>) -> Option<Tensor<1>> {
            let input = tensor.clone().try_into_primitive::<Autodiff<$backend>>().ok()?;
            let total = total.clone().try_into_primitive::<$backend>().ok()?;
            let output = match Backward::<$backend, 1>::prepare::<NoCheckpointing>(SumBackward, [input.node()]).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => prepared.finish(processes, total),
                OpsKind::UnTracked(prepared) => prepared.finish(total),
            };
            Some(Tensor::from_primitive::<Autodiff<$backend>>(output))
        }
    };
}

on_backend!(on_flex, Flex);
#[cfg(feature = "cuda")]
on_backend!(on_cuda, Cube);

#[cfg(not(feature = "cuda"))]
fn on_cuda(_: Processes, _: &Tensor<1>, _: &Tensor<1>) -> Option<Tensor<1>> {
    None
}
