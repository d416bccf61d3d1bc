//! What an integer network is: tensors of bytes, and layers between them.

use super::error::NetworkError;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A tensor of a [`Network`], by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorId(pub usize);

/// u8 NHWC, one zero point for all of it. The real value is `scale * (q - zero_point)`; scales are inside the layers' [`Weights::scale`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Channels.
    pub channels: usize,
    /// Height and width are those of the image divided by `2^level`.
    pub level: u32,
    /// The byte that stands for 0; it also fills the borders.
    pub zero_point: u8,
}

/// A tensor that a convolution reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Which.
    pub tensor: TensorId,
    /// Read through nearest up-sampling by 2: each pixel stands for 2 x 2.
    pub up: bool,
}

/// Weights of a layer and how its sums become bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// `[outputs, inputs, k, k]`, in the order of ONNX.
    pub values: Vec<i8>,
    /// One for each output, in units of the sums.
    pub bias: Vec<i32>,
    /// One for each output: `scale of the input * scale of the weights / scale of the output`.
    pub scale: Vec<f32>,
    /// Rectified: no byte below the output's zero point.
    pub relu: bool,
}

/// A convolution of stride 1, padded so that it keeps height and width.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// 1 or 3.
    pub kernel: usize,
    /// What it reads, concatenated along the channels.
    pub sources: Vec<Source>,
    /// Its weights.
    pub weights: Weights,
}

/// What a layer does.
#[derive(Debug, Clone, PartialEq)]
pub enum LayerKind {
    /// Convolution, bias, ReLU perhaps, requantisation.
    Convolution(Convolution),
    /// The largest of 2 x 2 pixels; zero point and scale stay.
    MaxPool {
        /// What it reads.
        input: TensorId,
    },
    /// Transposed convolution 2 x 2 of stride 2: four 1 x 1 convolutions, one for each pixel of a 2 x 2 cell.
    Transposed {
        /// What it reads.
        input: TensorId,
        /// `[inputs, outputs, 2, 2]`, in the order of ONNX.
        weights: Weights,
    },
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name, for messages and profiles.
    pub name: String,
    /// What it does.
    pub kind: LayerKind,
    /// The tensor that it makes.
    pub output: TensorId,
}

/// A network: tensor 0 is the image (3 channels, level 0), the output of the last layer the logits (level 0).
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// All tensors.
    pub tensors: Vec<Tensor>,
    /// All layers; each reads only what stands before it.
    pub layers: Vec<Layer>,
}

/// Most channels of a tensor, as a bound on memory.
const MOST_CHANNELS: usize = 8192;

/// Deepest level: sides are multiples of 1,024 at most.
const DEEPEST: u32 = 10;

