//! Scales and zero points of a quantised file, checked on the protobuf itself, so that a refusal names the tensor.

use crate::error::ModelError;
use std::collections::HashMap;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, TensorProto};

/// Checks the constants that QuantizeLinear and DequantizeLinear read.
pub(super) fn check(graph: &GraphProto) -> Result<(), ModelError> {
    let constants: HashMap<&str, &TensorProto> = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    for node in &graph.node {
        let quantise = match node.op_type.as_str() {
            "QuantizeLinear" => true,
            "DequantizeLinear" => false,
            _ => continue,
        };
        if let Some(tensor) = node.input.get(1).and_then(|name| constants.get(name.as_str())) {
            scales(tensor)?;
        }
        if let Some(tensor) = node.input.get(2).and_then(|name| constants.get(name.as_str())) {
            zero_points(tensor, quantise)?;
        }
    }
    Ok(())
}

fn refuse(tensor: &TensorProto, problem: String) -> Result<(), ModelError> {
    Err(ModelError::Tensor { tensor: tensor.name.clone(), problem })
}

/// Scales are positive numbers that have a reciprocal.
fn scales(tensor: &TensorProto) -> Result<(), ModelError> {
    if tensor.data_type != DataType::Float as i32 {
        return refuse(tensor, "a scale must be float32".to_owned());
    }
    let stored = tensor.raw_data.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let mut all = stored.chain(tensor.float_data.iter().copied());
    match all.find(|scale| !(scale.is_normal() && *scale > 0.0)) {
        Some(bad) => refuse(tensor, format!("a scale is {bad}, expected a positive number")),
        None => Ok(()),
    }
}

/// Zero points are numbers of their own type; those of int32 are 0.
fn zero_points(tensor: &TensorProto, quantise: bool) -> Result<(), ModelError> {
    let range = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Uint8) => 0..=255,
        Ok(DataType::Int8) => -128..=127,
        Ok(DataType::Int32) if !quantise => 0..=0,
        _ => return refuse(tensor, format!("a zero point must be uint8{}", if quantise { " or int8" } else { ", int8 or int32" })),
    };
    let raw = if tensor.data_type == DataType::Int32 as i32 { tensor.raw_data.as_slice() } else { &[] };
    let stored = raw.chunks_exact(4).map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let mut all = stored.chain(tensor.int32_data.iter().copied());
    match all.find(|zero_point| !range.contains(zero_point)) {
        Some(bad) => refuse(tensor, format!("a zero point is {bad}, expected {} to {}", range.start(), range.end())),
        None => Ok(()),
    }
}
