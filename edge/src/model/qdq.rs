//! QuantizeLinear and DequantizeLinear as operations of our own inside tract: exact to the ONNX standard, and with all their numbers in one
//! place, so that the rewriting to integers ([`integer`](super::integer)) can read them. (tract's own multiply by the reciprocal of a
//! scale, and take per-channel parameters apart into casts, subtractions and products.)

use tract_onnx::Onnx;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::plan::EvalContext;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::expandable::{Expansion, expand};

/// tract's reader of ONNX with these two operations instead of its own. `keep_integers` keeps quantised constants as they are in the file, where
/// tract would compute their real values while it loads.
pub(super) fn reader(keep_integers: bool) -> Onnx {
    let mut onnx = tract_onnx::onnx();
    onnx.op_register.insert("QuantizeLinear", |_, node| parse(node, Direction::Quantize, false));
    if keep_integers {
        onnx.op_register.insert("DequantizeLinear", |_, node| parse(node, Direction::Dequantize, true));
    } else {
        onnx.op_register.insert("DequantizeLinear", |_, node| parse(node, Direction::Dequantize, false));
    }
    onnx
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Quantize,
    Dequantize,
}

fn parse(node: &NodeProto, direction: Direction, keep_integers: bool) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let block_size = node.get_attr_opt::<i64>("block_size")?.unwrap_or(0);
    ensure!(block_size == 0, "blocks of scales are not run here");
    let axis = node.get_attr_opt("axis")?.unwrap_or(1);
    Ok((expand(Unwired { direction, axis, inputs: node.input.len(), keep_integers }), vec![]))
}

/// Either operation before its parameters are known to be constants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Unwired {
    direction: Direction,
    axis: i64,
    inputs: usize,
    keep_integers: bool,
}

impl Expansion for Unwired {
    fn name(&self) -> StaticName {
        match self.direction {
            Direction::Quantize => "QuantizeLinear".into(),
            Direction::Dequantize => "DequantizeLinear".into(),
        }
    }

    fn runs_out_of_plan(&self) -> bool {
        !self.keep_integers
    }

    fn rules<'r, 'p: 'r, 's: 'r>(&'s self, s: &mut Solver<'r>, inputs: &'p [TensorProxy], outputs: &'p [TensorProxy]) -> InferenceResult {
        check_input_arity(inputs, self.inputs)?;
        check_output_arity(outputs, 1)?;
        ensure!((2..=3).contains(&self.inputs), "expected 2 or 3 inputs, found {}", self.inputs);
        s.equals(&inputs[1].datum_type, f32::datum_type())?;
        let (integers, floats) = match self.direction {
            Direction::Quantize => (&outputs[0], &inputs[0]),
            Direction::Dequantize => (&inputs[0], &outputs[0]),
        };
        s.equals(&floats.datum_type, f32::datum_type())?;
        if self.inputs == 3 {
            s.equals(&integers.datum_type, &inputs[2].datum_type)?;
        } else if self.direction == Direction::Quantize {
            s.equals(&integers.datum_type, u8::datum_type())?;
        }
        s.equals(&inputs[0].shape, &outputs[0].shape)
    }

    fn wire(&self, prefix: &str, target: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let constant = |index: usize| -> TractResult<Arc<Tensor>> {
            target.outlet_fact(inputs[index])?.konst.clone().context("its scale and zero point must be constants")
        };
        let scale = constant(1)?.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
        let (zero_point, stated) = if self.inputs == 3 {
            let tensor = constant(2)?;
            (tensor.cast_to::<i32>()?.try_as_plain_ram()?.as_slice::<i32>()?.to_vec(), Some(tensor.datum_type()))
        } else {
            (vec![0], None)
        };
        if let Some(bad) = scale.iter().find(|scale| !(scale.is_normal() && **scale > 0.0)) {
            bail!("a scale is {bad}, expected a positive number");
        }
        let fact = target.outlet_fact(inputs[0])?;
        let channels = scale.len().max(zero_point.len());
        let axis = if self.axis < 0 { self.axis + fact.rank() as i64 } else { self.axis } as usize;
        let per_axis = |len: usize| len == 1 || (len == channels && fact.shape.get(axis).is_some_and(|dim| *dim == channels.to_dim()));
        ensure!(per_axis(scale.len()) && per_axis(zero_point.len()), "{channels} scales do not fit axis {axis} of its input");
        let parameters = Parameters { scale, zero_point, axis };
        let op: Box<dyn TypedOp> = match self.direction {
            Direction::Quantize => {
                let to = stated.unwrap_or(u8::datum_type());
                ensure!(to == u8::datum_type() || to == i8::datum_type(), "quantised numbers are uint8 or int8, found {to:?}");
                Box::new(Quantize { parameters, to })
            }
            Direction::Dequantize => Box::new(Dequantize { parameters, keep_integers: self.keep_integers }),
        };
        target.wire_node(prefix, op, &[inputs[0]])
    }
}

