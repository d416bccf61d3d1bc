//! The fused network against the same network of burn's operations.

use super::super::{Architecture, Network, NetworkConfig, NormKind, UpSampling};
use crate::processes::Processes;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn config(architecture: Architecture, width: usize, depth: usize, outputs: usize) -> NetworkConfig {
    NetworkConfig { architecture, width, depth, norm: NormKind::Batch, up: UpSampling::Nearest, outputs }
}

/// Numbers between -1 and 1.
fn noise(seed: u64, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..shape.iter().product::<usize>()).map(|_| random.random::<f32>() * 2.0 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

struct Collect<'a> {
    gradients: &'a Gradients,
    all: Vec<Vec<f32>>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.all.push(gradient.try_into_vec_as::<f32>().unwrap());
        }
    }
}

/// Logits, gradients of all parameters, and the logits in evaluation afterwards.
fn run(network: &Network, fused: bool, shape: [usize; 4]) -> (Vec<f32>, Vec<Vec<f32>>, Vec<f32>) {
    let device = Device::flex().autodiff();
    let step = |network: &Network, x: Tensor<4>| if fused { network.forward(x) } else { network.composed(x) };
    let logits = step(network, noise(1, shape, &device));
    let weights = noise(2, logits.dims(), &device);
    let gradients = (logits.clone().square() * weights).sum().backward();
    let mut collect = Collect { gradients: &gradients, all: Vec::new() };
    network.visit(&mut collect);
    let plain = Device::flex();
    let valid = network.valid();
    let seen = super::forward(&valid, &noise(3, [1, 3, shape[2], shape[3]], &plain), valid.memory(), Processes::ALONE);
    assert!(seen.is_some(), "evaluation is not fused");
    let evaluated = step(&valid, noise(3, [1, 3, shape[2], shape[3]], &plain));
    (logits.inner().try_into_vec_as::<f32>().unwrap(), collect.all, evaluated.try_into_vec_as::<f32>().unwrap())
}

fn close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let most = b.iter().fold(1e-6_f32, |most, x| most.max(x.abs()));
    let apart = a.iter().zip(b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(apart <= tolerance * most, "{what}: {apart} on a scale of {most}");
}

/// In f32 both differ from the exact value: 2e-3 of the largest entry is what deep networks of few pixels need, and a wrong tap, mask or sum is
/// off by far more.
#[test]
fn the_same_logits_and_gradients_as_of_burns_operations() {
    for (config, shape) in [
        (config(Architecture::Unet, 8, 2, 1), [2, 3, 24, 32]),
        (config(Architecture::Unet, 16, 2, 3), [3, 3, 16, 60]),
        (config(Architecture::Unet, 6, 3, 1), [2, 3, 40, 16]),
        (config(Architecture::Unet, 16, 1, 1), [2, 3, 6, 10]),
        (config(Architecture::Unet, 16, 0, 1), [2, 3, 5, 7]),
        (config(Architecture::FullResolution, 16, 3, 2), [2, 3, 9, 33]),
        (config(Architecture::FullResolution, 10, 2, 1), [1, 3, 70, 17]),
    ] {
        let device = Device::flex().autodiff();
        let (ours, theirs) = (run(&config.init(7, &device), true, shape), run(&config.init(7, &device), false, shape));
        close(&ours.0, &theirs.0, 1e-4, &format!("logits of {config:?}"));
        close(&ours.2, &theirs.2, 1e-4, &format!("evaluation of {config:?}"));
        assert_eq!(ours.1.len(), theirs.1.len());
        for (number, (ours, theirs)) in ours.1.iter().zip(&theirs.1).enumerate() {
            close(ours, theirs, 2e-3, &format!("gradient {number} of {config:?}"));
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let config = config(Architecture::Unet, 8, 2, 1);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&config.init(3, &Device::flex().autodiff()), true, [3, 3, 64, 64]))
    };
    assert_eq!(with(1), with(3));
}
