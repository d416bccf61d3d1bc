//! Predicted counts against the blocks' own labels.

use super::{BatchMoments, cross_entropy::binary_cross_entropy};
use burn::tensor::Tensor;

/// What is known of every block.
#[derive(Debug, Clone)]
pub struct LabelTarget {
    /// Probability that cancer makes up at least `threshold` of the block, `[groups, blocks]`.
    pub probability: Tensor<2>,
    /// Weight of each block, `[groups, blocks]`; all 1 without.
    pub weight: Option<Tensor<2>>,
    /// Count from which a block is called cancer.
    pub threshold: f64,
    /// How far from the threshold a count must be to be sure of the label: `P(cancer | count) = logistic((count - threshold) / softness)`.
    pub softness: f64,
}

/// Mean cross-entropy between the label that each predicted count leads to and the block's own, `[1]`; of networks with one output.
pub fn label_loss(moments: &BatchMoments, target: &LabelTarget) -> Tensor<1> {
    let [groups, blocks, _] = moments.counts.dims();
    let counts: Tensor<2> = moments.counts.clone().reshape([groups, blocks]);
    let terms = binary_cross_entropy(counts.sub_scalar(target.threshold).div_scalar(target.softness), target.probability.clone());
    match &target.weight {
        Some(weight) => terms * weight.clone(),
        None => terms,
    }
    .mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::ValidPixels;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn agrees_with_the_textbook_formula() {
        let device = Device::flex();
        let (counts, labels, weights) = ([0.1_f32, 0.5, 0.93, 0.4], [0.0_f32, 1.0, 0.8, 1.0], [1.0_f32, 2.0, 0.5, 0.0]);
        let flat = |values: [f32; 4]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, 2]), &device);
        let counted: Tensor<3> = flat(counts).reshape([2, 2, 1]);
        let moments = BatchMoments { counts: counted.clone(), bernoulli: counted, pixels: ValidPixels::All(16) };
        let mut target = LabelTarget { probability: flat(labels), weight: None, threshold: 0.45, softness: 0.1 };
        for weighted in [false, true] {
            target.weight = weighted.then(|| flat(weights));
            let expected: f64 = (0..4)
                .map(|i| {
                    let p = 1.0 / (1.0 + (-(f64::from(counts[i]) - 0.45) / 0.1).exp());
                    let q = f64::from(labels[i]);
                    let term = -(q * p.ln() + (1.0 - q) * (1.0 - p).ln());
                    if weighted { f64::from(weights[i]) * term } else { term }
                })
                .sum::<f64>()
                / 4.0;
            let found = f64::from(label_loss(&moments, &target).into_scalar::<f32>());
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
