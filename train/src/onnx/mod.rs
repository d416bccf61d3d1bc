//! A trained network as a standard ONNX file: opset 17, BatchNorm folded into the convolutions, any height and width that the depth divides.
//!
//! One input `image`, `[batch, 3, height, width]`, `(byte - mean) / std` in R, G, B; one output `logits`, `[batch, outputs, height, width]`. What
//! the network is and where it comes from stands in the metadata, under keys that begin with `lsr.`.

mod proto;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::network::{FullResolutionNet, Layer, Network, Norm, PIXEL_MEAN, PIXEL_STD, Stage, UNet};
use crate::run_folder::RunFolder;
use burn::module::Param;
use burn::nn::conv::ConvTranspose2d;
use burn::tensor::{Device, Tensor};
use prost::Message;
use proto::{Attribute, Graph, Model, Node, OperatorSet, StringEntry, ValueInfo};
use std::path::Path;

/// Name of the input.
pub const INPUT: &str = "image";
/// Name of the output.
pub const OUTPUT: &str = "logits";

const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// Writes the newest checkpoint of a run as ONNX.
///
/// # Errors
/// A run that cannot be read, a file that cannot be written, a weight that is no number.
pub fn export(run: &RunFolder, output: &Path, warn: impl FnMut(&str)) -> Result<()> {
    let config = run.config()?;
    let trained = run.network(&config, &Device::flex(), warn)?;
    let bytes = to_bytes(&trained.network, &config, trained.step)?;
    crate::atomic::write(output, &bytes)
}

/// The network as the bytes of an ONNX file.
///
/// # Errors
/// A weight that is no number, by the layer's name; a network with group normalisation, whose output depends on the size of tiles.
pub fn to_bytes(model: &Network, config: &RunConfig, step: usize) -> Result<Vec<u8>> {
    let mut builder = Builder::default();
    let (features, head, name) = match model {
        Network::UNet(net) => (builder.unet(net)?, &net.head, "lsr-unet"),
        Network::FullResolution(net) => (builder.full_resolution(net)?, &net.head, "lsr-full-resolution"),
    };
    let (weight, shape) = values(&head.weight)?;
    let bias = head.bias.as_ref().map(values).transpose()?.map_or(vec![0.0; shape[0]], |(bias, _)| bias);
    builder.conv("head", &features, &weight, &shape, &bias)?;
    if let Some(head) = builder.graph.node.last_mut() {
        head.output = vec![OUTPUT.to_owned()];
    }
    let mut graph = builder.graph;
    graph.name = name.to_owned();
    graph.input = vec![ValueInfo::image(INPUT, 3)];
    graph.output = vec![ValueInfo::image(OUTPUT, shape[0])];
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "lsr-train".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "Network trained from block labels by label super-resolution. Research use only.".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: metadata(config, step)?,
    };
    Ok(model.encode_to_vec())
}

fn metadata(config: &RunConfig, step: usize) -> Result<Vec<StringEntry>> {
    let json = |error: serde_json::Error| Error::setting("metadata", "settings that can be written as JSON", error);
    let thrice = |value: f32| format!("{value},{value},{value}");
    // Where the data lay on the training machine is nobody's business.
    let settings = RunConfig { data: Vec::new(), cache: None, ..config.clone() };
    let network = config.network;
    let entries = [
        ("lsr.format", "1".to_owned()),
        ("lsr.um_per_px", config.um_per_px.to_string()),
        ("lsr.pixel_mean", thrice(PIXEL_MEAN)),
        ("lsr.pixel_std", thrice(PIXEL_STD)),
        ("lsr.class_names", serde_json::to_string(&config.classes).map_err(json)?),
        ("lsr.threshold", config.threshold.to_string()),
        ("lsr.alignment", network.alignment().to_string()),
        ("lsr.context_px", network.context_px().to_string()),
        ("lsr.trained_by", format!("lsr-train {}", config.version)),
        ("lsr.seed", config.seed.to_string()),
        ("lsr.steps", step.to_string()),
        ("lsr.data_digest", config.data_digest.clone()),
        ("lsr.data_licence", config.data_licence.clone()),
        ("lsr.config", serde_json::to_string(&settings).map_err(json)?),
    ];
    Ok(entries.into_iter().map(|(key, value)| StringEntry { key: key.to_owned(), value }).collect())
}

#[derive(Default)]
struct Builder {
    graph: Graph,
}

impl Builder {
    fn node(&mut self, name: &str, op: &str, input: Vec<String>, attribute: Vec<Attribute>) -> String {
        let output = vec![name.to_owned()];
        self.graph.node.push(Node { input, output, name: name.to_owned(), op_type: op.to_owned(), attribute });
        name.to_owned()
    }

    fn unet(&mut self, net: &UNet) -> Result<String> {
        let mut x = INPUT.to_owned();
        let mut skips = Vec::new();
        for (i, stage) in net.encoder.iter().enumerate() {
            x = self.stage(&format!("encoder{i}"), &x, stage)?;
            skips.push(x.clone());
            x = self.max_pool(&format!("encoder{i}/pool"), &x);
        }
        x = self.stage("bottom", &x, &net.bottom)?;
        for (i, (stage, skip)) in net.decoder.iter().zip(skips.iter().rev()).enumerate() {
            let name = format!("decoder{i}/up");
            let up = match net.up.get(i) {
                Some(up) => self.transposed(&name, &x, up)?,
                None => self.up_sample(&name, &x),
            };
            let both = self.node(&format!("decoder{i}/concat"), "Concat", vec![up, skip.clone()], vec![Attribute::int("axis", 1)]);
            x = self.stage(&format!("decoder{i}"), &both, stage)?;
        }
        Ok(x)
    }

