//! Which layer reads what: a network as a list of 3x3 layers in the order in which they run, and a 1x1 convolution at its end.

use super::super::layer::{Layer, Norm};
use super::super::{FullResolutionNet, Network, UNet};
use super::blocked::Blocked;
use super::simd::{arch_for, lanes};
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use pulp::Arch;

/// How a layer sees an earlier one's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// As it is.
    Same,
    /// The largest of 2x2 pixels.
    Pooled,
    /// Every pixel four times.
    UpSampled,
}

/// A part of a layer's input channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// The layer whose output it is; none for the image.
    pub(super) layer: Option<usize>,
    pub(super) view: View,
    pub(super) channels: usize,
}

/// A 3x3 convolution, BatchNorm and ReLU.
#[derive(Debug, Clone)]
pub(super) struct LayerPlan {
    /// Concatenated in this order.
    pub(super) sources: Vec<Source>,
    /// Output channels.
    pub(super) channels: usize,
    /// Its maps are the image's size divided by `2^level`.
    pub(super) level: usize,
    /// BatchNorm's epsilon.
    pub(super) epsilon: f64,
}

impl LayerPlan {
    /// Input channels.
    pub(super) fn inputs(&self) -> usize {
        self.sources.iter().map(|source| source.channels).sum()
    }
}

/// The network.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) layers: Vec<LayerPlan>,
    /// Logits; the 1x1 convolution reads the last layer.
    pub(super) outputs: usize,
    pub(super) arch: Arch,
    pub(super) lanes: usize,
}

/// The modules of a network in the order of its plan.
pub(super) struct Modules<'a> {
    pub(super) layers: Vec<(&'a Conv2d, &'a BatchNorm)>,
    pub(super) head: &'a Conv2d,
}

impl Plan {
    /// None for a network with a part that only burn's own operations run: GroupNorm, transposed convolutions, and in `training` frozen
    /// normalisation (which a network taken out of training has everywhere).
    pub(super) fn of(network: &Network, training: bool) -> Option<(Self, Modules<'_>)> {
        let mut walk = Walk { training, layers: Vec::new(), modules: Vec::new() };
        let head = match network {
            Network::UNet(net) => walk.unet(net)?,
            Network::FullResolution(net) => walk.full_resolution(net)?,
        };
        let arch = arch_for(walk.layers.iter().map(|layer| layer.channels));
        let outputs = head.weight.val().dims()[0];
        let plan = Self { layers: walk.layers, outputs, arch, lanes: lanes(arch) };
        Some((plan, Modules { layers: walk.modules, head }))
    }

    /// Groups that hold so many channels.
    pub(super) fn groups(&self, channels: usize) -> usize {
        channels.div_ceil(self.lanes)
    }

    /// Shape of a layer's output for a batch of `images` of `height` x `width` pixels.
    pub(super) fn shape(&self, layer: usize, [images, height, width]: [usize; 3]) -> Blocked {
        let LayerPlan { channels, level, .. } = self.layers[layer];
        Blocked { images, groups: self.groups(channels), height: height >> level, width: width >> level, lanes: self.lanes }
    }
}

struct Walk<'a> {
    training: bool,
    layers: Vec<LayerPlan>,
    modules: Vec<(&'a Conv2d, &'a BatchNorm)>,
}

impl<'a> Walk<'a> {
    /// Adds a layer and gives its number.
    fn layer(&mut self, layer: &'a Layer, sources: Vec<Source>, level: usize) -> Option<usize> {
        let Norm::Batch(norm) = &layer.norm else { return None };
        if self.training && !norm.training.is_enabled() || layer.conv.bias.is_some() {
            return None;
        }
        let channels = layer.conv.weight.val().dims()[0];
        self.layers.push(LayerPlan { sources, channels, level, epsilon: norm.epsilon });
        self.modules.push((&layer.conv, norm));
        Some(self.layers.len() - 1)
    }

    fn see(&self, layer: usize, view: View) -> Source {
        Source { layer: Some(layer), view, channels: self.layers[layer].channels }
    }

    fn unet(&mut self, net: &'a UNet) -> Option<&'a Conv2d> {
        if !net.up.is_empty() {
            return None;
        }
        let image = Source { layer: None, view: View::Same, channels: 3 };
        let (mut skips, mut below) = (Vec::new(), None);
        for (level, stage) in net.encoder.iter().chain([&net.bottom]).enumerate() {
            let source = below.map_or(image, |layer| self.see(layer, View::Pooled));
            let first = self.layer(&stage.first, vec![source], level)?;
            let second = self.layer(&stage.second, vec![self.see(first, View::Same)], level)?;
            skips.push(second);
            below = Some(second);
        }
        let mut last = skips.pop()?;
        for (stage, (level, skip)) in net.decoder.iter().zip(skips.into_iter().enumerate().rev()) {
            let sources = vec![self.see(last, View::UpSampled), self.see(skip, View::Same)];
            let first = self.layer(&stage.first, sources, level)?;
            last = self.layer(&stage.second, vec![self.see(first, View::Same)], level)?;
        }
        Some(&net.head)
    }

    fn full_resolution(&mut self, net: &'a FullResolutionNet) -> Option<&'a Conv2d> {
        let mut source = Source { layer: None, view: View::Same, channels: 3 };
        for layer in &net.layers {
            let number = self.layer(layer, vec![source], 0)?;
            source = self.see(number, View::Same);
        }
        // Without a layer the head reads the image.
        (!net.layers.is_empty()).then_some(&net.head)
    }
}
