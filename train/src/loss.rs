//! The core's loss formulas on tensors: autodiff differentiates the very lines that run on a microcontroller.

use burn::tensor::Tensor;
use lsr_core::{Loss, Predicted, Scalar, Scheme, Target, VarianceModel, distance};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A tensor as a number of the core's formulas; every operation is element by element.
#[derive(Debug, Clone)]
pub struct TensorScalar<const D: usize>(pub Tensor<D>);

macro_rules! elementwise {
    ($trait:ident, $method:ident) => {
        impl<const D: usize> $trait for TensorScalar<D> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0))
            }
        }
    };
}

elementwise!(Add, add);
elementwise!(Sub, sub);
elementwise!(Mul, mul);
elementwise!(Div, div);

impl<const D: usize> Neg for TensorScalar<D> {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.neg())
    }
}

impl<const D: usize> Scalar for TensorScalar<D> {
    type Literal = f64;
    fn plus(self, literal: f64) -> Self {
        Self(self.0.add_scalar(literal))
    }
    fn times(self, literal: f64) -> Self {
        Self(self.0.mul_scalar(literal))
    }
    fn at_least(self, literal: f64) -> Self {
        Self(self.0.clamp_min(literal))
    }
    fn ln(self) -> Self {
        Self(self.0.log())
    }
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
}

/// What a batch is compared with.
#[derive(Debug, Clone)]
pub struct BatchTarget {
    /// eta, `[groups, classes]`.
    pub mean: Tensor<2>,
    /// rho, `[groups, classes]`.
    pub std: Tensor<2>,
    /// Weight of each term, `[groups, classes]`; all 1 unless classes or labels are weighted.
    pub weight: Option<Tensor<2>>,
}

/// A batch's loss and the counts it was made from.
#[derive(Debug, Clone)]
pub struct BatchLoss {
    /// The loss, `[1]`.
    pub loss: Tensor<1>,
    /// Predicted count mu_k of every block, `[groups, blocks, classes]`, without gradient.
    pub counts: Tensor<3>,
}

/// The label super-resolution loss of a batch: `(1/groups) sum_groups sum_classes w D(group, class)`, as
/// [`lsr_core::Loss::evaluate_batch`] has it.
///
/// - `probabilities`: `[groups, blocks, classes, pixels]`, the blocks of a group having one label
/// - `valid`: 1 where a pixel counts and 0 where it does not, `[groups, blocks, pixels]`; every block needs a valid pixel
pub fn batch_loss(probabilities: Tensor<4>, valid: Option<Tensor<3>>, target: BatchTarget, loss: &Loss<f64>) -> BatchLoss {
    let [groups, blocks, classes, pixels] = probabilities.dims();
    let uncertain = probabilities.clone() * (probabilities.clone().neg().add_scalar(1.0));
    // Block moments, [groups, blocks, classes]: Eq. 3.
    let (counts, bernoulli, n) = match valid {
        None => {
            let mean = |x: Tensor<4>| x.mean_dim(3).reshape([groups, blocks, classes]);
            (mean(probabilities), mean(uncertain), None)
        }
        Some(valid) => {
            let valid: Tensor<4> = valid.unsqueeze_dim(2); // [groups, blocks, 1, pixels]
            let n: Tensor<3> = valid.clone().sum_dim(3).reshape([groups, blocks, 1]);
            let mean = |x: Tensor<4>| (x * valid.clone()).sum_dim(3).reshape([groups, blocks, classes]) / n.clone();
            (mean(probabilities), mean(uncertain), Some(n))
        }
    };
    let block_variance = |model| match (model, &n) {
        (VarianceModel::BernoulliMean, _) => bernoulli.clone(),
        (VarianceModel::CountFraction, None) => bernoulli.clone().div_scalar(pixels as f64),
        (VarianceModel::CountFraction, Some(n)) => bernoulli.clone() / n.clone(),
    };
    let (variance, log_variance) = (block_variance(loss.variance_model()), block_variance(loss.log_variance_model()));

    // Group moments, [groups, 1, classes], in two passes (Eq. 8, 11); for intra each block stands for itself.
    let (mean, variance, log_variance) = if loss.scheme() == Scheme::Intra {
        (counts.clone(), variance, log_variance)
    } else {
        let mean = counts.clone().mean_dim(1);
        let between = (counts.clone() - mean.clone()).square().mean_dim(1);
        let total = |within: Tensor<3>| {
            let parts = (TensorScalar(between.clone()), TensorScalar(within.mean_dim(1)));
            loss.scheme().variance(parts.0, parts.1).0
        };
        (mean, total(variance), total(log_variance))
    };
    let predicted = Predicted { mean: TensorScalar(mean), variance: TensorScalar(variance), log_variance: TensorScalar(log_variance) };
    let over_blocks = |x: Tensor<2>| TensorScalar(x.reshape([groups, 1, classes]));
    let goal = Target { mean: over_blocks(target.mean), std: over_blocks(target.std) };
    let terms = distance(loss.distance(), predicted, goal, loss.stabilisers()).0;

    let terms: Tensor<2> = terms.mean_dim(1).reshape([groups, classes]);
    let terms = match target.weight {
        Some(weight) => terms * weight,
        None => terms,
    };
    BatchLoss { loss: terms.sum().div_scalar(groups as f64), counts: counts.detach() }
}
