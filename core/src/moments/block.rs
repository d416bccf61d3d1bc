//! The predicted count of one block, from its pixels' probabilities.

use super::{U8Sums, VarianceModel};
use crate::{Error, Real};

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
        // Least where all bytes are as equal as a sum allows, and most where they are 0 and 255 but for one; q and q^2 are odd together.
        let (equal, over) = (sum / n, sum % n);
        let least = sum * equal + over * (equal + 1);
        let (full, rest) = (sum / 255, sum % 255);
        let most = 65_025 * full + rest * rest;
        if sum_of_squares < least || sum_of_squares > most || (sum ^ sum_of_squares) & 1 == 1 {
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
