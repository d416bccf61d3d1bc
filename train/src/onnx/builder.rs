//! The nodes that float and int8 files have in common.

use super::proto::{Attribute, Graph, Node, Tensor, ValueInfo};
use super::{INPUT, OUTPUT};
use crate::network::{Convolution, ConvolutionKind};

/// A graph while it is made.
#[derive(Default)]
pub(super) struct Builder {
    graph: Graph,
}

impl Builder {
    /// Adds a node whose one output has its name; gives that name.
    pub(super) fn node(&mut self, name: &str, op: &str, input: Vec<String>, attribute: Vec<Attribute>) -> String {
        let output = vec![name.to_owned()];
        self.graph.node.push(Node { input, output, name: name.to_owned(), op_type: op.to_owned(), attribute });
        name.to_owned()
    }

    /// Stores a tensor, once for each name; gives its name.
    pub(super) fn constant(&mut self, tensor: Tensor) -> String {
        let name = tensor.name.clone();
        if !self.graph.initializer.iter().any(|other| other.name == name) {
            self.graph.initializer.push(tensor);
        }
        name
    }

    /// A convolution; `inputs` are data, weights and bias.
    pub(super) fn convolution(&mut self, layer: &Convolution, inputs: Vec<String>) -> String {
        let kernel = layer.kernel as i64;
        let shape = Attribute::ints("kernel_shape", &[kernel, kernel]);
        match layer.kind {
            ConvolutionKind::Same => {
                let pads = Attribute::ints("pads", &[kernel / 2; 4]);
                self.node(&layer.name, "Conv", inputs, vec![shape, Attribute::ints("strides", &[1, 1]), pads])
            }
            ConvolutionKind::Transposed => {
                self.node(&layer.name, "ConvTranspose", inputs, vec![shape, Attribute::ints("strides", &[2, 2])])
            }
        }
    }

    pub(super) fn relu(&mut self, layer: &Convolution, x: String) -> String {
        self.node(&format!("{}/relu", layer.name), "Relu", vec![x], vec![])
    }

    pub(super) fn max_pool(&mut self, name: &str, x: String) -> String {
        let attributes = vec![Attribute::ints("kernel_shape", &[2, 2]), Attribute::ints("strides", &[2, 2])];
        self.node(name, "MaxPool", vec![x], attributes)
    }

    pub(super) fn up_sample(&mut self, name: &str, x: String) -> String {
        let scales = self.constant(Tensor::floats("up.scales", &[4], &[1.0, 1.0, 2.0, 2.0]));
        let attributes = vec![
            Attribute::text("mode", "nearest"),
            Attribute::text("coordinate_transformation_mode", "asymmetric"),
            Attribute::text("nearest_mode", "floor"),
        ];
        self.node(name, "Resize", vec![x, String::new(), scales], attributes)
    }

    pub(super) fn concat(&mut self, name: &str, inputs: [String; 2]) -> String {
        self.node(name, "Concat", inputs.to_vec(), vec![Attribute::int("axis", 1)])
    }

    /// The graph; the last node's output is the network's.
    pub(super) fn finish(mut self, name: &str, outputs: usize) -> Graph {
        if let Some(last) = self.graph.node.last_mut() {
            last.output = vec![OUTPUT.to_owned()];
        }
        self.graph.name = name.to_owned();
        self.graph.input = vec![ValueInfo::image(INPUT, 3)];
        self.graph.output = vec![ValueInfo::image(OUTPUT, outputs)];
        self.graph
    }
}
