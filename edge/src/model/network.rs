//! A network that can be run: in integers where every node of it is understood, otherwise in tract's float arithmetic.

use super::float::{FloatNetwork, reason};
use super::integer::IntegerEngine;
use super::integer_op::IntegerNetwork;
use super::metadata::Metadata;
use super::qdq::reader;
use super::rewrite::{Refusal, rewrite};
use crate::error::ModelError;
use crate::guard::guarded;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{Datum, Framework, InferenceFact, InferenceModelExt, TractError};

/// A network that the runtime has accepted. `&self` runs from any number of threads.
pub(super) enum Network {
    /// u8 from the image to the probabilities.
    Integer(Box<IntegerEngine>),
    /// f32.
    Float(Box<FloatNetwork>),
}

impl Network {
    /// Hands a checked file to tract, and turns it into integers if it is quantised and nothing stands in the way; what did is given back.
    pub(super) fn new(mut proto: ModelProto, metadata: &Metadata) -> Result<(Self, Vec<Refusal>), ModelError> {
        let mut quantised = false;
        if let Some(graph) = &mut proto.graph {
            // Shapes that the exporter noted for inner values are redundant, and could contradict the sizes asked for here.
            graph.value_info.clear();
            quantised = graph.node.iter().any(|node| node.op_type == "QuantizeLinear");
        }
        if !quantised {
            return Ok((Self::Float(Box::new(FloatNetwork::new(&proto, metadata)?)), Vec::new()));
        }
        let step = metadata.alignment as usize;
        let read = || -> Result<_, TractError> {
            let fact = InferenceFact::dt_shape(f32::datum_type(), [1, 3, step, step]);
            let mut graph = reader(true).model_for_proto_model(&proto)?.with_input_fact(0, fact)?.into_typed()?;
            let refusals = rewrite(&mut graph)?;
            let operation = graph.nodes().iter().find_map(|node| node.op_as::<IntegerNetwork>()).cloned();
            Ok((operation, refusals))
        };
        let prepare = |reason| ModelError::Prepare { width: step, height: step, reason };
        let (operation, refusals) = guarded(read).and_then(|result| result.map_err(reason)).map_err(prepare)?;
        match operation {
            Some(operation) => Ok((Self::Integer(Box::new(IntegerEngine::new(&operation, metadata)?)), refusals)),
            None => Ok((Self::Float(Box::new(FloatNetwork::new(&proto, metadata)?)), refusals)),
        }
    }
}

/// The refusal of an output whose channels do not fit the class names.
pub(super) fn expected_logits(classes: usize, found: String) -> ModelError {
    let channels = if classes == 2 { "1 or 2".to_owned() } else { classes.to_string() };
    let expected = format!("[1, {channels}, height, width] for an input of [1, 3, height, width] and {classes} class names");
    ModelError::Interface { what: "output 'logits'".to_owned(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::int8::{OneThread, Rgb, Session};
    use std::sync::Arc;
    use tract_onnx::prelude::{IntoRunnable, IntoTValue, Tensor, TypedModel, tvec};

    #[test]
    fn the_rewritten_graph_runs_in_tract_and_gives_the_same_logits() {
        let proto = tract_onnx::onnx().proto_model_for_read(&mut &include_bytes!("../../tests/fixtures/unet.int8.onnx")[..]).unwrap();
        let (height, width) = (32, 48);
        let fact = InferenceFact::dt_shape(f32::datum_type(), [1, 3, height, width]);
        let mut graph: TypedModel =
            reader(true).model_for_proto_model(&proto).unwrap().with_input_fact(0, fact).unwrap().into_typed().unwrap();
        assert!(graph.nodes().len() > 100);
        assert_eq!(rewrite(&mut graph).unwrap(), []);
        // The image, and one operation.
        assert_eq!(graph.nodes().len(), 2, "{graph}");
        let operation = graph.nodes().iter().find_map(|node| node.op_as::<IntegerNetwork>()).unwrap().clone();

        let pixels: Vec<u8> = (0..3 * height * width).map(|i| (i * i % 251) as u8).collect();
        let planes: Vec<f32> =
            (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).map(|&byte| (f32::from(byte) - 128.0) / 64.0)).collect();
        let image = Tensor::from_shape(&[1, 3, height, width], &planes).unwrap();
        let logits = graph.into_optimized().unwrap().into_runnable().unwrap().run(tvec!(image.into_tvalue())).unwrap().remove(0);
        assert_eq!(logits.shape(), [1, 1, height, width]);

        let mut bytes = vec![0; height * width];
        let plan = operation.program.plan([height, width], usize::MAX, 1).unwrap();
        let mut session = Session::new(Arc::clone(&operation.program), plan);
        assert!(session.run(Rgb { pixels: &pixels, width, origin: [0, 0] }, &mut bytes, &OneThread, &mut |_| true));
        let expected: Vec<f32> =
            bytes.iter().map(|&byte| (f32::from(byte) - f32::from(operation.logits.zero_point)) * operation.logits.scale).collect();
        assert_eq!(logits.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap(), expected);
        assert!(bytes.iter().max() > bytes.iter().min());
    }
}
