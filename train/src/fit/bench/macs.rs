//! Multiply-accumulates of a network, from its shape alone.

use crate::network::{Architecture, NetworkConfig, UpSampling};

/// Multiply-accumulates of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Macs {
    /// Forward.
    pub(super) forward: u64,
    /// Of the first layer, whose input needs no gradient.
    pub(super) first: u64,
}

impl Macs {
    /// The convolutions of a network on `side` x `side` px; normalisation, pooling and the loss count nothing.
    pub(super) fn of(network: &NetworkConfig, side: usize) -> Self {
        let product = |factors: &[usize]| factors.iter().map(|&factor| factor as u64).product::<u64>();
        let pixels = |stage: usize| (side >> stage) * (side >> stage);
        let layer = |stage: usize, inputs: usize, outputs: usize| product(&[9, inputs, outputs, pixels(stage)]);
        let (width, depth) = (network.width, network.depth);
        let first = layer(0, 3, width);
        let head = product(&[width, network.outputs, pixels(0)]);
        let body = match network.architecture {
            Architecture::FullResolution => (1..depth).map(|_| layer(0, width, width)).sum::<u64>(),
            Architecture::Unet => {
                let channels = |stage: usize| width << stage;
                // Every stage of the encoder and the bottom: two layers, of which the very first is counted apart.
                let encoder =
                    |i: usize| if i == 0 { 0 } else { layer(i, channels(i - 1), channels(i)) } + layer(i, channels(i), channels(i));
                let decoder = |i: usize| {
                    let (from_below, up) = match network.up {
                        UpSampling::Nearest => (channels(i + 1), 0),
                        // Each output pixel has one input pixel.
                        UpSampling::Transposed => (channels(i), product(&[channels(i + 1), channels(i), pixels(i)])),
                    };
                    up + layer(i, from_below + channels(i), channels(i)) + layer(i, channels(i), channels(i))
                };
                (0..=depth).map(encoder).sum::<u64>() + (0..depth).map(decoder).sum::<u64>()
            }
        };
        Self { forward: first + body + head, first }
    }

    /// Forward, the gradient by the weights and the gradient by the input cost the same.
    pub(super) fn of_step(self, images: usize) -> u64 {
        (3 * self.forward - self.first) * images as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NormKind;

    fn network(architecture: Architecture, up: UpSampling) -> NetworkConfig {
        NetworkConfig { architecture, width: 1, depth: 1, norm: NormKind::Batch, up, outputs: 1 }
    }

    #[test]
    fn the_smallest_networks_counted_by_hand() {
        // 4 px: (27 + 9) in the encoder, (18 + 36) at a quarter of the pixels, (27 + 9) in the decoder, 1 in the head.
        let nearest = Macs::of(&network(Architecture::Unet, UpSampling::Nearest), 4);
        assert_eq!(nearest, Macs { forward: 16 * (36 + 36 + 1) + 4 * 54, first: 16 * 27 });
        // Transposed: 2 in the up-sampling, and a channel less in the decoder.
        let transposed = Macs::of(&network(Architecture::Unet, UpSampling::Transposed), 4);
        assert_eq!(transposed.forward, 16 * (36 + 2 + 27 + 1) + 4 * 54);
        let flat = Macs::of(&network(Architecture::FullResolution, UpSampling::Nearest), 4);
        assert_eq!(flat, Macs { forward: 16 * (27 + 1), first: 16 * 27 });
        assert_eq!(flat.of_step(2), 2 * (3 * 16 * 28 - 16 * 27));
    }
}
