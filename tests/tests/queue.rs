//! A group enlarged by earlier blocks has the statistics, the loss and the gradient of the whole group.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::{BlockMoments, Distance, GroupMoments, Loss, Scheme, Stabilisers, Target, VarianceModel};
use lsr_train::{BatchTarget, MomentQueue, PastBlock, PastMoments, batch_loss};

const PIXELS: usize = 6;

/// f32 sums over a dozen blocks.
const TOLERANCE: f64 = 2e-5;

fn probability(block: usize, pixel: usize) -> f32 {
    0.5 + 0.45 * ((block * 31 + pixel * 17) as f32 * 0.7).sin()
}

fn moments(block: usize) -> BlockMoments<f64> {
    let p: Vec<f64> = (0..PIXELS).map(|pixel| f64::from(probability(block, pixel))).collect();
    BlockMoments::from_probabilities(&p).unwrap()
}

#[test]
fn the_queue_and_the_batch_together_are_one_group() {
    // Blocks 0 to 3 are the batch, 4 to 10 came earlier.
    let (batch, earlier) = (0..4_usize, 4..11_usize);
    let mut queue = MomentQueue::new(100);
    for block in earlier.clone() {
        let m = moments(block);
        let bernoulli = m.variance(VarianceModel::BernoulliMean) as f32;
        queue.push(3, vec![PastBlock { pixels: m.pixels(), mean: m.mean() as f32, bernoulli }]);
    }
    let past = queue.moments(3, 0);
    let whole: GroupMoments<f64> = (0..11).map(moments).collect::<Vec<_>>().iter().collect();
    let target = Target { mean: 0.3, std: 0.07 };
    let device = Device::flex().autodiff();
    let one = |value: f64| Tensor::<2>::from_data(TensorData::new(vec![value as f32], [1, 1]), &device);
    for scheme in [Scheme::Inter, Scheme::IntraInter] {
        for distance in Distance::ALL {
            for model in [VarianceModel::CountFraction, VarianceModel::BernoulliMean] {
                let loss = Loss::<f64>::new(scheme, distance, model, Stabilisers::default()).unwrap();
                let values: Vec<f32> = batch.clone().flat_map(|block| (0..PIXELS).map(move |pixel| probability(block, pixel))).collect();
                let p = Tensor::<4>::from_data(TensorData::new(values, [1, batch.len(), 1, PIXELS]), &device).require_grad();
                let past = PastMoments {
                    share: one(f64::from(past.blocks()) / 11.0),
                    mean: one(past.mean()),
                    between: one(past.between_variance()),
                    within: one(past.within_variance(VarianceModel::CountFraction)),
                    within_bernoulli: one(past.within_variance(VarianceModel::BernoulliMean)),
                };
                let goal = BatchTarget { mean: one(target.mean), std: one(target.std), weight: None, past: Some(past) };
                let ours = batch_loss(p.clone(), None, goal, &loss);
                let expected = loss.evaluate_moments(&whole, target).unwrap();
                let value = f64::from(ours.clone().into_scalar::<f32>());
                let allowed = TOLERANCE * (1.0 + expected.value().abs());
                assert!((value - expected.value()).abs() < allowed, "{scheme} {distance}: {value} {}", expected.value());
                // The gradient by the batch's pixels is that of the whole group's loss.
                let gradient = p.grad(&ours.backward()).unwrap().try_into_vec_as::<f32>().unwrap();
                let lines: Vec<_> = batch.clone().map(|block| expected.pixel_gradient(&moments(block)).unwrap()).collect();
                let truth = |block: usize, pixel: usize| lines[block].at(f64::from(probability(block, pixel)));
                let largest = (0..4 * PIXELS).map(|i| truth(i / PIXELS, i % PIXELS).abs()).fold(0.0, f64::max);
                for (i, &found) in gradient.iter().enumerate() {
                    let expected = truth(i / PIXELS, i % PIXELS);
                    assert!((f64::from(found) - expected).abs() < 1e-3 * largest, "{scheme} {distance}: {found} {expected}");
                }
            }
        }
    }
}

/// The reason for the queue: N = 15 blocks estimate a variance to about 38 %, and 60 earlier ones cut that.
#[test]
fn earlier_blocks_cut_the_noise_of_the_variance() {
    // Counts of mean 0.5 and standard deviation 0.1 by a low-discrepancy sequence turned normal.
    let mut state = 1_u64;
    let mut normal = move || {
        let mut sum = 0.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 11) as f64 / (1_u64 << 53) as f64;
        }
        sum - 6.0
    };
    let mut relative_error = |earlier: usize| {
        let rounds = 2000;
        let squares: f64 = (0..rounds)
            .map(|_| {
                let mut group = GroupMoments::<f64>::new();
                for _ in 0..15 + earlier {
                    let mean = (0.5 + 0.1 * normal()).clamp(0.0, 1.0);
                    group.push(&BlockMoments::from_parts(100, mean, 0.0).unwrap());
                }
                (group.between_variance() / 0.01 - 1.0).powi(2)
            })
            .sum();
        (squares / f64::from(rounds)).sqrt()
    };
    let (alone, with_queue) = (relative_error(0), relative_error(60));
    assert!((0.32..0.42).contains(&alone), "{alone}");
    assert!((0.12..0.20).contains(&with_queue), "{with_queue}");
}
