//! The losses: a scheme makes Gaussians of the predicted counts, a distance compares them with the count prior.
//!
//! ```text
//! intra        one Gaussian N(mu_k, v_k) per block; the loss is averaged over blocks              Eq. 2-5
//! inter        m = mean_k mu_k,  S = mean_k (mu_k - m)^2                                          Eq. 7-9
//! intra_inter  m = mean_k mu_k,  S = mean_k v_k + mean_k (mu_k - m)^2   (law of total variance)   Eq. 10-11
//! ```
//!
//! Value and gradient need two passes over the pixels and no storage per pixel: the first pass makes [`BlockMoments`], and the
//! derivative by a pixel's probability is then a straight line in that probability ([`PixelGradient`]):
//!
//! ```text
//! dm/dp = 1/(N n)        dS/dp = [inter] 2 (mu_k - m)/(N n) + [intra] (1 - 2p)/(N n^2)      (N n for BernoulliMean)
//! ```
//!
//! # Errata
//!
//! | the paper says | what is true | what we do |
//! |---|---|---|
//! | Eq. 11, last line: (mu_k^2 - mu^2) inside the mean | equal to mean_k (mu_k - mu)^2, but cancels in f32 | Welford's form |
//! | 3.4: "the network with the intra-instance loss outperforms the network with the intra-instance loss" | Table 2 shows intra+inter ahead of intra, and has no inter-only row | all three schemes are here |

mod batch;
mod scheme;

pub use batch::{BatchLoss, Group, Weights};
pub use scheme::Scheme;

use crate::gaussian::check_range;
use crate::{
    BlockMoments, Distance, DistanceGradient, Error, GroupMoments, Predicted, Real, Scalar, Stabilisers, Target, VarianceModel,
    distance_gradient,
};

/// A checked loss: scheme, distance, variance conventions and stabilisers. `L` is the plain number type (f32 or f64).
///
/// ```
/// use lsr_core::{BlockMoments, CountPrior, Distance, Loss, Scheme, Stabilisers, VarianceModel};
/// let loss = Loss::new(Scheme::IntraInter, Distance::Overlap, VarianceModel::CountFraction, Stabilisers::default()).unwrap();
/// let target = CountPrior::<f64, 10, 2>::table_1().target(9, 1).unwrap(); // 95-100 %: 0.70 +- 0.05 cancer
/// let pixels = [[0.9, 0.8, 0.7], [0.6, 0.5, 0.8]];
/// let blocks = pixels.map(|p| BlockMoments::from_probabilities(&p).unwrap());
/// let group = loss.evaluate(&blocks, target).unwrap();
/// let gradient = group.pixel_gradient(&blocks[0]).unwrap();
///
/// // against a finite difference
/// let mut moved = pixels;
/// moved[0][1] += 1e-6;
/// let up = loss.evaluate(&moved.map(|p| BlockMoments::from_probabilities(&p).unwrap()), target).unwrap();
/// assert!(((up.value() - group.value()) / 1e-6 - gradient.at(0.8)).abs() < 1e-4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Loss<L> {
    scheme: Scheme,
    distance: Distance,
    variance: VarianceModel,
    log_variance: VarianceModel,
    stabilisers: Stabilisers<L>,
}

impl<L: Real> Loss<L> {
    /// A loss whose stabilisers have been checked.
    ///
    /// # Errors
    /// [`Error::ParameterOutOfRange`].
    pub fn new(scheme: Scheme, distance: Distance, variance: VarianceModel, stabilisers: Stabilisers<L>) -> Result<Self, Error> {
        stabilisers.check()?;
        Ok(Self::unchecked(scheme, distance, variance, stabilisers))
    }

    pub(crate) const fn unchecked(scheme: Scheme, distance: Distance, variance: VarianceModel, stabilisers: Stabilisers<L>) -> Self {
        Self { scheme, distance, variance, log_variance: variance, stabilisers }
    }

    /// The same loss with another variance convention inside the logarithm (the preset `lsr_early` needs it).
    #[must_use]
    pub fn with_log_variance(self, log_variance: VarianceModel) -> Self {
        Self { log_variance, ..self }
    }

    /// The same loss under another scheme.
    #[must_use]
    pub fn with_scheme(self, scheme: Scheme) -> Self {
        Self { scheme, ..self }
    }

