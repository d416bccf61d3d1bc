//! The loss and its backward pass cost next to nothing beside the network's.

use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::{Loss, Preset};
use lsr_train::{Architecture, BatchTarget, NetworkConfig, NormKind, UpSampling, batch_loss, input_from_rgb8, probabilities};
use std::time::{Duration, Instant};

const GROUPS: usize = 2;
const BLOCKS: usize = 3;
const SIDE: usize = 96;

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Both are measured in one run, in turns, on the same processor; the share does not depend on how fast that is.
#[test]
fn loss_and_its_backward_take_less_than_three_percent_of_a_step() {
    let device = Device::flex().autodiff();
    let network =
        NetworkConfig { architecture: Architecture::Unet, width: 16, depth: 4, norm: NormKind::Batch, up: UpSampling::Nearest, outputs: 1 };
    let model = network.init(1, &device);
    let loss: Loss<f64> = Preset::Paper.loss();
    let n = GROUPS * BLOCKS;
    let bytes: Vec<u8> = (0..n * SIDE * SIDE * 3).map(|i| (i * 7 % 251) as u8).collect();
    let target = || {
        let of = |value: f32| Tensor::<2>::from_data(TensorData::new(vec![value; GROUPS], [GROUPS, 1]), &device);
        BatchTarget { mean: of(0.3), std: of(0.05), weight: None, past: None }
    };
    let evaluate = |p: Tensor<4>| batch_loss(p.reshape([GROUPS, BLOCKS, 1, SIDE * SIDE]), None, target(), &loss);
    let (mut steps, mut losses) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        // A whole step: network, loss, and the backward pass of both.
        let started = Instant::now();
        let p = probabilities(model.forward(input_from_rgb8(&bytes, n, SIDE, SIDE, &device)));
        let leaf = p.clone().detach().require_grad();
        let batch = evaluate(p);
        let value = batch.clone().into_scalar::<f32>();
        let gradients = batch.backward();
        steps.push(started.elapsed());
        assert!(value.is_finite());
        drop(gradients);
        // The same loss of the same probabilities, and its gradient by them alone.
        let started = Instant::now();
        let batch = evaluate(leaf.clone());
        let gradients = batch.backward();
        let gradient = leaf.grad(&gradients).unwrap();
        losses.push(started.elapsed());
        assert_eq!(gradient.dims(), [n, 1, SIDE, SIDE]);
    }
    let share = median(losses) / median(steps);
    println!("loss and its backward: {:.2} % of a step", 100.0 * share);
    assert!(share < 0.03, "{share}");
}