impl Layer {
    /// What it reads, and whether through up-sampling.
    pub fn sources(&self) -> impl Iterator<Item = Source> + '_ {
        let (one, many): (Option<Source>, &[Source]) = match &self.kind {
            LayerKind::Convolution(convolution) => (None, &convolution.sources),
            LayerKind::MaxPool { input } | LayerKind::Transposed { input, .. } => (Some(Source { tensor: *input, up: false }), &[]),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

impl Network {
    /// Checks that every layer fits its tensors and that no sum can leave i32.
    ///
    /// # Errors
    /// The first layer that does not fit, by name.
    pub fn check(&self) -> Result<(), NetworkError> {
        let image = |problem: &str| Err(NetworkError { layer: "image".to_owned(), problem: problem.to_owned() });
        match self.tensors.first() {
            Some(tensor) if tensor.channels == 3 && tensor.level == 0 => {}
            _ => return image("expected 3 channels at full resolution as the first tensor"),
        }
        if self.layers.is_empty() {
            return image("no layer reads it");
        }
        let mut made = alloc::vec![false; self.tensors.len()];
        made[0] = true;
        for layer in &self.layers {
            self.check_layer(layer, &made).map_err(|problem| NetworkError { layer: layer.name.clone(), problem })?;
            made[layer.output.0] = true;
        }
        let last = &self.layers[self.layers.len() - 1];
        if self.tensors[last.output.0].level != 0 {
            return Err(NetworkError { layer: last.name.clone(), problem: "the logits are not at full resolution".to_owned() });
        }
        Ok(())
    }

    fn check_layer(&self, layer: &Layer, made: &[bool]) -> Result<(), String> {
        let Some(output) = self.tensors.get(layer.output.0) else { return Err("it has no output tensor".to_owned()) };
        if made[layer.output.0] {
            return Err("its output exists already".to_owned());
        }
        if output.channels == 0 || output.channels > MOST_CHANNELS || output.level > DEEPEST {
            return Err(format!("{} channels at level {}: at most {MOST_CHANNELS} and {DEEPEST}", output.channels, output.level));
        }
        let mut inputs = 0;
        for source in layer.sources() {
            let Some(tensor) = self.tensors.get(source.tensor.0).filter(|_| made[source.tensor.0]) else {
                return Err("it reads a tensor that no layer before it makes".to_owned());
            };
            inputs += tensor.channels;
            let level = match &layer.kind {
                LayerKind::Convolution(_) => output.level + u32::from(source.up),
                LayerKind::MaxPool { .. } => output.level.wrapping_sub(1),
                LayerKind::Transposed { .. } => output.level + 1,
            };
            if tensor.level != level {
                return Err(format!("its input is at level {}, expected {level}", tensor.level));
            }
        }
        match &layer.kind {
            LayerKind::MaxPool { input } => {
                let input = &self.tensors[input.0];
                let same = input.channels == output.channels && input.zero_point == output.zero_point;
                if same { Ok(()) } else { Err("pooling changes neither channels nor zero point".to_owned()) }
            }
            LayerKind::Transposed { weights, .. } => check_weights(weights, inputs, output.channels, 4, inputs),
            LayerKind::Convolution(convolution) => {
                let sources = &convolution.sources;
                if !matches!(convolution.kernel, 1 | 3) || sources.is_empty() {
                    return Err(format!("kernel {} with {} inputs: expected 1 or 3, with one or more", convolution.kernel, sources.len()));
                }
                let up = sources.iter().filter(|source| source.up).count();
                if up > 1 || (up == 1 && convolution.kernel != 3) || sources.len() - up > MOST_DIRECT {
                    return Err(format!("{up} up-sampled and {} other inputs: expected at most 1 and {MOST_DIRECT}", sources.len() - up));
                }
                let zero = self.tensors[sources[0].tensor.0].zero_point;
                if sources.iter().any(|source| self.tensors[source.tensor.0].zero_point != zero) {
                    return Err("its inputs have different zero points".to_owned());
                }
                let taps = convolution.kernel * convolution.kernel;
                check_weights(&convolution.weights, inputs, output.channels, taps, inputs * taps)
            }
        }
    }

    /// Height and width of an image must be multiples of this.
    pub fn alignment(&self) -> usize {
        1 << self.tensors.iter().map(|tensor| tensor.level).max().unwrap_or(0)
    }

    /// Products of a weight and a pixel, as the network is defined, for an image of `height` x `width`.
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        self.layers.iter().map(|layer| self.layer_macs(layer, height, width, false)).sum()
    }

    /// Products that are really formed: a quarter of a convolution's where it reads through up-sampling.
    pub fn executed_macs(&self, height: usize, width: usize) -> u64 {
        self.layers.iter().map(|layer| self.layer_macs(layer, height, width, true)).sum()
    }

    fn layer_macs(&self, layer: &Layer, height: usize, width: usize, executed: bool) -> u64 {
        let output = &self.tensors[layer.output.0];
        let pixels = (height >> output.level) as u64 * (width >> output.level) as u64;
        let channels = |id: TensorId| self.tensors[id.0].channels as u64;
        match &layer.kind {
            LayerKind::MaxPool { .. } => 0,
            LayerKind::Transposed { input, .. } => pixels * channels(*input) * output.channels as u64,
            LayerKind::Convolution(convolution) => convolution
                .sources
                .iter()
                .map(|source| {
                    let full = pixels * channels(source.tensor) * output.channels as u64 * (convolution.kernel * convolution.kernel) as u64;
                    if source.up && executed { full / 4 } else { full }
                })
                .sum(),
        }
    }
}

/// Most inputs of a convolution at its own resolution.
pub(super) const MOST_DIRECT: usize = 3;

fn check_weights(weights: &Weights, inputs: usize, outputs: usize, taps: usize, summed: usize) -> Result<(), String> {
    let expected = inputs.saturating_mul(outputs).saturating_mul(taps);
    if weights.values.len() != expected || weights.bias.len() != outputs || weights.scale.len() != outputs {
        let (values, bias, scale) = (weights.values.len(), weights.bias.len(), weights.scale.len());
        return Err(format!("expected {expected} weights, {outputs} biases and scales; found {values}, {bias} and {scale}"));
    }
    if let Some(bad) = weights.scale.iter().find(|scale| !(scale.is_normal() && **scale > 0.0)) {
        return Err(format!("a requantisation scale is {bad}, expected a positive number"));
    }
    // Every partial sum stays inside i32, and so does what zero points and signed pixels add (twice the products at most).
    let largest = 2 * summed as u64 * 255 * 128;
    let bias = weights.bias.iter().map(|bias| u64::from(bias.unsigned_abs())).max().unwrap_or(0);
    if largest + bias > i32::MAX as u64 {
        return Err(format!("sums of {summed} products and a bias of {bias} could leave 32 bits"));
    }
    Ok(())
}