    /// The same loss with another distance.
    #[must_use]
    pub fn with_distance(self, distance: Distance) -> Self {
        Self { distance, ..self }
    }

    /// Its scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its distance.
    pub fn distance(&self) -> Distance {
        self.distance
    }

    /// Its variance convention.
    pub fn variance_model(&self) -> VarianceModel {
        self.variance
    }

    /// Its variance convention inside the logarithm.
    pub fn log_variance_model(&self) -> VarianceModel {
        self.log_variance
    }

    /// Its stabilisers.
    pub fn stabilisers(&self) -> &Stabilisers<L> {
        &self.stabilisers
    }

    /// The loss of one group of blocks of one label.
    ///
    /// # Errors
    /// [`Error::TooFewBlocks`] (inter needs two), [`Error::ParameterOutOfRange`] for a bad target, [`Error::NotFinite`] when a
    /// stabiliser is too small for the number type.
    pub fn evaluate<R: Real<Literal = L>>(&self, blocks: &[BlockMoments<R>], target: Target<R>) -> Result<GroupLoss<R>, Error> {
        self.evaluate_each(blocks.iter(), target)
    }

    /// The loss of a group of which only the merged moments are known: from other threads, GPUs or devices, or a queue of past blocks.
    ///
    /// # Errors
    /// [`Error::NeedsBlocks`] for scheme intra; otherwise as [`Loss::evaluate`].
    pub fn evaluate_moments<R: Real<Literal = L>>(&self, group: &GroupMoments<R>, target: Target<R>) -> Result<GroupLoss<R>, Error> {
        if self.scheme == Scheme::Intra {
            return Err(Error::NeedsBlocks { scheme: self.scheme.name() });
        }
        self.check_blocks(group.blocks() as usize)?;
        check_target(target)?;
        let between = group.between_variance();
        let predicted = Predicted {
            mean: group.mean(),
            variance: self.scheme.variance(between, group.within_variance(self.variance)),
            log_variance: self.scheme.variance(between, group.within_variance(self.log_variance)),
        };
        let gradient = distance_gradient(self.distance, predicted, target, &self.stabilisers)?;
        let (value, by_moments) = (gradient.value, Some(gradient));
        Ok(GroupLoss { loss: *self, target, blocks: group.blocks(), mean: group.mean(), value, by_moments })
    }

    fn evaluate_each<'a, R: Real<Literal = L> + 'a>(
        &self,
        blocks: impl Iterator<Item = &'a BlockMoments<R>>,
        target: Target<R>,
    ) -> Result<GroupLoss<R>, Error> {
        if self.scheme != Scheme::Intra {
            return self.evaluate_moments(&blocks.collect(), target);
        }
        check_target(target)?;
        let mut sum = R::from_f64(0.0);
        let mut group = GroupMoments::new();
        for block in blocks {
            sum = sum + self.block_distance(block, target)?.value;
            group.push(block);
        }
        self.check_blocks(group.blocks() as usize)?;
        let value = finite("loss", sum / R::from_count(group.blocks()))?;
        Ok(GroupLoss { loss: *self, target, blocks: group.blocks(), mean: group.mean(), value, by_moments: None })
    }

    fn block_distance<R: Real<Literal = L>>(&self, block: &BlockMoments<R>, target: Target<R>) -> Result<DistanceGradient<R>, Error> {
        let predicted =
            Predicted { mean: block.mean(), variance: block.variance(self.variance), log_variance: block.variance(self.log_variance) };
        distance_gradient(self.distance, predicted, target, &self.stabilisers)
    }

    fn check_blocks(&self, found: usize) -> Result<(), Error> {
        let required = self.scheme.least_blocks();
        if found < required {
            return Err(Error::TooFewBlocks { scheme: self.scheme.name(), required, found });
        }
        Ok(())
    }
}

fn check_target<R: Real>(target: Target<R>) -> Result<(), Error> {
    check_range("target mean", target.mean, 0.0, 1.0)?;
    check_range("target standard deviation", target.std, 0.0, 1.0)
}

fn finite<R: Real>(name: &'static str, value: R) -> Result<R, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { name, value: value.to_f64() }) }
}

/// The loss of one group, ready to give the gradient of each of its blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GroupLoss<R: Scalar> {
    loss: Loss<R::Literal>,
    target: Target<R>,
    blocks: u32,
    mean: R,
    value: R,
    /// Derivatives by the group's moments; `None` for scheme intra, where each block has its own.
    by_moments: Option<DistanceGradient<R>>,
}

