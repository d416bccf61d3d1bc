//! Weights, biases and other constants of a quantised network, out of tract's graph.

use super::{Affine, Reader, Refused, refuse};
use crate::int8::Weights;
use crate::model::qdq::Dequantize;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::konst::Const;

impl<'a> Reader<'a> {
    /// Weights, bias and requantisation of a (transposed) convolution; its outputs are axis `axis` of its weights.
    pub(super) fn weights(&self, node: &TypedNode, axis: usize, input: Affine, output: Affine, relu: bool) -> Result<Weights, Refused> {
        let (Some(&kernel), Some(&bias)) = (node.inputs.get(1), node.inputs.get(2)) else { return refuse("it lacks weights or bias") };
        let Some((tensor, dequantize)) = self.dequantised(kernel) else { return refuse("its weights are not quantised") };
        let parameters = &dequantize.parameters;
        if tensor.datum_type() != i8::datum_type() || parameters.zero_point.iter().any(|&zero_point| zero_point != 0) {
            return refuse("its weights are not int8 with zero point 0");
        }
        let outputs = *tensor.shape().get(axis).unwrap_or(&0);
        let scales = match parameters.scale.len() {
            1 => vec![parameters.scale[0]; outputs],
            len if len == outputs && parameters.axis == axis => parameters.scale.clone(),
            _ => return refuse("its weights are scaled along an axis other than the outputs"),
        };
        let values = integers::<i8>(&tensor)?;
        // In f32 and in this order, as other runtimes do.
        let scale: Vec<f32> = scales.iter().map(|scale| input.scale * scale / output.scale).collect();
        let units: Vec<f32> = scales.iter().map(|scale| input.scale * scale).collect();
        Ok(Weights { values, bias: self.bias(bias, &units)?, scale, relu })
    }

    /// A bias in units of the sums.
    fn bias(&self, outlet: OutletId, units: &[f32]) -> Result<Vec<i32>, Refused> {
        let pick = |values: usize, index: usize| if values == 1 { 0 } else { index };
        let real: Vec<f64> = if let Some((tensor, dequantize)) = self.dequantised(outlet) {
            let (integers, scale) = (integers::<i32>(&tensor)?, &dequantize.parameters.scale);
            if dequantize.parameters.zero_point.iter().any(|&zero_point| zero_point != 0) {
                return refuse("its bias has a zero point other than 0");
            }
            let same = scale.len() == units.len() && scale.iter().zip(units).all(|(a, b)| (a - b).abs() <= 1e-6 * b);
            if same && integers.len() == units.len() {
                return Ok(integers);
            }
            integers.iter().enumerate().map(|(i, &q)| f64::from(q) * f64::from(scale[pick(scale.len(), i)])).collect()
        } else {
            self.floats(outlet).ok_or_else(|| Some("its bias is not constant".to_owned()))?.into_iter().map(f64::from).collect()
        };
        if real.len() != units.len() && real.len() != 1 {
            return refuse(format!("{} biases for {} outputs", real.len(), units.len()));
        }
        let bias = units.iter().enumerate().map(|(i, &unit)| {
            let rounded = (real[pick(real.len(), i)] / f64::from(unit)).round_ties_even();
            let fits = rounded.abs() <= f64::from(i32::MAX);
            if fits { Ok(rounded as i32) } else { refuse(format!("a bias of {rounded:e} units does not fit 32 bits")) }
        });
        bias.collect()
    }

    /// The integers behind a dequantised constant, through casts and changes of shape that tract's loader put in.
    fn dequantised(&self, mut outlet: OutletId) -> Option<(Arc<Tensor>, &'a Dequantize)> {
        for _ in 0..8 {
            let node = self.model.node(outlet.node);
            if let Some(dequantize) = node.op_as::<Dequantize>() {
                return Some((self.constant(node.inputs[0])?, dequantize));
            }
            if !(node.op_is::<AxisOp>() || node.op_is::<Cast>()) {
                return None;
            }
            outlet = *node.inputs.first()?;
        }
        None
    }

    pub(super) fn constant(&self, outlet: OutletId) -> Option<Arc<Tensor>> {
        self.model.node(outlet.node).op_as::<Const>().map(|constant| Arc::clone(constant.val()))
    }

    pub(super) fn floats(&self, outlet: OutletId) -> Option<Vec<f32>> {
        let tensor = self.model.outlet_fact(outlet).ok()?.konst.clone()?;
        Some(tensor.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec())
    }
}

fn integers<T: Datum + Copy>(tensor: &Tensor) -> Result<Vec<T>, Refused> {
    let plain = tensor.try_as_plain_ram().map_err(|error| Some(error.to_string()))?;
    Ok(plain.as_slice::<T>().map_err(|_| Some(format!("its constants are {:?}", tensor.datum_type())))?.to_vec())
}
