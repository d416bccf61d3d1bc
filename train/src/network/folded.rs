//! A trained network in the form in which it leaves training: BatchNorm folded into the convolutions, and every operation in one list.
//!
//! Value 0 is the image; value i + 1 is what step i makes; the last value is the logits.

use super::convolution::{Convolution, ConvolutionKind};
use super::{FullResolutionNet, Layer, Network, Norm, Stage, UNet};
use crate::error::{Error, Result};
use burn::module::Param;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::activation::relu;
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};

/// Number of a value (see the module's text).
pub(crate) type Value = usize;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The convolution of this number, with its ReLU where it has one.
    Convolution { layer: usize, input: Value },
    /// 2x2 maximum, stride 2.
    MaxPool { input: Value },
    /// Every pixel four times.
    UpSample { input: Value },
    /// The channels of the first, then of the second.
    Concat { inputs: [Value; 2] },
}

impl Operation {
    /// The values that it reads.
    pub(crate) fn inputs(&self) -> Vec<Value> {
        match *self {
            Self::Convolution { input, .. } | Self::MaxPool { input } | Self::UpSample { input } => vec![input],
            Self::Concat { inputs } => inputs.to_vec(),
        }
    }
}

/// One operation and its name in the exported file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) operation: Operation,
}

/// The network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoldedNetwork {
    pub(crate) name: &'static str,
    /// In the order in which they run; the last makes the logits.
    pub(crate) layers: Vec<Convolution>,
    pub(crate) steps: Vec<Step>,
}

impl FoldedNetwork {
    /// Folds a trained network, in f64: `w' = w g / sqrt(v + e)`, `b' = b - m g / sqrt(v + e)`.
    ///
    /// # Errors
    /// Group normalisation, whose output depends on the size of tiles; a weight that is no number, by the layer's name.
    pub(crate) fn of(network: &Network) -> Result<Self> {
        match network {
            Network::UNet(net) => Fold::new("lsr-unet").unet(net),
            Network::FullResolution(net) => Fold::new("lsr-full-resolution").full_resolution(net),
        }
    }

    /// Number of logits.
    pub(crate) fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |head| head.outputs)
    }

    /// Number of values, the image among them.
    pub(crate) fn values(&self) -> usize {
        self.steps.len() + 1
    }

    /// Channels of every value.
    pub(crate) fn channels(&self) -> Vec<usize> {
        let mut channels = vec![3];
        for step in &self.steps {
            channels.push(match step.operation {
                Operation::Convolution { layer, .. } => self.layers[layer].outputs,
                Operation::MaxPool { input } | Operation::UpSample { input } => channels[input],
                Operation::Concat { inputs: [first, second] } => channels[first] + channels[second],
            });
        }
        channels
    }

    /// The value that each layer makes.
    pub(crate) fn layer_values(&self) -> Vec<Value> {
        let made = self.steps.iter().enumerate();
        made.filter(|(_, step)| matches!(step.operation, Operation::Convolution { .. })).map(|(i, _)| i + 1).collect()
    }

    /// Runs the steps on `[n, 3, h, w]`; `convolve` is given each layer's number and input, and has the ReLU to do too. Everything else only
    /// selects and copies values, so it serves real numbers and quantised ones alike.
    ///
    /// # Errors
    /// What `convolve` fails with.
    pub(crate) fn run(&self, image: Tensor<4>, mut convolve: impl FnMut(usize, Tensor<4>) -> Result<Tensor<4>>) -> Result<Tensor<4>> {
        let mut last_use = vec![0; self.values()];
        for (i, step) in self.steps.iter().enumerate() {
            step.operation.inputs().into_iter().for_each(|input| last_use[input] = i);
        }
        let mut values = vec![image];
        for (i, step) in self.steps.iter().enumerate() {
            // What nobody reads any more is dropped: a skip of full resolution is what memory is spent on.
            let mut take = |value: Value| {
                if last_use[value] == i {
                    std::mem::replace(&mut values[value], Tensor::empty([0, 0, 0, 0], &Device::flex()))
                } else {
                    values[value].clone()
                }
            };
            let made = match step.operation {
                Operation::Convolution { layer, input } => convolve(layer, take(input))?,
                Operation::MaxPool { input } => max_pool2d(take(input), MaxPoolOptions::new([2, 2])),
                Operation::UpSample { input } => {
                    let x = take(input);
                    let [_, _, height, width] = x.dims();
                    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * height, 2 * width]))
                }
                Operation::Concat { inputs } => Tensor::cat(inputs.map(&mut take).to_vec(), 1),
            };
            values.push(made);
        }
        Ok(values.swap_remove(self.steps.len()))
    }

    /// Weights and biases of all layers as tensors.
    pub(crate) fn tensors(&self, device: &Device) -> Vec<(Tensor<4>, Tensor<1>)> {
        self.layers.iter().map(|layer| layer.tensors(device)).collect()
    }

    /// A layer with its ReLU, in f32.
    pub(crate) fn layer(&self, layer: usize, x: Tensor<4>, (weight, bias): &(Tensor<4>, Tensor<1>)) -> Tensor<4> {
        let made = self.layers[layer].apply(x, weight.clone(), bias.clone());
        if self.layers[layer].rectified { relu(made) } else { made }
    }
}