impl<R: Real> GroupLoss<R> {
    /// The value of the loss.
    pub fn value(&self) -> R {
        self.value
    }

    /// Derivatives by the group's mean and variance; `None` for scheme intra.
    pub fn by_moments(&self) -> Option<DistanceGradient<R>> {
        self.by_moments
    }

    /// The derivative of the group's loss by the probabilities of one of its blocks.
    ///
    /// # Errors
    /// [`Error::NotFinite`].
    pub fn pixel_gradient(&self, block: &BlockMoments<R>) -> Result<PixelGradient<R>, Error> {
        let (one, two) = (R::from_f64(1.0), R::from_f64(2.0));
        let n = R::from_count(block.pixels());
        let blocks = R::from_count(self.blocks);
        let scheme = self.loss.scheme;
        let by = match self.by_moments {
            Some(by) => by,
            None => self.loss.block_distance(block, self.target)?,
        };
        let mut through_mean = by.d_mean;
        if scheme != Scheme::Intra {
            through_mean = through_mean + (by.d_variance + by.d_log_variance) * two * (block.mean() - self.mean);
        }
        let mut through_pixels = R::from_f64(0.0);
        if scheme != Scheme::Inter {
            let per_pixel = |model| match model {
                VarianceModel::CountFraction => one / n,
                VarianceModel::BernoulliMean => one,
            };
            through_pixels = by.d_variance * per_pixel(self.loss.variance) + by.d_log_variance * per_pixel(self.loss.log_variance);
        }
        let share = one / (blocks * n);
        PixelGradient { at_zero: share * (through_mean + through_pixels), slope: -two * share * through_pixels }.checked()
    }
}

/// dL/dp of every pixel of a block: a straight line in the pixel's own probability p.
///
/// ```
/// use lsr_core::PixelGradient;
/// let line = PixelGradient { at_zero: 0.5_f32, slope: -1.0 };
/// let mut gradient = [9.0; 3];
/// line.fill(&[0.0, 0.25, 1.0], Some(&[true, true, false]), &mut gradient)?;
/// assert_eq!(gradient, [0.5, 0.25, 0.0]); // a pixel that is not valid has none
/// # Ok::<(), lsr_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PixelGradient<R> {
    /// dL/dp where p = 0.
    pub at_zero: R,
    /// Its change with p.
    pub slope: R,
}

impl<R: Real> PixelGradient<R> {
    /// Finite for every p in [0, 1]: a straight line is if its ends are.
    fn checked(self) -> Result<Self, Error> {
        finite("gradient", self.at_zero)?;
        finite("gradient", self.slope)?;
        finite("gradient", self.at_zero + self.slope)?;
        Ok(self)
    }

    /// dL/dp at a pixel of probability p in [0, 1] (not checked; [`PixelGradient::fill`] does).
    pub fn at(&self, probability: R) -> R {
        self.at_zero + self.slope * probability
    }

    /// The gradient of a weighted loss.
    #[must_use]
    pub fn weighted(self, weight: R) -> Self {
        Self { at_zero: self.at_zero * weight, slope: self.slope * weight }
    }

    /// Writes the gradient of every pixel; pixels that are not valid get 0. Without `valid` all are.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::ProbabilityOutOfRange`] for a valid pixel (those before it have been written).
    pub fn fill(&self, probabilities: &[R], valid: Option<&[bool]>, gradient: &mut [R]) -> Result<(), Error> {
        let expected = probabilities.len();
        if gradient.len() != expected {
            return Err(Error::LengthMismatch { name: "gradient", expected, found: gradient.len() });
        }
        if let Some(mask) = valid
            && mask.len() != expected
        {
            return Err(Error::LengthMismatch { name: "validity mask", expected, found: mask.len() });
        }
        let (zero, one) = (R::from_f64(0.0), R::from_f64(1.0));
        for (index, (slot, &p)) in gradient.iter_mut().zip(probabilities).enumerate() {
            if valid.is_some_and(|mask| !mask[index]) {
                *slot = zero;
                continue;
            }
            if !(p >= zero && p <= one) {
                return Err(Error::ProbabilityOutOfRange { index, value: p.to_f64() });
            }
            *slot = self.at(p);
        }
        Ok(())
    }
}
