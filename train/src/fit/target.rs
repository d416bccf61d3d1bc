//! What the counts of a batch's groups are compared with.

use crate::config::RunConfig;
use crate::data::Block;
use crate::loss::{BatchTarget, LabelTarget, PastMoments};
use crate::prior::{CANCER, Prior};
use crate::queue::MomentQueue;
use crate::sampler::SampledGroup;
use burn::tensor::{Device, Tensor, TensorData};
use lsr_core::VarianceModel;

/// eta, rho, weights and earlier moments of every group: of cancer alone for a network with one output.
pub(super) fn target(groups: &[SampledGroup], config: &RunConfig, prior: &Prior, queue: &MomentQueue, device: &Device) -> BatchTarget {
    let outputs = config.network.outputs;
    let first = if outputs == 1 { CANCER } else { 0 };
    let table = |value: &dyn Fn(usize, usize) -> f64| {
        let cells = groups.iter().flat_map(|group| (0..outputs).map(move |class| (group.label, class)));
        let values: Vec<f32> = cells.map(|(z, class)| value(z, class) as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, [groups.len(), outputs]), device)
    };
    // A run is refused unless every label has a row of all classes.
    let count = |z: usize, class: usize| prior.counts(z).and_then(|counts| counts.get(first + class)).copied();
    let weighted = !config.class_weights.is_empty() || !config.label_weights.is_empty();
    let past = (config.queue > 0).then(|| PastMoments {
        share: {
            let share = |group: &SampledGroup| {
                let earlier = f64::from(queue.moments(group.label, 0).blocks());
                (earlier / (earlier + config.group as f64)) as f32
            };
            Tensor::from_data(TensorData::new(groups.iter().map(share).collect(), [groups.len(), 1]), device)
        },
        mean: table(&|z, class| queue.moments(z, class).mean()),
        between: table(&|z, class| queue.moments(z, class).between_variance()),
        within: table(&|z, class| queue.moments(z, class).within_variance(VarianceModel::CountFraction)),
        within_bernoulli: table(&|z, class| queue.moments(z, class).within_variance(VarianceModel::BernoulliMean)),
    });
    BatchTarget {
        mean: table(&|z, class| count(z, class).map_or(f64::NAN, |count| count.mean)),
        std: table(&|z, class| count(z, class).map_or(f64::NAN, |count| count.std)),
        weight: weighted.then(|| table(&|z, class| config.label_weights.of(z) * config.class_weight(first + class))),
        past,
    }
}

/// The labels of every group's blocks.
pub(super) fn label_target(groups: &[SampledGroup], config: &RunConfig, blocks: &[Block], device: &Device) -> LabelTarget {
    let size = groups.first().map_or(0, |group| group.blocks.len());
    let table = |value: &dyn Fn(&Block) -> f64| {
        let values: Vec<f32> = groups.iter().flat_map(|group| &group.blocks).map(|&index| value(&blocks[index]) as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, [groups.len(), size]), device)
    };
    let weighted = !config.class_weights.is_empty() || !config.label_weights.is_empty();
    LabelTarget {
        probability: table(&|block| block.probability),
        weight: weighted.then(|| table(&|block| config.label_weights.of(block.z) * config.class_weight(CANCER))),
        threshold: config.label_threshold,
        softness: config.label_softness,
    }
}