    fn full_resolution(&mut self, net: &FullResolutionNet) -> Result<String> {
        let mut x = INPUT.to_owned();
        for (i, layer) in net.layers.iter().enumerate() {
            x = self.folded(&format!("layer{i}"), &x, layer)?;
        }
        Ok(x)
    }

    fn stage(&mut self, name: &str, x: &str, stage: &Stage) -> Result<String> {
        let x = self.folded(&format!("{name}/conv1"), x, &stage.first)?;
        self.folded(&format!("{name}/conv2"), &x, &stage.second)
    }

    /// Convolution, BatchNorm and ReLU: `w' = w g / sqrt(v + e)`, `b' = b - m g / sqrt(v + e)`, in f64.
    fn folded(&mut self, name: &str, x: &str, layer: &Layer) -> Result<String> {
        let Norm::Batch(norm) = &layer.norm else {
            let expected = "batch normalisation, which folds into the convolutions (--norm batch)";
            return Err(Error::setting("network to export", expected, "group normalisation, whose output depends on the size of tiles"));
        };
        let (mut weight, shape) = values(&layer.conv.weight)?;
        let (gamma, _) = values(&norm.gamma)?;
        let (beta, _) = values(&norm.beta)?;
        let mean = floats(norm.running_mean.value_sync())?;
        let variance = floats(norm.running_var.value_sync())?;
        let per_channel = weight.len() / shape[0];
        let mut bias = Vec::with_capacity(shape[0]);
        for (channel, weights) in weight.chunks_exact_mut(per_channel).enumerate() {
            let scale = f64::from(gamma[channel]) / (f64::from(variance[channel]) + norm.epsilon).sqrt();
            for w in weights {
                *w = (f64::from(*w) * scale) as f32;
            }
            bias.push((f64::from(beta[channel]) - f64::from(mean[channel]) * scale) as f32);
        }
        let output = self.conv(name, x, &weight, &shape, &bias)?;
        Ok(self.node(&format!("{name}/relu"), "Relu", vec![output], vec![]))
    }

    fn conv(&mut self, name: &str, x: &str, weight: &[f32], shape: &[usize], bias: &[f32]) -> Result<String> {
        let inputs = self.weights(name, x, weight, shape, bias)?;
        let (kernel, pad) = (shape[2] as i64, shape[2] as i64 / 2);
        let attributes = vec![
            Attribute::ints("kernel_shape", &[kernel, kernel]),
            Attribute::ints("strides", &[1, 1]),
            Attribute::ints("pads", &[pad, pad, pad, pad]),
        ];
        Ok(self.node(name, "Conv", inputs, attributes))
    }

    fn transposed(&mut self, name: &str, x: &str, up: &ConvTranspose2d) -> Result<String> {
        let (weight, shape) = values(&up.weight)?;
        let bias = up.bias.as_ref().map(values).transpose()?.map_or(vec![0.0; shape[1]], |(bias, _)| bias);
        let inputs = self.weights(name, x, &weight, &shape, &bias)?;
        let attributes = vec![Attribute::ints("kernel_shape", &[2, 2]), Attribute::ints("strides", &[2, 2])];
        Ok(self.node(name, "ConvTranspose", inputs, attributes))
    }

    /// Stores a layer's weights; gives the inputs of its node.
    fn weights(&mut self, name: &str, x: &str, weight: &[f32], shape: &[usize], bias: &[f32]) -> Result<Vec<String>> {
        if let Some(bad) = weight.iter().chain(bias).find(|value| !value.is_finite()) {
            return Err(Error::setting("network", format!("finite weights in layer {name}"), bad));
        }
        let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
        self.graph.initializer.push(proto::Tensor::floats(&weight_name, shape, weight));
        self.graph.initializer.push(proto::Tensor::floats(&bias_name, &[bias.len()], bias));
        Ok(vec![x.to_owned(), weight_name, bias_name])
    }

    fn max_pool(&mut self, name: &str, x: &str) -> String {
        let attributes = vec![Attribute::ints("kernel_shape", &[2, 2]), Attribute::ints("strides", &[2, 2])];
        self.node(name, "MaxPool", vec![x.to_owned()], attributes)
    }

    fn up_sample(&mut self, name: &str, x: &str) -> String {
        let scales = "up.scales";
        if !self.graph.initializer.iter().any(|tensor| tensor.name == scales) {
            self.graph.initializer.push(proto::Tensor::floats(scales, &[4], &[1.0, 1.0, 2.0, 2.0]));
        }
        let attributes = vec![
            Attribute::text("mode", "nearest"),
            Attribute::text("coordinate_transformation_mode", "asymmetric"),
            Attribute::text("nearest_mode", "floor"),
        ];
        self.node(name, "Resize", vec![x.to_owned(), String::new(), scales.to_owned()], attributes)
    }
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Result<(Vec<f32>, Vec<usize>)> {
    let tensor = param.val();
    let shape = tensor.dims().to_vec();
    Ok((floats(tensor)?, shape))
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::setting("network", "weights that can be read", format!("{error:?}")))
}
