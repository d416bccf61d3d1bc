//! Cross-layer equalisation of weights (Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction", Eq. 9-11).
//!
//! A ReLU passes a positive factor through, so a channel may leave one layer divided by s and enter the next ones times s: the network computes
//! the same. With `s = sqrt(r1 / r2)` the largest weight `r1` that makes the channel and the largest `r2` that reads it become equal. Max pooling,
//! up-sampling and concatenation pass the factor through as well, so a skip's channel is read by the encoder's next layer and by the decoder:
//! both are scaled.

use super::reader::readers;
use crate::network::{Convolution, FoldedNetwork};

/// Rounds over all layers; what a layer gives to the next changes what that one can give on.
const ROUNDS: usize = 40;

/// Rounds end when no factor differs from 1 by more.
const ENOUGH: f64 = 1e-4;

/// Largest factor of one round, and its inverse the smallest: a channel that is all but dead would otherwise be blown up to noise.
const MOST: f64 = 1e3;

/// The same network with equalised weights.
pub(crate) fn equalised(mut network: FoldedNetwork) -> FoldedNetwork {
    let values = network.layer_values();
    let read_by: Vec<_> = values.iter().map(|&value| readers(&network, value)).collect();
    for _ in 0..ROUNDS {
        let mut change = 0.0_f64;
        for (producer, readers) in read_by.iter().enumerate() {
            // The logits are nobody's to scale.
            if readers.is_empty() {
                continue;
            }
            for channel in 0..network.layers[producer].outputs {
                let made = network.layers[producer].output_range(channel);
                let read =
                    readers.iter().map(|reader| network.layers[reader.layer].input_range(reader.first + channel)).fold(0.0, f64::max);
                if made == 0.0 || read == 0.0 {
                    continue;
                }
                let factor = (made / read).sqrt().clamp(1.0 / MOST, MOST);
                change = change.max((factor - 1.0).abs());
                scale_output(&mut network.layers[producer], channel, 1.0 / factor);
                for reader in readers {
                    scale_input(&mut network.layers[reader.layer], reader.first + channel, factor);
                }
            }
        }
        if change < ENOUGH {
            break;
        }
    }
    network
}

fn scale_output(layer: &mut Convolution, channel: usize, factor: f64) {
    for input in 0..layer.inputs {
        let tap = layer.tap(channel, input);
        layer.weight[tap].iter_mut().for_each(|w| *w *= factor);
    }
    layer.bias[channel] *= factor;
}

fn scale_input(layer: &mut Convolution, channel: usize, factor: f64) {
    for output in 0..layer.outputs {
        let tap = layer.tap(output, channel);
        layer.weight[tap].iter_mut().for_each(|w| *w *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::tests::{network, shapes, tensor};
    use burn::tensor::Device;

    #[test]
    fn the_network_computes_the_same_with_weights_of_equal_ranges() {
        for config in shapes() {
            let original = network(&config);
            let mut uneven = original.clone();
            // A channel that is loud in one layer and soft in the next, as BatchNorm leaves them.
            scale_output(&mut uneven.layers[1], 0, 50.0);
            let changed = equalised(uneven.clone());
            let device = Device::flex();
            let run = |network: &FoldedNetwork| {
                let weights = network.tensors(&device);
                network.run(tensor(32, 16), |layer, x| Ok(network.layer(layer, x, &weights[layer]))).unwrap()
            };
            let (before, after) = (run(&uneven), run(&changed));
            let span = (before.clone().max() - before.clone().min()).into_scalar::<f32>();
            let worst = (before - after).abs().max().into_scalar::<f32>();
            // f32 sums with other factors.
            assert!(worst < 1e-4 * span, "{config:?}: {worst} of {span}");
            for (producer, &value) in changed.layer_values().iter().enumerate() {
                let readers = readers(&changed, value);
                for channel in 0..changed.layers[producer].outputs {
                    let made = changed.layers[producer].output_range(channel);
                    let read = readers.iter().map(|r| changed.layers[r.layer].input_range(r.first + channel)).fold(0.0, f64::max);
                    assert!(readers.is_empty() || (made / read - 1.0).abs() < 0.1, "{config:?} {producer} {channel}: {made} {read}");
                }
            }
        }
    }

    #[test]
    fn a_dead_channel_stays_as_it_is() {
        let mut network = network(&shapes()[0]);
        scale_output(&mut network.layers[0], 1, 0.0);
        network.layers[0].bias[1] = 3.0;
        let changed = equalised(network);
        assert_eq!((changed.layers[0].output_range(1), changed.layers[0].bias[1]), (0.0, 3.0));
        assert!(changed.layers.iter().all(|layer| layer.weight.iter().chain(&layer.bias).all(|w| w.is_finite())));
    }
}
