//! What an ONNX file must look like before the runtime sees it: the agreed input and output, local operators, all tensors inside the file.
//!
//! Checked on the protobuf itself, so that every refusal names the node or tensor, and so that files which tract would panic on (an
//! output that no node computes, raw tensor data of a type it has not implemented) never reach it.

use super::scales;
use crate::error::ModelError;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// Operator sets that tract is tested against and that the exporter's contract allows.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=18;

/// What is run: operators whose output at a pixel depends only on a neighbourhood of it.
///
/// Tiles are only valid for such networks; a global operator (InstanceNormalization, GlobalAveragePool, attention) would make the mask
/// depend on the tile size, so it is refused rather than run.
pub const OPERATORS: [&str; 25] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "PRelu",
    "QuantizeLinear",
    "Relu",
    "Resize",
    "Sigmoid",
    "Sub",
    "Tanh",
];

/// Kernel sizes, strides, dilations and paddings beyond this are no U-Net's, and could ask the runtime for any amount of memory.
const LARGEST_ATTRIBUTE: i64 = 1024;

/// What the file holds, counted while it was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contents {
    /// Version of the standard operator set.
    pub opset: i64,
    /// Program that wrote the file.
    pub producer: String,
    /// The input: name, type and shape.
    pub input: String,
    /// The output: name, type and shape.
    pub output: String,
    /// Nodes by operator.
    pub operators: BTreeMap<String, usize>,
    /// Numbers in all weight tensors together.
    pub parameters: u64,
}

/// Checks the whole file.
pub(super) fn check(model: &ModelProto) -> Result<Contents, ModelError> {
    let graph = model.graph.as_ref().ok_or_else(|| ModelError::NotOnnx { reason: "it holds no graph".to_owned() })?;
    let opset = model.opset_import.iter().find(|set| standard(&set.domain)).map_or(0, |set| set.version);
    if !OPSETS.contains(&opset) {
        return Err(ModelError::Opset { found: opset, min: *OPSETS.start(), max: *OPSETS.end() });
    }
    let parameters = graph.initializer.iter().map(tensor).sum::<Result<u64, _>>()?;
    if let Some(sparse) = graph.sparse_initializer.first() {
        let tensor = sparse.values.as_ref().map_or_else(String::new, |values| values.name.clone());
        return Err(ModelError::Tensor { tensor, problem: "sparse tensors are not run here".to_owned() });
    }
    let (input, output) = interface(graph)?;
    let mut operators = BTreeMap::new();
    let mut known: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    known.insert(&input.name);
    for node in &graph.node {
        check_node(node, &mut known)?;
        *operators.entry(node.op_type.clone()).or_default() += 1;
    }
    scales::check(graph)?;
    last_node(graph, output)?;
    Ok(Contents { opset, producer: model.producer_name.clone(), input: describe(input), output: describe(output), operators, parameters })
}

fn standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// Checks one tensor and counts its numbers.
fn tensor(tensor: &TensorProto) -> Result<u64, ModelError> {
    let refuse = |problem: String| Err(ModelError::Tensor { tensor: tensor.name.clone(), problem });
    if tensor.data_location == Some(DataLocation::External as i32) || !tensor.external_data.is_empty() {
        return Err(ModelError::ExternalData { tensor: tensor.name.clone() });
    }
    let data_type = DataType::try_from(tensor.data_type);
    let (bytes, typed) = match data_type {
        Ok(DataType::Float) => (4, tensor.float_data.len()),
        Ok(DataType::Int32) => (4, tensor.int32_data.len()),
        Ok(DataType::Int64) => (8, tensor.int64_data.len()),
        Ok(DataType::Uint8 | DataType::Int8) => (1, tensor.int32_data.len()),
        _ => return refuse(format!("expected float32, int8, uint8, int32 or int64, found {}", type_name(tensor.data_type))),
    };
    // Bytes stored as int32 must be bytes.
    let byte = |value: &i32| match data_type {
        Ok(DataType::Uint8) => (0..=255).contains(value),
        Ok(DataType::Int8) => (-128..=127).contains(value),
        _ => true,
    };
    if let Some(bad) = tensor.int32_data.iter().find(|value| !byte(value)) {
        return refuse(format!("holds {bad}, which is no {}", type_name(tensor.data_type)));
    }
    let count = tensor.dims.iter().try_fold(1_u64, |count, &dim| u64::try_from(dim).ok().and_then(|dim| count.checked_mul(dim)));
    let stored = if tensor.raw_data.is_empty() { typed } else { tensor.raw_data.len() / bytes };
    match count {
        Some(count) if count == stored as u64 => Ok(count),
        _ => refuse(format!("its shape {:?} does not fit the {stored} numbers stored for it", tensor.dims)),
    }
}

