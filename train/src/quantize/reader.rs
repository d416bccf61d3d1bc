//! Who reads a value, and which values must share one grid.

use crate::network::{FoldedNetwork, Operation, Value};

/// A layer that reads a value, perhaps through poolings, up-samplings and concatenations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    /// Number of the layer.
    pub(crate) layer: usize,
    /// Its input channel that the value's first channel becomes.
    pub(crate) first: usize,
}

/// The layers that read a value.
pub(crate) fn readers(network: &FoldedNetwork, value: Value) -> Vec<Reader> {
    let channels = network.channels();
    // (value, place of the channels in it) that are still to be followed
    let mut open = vec![(value, 0)];
    let mut found = Vec::new();
    while let Some((value, first)) = open.pop() {
        for (i, step) in network.steps.iter().enumerate() {
            match step.operation {
                Operation::Convolution { layer, input } if input == value => found.push(Reader { layer, first }),
                Operation::MaxPool { input } | Operation::UpSample { input } if input == value => open.push((i + 1, first)),
                Operation::Concat { inputs: [upper, _] } if upper == value => open.push((i + 1, first)),
                Operation::Concat { inputs: [upper, lower] } if lower == value => open.push((i + 1, first + channels[upper])),
                _ => {}
            }
        }
    }
    found.sort_by_key(|reader| reader.layer);
    found
}

/// For every value the first of those that have one grid with it: pooling, up-sampling and concatenation only move numbers, so what goes in
/// and what comes out must be on one grid.
pub(crate) fn shared_grids(network: &FoldedNetwork) -> Vec<Value> {
    let mut first: Vec<Value> = (0..network.values()).collect();
    for (i, step) in network.steps.iter().enumerate() {
        if matches!(step.operation, Operation::Convolution { .. }) {
            continue;
        }
        for input in step.operation.inputs() {
            let (one, other) = (first[input], first[i + 1]);
            let (kept, gone) = (one.min(other), one.max(other));
            first.iter_mut().filter(|value| **value == gone).for_each(|value| *value = kept);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::tests::{network, shapes};

    #[test]
    fn skips_are_read_twice_and_share_their_grid_with_what_they_meet() {
        let network = network(&shapes()[0]);
        let named = |name: &str| network.steps.iter().position(|step| step.name == name).unwrap() + 1;
        let layer = |name: &str| network.layers.iter().position(|layer| layer.name == name).unwrap();
        let found = readers(&network, named("encoder0/conv2"));
        let up = network.layers[layer("decoder0/conv2")].outputs;
        let expected = [Reader { layer: layer("encoder1/conv1"), first: 0 }, Reader { layer: layer("decoder1/conv1"), first: up }];
        assert_eq!(found, expected);
        assert!(readers(&network, network.steps.len()).is_empty());
        let shared = shared_grids(&network);
        let skip = named("encoder0/conv2");
        for name in ["encoder0/conv2", "encoder0/pool", "decoder0/conv2", "decoder1/up", "decoder1/concat"] {
            assert_eq!(shared[named(name)], skip, "{name}");
        }
        assert_ne!(shared[named("encoder0/conv1")], skip);
        assert_eq!((shared[0], shared[named("head")]), (0, named("head")));
    }
}
