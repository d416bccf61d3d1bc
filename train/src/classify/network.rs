//! A block to one logit: stages of convolutions with max pooling between them, averaged over the block.
//!
//! Width w and depth d: the input is halved by averaging (at 1 um/px a lymphocyte is still 4 px wide, and the first stage costs a quarter),
//! then come d stages of w, 2w, 4w, ... channels with 2x2 max pooling between them, the mean over all positions, and a linear layer.

use crate::network::{Maker, NormKind, Stage};
use crate::processes::Processes;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};

/// Shape of a [`BlockNetwork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockNetworkConfig {
    pub(super) width: usize,
    pub(super) depth: usize,
}

impl BlockNetworkConfig {
    /// Smallest side of a block in pixels: one position is left in the last stage.
    pub(super) fn least_px(&self) -> usize {
        1 << self.depth
    }

    /// A network with weights drawn from the seed.
    pub(super) fn init(&self, seed: u64, device: &Device) -> BlockNetwork {
        let mut make = Maker::new(seed, NormKind::Batch, device);
        let channels = |stage: usize| self.width << stage;
        let stages = (0..self.depth).map(|i| make.stage(if i == 0 { 3 } else { channels(i - 1) }, channels(i))).collect();
        let head = make.head(channels(self.depth.saturating_sub(1)), 1);
        BlockNetwork { stages, head }
    }
}

/// The network (see the module's text).
#[derive(Module, Debug)]
pub(super) struct BlockNetwork {
    stages: Vec<Stage>,
    head: Conv2d,
}

impl BlockNetwork {
    /// `[n, 3, h, w]` normalised pixels to `[n]` logits.
    pub(super) fn forward(&self, input: Tensor<4>) -> Tensor<1> {
        let mut x = avg_pool2d(input, AvgPoolOptions::new([2, 2])); // [n, 3, h/2, w/2]
        for (i, stage) in self.stages.iter().enumerate() {
            if i > 0 {
                x = max_pool2d(x, MaxPoolOptions::new([2, 2])); // [n, w 2^(i-1), h/2^(i+1), w/2^(i+1)]
            }
            x = stage.forward(x, Processes::ALONE); // [n, w 2^i, h/2^(i+1), w/2^(i+1)]
        }
        let mean = x.mean_dim(3).mean_dim(2); // [n, w 2^(d-1), 1, 1]
        let count = mean.dims()[0];
        self.head.forward(mean).reshape([count])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_block_has_one_position_left() {
        let device = Device::flex();
        let config = BlockNetworkConfig { width: 2, depth: 3 };
        let network = config.init(1, &device);
        for side in [config.least_px(), config.least_px() + 3] {
            assert_eq!(network.forward(Tensor::zeros([2, 3, side, side], &device)).dims(), [2]);
        }
    }
}