/// The one input and the one output, checked against the contract.
fn interface(graph: &GraphProto) -> Result<(&ValueInfoProto, &ValueInfoProto), ModelError> {
    let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs: Vec<_> = graph.input.iter().filter(|input| !weights.contains(input.name.as_str())).collect();
    let outputs: Vec<_> = graph.output.iter().collect();
    let input = only("inputs", "image", &inputs)?;
    let output = only("outputs", "logits", &outputs)?;
    let refuse = |expected: &str| {
        Err(ModelError::Interface { what: "input 'image'".to_owned(), expected: expected.to_owned(), found: describe(input) })
    };
    let (element, shape) = type_of(input);
    if element != DataType::Float as i32 {
        return refuse("float32 numbers");
    }
    match shape.as_slice() {
        [batch, channels, height, width] => {
            if *channels != Some(3) {
                return refuse("3 channels (R, G, B) as the second of its dimensions");
            }
            if batch.is_some_and(|n| n != 1) || height.is_some() || width.is_some() {
                return refuse("free dimensions for batch, height and width; export with dynamic axes");
            }
        }
        _ => return refuse("the four dimensions [batch, 3, height, width]"),
    }
    if type_of(output).0 != DataType::Float as i32 {
        let (expected, found) = ("float32 numbers".to_owned(), describe(output));
        return Err(ModelError::Interface { what: "output 'logits'".to_owned(), expected, found });
    }
    Ok((input, output))
}

fn only<'a>(what: &str, name: &str, values: &[&'a ValueInfoProto]) -> Result<&'a ValueInfoProto, ModelError> {
    match values {
        [value] if value.name == name => Ok(value),
        _ => Err(ModelError::Interface {
            what: what.to_owned(),
            expected: format!("one, named '{name}'"),
            found: format!("{:?}", values.iter().map(|value| value.name.as_str()).take(8).collect::<Vec<_>>()),
        }),
    }
}

fn check_node<'a>(node: &'a NodeProto, known: &mut HashSet<&'a str>) -> Result<(), ModelError> {
    let refuse = |problem: String| Err(ModelError::Node { node: node_name(node), problem });
    if !standard(&node.domain) || !OPERATORS.contains(&node.op_type.as_str()) {
        let operator = if standard(&node.domain) { node.op_type.clone() } else { format!("{}.{}", node.domain, node.op_type) };
        return Err(ModelError::Operator { node: node_name(node), operator });
    }
    for input in node.input.iter().filter(|input| !input.is_empty()) {
        if !known.contains(input.as_str()) {
            return refuse(format!("its input '{input}' is not computed before it"));
        }
    }
    for attribute in &node.attribute {
        let (name, large) = (&attribute.name, |value: &i64| value.unsigned_abs() > LARGEST_ATTRIBUTE as u64);
        if let Some(value) = attribute.ints.iter().chain([&attribute.i]).find(|value| large(value)) {
            return refuse(format!("attribute '{name}' is {value}, beyond {LARGEST_ATTRIBUTE}"));
        }
        if attribute.g.is_some() || !attribute.graphs.is_empty() || !attribute.ref_attr_name.is_empty() {
            return refuse(format!("attribute '{name}' is a graph or a reference"));
        }
        attribute.t.iter().chain(&attribute.tensors).try_for_each(|value| tensor(value).map(drop))?;
    }
    if node.output.first().is_none_or(String::is_empty) {
        return refuse("it has no output".to_owned());
    }
    for output in node.output.iter().filter(|output| !output.is_empty()) {
        if !known.insert(output) {
            return refuse(format!("its output '{output}' exists already"));
        }
    }
    Ok(())
}

/// The output must be computed, and be logits: a model that ends in a sigmoid would be squashed twice, silently.
fn last_node(graph: &GraphProto, output: &ValueInfoProto) -> Result<(), ModelError> {
    let node = graph.node.iter().find(|node| node.output.contains(&output.name)).ok_or_else(|| ModelError::Interface {
        what: "output 'logits'".to_owned(),
        expected: "a node that computes it".to_owned(),
        found: "none".to_owned(),
    })?;
    match node.op_type.as_str() {
        "Sigmoid" | "HardSigmoid" => Err(ModelError::Node {
            node: node_name(node),
            problem: "the output must be logits, found probabilities; export without it".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// A node's name, or its first output where it has none.
fn node_name(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    name.cloned().unwrap_or_default().chars().take(120).collect()
}

/// Element type and shape; `None` is a free dimension.
fn type_of(value: &ValueInfoProto) -> (i32, Vec<Option<i64>>) {
    let Some(Type::TensorType(tensor)) = value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else { return (0, Vec::new()) };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let fixed = dims.map(|dim| match dim.value {
        Some(Dimension::DimValue(size)) => Some(size),
        _ => None,
    });
    (tensor.elem_type, fixed.collect())
}

/// A value as text, such as `image float32 [batch, 3, height, width]`.
fn describe(value: &ValueInfoProto) -> String {
    let (element, shape) = type_of(value);
    let names = match value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) {
        Some(Type::TensorType(tensor)) => tensor.shape.iter().flat_map(|shape| &shape.dim).map(|dim| &dim.value).collect::<Vec<_>>(),
        None => Vec::new(),
    };
    let dims: Vec<String> = shape
        .iter()
        .zip(names)
        .map(|(size, name)| match (size, name) {
            (Some(size), _) => size.to_string(),
            (None, Some(Dimension::DimParam(name))) if !name.is_empty() => name.clone(),
            _ => "?".to_owned(),
        })
        .collect();
    format!("{} {} [{}]", value.name, type_name(element), dims.join(", "))
}

fn type_name(element: i32) -> String {
    match DataType::try_from(element) {
        Ok(DataType::Float) => "float32".to_owned(),
        Ok(DataType::Double) => "float64".to_owned(),
        Ok(known) => format!("{known:?}").to_lowercase(),
        Err(_) => format!("unknown type {element}"),
    }
}
