//! Small networks for the tests of this module.

use crate::network::{Architecture, FoldedNetwork, NetworkConfig, NormKind, UpSampling, input_from_rgb8};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// A network of each shape, the plain U-Net first.
pub(super) fn shapes() -> [NetworkConfig; 3] {
    let unet =
        NetworkConfig { architecture: Architecture::Unet, width: 3, depth: 2, norm: NormKind::Batch, up: UpSampling::Nearest, outputs: 1 };
    [
        unet,
        NetworkConfig { up: UpSampling::Transposed, outputs: 3, ..unet },
        NetworkConfig { architecture: Architecture::FullResolution, ..unet },
    ]
}

/// A network with random weights whose BatchNorms have seen data.
pub(super) fn network(config: &NetworkConfig) -> FoldedNetwork {
    let device = Device::flex().autodiff();
    let model = config.init(5, &device);
    model.forward(input_from_rgb8(&bytes(32, 16), 1, 16, 32, &device));
    FoldedNetwork::of(&model.valid()).unwrap()
}

/// An image as the network's input.
pub(super) fn tensor(width: usize, height: usize) -> Tensor<4> {
    input_from_rgb8(&bytes(width, height), 1, height, width, &Device::flex())
}

fn bytes(width: usize, height: usize) -> Vec<u8> {
    (0..3 * width * height).map(|i| (i * i % 253) as u8).collect()
}

/// Nobody is told.
pub(super) struct Silent;

impl super::QuantizeObserver for Silent {
    fn stage(&mut self, _what: &str, _steps: usize) {}
    fn step(&mut self) {}
    fn warn(&mut self, text: &str) {
        panic!("{text}");
    }
}
