//! One training step of a network on a device: logits, loss, and the gradient of every parameter by its name.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use lsr_core::Preset;
use lsr_train::{Architecture, BatchTarget, Network, NetworkConfig, NormKind, UpSampling, batch_loss, input_from_rgb8, probabilities};

pub(crate) const GROUPS: usize = 2;
pub(crate) const BLOCKS: usize = 3;
pub(crate) const SIDE: usize = 48;

/// Every kind of layer that can be trained.
pub(crate) fn networks() -> [(&'static str, NetworkConfig); 4] {
    let unet =
        NetworkConfig { architecture: Architecture::Unet, width: 8, depth: 3, norm: NormKind::Batch, up: UpSampling::Nearest, outputs: 1 };
    [
        ("U-Net", unet),
        ("full resolution", NetworkConfig { architecture: Architecture::FullResolution, depth: 5, ..unet }),
        ("U-Net, group normalisation", NetworkConfig { norm: NormKind::Group, ..unet }),
        ("U-Net, transposed convolutions", NetworkConfig { up: UpSampling::Transposed, ..unet }),
    ]
}

/// What a step gives.
pub(crate) struct Step {
    pub(crate) logits: Vec<f32>,
    pub(crate) loss: f64,
    /// Of every parameter, by its path in the network.
    pub(crate) gradients: Vec<(String, Vec<f32>)>,
}

/// How the network is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// As training does: on processors one fused operation where that exists.
    AsTrained,
    /// On burn's operations, as on a GPU.
    Composed,
    /// As `Composed`, of weights and pixels rounded as the tensor cores of a GPU round the factors of a product.
    Rounded,
}

/// A step of the network with the paper's loss on images of a fixed pattern.
pub(crate) fn step(config: &NetworkConfig, device: &Device, run: Run) -> Step {
    let device = device.clone().autodiff();
    let network = config.init(3, &device);
    let input = input_from_rgb8(&pixels(), GROUPS * BLOCKS, SIDE, SIDE, &device);
    let (network, input) = if run == Run::Rounded { (network.map(&mut Round), round(input)) } else { (network, input) };
    let logits = if run == Run::AsTrained { network.forward(input) } else { network.composed(input) };
    let predicted = probabilities(logits.clone()).reshape([GROUPS, BLOCKS, 1, SIDE * SIDE]);
    let table = |values: [f32; GROUPS]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [GROUPS, 1]), &device);
    let target = BatchTarget { mean: table([0.3, 0.6]), std: table([0.05, 0.1]), weight: None, past: None };
    let loss = batch_loss(predicted, None, target, &Preset::Paper.loss());
    let gradients = gradients_of(&network, &loss.clone().backward());
    Step { logits: values(logits), loss: f64::from(loss.into_scalar::<f32>()), gradients }
}

/// Waves of every length, so that no two channels or blocks are alike.
fn pixels() -> Vec<u8> {
    let byte = |i: usize| {
        let (block, y, x, channel) = (i / (3 * SIDE * SIDE), i / (3 * SIDE) % SIDE, i / 3 % SIDE, i % 3);
        let wave = |k: usize| ((x * (k + channel) + block * 11) as f32 * 0.13).sin() * ((y + 3 * k + block) as f32 * 0.21).cos();
        (120.0 + 60.0 * wave(1) + 50.0 * wave(4)) as u8
    };
    (0..GROUPS * BLOCKS * SIDE * SIDE * 3).map(byte).collect()
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn gradients_of(network: &Network, gradients: &Gradients) -> Vec<(String, Vec<f32>)> {
    let mut collect = Collect { gradients, path: Vec::new(), all: Vec::new() };
    network.visit(&mut collect);
    collect.all
}

struct Collect<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    all: Vec<(String, Vec<f32>)>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Running statistics have none.
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.all.push((self.path.join("."), values(gradient)));
        }
    }
}

/// Rounds every parameter.
struct Round;

impl ModuleMapper for Round {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let trained = value.is_require_grad();
        let value = round(value.detach());
        Param::from_mapped_value(id, if trained { value.require_grad() } else { value }, mapper)
    }
}

/// To the 10 bits of mantissa that TF32 has, to nearest.
fn round<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let (shape, device) = (tensor.dims(), tensor.device());
    let rounded = values(tensor).into_iter().map(|value| f32::from_bits(value.to_bits().wrapping_add(1 << 12) & !((1 << 13) - 1)));
    Tensor::from_data(TensorData::new(rounded.collect(), shape), &device)
}
