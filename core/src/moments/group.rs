//! The counts of a group of blocks: one pass, and mergeable.

use super::{BlockMoments, VarianceModel};
use crate::{Error, Real};

/// Moments of the counts of a group of blocks of one label: one pass, and mergeable.
///
/// (N, mean, M2 = sum (mu_k - m)^2, sum v_k) is a commutative monoid (Chan, Golub and LeVeque 1979; Welford 1962): the same value comes
/// out of one pass, of chunks, of threads, of GPUs and of devices, up to rounding. `E[x^2] - E[x]^2` would cancel in f32.
///
/// ```
/// use lsr_core::{BlockMoments, GroupMoments, VarianceModel};
/// let blocks = [[0.1_f64, 0.3], [0.6, 0.8], [0.4, 0.2]].map(|p| BlockMoments::from_probabilities(&p).unwrap());
/// let whole: GroupMoments<f64> = blocks.iter().collect();
/// let merged = blocks[..1].iter().collect::<GroupMoments<f64>>().merge(blocks[1..].iter().collect());
/// assert!((whole.mean() - 0.4).abs() < 1e-15);
/// assert!((whole.between_variance() - (0.04 + 0.09 + 0.01) / 3.0).abs() < 1e-15);
/// assert!((whole.between_variance() - merged.between_variance()).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct GroupMoments<R> {
    blocks: u32,
    mean: R,
    m2: R,
    count_fraction_sum: R,
    bernoulli_sum: R,
}

impl<R: Real> GroupMoments<R> {
    /// The group without blocks: the neutral element of [`GroupMoments::merge`].
    pub fn new() -> Self {
        let zero = R::from_f64(0.0);
        Self { blocks: 0, mean: zero, m2: zero, count_fraction_sum: zero, bernoulli_sum: zero }
    }

    /// Moments that were computed elsewhere, on another device for one: N, mean, between-variance, and the within-variance of both models.
    ///
    /// # Errors
    /// [`Error::ImpossibleMoments`] for moments that no group of blocks has: a mean m outside [0, 1]; a between-variance or a mean of p(1-p)
    /// that is negative or above m (1-m); a within-variance of `CountFraction` above that of `BernoulliMean`. Both with 1 % to spare, for the
    /// rounding of a long sum in f32.
    pub fn from_parts(
        blocks: u32,
        mean: R,
        between_variance: R,
        within_count_fraction: R,
        within_bernoulli_mean: R,
    ) -> Result<Self, Error> {
        let (zero, one, rounding) = (R::from_f64(0.0), R::from_f64(1.0), R::from_f64(1e-6));
        // No blocks have no moments but 0.
        let at_most = |bound: R| if blocks == 0 { zero } else { bound * R::from_f64(1.01) + rounding };
        let bound = at_most(mean * (one - mean));
        for (name, value, max) in [
            ("mean of the group", mean, if blocks == 0 { zero } else { one + rounding }),
            ("between-variance", between_variance, bound),
            ("within-variance (bernoulli_mean)", within_bernoulli_mean, bound),
            ("within-variance (count_fraction)", within_count_fraction, at_most(within_bernoulli_mean)),
        ] {
            if !(value >= zero && value <= max && value.is_finite()) {
                return Err(Error::ImpossibleMoments { name, value: value.to_f64() });
            }
        }
        let n = R::from_count(blocks);
        Ok(Self {
            blocks,
            mean,
            m2: between_variance * n,
            count_fraction_sum: within_count_fraction * n,
            bernoulli_sum: within_bernoulli_mean * n,
        })
    }

    /// Adds a block (Welford's update). The number of blocks saturates at 2^32 - 1.
    pub fn push(&mut self, block: &BlockMoments<R>) {
        self.blocks = self.blocks.saturating_add(1);
        let from_old_mean = block.mean() - self.mean;
        self.mean = self.mean + from_old_mean / R::from_count(self.blocks);
        self.m2 = self.m2 + from_old_mean * (block.mean() - self.mean);
        self.count_fraction_sum = self.count_fraction_sum + block.variance(VarianceModel::CountFraction);
        self.bernoulli_sum = self.bernoulli_sum + block.variance(VarianceModel::BernoulliMean);
    }

    /// The moments of both groups together (Chan et al.). Commutative to the bit, associative up to rounding.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.blocks == 0 {
            return other;
        }
        if other.blocks == 0 {
            return self;
        }
        let blocks = self.blocks.saturating_add(other.blocks);
        let (n, n_a, n_b) = (R::from_count(blocks), R::from_count(self.blocks), R::from_count(other.blocks));
        let delta = other.mean - self.mean;
        Self {
            blocks,
            mean: (self.mean * n_a + other.mean * n_b) / n,
            m2: (self.m2 + other.m2) + delta * delta * (n_a * n_b / n),
            count_fraction_sum: self.count_fraction_sum + other.count_fraction_sum,
            bernoulli_sum: self.bernoulli_sum + other.bernoulli_sum,
        }
    }

    /// Number of blocks N.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Mean count m over the blocks; 0 for no blocks.
    pub fn mean(&self) -> R {
        self.mean
    }

    /// Variance of the counts between blocks, `mean_k (mu_k - m)^2` (divided by N, as Eq. 8 does); 0 for no blocks.
    pub fn between_variance(&self) -> R {
        // Welford's M2 is a sum of products of equal sign up to rounding.
        (self.m2 / self.divisor()).at_least(R::from_f64(0.0).literal())
    }

    /// Mean variance of the counts within blocks, `mean_k v_k`; 0 for no blocks.
    pub fn within_variance(&self, model: VarianceModel) -> R {
        let sum = match model {
            VarianceModel::CountFraction => self.count_fraction_sum,
            VarianceModel::BernoulliMean => self.bernoulli_sum,
        };
        sum / self.divisor()
    }

    fn divisor(&self) -> R {
        R::from_count(self.blocks.max(1))
    }
}

impl<R: Real> Default for GroupMoments<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, R: Real + 'a> FromIterator<&'a BlockMoments<R>> for GroupMoments<R> {
    fn from_iter<I: IntoIterator<Item = &'a BlockMoments<R>>>(blocks: I) -> Self {
        let mut group = Self::new();
        for block in blocks {
            group.push(block);
        }
        group
    }
}
