//! A network packed for one instruction set, with its two tables: everything that does not depend on the size of an image.

use super::error::NetworkError;
use super::kernel::Isa;
use super::network::{Layer, LayerKind, Network, Source, Tensor, TensorId, Weights};
use super::pack::{Packed, PackedUp, pack};
use super::plan::Plan;
use super::table::{InputTable, Output};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A network whose weights are packed for one instruction set, and its two tables.
#[derive(Debug, Clone)]
pub struct Program {
    body: Arc<Body>,
    pub(super) input: InputTable,
    pub(super) output: Output,
}

/// What programs with other tables share.
#[derive(Debug)]
struct Body {
    network: Network,
    packed: Vec<PackedLayer>,
    isa: Isa,
}

/// A layer's weights, by the layer's kind.
#[derive(Debug)]
pub(super) enum PackedLayer {
    Convolution(Box<Packed>, Option<Box<PackedUp>>),
    MaxPool,
    Transposed(Box<[Packed; 4]>),
}

impl Program {
    /// Checks a network and packs it. Tables come with it since they depend on the network's first and last scale.
    ///
    /// # Errors
    /// What [`Network::check`] finds; an instruction set that this processor lacks; a class that is none of the logits'.
    pub fn new(network: Network, isa: Isa, input: InputTable, output: Output) -> Result<Self, NetworkError> {
        network.check()?;
        if !isa.is_available() {
            let problem = format!("this processor cannot run {}", isa.name());
            return Err(NetworkError { layer: "all".to_owned(), problem });
        }
        let packed = network.layers.iter().map(|layer| packed(&network, layer, isa)).collect();
        Self { body: Arc::new(Body { network, packed, isa }), input: input.clone(), output: Output::Logits }.with_tables(input, output)
    }

    /// The same network, packed once, with other tables.
    ///
    /// # Errors
    /// Tables that do not fit the number of logits.
    pub fn with_tables(&self, input: InputTable, output: Output) -> Result<Self, NetworkError> {
        let logits = self.logits().1;
        let problem = match &output {
            Output::Sigmoid(_) if logits != 1 => format!("{logits} logits, expected 1 for a sigmoid"),
            Output::Softmax { class, .. } if *class >= logits => format!("class {class} of {logits} logits"),
            _ => return Ok(Self { body: Arc::clone(&self.body), input, output }),
        };
        Err(NetworkError { layer: "logits".to_owned(), problem })
    }

    /// The network, packed anew for another instruction set.
    ///
    /// # Errors
    /// One that this processor lacks.
    pub fn with_isa(&self, isa: Isa) -> Result<Self, NetworkError> {
        Self::new(self.network().clone(), isa, self.input.clone(), self.output.clone())
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.body.network
    }

    /// What it was packed for.
    pub fn isa(&self) -> Isa {
        self.body.isa
    }

    /// Bytes of an image's output for each pixel.
    pub fn output_channels(&self) -> usize {
        self.output.channels(self.logits().1)
    }

    /// Plans for images of a size, whose sides are multiples of the network's alignment, and so many threads.
    ///
    /// # Errors
    /// Sides that are not.
    pub fn plan(&self, [height, width]: [usize; 2], arena_bytes: usize, threads: usize) -> Result<Plan, NetworkError> {
        let step = self.network().alignment();
        if [height, width].iter().any(|&side| side == 0 || side % step != 0) {
            let problem = format!("sides of {width} x {height} px: expected multiples of {step}");
            return Err(NetworkError { layer: "image".to_owned(), problem });
        }
        let outputs = |channels: usize| {
            let lanes = self.isa().for_outputs(channels).lanes();
            (channels.div_ceil(lanes), lanes)
        };
        Ok(Plan::new(self.network(), [height, width], arena_bytes, threads.max(1), outputs))
    }

    /// The layers' weights, in the order of the network's layers.
    pub(super) fn packed(&self) -> &[PackedLayer] {
        &self.body.packed
    }

    /// The tensor of the logits, and its channels.
    pub(super) fn logits(&self) -> (TensorId, usize) {
        let network = self.network();
        let id = network.layers.last().map_or(TensorId(0), |layer| layer.output);
        (id, network.tensors[id.0].channels)
    }
}

fn packed(network: &Network, layer: &Layer, isa: Isa) -> PackedLayer {
    let tensor = |id: TensorId| &network.tensors[id.0];
    let output = tensor(layer.output);
    match &layer.kind {
        LayerKind::MaxPool { .. } => PackedLayer::MaxPool,
        LayerKind::Convolution(convolution) => {
            let sources: Vec<(Source, &Tensor)> = convolution.sources.iter().map(|source| (*source, tensor(source.tensor))).collect();
            let (direct, up) = pack(isa, convolution.kernel, &sources, &convolution.weights, output);
            PackedLayer::Convolution(Box::new(direct), up.map(Box::new))
        }
        LayerKind::Transposed { input, weights } => PackedLayer::Transposed(Box::new(core::array::from_fn(|phase| {
            let (inputs, outputs) = (tensor(*input).channels, output.channels);
            // [inputs, outputs, 2, 2] to [outputs, inputs] of one pixel of the cell.
            let at = |output: usize, input: usize| weights.values[(input * outputs + output) * 4 + phase];
            let values = (0..outputs).flat_map(|output| (0..inputs).map(move |input| at(output, input))).collect();
            let own = Weights { values, bias: weights.bias.clone(), scale: weights.scale.clone(), relu: weights.relu };
            pack(isa, 1, &[(Source { tensor: *input, up: false }, tensor(*input))], &own, output).0
        }))),
    }
}
