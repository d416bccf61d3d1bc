//! The graph with quantised weights and activations, in the QDQ form of the ONNX standard: `QuantizeLinear` and `DequantizeLinear` say where
//! numbers are integers, the operations between them stay those of the float file, and a runtime fuses both into integer arithmetic.
//!
//! ```text
//! image ─► Q(1/64, 128) ─► DQ ─► Conv ─► Relu ─► Q ─► DQ ─► MaxPool ─► Q ─► DQ ─► ...  Conv (head) ─► Q ─► DQ = logits
//!                         weights i8 ─► DQ ┘                 same scale and zero point as before it (Resize and Concat likewise)
//!                         bias i32 ─► DQ ──┘  scale = scale of the input times scale of the channel's weights
//! ```

use super::builder::Builder;
use super::proto::{Attribute, Graph, Tensor};
use super::{INPUT, metadata, model};
use crate::config::RunConfig;
use crate::error::Result;
use crate::network::{Convolution, Operation, Value};
use crate::quantize::{Int8Network, QuantizedConvolution};
use lsr_core::Reference;

/// An int8 network as the bytes of an ONNX file; `provenance` is the JSON of `lsr.quantized`.
pub(crate) fn to_bytes(
    network: &Int8Network,
    config: &RunConfig,
    step: usize,
    provenance: String,
    reference: Option<&Reference>,
) -> Result<Vec<u8>> {
    let mut entries = metadata::metadata(config, step, reference)?;
    entries.push(metadata::entry("lsr.quantized", provenance));
    Ok(model(graph(network), entries))
}

fn graph(network: &Int8Network) -> Graph {
    let mut builder = Builder::default();
    let float = &network.float;
    let mut names = vec![activation(&mut builder, network, INPUT, 0, INPUT.to_owned())];
    for (i, step) in float.steps.iter().enumerate() {
        let of = |value: usize| names[value].clone();
        let made = match step.operation {
            Operation::Convolution { layer, input } => convolution(&mut builder, &float.layers[layer], &network.layers[layer], of(input)),
            Operation::MaxPool { input } => builder.max_pool(&step.name, of(input)),
            Operation::UpSample { input } => builder.up_sample(&step.name, of(input)),
            Operation::Concat { inputs } => builder.concat(&step.name, inputs.map(of)),
        };
        names.push(activation(&mut builder, network, &step.name, i + 1, made));
    }
    builder.finish(float.name, float.outputs())
}

/// Quantises a value and gives it back as a float; values of one grid share the tensors of its scale and zero point.
fn activation(builder: &mut Builder, network: &Int8Network, name: &str, value: Value, x: String) -> String {
    let first = match network.shared[value] {
        0 => INPUT,
        first => &network.float.steps[first - 1].name,
    };
    let grid = network.grids[value];
    let scale = builder.constant(Tensor::floats(&format!("{first}.scale"), &[], &[grid.scale]));
    let zero = builder.constant(Tensor::byte(&format!("{first}.zero_point"), grid.zero_point));
    let quantized = builder.node(&format!("{name}/quantize"), "QuantizeLinear", vec![x, scale.clone(), zero.clone()], vec![]);
    builder.node(&format!("{name}/dequantize"), "DequantizeLinear", vec![quantized, scale, zero], vec![])
}

fn convolution(builder: &mut Builder, layer: &Convolution, quantized: &QuantizedConvolution, x: String) -> String {
    let name = &layer.name;
    let channels = [layer.outputs];
    let weight = vec![
        builder.constant(Tensor::signed_bytes(&format!("{name}.weight"), &layer.shape(), &quantized.weight)),
        builder.constant(Tensor::floats(&format!("{name}.weight.scale"), &channels, &quantized.scale)),
        builder.constant(Tensor::signed_bytes(&format!("{name}.weight.zero_point"), &channels, &vec![0; layer.outputs])),
    ];
    let axis = |axis: usize| vec![Attribute::int("axis", axis as i64)];
    let weight = builder.node(&format!("{name}.weight/dequantize"), "DequantizeLinear", weight, axis(layer.output_axis()));
    let bias = vec![
        builder.constant(Tensor::integers(&format!("{name}.bias"), &channels, &quantized.bias)),
        builder.constant(Tensor::floats(&format!("{name}.bias.scale"), &channels, &quantized.bias_scale)),
    ];
    let bias = builder.node(&format!("{name}.bias/dequantize"), "DequantizeLinear", bias, axis(0));
    let made = builder.convolution(layer, vec![x, weight, bias]);
    if layer.rectified { builder.relu(layer, made) } else { made }
}
