//! Counts: the moments of a block's predicted count, and of the counts of a group of blocks.
//!
//! Block k with n valid pixels, network probabilities p_i of one class:
//!
//! ```text
//! mu_k = (1/n)   sum_i p_i                                                      Eq. 3
//! v_k  = (1/n^2) sum_i p_i (1 - p_i)      VarianceModel::CountFraction
//! v_k  = (1/n)   sum_i p_i (1 - p_i)      VarianceModel::BernoulliMean          Eq. 3 as printed
//! ```
//!
//! Group of N blocks of one label z:
//!
//! ```text
//! mean m            = mean_k mu_k                                               Eq. 8
//! between-variance  = mean_k (mu_k - m)^2                                       Eq. 8
//! within-variance   = mean_k v_k                                                Eq. 11, first term
//! ```
//!
//! # Errata
//!
//! | the paper says | what is true | what we do |
//! |---|---|---|
//! | Eq. 3 divides the variance by \|X\| | Eq. 1 makes the count a mean of \|X\| Bernoullis, whose variance divides by \|X\|^2; both published codes do | `CountFraction` is the default; `BernoulliMean` is there for comparison |
//! | with Eq. 3, Eq. 11 adds a between-block term | with Eq. 3 as printed S = m(1-m) - mean_k Var_within(p): the between-block term cancels out, "inter" adds nothing | the same |

use crate::{Error, Real};

/// How the variance of one block's count follows from its pixels (see the module's errata).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum VarianceModel {
    /// `(1/n^2) sum p (1-p)`: the variance of the mean of n independent Bernoulli pixels.
    #[default]
    CountFraction,
    /// `(1/n) sum p (1-p)`: Eq. 3 as printed.
    BernoulliMean,
}

/// A running sum with Neumaier's compensation: a block of 240 x 240 probabilities summed naively in f32 loses four digits.
#[derive(Debug, Clone, Copy)]
struct CompensatedSum<R> {
    sum: R,
    lost: R,
}

impl<R: Real> CompensatedSum<R> {
    fn new() -> Self {
        let zero = R::from_f64(0.0);
        Self { sum: zero, lost: zero }
    }

    /// Adds a value that is not negative (the sum never is, so the larger operand is known by one comparison).
    fn add(&mut self, value: R) {
        let total = self.sum + value;
        self.lost = self.lost + if self.sum >= value { (self.sum - total) + value } else { (value - total) + self.sum };
        self.sum = total;
    }

    fn total(self) -> R {
        self.sum + self.lost
    }
}

/// Collects the probabilities of one block, pixel by pixel.
#[derive(Debug, Clone, Copy)]
pub struct BlockAccumulator<R> {
    seen: usize,
    pixels: u32,
    probability: CompensatedSum<R>,
    bernoulli: CompensatedSum<R>,
}

impl<R: Real> BlockAccumulator<R> {
    /// Nothing collected yet.
    pub fn new() -> Self {
        Self { seen: 0, pixels: 0, probability: CompensatedSum::new(), bernoulli: CompensatedSum::new() }
    }

    /// Adds a pixel; one that is not valid is only counted for messages, whatever its probability.
    ///
    /// # Errors
    /// [`Error::ProbabilityOutOfRange`]; [`Error::TooMany`] beyond 2^32 - 1 pixels.
    pub fn push(&mut self, probability: R, valid: bool) -> Result<(), Error> {
        let index = self.seen;
        self.seen = self.seen.saturating_add(1);
        if !valid {
            return Ok(());
        }
        let one = R::from_f64(1.0);
        if !(probability >= R::from_f64(0.0) && probability <= one && probability.is_finite()) {
            return Err(Error::ProbabilityOutOfRange { index, value: probability.to_f64() });
        }
        self.pixels = self.pixels.checked_add(1).ok_or(Error::TooMany { name: "pixels", capacity: u32::MAX as usize, found: index })?;
        self.probability.add(probability);
        self.bernoulli.add(probability * (one - probability));
        Ok(())
    }

