//! A whole quantised network as one operation of tract's graph: float image in, dequantised logits out.
//!
//! The runtime itself goes past tract's executor and its tensors, from RGB bytes to probabilities ([`integer`](super::integer)); this
//! operation is the same program for whoever runs the graph.

use super::rewrite::Affine;
use crate::int8::{DEFAULT_ARENA_BYTES, InputTable, Isa, Network, NetworkError, OneThread, Output, Program, Rgb, Session};
use tract_onnx::tract_core::internal::*;

/// The operation.
#[derive(Debug, Clone)]
pub(super) struct IntegerNetwork {
    /// From bytes of the quantised image to bytes of the logits.
    pub(super) program: Arc<Program>,
    pub(super) input: Affine,
    pub(super) logits: Affine,
}

impl PartialEq for IntegerNetwork {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
    }
}

impl Eq for IntegerNetwork {}

impl IntegerNetwork {
    /// Packs a network for the fastest instruction set of this processor.
    pub(super) fn new(network: Network, input: Affine, logits: Affine) -> Result<Self, NetworkError> {
        let identity = InputTable(Box::new([std::array::from_fn(|byte| byte as u8); 3]));
        let program = Program::new(network, Isa::best(), identity, Output::Logits)?;
        Ok(Self { program: Arc::new(program), input, logits })
    }

    fn logit_channels(&self) -> usize {
        self.program.output_channels()
    }
}

impl Op for IntegerNetwork {
    fn name(&self) -> StaticName {
        "LsrIntegerNetwork".into()
    }
    op_as_typed_op!();
}

impl EvalOp for IntegerNetwork {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let &[1, 3, height, width] = inputs[0].shape() else { bail!("expected one image of 3 channels, found {:?}", inputs[0].shape()) };
        let plain = inputs[0].try_as_plain_ram()?;
        let (floats, area) = (plain.as_slice::<f32>()?, height * width);
        let zero_point = f32::from(self.input.zero_point);
        let byte = |x: f32| ((x / self.input.scale).round_ties_even() + zero_point).clamp(0.0, 255.0) as u8;
        let pixels: Vec<u8> = (0..area).flat_map(|i| [0, 1, 2].map(|channel| byte(floats[channel * area + i]))).collect();
        let plan = self.program.plan([height, width], DEFAULT_ARENA_BYTES, 1)?;
        let channels = self.logit_channels();
        let mut bytes = vec![0; area * channels];
        Session::new(Arc::clone(&self.program), plan).run(
            Rgb { pixels: &pixels, width, origin: [0, 0] },
            &mut bytes,
            &OneThread,
            &mut |_| true,
        );
        let real = |byte: u8| (i32::from(byte) - i32::from(self.logits.zero_point)) as f32 * self.logits.scale;
        let planes: Vec<f32> =
            (0..channels).flat_map(|channel| bytes.iter().skip(channel).step_by(channels).map(|&byte| real(byte))).collect();
        Ok(tvec!(Tensor::from_shape(&[1, channels, height, width], &planes)?.into_tvalue()))
    }
}

impl TypedOp for IntegerNetwork {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape = inputs[0].shape.clone();
        shape.set(1, self.logit_channels().to_dim());
        Ok(tvec!(f32::fact(shape)))
    }
}
