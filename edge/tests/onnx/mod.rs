//! The test network, changed in one place.

#![allow(dead_code)] // each test file uses its part

use crate::program::unet;
use prost::Message;
use std::path::{Path, PathBuf};
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto, tensor_shape_proto};

/// Writes the test network after `change` to `folder/name`.
pub(crate) fn changed(folder: &Path, name: &str, change: impl FnOnce(&mut ModelProto)) -> PathBuf {
    changed_file(&unet(), folder, name, change)
}

/// Writes any network after `change` to `folder/name`.
pub(crate) fn changed_file(from: &Path, folder: &Path, name: &str, change: impl FnOnce(&mut ModelProto)) -> PathBuf {
    let mut model = ModelProto::decode(&*std::fs::read(from).unwrap()).unwrap();
    change(&mut model);
    let path = folder.join(name);
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    path
}

pub(crate) fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

pub(crate) fn node<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut NodeProto {
    graph(model).node.iter_mut().find(|node| node.name == name).unwrap()
}

pub(crate) fn dims(value: &mut ValueInfoProto) -> &mut Vec<tensor_shape_proto::Dimension> {
    let Some(Type::TensorType(tensor)) = value.r#type.as_mut().unwrap().value.as_mut() else { panic!("not a tensor") };
    &mut tensor.shape.as_mut().unwrap().dim
}

pub(crate) fn set_key(model: &mut ModelProto, key: &str, value: &str) {
    model.metadata_props.iter_mut().find(|pair| pair.key == key).unwrap().value = value.to_owned();
}

/// Multiplies and shifts the last layer, whose weights are raw float32.
pub(crate) fn set_head(model: &mut ModelProto, change: impl Fn(f32) -> f32) {
    for tensor in graph(model).initializer.iter_mut().filter(|tensor| tensor.name.starts_with("head.")) {
        tensor.raw_data =
            tensor.raw_data.chunks_exact(4).flat_map(|b| change(f32::from_le_bytes([b[0], b[1], b[2], b[3]])).to_le_bytes()).collect();
    }
}