/// Scale and zero point, of a whole tensor or channel by channel along an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameters {
    /// One, or one for each channel.
    pub(super) scale: Vec<f32>,
    /// One, or one for each channel.
    pub(super) zero_point: Vec<i32>,
    /// Where there is more than one.
    pub(super) axis: usize,
}

impl Eq for Parameters {}

impl Parameters {
    /// Scale and zero point of a whole tensor.
    pub(super) fn of_tensor(&self) -> Option<(f32, i32)> {
        match (self.scale.as_slice(), self.zero_point.as_slice()) {
            (&[scale], &[zero_point]) => Some((scale, zero_point)),
            _ => None,
        }
    }

    /// Calls `each` for every element with its scale and zero point.
    fn map<A: Copy, B>(&self, shape: &[usize], from: &[A], each: impl Fn(A, f32, i32) -> B) -> Vec<B> {
        let inner: usize = shape.iter().skip(self.axis + 1).product::<usize>().max(1);
        let channels = self.scale.len().max(self.zero_point.len());
        let pick = |values: usize, channel: usize| if values == 1 { 0 } else { channel };
        let at = |(i, &value): (usize, &A)| {
            let channel = i / inner % channels;
            each(value, self.scale[pick(self.scale.len(), channel)], self.zero_point[pick(self.zero_point.len(), channel)])
        };
        from.iter().enumerate().map(at).collect()
    }
}

/// `saturate(round(x / scale) + zero_point)`, half to even.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quantize {
    pub(super) parameters: Parameters,
    pub(super) to: DatumType,
}

impl Op for Quantize {
    fn name(&self) -> StaticName {
        "LsrQuantize".into()
    }
    op_as_typed_op!();
}

impl EvalOp for Quantize {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let shape = inputs[0].shape();
        let plain = inputs[0].try_as_plain_ram()?;
        let from = plain.as_slice::<f32>()?;
        let quantise = |x: f32, scale: f32, zero_point: i32| (x / scale).round_ties_even() + zero_point as f32;
        let tensor = if self.to == u8::datum_type() {
            Tensor::from_shape(shape, &self.parameters.map(shape, from, |x, s, z| quantise(x, s, z).clamp(0.0, 255.0) as u8))?
        } else {
            Tensor::from_shape(shape, &self.parameters.map(shape, from, |x, s, z| quantise(x, s, z).clamp(-128.0, 127.0) as i8))?
        };
        Ok(tvec!(tensor.into_tvalue()))
    }
}

impl TypedOp for Quantize {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(self.to.fact(inputs[0].shape.clone())))
    }
}

/// `(x - zero_point) * scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dequantize {
    pub(super) parameters: Parameters,
    /// Not to be computed before the network runs.
    pub(super) keep_integers: bool,
}

impl Op for Dequantize {
    fn name(&self) -> StaticName {
        "LsrDequantize".into()
    }
    op_as_typed_op!();
}

impl EvalOp for Dequantize {
    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        if self.keep_integers { Ok(None) } else { self.eval(&EvalContext::out_of_plan(), inputs).map(Some) }
    }

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let shape = inputs[0].shape();
        let integers = inputs[0].cast_to::<i32>()?;
        let plain = integers.try_as_plain_ram()?;
        // An i32 bias has zero point 0; bytes cannot overflow here.
        let real = |x: i32, scale: f32, zero_point: i32| (x.wrapping_sub(zero_point)) as f32 * scale;
        Ok(tvec!(Tensor::from_shape(shape, &self.parameters.map(shape, plain.as_slice::<i32>()?, real))?.into_tvalue()))
    }
}

impl TypedOp for Dequantize {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.clone())))
    }
}