/// A folded network while it is made.
struct Fold {
    network: FoldedNetwork,
}

impl Fold {
    fn new(name: &'static str) -> Self {
        Self { network: FoldedNetwork { name, layers: Vec::new(), steps: Vec::new() } }
    }

    fn unet(mut self, net: &UNet) -> Result<FoldedNetwork> {
        let mut x = 0;
        let mut skips = Vec::new();
        for (i, stage) in net.encoder.iter().enumerate() {
            x = self.stage(&format!("encoder{i}"), x, stage)?;
            skips.push(x);
            x = self.step(format!("encoder{i}/pool"), Operation::MaxPool { input: x });
        }
        x = self.stage("bottom", x, &net.bottom)?;
        for (i, (stage, &skip)) in net.decoder.iter().zip(skips.iter().rev()).enumerate() {
            let name = format!("decoder{i}/up");
            let up = match net.up.get(i) {
                Some(up) => self.transposed(name, x, up)?,
                None => self.step(name, Operation::UpSample { input: x }),
            };
            let both = self.step(format!("decoder{i}/concat"), Operation::Concat { inputs: [up, skip] });
            x = self.stage(&format!("decoder{i}"), both, stage)?;
        }
        self.head(x, &net.head)
    }

    fn full_resolution(mut self, net: &FullResolutionNet) -> Result<FoldedNetwork> {
        let mut x = 0;
        for (i, layer) in net.layers.iter().enumerate() {
            x = self.folded(format!("layer{i}"), x, layer)?;
        }
        self.head(x, &net.head)
    }

    fn stage(&mut self, name: &str, x: Value, stage: &Stage) -> Result<Value> {
        let x = self.folded(format!("{name}/conv1"), x, &stage.first)?;
        self.folded(format!("{name}/conv2"), x, &stage.second)
    }

    fn folded(&mut self, name: String, x: Value, layer: &Layer) -> Result<Value> {
        let Norm::Batch(norm) = &layer.norm else {
            let expected = "batch normalisation, which folds into the convolutions (--norm batch)";
            return Err(Error::setting("network to export", expected, "group normalisation, whose output depends on the size of tiles"));
        };
        let (mut weight, shape) = values(&layer.conv.weight)?;
        let (gamma, beta) = (values(&norm.gamma)?.0, values(&norm.beta)?.0);
        let (mean, variance) = (numbers(norm.running_mean.value_sync())?, numbers(norm.running_var.value_sync())?);
        let per_channel = weight.len() / shape[0];
        let mut bias = Vec::with_capacity(shape[0]);
        for (channel, weights) in weight.chunks_exact_mut(per_channel).enumerate() {
            let scale = gamma[channel] / (variance[channel] + norm.epsilon).sqrt();
            weights.iter_mut().for_each(|w| *w *= scale);
            bias.push(beta[channel] - mean[channel] * scale);
        }
        let (kind, [outputs, inputs]) = (ConvolutionKind::Same, [shape[0], shape[1]]);
        self.layer(x, Convolution { name, kind, inputs, outputs, kernel: shape[2], weight, bias, rectified: true })
    }

