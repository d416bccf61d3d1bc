//! The graph in f32.

use super::INPUT;
use super::builder::Builder;
use super::proto::{Graph, Tensor};
use crate::network::{Convolution, FoldedNetwork, Operation};

pub(super) fn graph(network: &FoldedNetwork) -> Graph {
    let mut builder = Builder::default();
    let mut names = vec![INPUT.to_owned()];
    for step in &network.steps {
        let of = |value: usize| names[value].clone();
        let made = match step.operation {
            Operation::Convolution { layer, input } => convolution(&mut builder, &network.layers[layer], of(input)),
            Operation::MaxPool { input } => builder.max_pool(&step.name, of(input)),
            Operation::UpSample { input } => builder.up_sample(&step.name, of(input)),
            Operation::Concat { inputs } => builder.concat(&step.name, inputs.map(of)),
        };
        names.push(made);
    }
    builder.finish(network.name, network.outputs())
}

fn convolution(builder: &mut Builder, layer: &Convolution, x: String) -> String {
    let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
    let weight = builder.constant(Tensor::floats(&format!("{}.weight", layer.name), &layer.shape(), &single(&layer.weight)));
    let bias = builder.constant(Tensor::floats(&format!("{}.bias", layer.name), &[layer.outputs], &single(&layer.bias)));
    let made = builder.convolution(layer, vec![x, weight, bias]);
    if layer.rectified { builder.relu(layer, made) } else { made }
}