    /// The block's moments.
    ///
    /// # Errors
    /// [`Error::EmptyBlock`].
    pub fn finish(self) -> Result<BlockMoments<R>, Error> {
        if self.pixels == 0 {
            return Err(Error::EmptyBlock { pixels: self.seen });
        }
        let n = R::from_count(self.pixels);
        Ok(BlockMoments { pixels: self.pixels, mean: self.probability.total() / n, bernoulli: self.bernoulli.total() / n })
    }
}

impl<R: Real> Default for BlockAccumulator<R> {
    fn default() -> Self {
        Self::new()
    }
}

/// Integer sums of a block's u8 probabilities `p = q / 255`: exact, mergeable, without floating point.
///
/// ```
/// use lsr_core::U8Sums;
/// let (mut first, mut second) = (U8Sums::default(), U8Sums::default());
/// first.push_row(&[1, 2]);
/// second.push(10);
/// assert_eq!(first.merge(second), U8Sums { pixels: 3, sum: 13, sum_of_squares: 105 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct U8Sums {
    /// Valid pixels n.
    pub pixels: u32,
    /// Sum of q.
    pub sum: u64,
    /// Sum of q^2.
    pub sum_of_squares: u64,
}

impl U8Sums {
    /// Adds a row of pixels. Pixels beyond 2^32 - 1 are an error of [`BlockMoments::from_u8_sums`], not of this hot loop.
    pub fn push_row(&mut self, row: &[u8]) {
        // 32-bit sums within a chunk: 2^16 * 255^2 < 2^32.
        for chunk in row.chunks(1 << 16) {
            let (mut sum, mut squares) = (0_u32, 0_u32);
            for &q in chunk {
                let q = u32::from(q);
                sum += q;
                squares += q * q;
            }
            self.pixels = self.pixels.saturating_add(chunk.len() as u32);
            self.sum = self.sum.saturating_add(u64::from(sum));
            self.sum_of_squares = self.sum_of_squares.saturating_add(u64::from(squares));
        }
    }

    /// Adds one pixel.
    pub fn push(&mut self, q: u8) {
        self.push_row(&[q]);
    }

    /// The sums of both sets of pixels together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            pixels: self.pixels.saturating_add(other.pixels),
            sum: self.sum.saturating_add(other.sum),
            sum_of_squares: self.sum_of_squares.saturating_add(other.sum_of_squares),
        }
    }
}

/// Moments of one block's predicted count of one class: valid pixels n, mean, and mean Bernoulli variance.
///
/// ```
/// use lsr_core::{BlockMoments, VarianceModel};
/// let block = BlockMoments::from_probabilities(&[0.2_f64, 0.6, 1.0]).unwrap();
/// assert_eq!(block.pixels(), 3);
/// assert!((block.mean() - 0.6).abs() < 1e-15);
/// // sum p (1-p) = 0.16 + 0.24 + 0 = 0.40
/// assert!((block.variance(VarianceModel::BernoulliMean) - 0.40 / 3.0).abs() < 1e-15);
/// assert!((block.variance(VarianceModel::CountFraction) - 0.40 / 9.0).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BlockMoments<R> {
    pixels: u32,
    mean: R,
    bernoulli: R,
}

impl<R: Real> BlockMoments<R> {
    /// Moments of a block whose pixels are all valid.
    ///
    /// # Errors
    /// [`Error::ProbabilityOutOfRange`] with the pixel's index; [`Error::EmptyBlock`].
    pub fn from_probabilities(probabilities: &[R]) -> Result<Self, Error> {
        Self::from_masked(probabilities.iter().map(|&p| (p, true)))
    }

    /// Moments from `(probability, valid)` pairs; pixels that are not valid do not count.
    ///
    /// # Errors
    /// As [`BlockMoments::from_probabilities`].
    pub fn from_masked(pixels: impl IntoIterator<Item = (R, bool)>) -> Result<Self, Error> {
        let mut block = BlockAccumulator::new();
        for (probability, valid) in pixels {
            block.push(probability, valid)?;
        }
        block.finish()
    }