    fn transposed(&mut self, name: String, x: Value, up: &ConvTranspose2d) -> Result<Value> {
        let (weight, shape) = values(&up.weight)?;
        let (kind, [inputs, outputs]) = (ConvolutionKind::Transposed, [shape[0], shape[1]]);
        let bias = bias(up.bias.as_ref(), outputs)?;
        self.layer(x, Convolution { name, kind, inputs, outputs, kernel: shape[2], weight, bias, rectified: false })
    }

    fn head(mut self, x: Value, head: &Conv2d) -> Result<FoldedNetwork> {
        let (weight, shape) = values(&head.weight)?;
        let (name, kind, [outputs, inputs]) = ("head".to_owned(), ConvolutionKind::Same, [shape[0], shape[1]]);
        let bias = bias(head.bias.as_ref(), outputs)?;
        self.layer(x, Convolution { name, kind, inputs, outputs, kernel: shape[2], weight, bias, rectified: false })?;
        Ok(self.network)
    }

    fn layer(&mut self, input: Value, layer: Convolution) -> Result<Value> {
        // What is written is f32: a weight that only f64 can hold is none.
        if let Some(bad) = layer.weight.iter().chain(&layer.bias).find(|value| !(**value as f32).is_finite()) {
            return Err(Error::setting("network", format!("finite weights in layer {}", layer.name), bad));
        }
        let step = Operation::Convolution { layer: self.network.layers.len(), input };
        let name = layer.name.clone();
        self.network.layers.push(layer);
        Ok(self.step(name, step))
    }

    fn step(&mut self, name: String, operation: Operation) -> Value {
        self.network.steps.push(Step { name, operation });
        self.network.steps.len()
    }
}

fn bias(bias: Option<&Param<Tensor<1>>>, outputs: usize) -> Result<Vec<f64>> {
    bias.map_or(Ok(vec![0.0; outputs]), |bias| Ok(values(bias)?.0))
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Result<(Vec<f64>, Vec<usize>)> {
    let tensor = param.val();
    let shape = tensor.dims().to_vec();
    Ok((numbers(tensor)?, shape))
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>> {
    let values = tensor.try_into_vec_as::<f32>();
    let values = values.map_err(|error| Error::setting("network", "weights that can be read", format!("{error:?}")))?;
    Ok(values.into_iter().map(f64::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Architecture, NetworkConfig, NormKind, UpSampling, input_from_rgb8};
    use burn::module::Module;

    #[test]
    fn a_folded_network_gives_the_networks_logits() {
        for architecture in [Architecture::Unet, Architecture::FullResolution] {
            for up in [UpSampling::Nearest, UpSampling::Transposed] {
                let config = NetworkConfig { architecture, width: 4, depth: 2, norm: NormKind::Batch, up, outputs: 2 };
                let device = Device::flex();
                let training = config.init(3, &device.clone().autodiff());
                let bytes: Vec<u8> = (0..3 * 24 * 16_u32).map(|i| (i * i % 251) as u8).collect();
                // The BatchNorms see data, so that there is something to fold.
                training.forward(input_from_rgb8(&bytes, 1, 24, 16, &device.clone().autodiff()));
                let network = training.valid();
                let folded = FoldedNetwork::of(&network).unwrap();
                let image = input_from_rgb8(&bytes, 1, 24, 16, &device);
                let weights = folded.tensors(&device);
                let found = folded.run(image.clone(), |layer, x| Ok(folded.layer(layer, x, &weights[layer]))).unwrap();
                let expected = network.forward(image);
                assert_eq!(found.dims(), expected.dims());
                // f32 sums of up to 300 terms, in other orders.
                let worst = (found - expected.clone()).abs().max().into_scalar::<f32>();
                let span = (expected.clone().max() - expected.min()).into_scalar::<f32>();
                assert!(worst < 1e-4 * span && span > 0.1, "{config:?}: {worst} of {span}");
                assert_eq!(folded.channels().last(), Some(&2));
            }
        }
    }
}
