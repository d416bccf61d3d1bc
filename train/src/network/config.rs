//! Which network, and how large.

use super::maker::Maker;
use super::{FullResolutionNet, Network, UNet};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// How a network is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Architecture {
    /// Encoder and decoder with skips, "U-net-like" as in the paper.
    #[default]
    Unet,
    /// 3x3 convolutions at the image's own resolution, as in the land-cover experiments of Malkin et al.: sharp, and blind beyond a few pixels.
    FullResolution,
}

/// What normalises a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum NormKind {
    /// BatchNorm: folded into the convolution when exported.
    #[default]
    Batch,
    /// GroupNorm (Wu and He 2018): the same in training and evaluation, for batches too small for BatchNorm. Its statistics are those of the whole
    /// input, so masks depend on the size of tiles, and it cannot be exported for the edge.
    Group,
}

/// How a U-Net's decoder returns to the finer resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum UpSampling {
    /// Every pixel four times.
    #[default]
    Nearest,
    /// A learned 2x2 convolution, transposed, of stride 2, which halves the channels.
    Transposed,
}

/// Shape of a [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// How it is built.
    pub architecture: Architecture,
    /// Channels of the first stage (of every layer at full resolution).
    pub width: usize,
    /// Number of poolings of a U-Net; number of 3x3 layers at full resolution.
    pub depth: usize,
    /// Normalisation.
    pub norm: NormKind,
    /// Up-sampling of a U-Net.
    pub up: UpSampling,
    /// Output logits: 1 for cancer or not (sigmoid), otherwise one per class (softmax).
    pub outputs: usize,
}

impl NetworkConfig {
    /// Height and width of an input must be multiples of this.
    pub fn alignment(&self) -> usize {
        match self.architecture {
            Architecture::Unet => 1 << self.depth,
            Architecture::FullResolution => 1,
        }
    }

    /// How far, in pixels, an output can depend on the input. In a U-Net: two 3x3 convolutions in each stage of the encoder, the bottom and the
    /// decoder, and the cells of the poolings; a tile that starts at a multiple of the alignment is exact this far inside its edge.
    pub fn context_px(&self) -> usize {
        match self.architecture {
            Architecture::Unet => {
                let encoder_and_bottom = 2 * ((2 << self.depth) - 1);
                let decoder = 2 * ((1 << self.depth) - 1);
                let cells = (1 << self.depth) - 1;
                encoder_and_bottom + decoder + cells
            }
            Architecture::FullResolution => self.depth,
        }
    }

    /// Most channels of any layer.
    pub fn most_channels(&self) -> usize {
        match self.architecture {
            Architecture::Unet => self.width << self.depth,
            Architecture::FullResolution => self.width,
        }
    }

    /// Name of the processor's vector instructions that the fused network of this width uses on this machine, and how many f32 a vector has.
    pub(crate) fn vectors(&self) -> (&'static str, usize) {
        super::fused::vectors([self.width])
    }

    /// A network with weights drawn from the seed (He et al. 2015 for the convolutions before a ReLU).
    pub fn init(&self, seed: u64, device: &Device) -> Network {
        let mut make = Maker::new(seed, self.norm, device);
        match self.architecture {
            Architecture::Unet => Network::UNet(UNet::new(self, &mut make)),
            Architecture::FullResolution => Network::FullResolution(FullResolutionNet::new(self, &mut make)),
        }
    }
}
