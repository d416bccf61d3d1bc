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
