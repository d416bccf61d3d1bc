//! Predicted counts against the count prior.

use super::scalar::TensorScalar;
use burn::tensor::Tensor;
use lsr_core::{Loss, Predicted, Scheme, Target, VarianceModel, distance};

/// What a batch's counts are compared with.
#[derive(Debug, Clone)]
pub struct BatchTarget {
    /// eta, `[groups, classes]`.
    pub mean: Tensor<2>,
    /// rho, `[groups, classes]`.
    pub std: Tensor<2>,
    /// Weight of each term, `[groups, classes]`; all 1 unless classes or labels are weighted.
    pub weight: Option<Tensor<2>>,
    /// Earlier blocks of the groups' labels, which enlarge the groups' statistics and get no gradient.
    pub past: Option<PastMoments>,
}

/// Moments of earlier blocks, as [`crate::MomentQueue`] has them; all without gradient.
#[derive(Debug, Clone)]
pub struct PastMoments {
    /// Share of the earlier blocks in the enlarged group, q / (n + q), `[groups, 1]`; 0 where there are none.
    pub share: Tensor<2>,
    /// Mean count, `[groups, classes]`.
    pub mean: Tensor<2>,
    /// Variance between blocks, `[groups, classes]`.
    pub between: Tensor<2>,
    /// Mean variance within blocks (`count_fraction`), `[groups, classes]`.
    pub within: Tensor<2>,
    /// Mean variance within blocks (`bernoulli_mean`), `[groups, classes]`.
    pub within_bernoulli: Tensor<2>,
}

/// Moments of every block of a batch, from which alone its loss is made: what several processes tell each other.
#[derive(Debug, Clone)]
pub struct BatchMoments {
    /// Predicted count mu_k of every block, `[groups, blocks, classes]`.
    pub counts: Tensor<3>,
    /// Mean of p(1-p) over every block's valid pixels, `[groups, blocks, classes]`.
    pub bernoulli: Tensor<3>,
    /// Valid pixels of every block.
    pub pixels: ValidPixels,
}

/// Valid pixels of the blocks of a batch.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one for a batch")]
pub enum ValidPixels {
    /// So many of every block.
    All(usize),
    /// Of each block, `[groups, blocks, 1]`.
    Each(Tensor<3>),
}

impl BatchMoments {
    /// Of the blocks' probabilities (Eq. 3).
    ///
    /// - `probabilities`: `[groups, blocks, classes, pixels]`
    /// - `valid`: 1 where a pixel counts and 0 where it does not, `[groups, blocks, pixels]`; every block needs a valid pixel
    pub fn of(probabilities: Tensor<4>, valid: Option<Tensor<3>>) -> Self {
        let [groups, blocks, classes, pixels] = probabilities.dims();
        let uncertain = probabilities.clone() * (probabilities.clone().neg().add_scalar(1.0));
        match valid {
            None => {
                let mean = |x: Tensor<4>| x.mean_dim(3).reshape([groups, blocks, classes]);
                Self { counts: mean(probabilities), bernoulli: mean(uncertain), pixels: ValidPixels::All(pixels) }
            }
            Some(valid) => {
                let valid: Tensor<4> = valid.unsqueeze_dim(2); // [groups, blocks, 1, pixels]
                let n: Tensor<3> = valid.clone().sum_dim(3).reshape([groups, blocks, 1]);
                let mean = |x: Tensor<4>| (x * valid.clone()).sum_dim(3).reshape([groups, blocks, classes]) / n.clone();
                Self { counts: mean(probabilities), bernoulli: mean(uncertain), pixels: ValidPixels::Each(n) }
            }
        }
    }

    /// Variance of every block's count.
    fn variance(&self, model: VarianceModel) -> Tensor<3> {
        match (model, &self.pixels) {
            (VarianceModel::BernoulliMean, _) => self.bernoulli.clone(),
            (VarianceModel::CountFraction, ValidPixels::All(n)) => self.bernoulli.clone().div_scalar(*n as f64),
            (VarianceModel::CountFraction, ValidPixels::Each(n)) => self.bernoulli.clone() / n.clone(),
        }
    }
}

/// The label super-resolution loss of a batch: [`moments_loss`] of its [`BatchMoments`].
///
/// - `probabilities`: `[groups, blocks, classes, pixels]`, the blocks of a group having one label
/// - `valid`: as in [`BatchMoments::of`]
pub fn batch_loss(probabilities: Tensor<4>, valid: Option<Tensor<3>>, target: BatchTarget, loss: &Loss<f64>) -> Tensor<1> {
    moments_loss(&BatchMoments::of(probabilities, valid), target, loss)
}

/// The label super-resolution loss of a batch's moments: `(1/groups) sum_groups sum_classes w D(group, class)`, `[1]`, as
/// [`lsr_core::Loss::evaluate_batch`] has it.
///
/// With `target.past`, a group's moments are merged with those of earlier blocks (Chan et al.) before the distance; the scheme must not be
/// `intra`, which has no group.
pub fn moments_loss(moments: &BatchMoments, target: BatchTarget, loss: &Loss<f64>) -> Tensor<1> {
    let counts = moments.counts.clone();
    let [groups, _, classes] = counts.dims();
    let (variance, log_variance) = (moments.variance(loss.variance_model()), moments.variance(loss.log_variance_model()));

    // Group moments, [groups, 1, classes], in two passes (Eq. 8, 11); for intra each block stands for itself.
    let (mean, variance, log_variance) = if loss.scheme() == Scheme::Intra {
        (counts, variance, log_variance)
    } else {
        let over_classes = |x: &Tensor<2>| x.clone().reshape([groups, 1, classes]);
        let own_mean = counts.clone().mean_dim(1);
        let own_between = (counts - own_mean.clone()).square().mean_dim(1);
        let (mean, between) = match &target.past {
            None => (own_mean, own_between),
            Some(past) => {
                let share = past.share.clone().reshape([groups, 1, 1]);
                let apart = (own_mean.clone() - over_classes(&past.mean)).square();
                let between = mix(own_between, over_classes(&past.between), &share) + apart * share.clone() * one_minus(&share);
                (mix(own_mean, over_classes(&past.mean), &share), between)
            }
        };
        let total = |within: Tensor<3>, model| {
            let own = within.mean_dim(1);
            let within = match &target.past {
                None => own,
                Some(past) => {
                    let earlier = match model {
                        VarianceModel::CountFraction => &past.within,
                        VarianceModel::BernoulliMean => &past.within_bernoulli,
                    };
                    mix(own, over_classes(earlier), &past.share.clone().reshape([groups, 1, 1]))
                }
            };
            loss.scheme().variance(TensorScalar(between.clone()), TensorScalar(within)).0
        };
        (mean, total(variance, loss.variance_model()), total(log_variance, loss.log_variance_model()))
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
    terms.sum().div_scalar(groups as f64)
}

fn one_minus(share: &Tensor<3>) -> Tensor<3> {
    share.clone().neg().add_scalar(1.0)
}

/// `(1 - share) own + share earlier`.
fn mix(own: Tensor<3>, earlier: Tensor<3>, share: &Tensor<3>) -> Tensor<3> {
    own * one_minus(share) + earlier * share.clone()
}
