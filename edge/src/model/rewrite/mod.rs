//! Turns a quantised network in tract's graph into one integer operation.
//!
//! What is recognised, between each QuantizeLinear and its DequantizeLinear (Q and DQ; one scale and zero point for a tensor of uint8):
//!
//! ```text
//! image -> Q                                        the bytes that go in
//! DQ -> Conv 1x1 or 3x3 (-> Relu) -> Q              int8 weights with zero point 0, int32 bias
//! DQ -> ConvTranspose 2x2 of stride 2 -> Q          the same
//! DQ -> MaxPool 2x2 -> Q                            scale and zero point stay
//! DQ -> Resize to the nearest, by 2 -> Q            scale and zero point stay; read by a 3x3 Conv
//! DQ, DQ, ... -> Concat of channels -> Q            one scale and zero point for all; read by a Conv
//! ```
//!
//! Anything else is named, and the whole network is left to tract.

mod constants;
mod geometry;

use super::integer_op::IntegerNetwork;
use super::qdq::{Dequantize, Quantize};
use crate::int8::{Convolution, Layer, LayerKind, Network, Source, Tensor as IntegerTensor, TensorId};
use geometry::{is, padding, undilated};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::HashMap;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, MaxPool};
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_core::ops::nn::resize::{CoordTransformer, Interpolator};
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx_opl::resize::{CoordTransform, Nearest, Resize};

/// A node that keeps a network from being run in integers, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The node.
    pub node: String,
    /// Why.
    pub reason: String,
}

/// Scale and zero point of a tensor of bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) scale: f32,
    pub(super) zero_point: u8,
}

/// Replaces the network by one [`IntegerNetwork`] where every node of it is understood; otherwise the graph stays as it is, and what stood in
/// the way is given back.
pub(super) fn rewrite(model: &mut TypedModel) -> TractResult<Vec<Refusal>> {
    let refusals = RefCell::new(Vec::new());
    Rewriter::<RefCell<Vec<Refusal>>>::default()
        .with_rule_for::<Dequantize>("quantised network to integers", whole_network)
        .rewrite(&refusals, model)?;
    Ok(refusals.into_inner())
}

/// The rule: the DequantizeLinear that makes the logits, with all that stands before it.
fn whole_network(
    refusals: &RefCell<Vec<Refusal>>,
    model: &TypedModel,
    node: &TypedNode,
    name: &str,
    _: &Dequantize,
) -> TractResult<Option<TypedModelPatch>> {
    let logits = OutletId::from(node.id);
    if model.output_outlets()? != [logits] {
        return Ok(None);
    }
    let mut reader = Reader::new(model);
    reader.read()?;
    let operation = match reader.finish(logits, name) {
        Ok(operation) => operation,
        Err(found) => {
            *refusals.borrow_mut() = found;
            return Ok(None);
        }
    };
    let mut patch = TypedModelPatch::default();
    let image = patch.tap_model(model, model.input_outlets()?[0])?;
    let wire = patch.wire_node(name, operation, &[image])?;
    patch.shunt_outside(model, logits, wire[0])?;
    Ok(Some(patch))
}

/// What a DequantizeLinear gives: bytes of one or more tensors side by side.
#[derive(Debug, Clone)]
struct Value {
    parts: Vec<Source>,
    affine: Affine,
}

struct Reader<'a> {
    model: &'a TypedModel,
    values: HashMap<OutletId, Value>,
    network: Network,
    input: Option<Affine>,
    refusals: Vec<Refusal>,
}

/// Why a node is not understood; `None` where it only follows from another node.
type Refused = Option<String>;

fn refuse<T>(reason: impl Into<String>) -> Result<T, Refused> {
    Err(Some(reason.into()))
}

impl<'a> Reader<'a> {
    fn new(model: &'a TypedModel) -> Self {
        let network = Network { tensors: vec![IntegerTensor { channels: 3, level: 0, zero_point: 0 }], layers: Vec::new() };
        Self { model, values: HashMap::new(), network, input: None, refusals: Vec::new() }
    }

