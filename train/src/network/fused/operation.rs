//! The network as one operation among burn's, with its own backward pass.

use super::super::Network;
use super::super::merged_norm::update_running;
use super::blocked::FeatureMemory;
use super::forward::{Batch, LayerOutput, Statistics};
use super::pass::{Forwarded, Parameters};
use super::plan::{Modules, Plan};
use crate::processes::Processes;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::nn::BatchNorm;
use burn::tensor::{Device, Tensor, TensorData};
use std::sync::{Arc, Mutex, PoisonError};

/// `[n, 3, h, w]` normalised pixels to `[n, outputs, h, w]` logits; in training (on a device with autodiff) BatchNorm takes the batch's
/// statistics and updates its running ones. The input gets no gradient.
///
/// With several processes, statistics and the parameters' gradients are those of the batch in all of them.
///
/// None where the device is not this machine's processors, or the network has a part that is not made for it.
pub(in super::super) fn forward(network: &Network, x: &Tensor<4>, memory: &FeatureMemory, processes: Processes) -> Option<Tensor<4>> {
    let ([images, _, height, width], device) = (x.dims(), x.device());
    let (plan, modules) = Plan::of(network, device.is_autodiff())?;
    let size = [images, height, width];
    memory.prepare(size);
    if !device.is_autodiff() {
        let x = values(x.clone().try_into_primitive::<Flex>().ok()?)?;
        let flat = values(flat(&modules).try_into_primitive::<Flex>().ok()?)?;
        let known = modules.layers.iter().map(|(_, norm)| running(norm)).collect::<Option<Vec<_>>>()?;
        let batch = Batch { plan: &plan, input: floats(&x), size };
        let Forwarded { logits, .. } = batch.forward(&Parameters::new(&plan, floats(&flat))?, Some(&known), &|_| {}, memory)?;
        return Some(Tensor::from_data(TensorData::new(logits, [images, plan.outputs, height, width]), &device));
    }
    if x.is_require_grad() {
        return None;
    }
    let x = values(x.clone().try_into_primitive::<Autodiff<Flex>>().ok()?.into_primitive())?;
    let flat = flat(&modules).try_into_primitive::<Autodiff<Flex>>().ok()?;
    let parameters = values(flat.primitive().clone())?;
    let add = |values: &mut [f64]| processes.sum(values);
    let batch = Batch { plan: &plan, input: floats(&x), size };
    let Forwarded { logits, layers, statistics } = batch.forward(&Parameters::new(&plan, floats(&parameters))?, None, &add, memory)?;
    for ((_, norm), statistics) in modules.layers.iter().zip(&statistics) {
        update(norm, statistics, &device);
    }
    let logits = FlexTensor::from_data(TensorData::new(logits, [images, plan.outputs, height, width]));
    let output = match NetworkBackward.prepare::<NoCheckpointing>([flat.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let pass = Pass { plan: plan.clone(), size, input: x, parameters, layers, processes, memory: memory.clone() };
            prepared.finish(SavedPass(Arc::new(Mutex::new(Some(pass)))), logits)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(logits),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

/// All parameters one after the other, as [`Parameters`] reads them.
fn flat(modules: &Modules) -> Tensor<1> {
    let mut all = Vec::new();
    for (conv, norm) in &modules.layers {
        all.extend([conv.weight.val().flatten::<1>(0, 3), norm.gamma.val(), norm.beta.val()]);
    }
    all.push(modules.head.weight.val().flatten::<1>(0, 3));
    all.extend(modules.head.bias.as_ref().map(|bias| bias.val()));
    Tensor::cat(all, 0)
}

/// The tensor in the order of its shape; none unless it holds f32.
fn values(tensor: FlexTensor) -> Option<FlexTensor> {
    let tensor = tensor.to_contiguous();
    tensor.as_slice::<f32>().is_some().then_some(tensor)
}

fn floats(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

fn running(norm: &BatchNorm) -> Option<Statistics> {
    let wide = |tensor: Tensor<1>| Some(tensor.try_into_vec_as::<f32>().ok()?.into_iter().map(f64::from).collect());
    Some(Statistics { mean: wide(norm.running_mean.value())?, variance: wide(norm.running_var.value())? })
}

/// Takes the statistics into the running ones.
fn update(norm: &BatchNorm, statistics: &Statistics, device: &Device) {
    let channels = norm.gamma.dims()[0];
    let single = |values: &[f64]| {
        let values: Vec<f32> = values[..channels].iter().map(|&value| value as f32).collect();
        Tensor::<1>::from_data(TensorData::new(values, [channels]), device)
    };
    update_running(norm, single(&statistics.mean), single(&statistics.variance));
}

/// What one forward pass leaves for the backward pass.
struct Pass {
    plan: Plan,
    size: [usize; 3],
    input: FlexTensor,
    parameters: FlexTensor,
    layers: Vec<Option<LayerOutput>>,
    processes: Processes,
    memory: FeatureMemory,
}

/// A pass is gone back through once; its memory is then free.
#[derive(Clone)]
struct SavedPass(Arc<Mutex<Option<Pass>>>);

impl std::fmt::Debug for SavedPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SavedPass")
    }
}

#[derive(Debug)]
struct NetworkBackward;

impl Backward<Flex, 1> for NetworkBackward {
    type State = SavedPass;

    fn backward(self, ops: Ops<SavedPass, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [parent] = ops.parents;
        let gradient = gradients.consume::<Flex>(&ops.node);
        let pass = ops.state.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(parent), Some(pass), Some(gradient)) = (parent, pass, values(gradient)) else { return };
        let batch = Batch { plan: &pass.plan, input: floats(&pass.input), size: pass.size };
        let add = |values: &mut [f64]| pass.processes.sum(values);
        let all = Parameters::new(&pass.plan, floats(&pass.parameters))
            .and_then(|parameters| batch.backward(&parameters, pass.layers, floats(&gradient), &add, &pass.memory));
        if let Some(all) = all {
            let length = all.len();
            gradients.register::<Flex>(parent.id, FlexTensor::from_data(TensorData::new(all, [length])));
        }
    }
}