    /// Moments from u8 probabilities `q / 255`, through integer sums: each moment is rounded once, at its end.
    ///
    /// ```
    /// use lsr_core::{BlockMoments, VarianceModel};
    /// let block = BlockMoments::<f64>::from_u8(&[0, 255, 51, 51]).unwrap();
    /// assert_eq!(block.mean(), 357.0 / 1020.0);
    /// ```
    ///
    /// # Errors
    /// [`Error::EmptyBlock`].
    pub fn from_u8(probabilities: &[u8]) -> Result<Self, Error> {
        let mut sums = U8Sums::default();
        sums.push_row(probabilities);
        Self::from_u8_sums(sums)
    }

    /// Moments from integer sums (from a device, or collected row by row).
    ///
    /// # Errors
    /// [`Error::EmptyBlock`]; [`Error::ImpossibleMoments`] for sums that no n bytes have; [`Error::TooMany`] beyond 2^32 - 2 pixels.
    pub fn from_u8_sums(sums: U8Sums) -> Result<Self, Error> {
        let U8Sums { pixels, sum, sum_of_squares } = sums;
        if pixels == 0 {
            return Err(Error::EmptyBlock { pixels: 0 });
        }
        if pixels == u32::MAX {
            return Err(Error::TooMany { name: "pixels", capacity: u32::MAX as usize - 1, found: pixels as usize });
        }
        let n = u64::from(pixels);
        if sum > 255 * n {
            return Err(Error::ImpossibleMoments { name: "sum of q", value: sum as f64 });
        }
        // q <= q^2 <= 255 q for every byte; and (sum q)^2 <= n sum q^2 (Cauchy-Schwarz).
        let cauchy = u128::from(sum) * u128::from(sum) <= u128::from(n) * u128::from(sum_of_squares);
        if sum_of_squares > 255 * sum || sum_of_squares < sum || !cauchy {
            return Err(Error::ImpossibleMoments { name: "sum of q^2", value: sum_of_squares as f64 });
        }
        Ok(Self {
            pixels,
            mean: R::from_ratio(sum, 255 * n),
            // p (1-p) = (255 q - q^2) / 255^2
            bernoulli: R::from_ratio(255 * sum - sum_of_squares, 65_025 * n),
        })
    }

    /// Moments that were computed elsewhere: n, mean and mean of p(1-p).
    ///
    /// # Errors
    /// [`Error::EmptyBlock`]; [`Error::ImpossibleMoments`] unless `0 <= mean <= 1` and `0 <= bernoulli <= mean (1 - mean)` up to rounding.
    pub fn from_parts(pixels: u32, mean: R, bernoulli: R) -> Result<Self, Error> {
        let (zero, one) = (R::from_f64(0.0), R::from_f64(1.0));
        if pixels == 0 {
            return Err(Error::EmptyBlock { pixels: 0 });
        }
        if !(mean >= zero && mean <= one && mean.is_finite()) {
            return Err(Error::ImpossibleMoments { name: "mean", value: mean.to_f64() });
        }
        let bound = mean * (one - mean) + R::from_f64(1e-6);
        if !(bernoulli >= zero && bernoulli <= bound && bernoulli.is_finite()) {
            return Err(Error::ImpossibleMoments { name: "bernoulli variance", value: bernoulli.to_f64() });
        }
        Ok(Self { pixels, mean, bernoulli })
    }

    /// Number of valid pixels n.
    pub fn pixels(&self) -> u32 {
        self.pixels
    }

    /// Predicted count mu_k, a fraction of the valid pixels.
    pub fn mean(&self) -> R {
        self.mean
    }

    /// Variance v_k of the count.
    pub fn variance(&self, model: VarianceModel) -> R {
        match model {
            VarianceModel::CountFraction => self.bernoulli / R::from_count(self.pixels),
            VarianceModel::BernoulliMean => self.bernoulli,
        }
    }
}

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
        let from_old_mean = block.mean - self.mean;
        self.mean = self.mean + from_old_mean / R::from_count(self.blocks);
        self.m2 = self.m2 + from_old_mean * (block.mean - self.mean);
        self.count_fraction_sum = self.count_fraction_sum + block.variance(VarianceModel::CountFraction);
        self.bernoulli_sum = self.bernoulli_sum + block.bernoulli;
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