    /// Goes through the graph in the order of evaluation: what a node reads was read before.
    fn read(&mut self) -> TractResult<()> {
        for id in self.model.eval_order()? {
            let node = self.model.node(id);
            let Some(dequantize) = node.op_as::<Dequantize>() else { continue };
            if self.constant(node.inputs[0]).is_some() {
                continue;
            }
            match self.value(node, dequantize) {
                Ok(value) => drop(self.values.insert(id.into(), value)),
                Err(None) => {}
                Err(Some(reason)) => {
                    let node = self.blamed(node);
                    self.refusals.push(Refusal { node: node.name.clone(), reason });
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, logits: OutletId, name: &str) -> Result<IntegerNetwork, Vec<Refusal>> {
        let whole = |reason: &str| vec![Refusal { node: name.to_owned(), reason: reason.to_owned() }];
        let (Some(value), Some(input)) = (self.values.remove(&logits), self.input) else {
            return Err(if self.refusals.is_empty() { whole("what it dequantises is no integer network") } else { self.refusals });
        };
        let last = self.network.layers.last().map(|layer| Source { tensor: layer.output, up: false });
        if value.parts.len() != 1 || value.parts.first() != last.as_ref() {
            return Err(whole("the logits are not those of a last convolution"));
        }
        IntegerNetwork::new(self.network, input, value.affine).map_err(|error| vec![Refusal { node: error.layer, reason: error.problem }])
    }

    /// The node that a person would call the cause: what stands before the QuantizeLinear.
    fn blamed(&self, dequantize: &'a TypedNode) -> &'a TypedNode {
        let quantize = self.model.node(dequantize.inputs[0].node);
        if quantize.op_is::<Quantize>() { self.model.node(quantize.inputs[0].node) } else { dequantize }
    }

    fn value(&mut self, node: &TypedNode, dequantize: &Dequantize) -> Result<Value, Refused> {
        let quantized = self.model.node(node.inputs[0].node);
        let Some(quantize) = quantized.op_as::<Quantize>() else { return refuse("what it dequantises was not quantised here") };
        if quantize.to != u8::datum_type() {
            return refuse("its output is quantised to int8, expected uint8");
        }
        if quantize.parameters != dequantize.parameters {
            return refuse("its output is quantised with one scale and dequantised with another");
        }
        let Some((scale, zero_point)) = quantize.parameters.of_tensor() else {
            return refuse("its output is quantised channel by channel, expected one scale");
        };
        let affine = Affine { scale, zero_point: u8::try_from(zero_point).map_err(|_| Some(format!("zero point {zero_point}")))? };
        let made = quantized.inputs[0];
        let node = self.model.node(made.node);
        if node.op_is::<TypedSource>() {
            self.network.tensors[0].zero_point = affine.zero_point;
            self.input = Some(affine);
            return Ok(Value { parts: vec![Source { tensor: TensorId(0), up: false }], affine });
        }
        if let Some(concat) = node.op_as::<TypedConcat>() {
            return self.concat(node, concat, affine);
        }
        if let Some(resize) = node.op_as::<Resize>() {
            return self.resize(node, resize, affine);
        }
        let (output, level) = if let Some(pool) = node.op_as::<MaxPool>() {
            self.pool(node, pool, affine)?
        } else if let Some(conv) = self.rectified(node) {
            self.convolution(conv, true, affine)?
        } else {
            self.convolution(node, false, affine)?
        };
        let channels = self.channels(made)?;
        let tensor = TensorId(self.network.tensors.len());
        self.network.tensors.push(IntegerTensor { channels, level, zero_point: affine.zero_point });
        self.network.layers.push(Layer { name: node.name.clone(), kind: output, output: tensor });
        Ok(Value { parts: vec![Source { tensor, up: false }], affine })
    }

    fn concat(&self, node: &TypedNode, concat: &TypedConcat, affine: Affine) -> Result<Value, Refused> {
        if concat.axis != 1 {
            return refuse(format!("it concatenates along axis {}, expected the channels", concat.axis));
        }
        let mut parts = Vec::new();
        for &input in &node.inputs {
            let value = self.input_value(input)?;
            same(value.affine, affine)?;
            parts.extend_from_slice(&value.parts);
        }
        Ok(Value { parts, affine })
    }

    fn resize(&self, node: &TypedNode, resize: &Resize, affine: Affine) -> Result<Value, Refused> {
        let value = self.input_value(node.inputs[0])?;
        same(value.affine, affine)?;
        let scales = resize.optional_scales_input.and_then(|slot| node.inputs.get(slot)).and_then(|&outlet| self.floats(outlet));
        let nearest = resize.interpolator == Interpolator::Nearest
            && resize.nearest == Nearest::Floor
            && resize.coord_transformer == CoordTransform::Plain(CoordTransformer::Asymmetric)
            && resize.axes.is_none();
        if !nearest || scales.as_deref() != Some(&[1.0, 1.0, 2.0, 2.0]) {
            return refuse("it resizes otherwise than to the nearest (asymmetric, floor) by the constant scales 1, 1, 2, 2");
        }
        match value.parts.as_slice() {
            &[Source { tensor, up: false }] => Ok(Value { parts: vec![Source { tensor, up: true }], affine }),
            _ => refuse("it resizes a concatenation or a resized tensor"),
        }
    }

    fn pool(&self, node: &TypedNode, pool: &MaxPool, affine: Affine) -> Result<(LayerKind, u32), Refused> {
        let value = self.input_value(node.inputs[0])?;
        same(value.affine, affine)?;
        let spec = &pool.pool_spec;
        let halves = is(&spec.kernel_shape, 2) && spec.strides.as_deref().is_some_and(|strides| is(strides, 2)) && padding(spec) == Some(0);
        if !halves || !undilated(spec) || pool.with_index_outputs.is_some() {
            return refuse("it pools otherwise than 2 x 2 with stride 2");
        }
        match value.parts.as_slice() {
            &[Source { tensor, up: false }] => Ok((LayerKind::MaxPool { input: tensor }, self.network.tensors[tensor.0].level + 1)),
            _ => refuse("it pools a concatenation or a resized tensor"),
        }
    }

    /// The node before a ReLU.
    fn rectified(&self, node: &TypedNode) -> Option<&'a TypedNode> {
        let op = node.op_as::<TypedBinOp>()?;
        let &[a, b] = node.inputs.as_slice() else { return None };
        let (x, constant) = if let Some(constant) = self.floats(b) { (a, constant) } else { (b, self.floats(a)?) };
        let is_relu = op.0.name() == "Max" && !constant.is_empty() && constant.iter().all(|&x| x == 0.0);
        is_relu.then(|| self.model.node(x.node))
    }

    fn convolution(&self, node: &TypedNode, relu: bool, output: Affine) -> Result<(LayerKind, u32), Refused> {
        if let Some(conv) = node.op_as::<Conv>() {
            let spec = &conv.pool_spec;
            let kernel = *spec.kernel_shape.first().unwrap_or(&0);
            let plain = matches!(kernel, 1 | 3) && is(&spec.kernel_shape, kernel) && padding(spec) == Some(kernel / 2) && undilated(spec);
            let plain = plain && spec.strides.as_deref().is_none_or(|strides| is(strides, 1));
            let format = conv.kernel_fmt == KernelFormat::OIHW && spec.data_format == DataFormat::NCHW;
            if !plain || !format || conv.group != 1 || conv.q_params.is_some() {
                return refuse("it convolves otherwise than 1 x 1 or 3 x 3 with stride 1, padding that keeps the size, and one group");
            }
            let value = self.input_value(node.inputs[0])?;
            let weights = self.weights(node, 0, value.affine, output, relu)?;
            let first = value.parts.first().ok_or(None)?;
            let level = self.network.tensors[first.tensor.0].level.wrapping_sub(u32::from(first.up));
            return Ok((LayerKind::Convolution(Convolution { kernel, sources: value.parts.clone(), weights }), level));
        }
        let Some(deconv) = node.op_as::<Deconv>() else {
            return refuse(format!("{} is not run in integers", node.op.name()));
        };
        let spec = &deconv.pool_spec;
        let plain = is(&spec.kernel_shape, 2) && spec.strides.as_deref().is_some_and(|strides| is(strides, 2)) && undilated(spec);
        let plain = plain && padding(spec) == Some(0) && is(&deconv.adjustments, 0) && spec.data_format == DataFormat::NCHW;
        if !plain || deconv.group != 1 {
            return refuse("it transposes a convolution otherwise than 2 x 2 with stride 2 and one group");
        }
        let value = self.input_value(node.inputs[0])?;
        let weights = self.weights(node, 1, value.affine, output, relu)?;
        match value.parts.as_slice() {
            &[Source { tensor, up: false }] => {
                let level = self.network.tensors[tensor.0]
                    .level
                    .checked_sub(1)
                    .ok_or_else(|| Some("it would exceed the image's size".to_owned()))?;
                Ok((LayerKind::Transposed { input: tensor, weights }, level))
            }
            _ => refuse("it reads a concatenation or a resized tensor"),
        }
    }

    fn input_value(&self, outlet: OutletId) -> Result<&Value, Refused> {
        match self.values.get(&outlet) {
            Some(value) => Ok(value),
            // Not understood, and said so where it happened.
            None if self.model.node(outlet.node).op_is::<Dequantize>() => Err(None),
            None => refuse(format!("it reads {}, which is not quantised", self.model.node(outlet.node).name)),
        }
    }

    fn channels(&self, outlet: OutletId) -> Result<usize, Refused> {
        let fact = self.model.outlet_fact(outlet).map_err(|error| Some(error.to_string()))?;
        let channels = fact.shape.get(1).and_then(|dim| dim.to_usize().ok());
        channels.ok_or_else(|| Some("its number of channels is not known".to_owned()))
    }
}

fn same(found: Affine, expected: Affine) -> Result<(), Refused> {
    if found == expected { Ok(()) } else { refuse("scale or zero point of its input and its output differ") }
}
