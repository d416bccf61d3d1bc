//! How good is a mask: confusion counts inside a region, and the ratios made from them.

/// Pixels by predicted and true class, counted inside a region. Merging is exact, so images may be scored in any order and anywhere.
///
/// ```
/// use lsr_core::Confusion;
/// let predicted = [true, true, false, false, true];
/// let truth = [true, false, true, false, true];
/// let region = [true, true, true, true, false]; // the last pixel does not count
/// let score = Confusion::from_masks(&predicted, &truth, &region).unwrap();
/// assert_eq!(score.iou(), Some(1.0 / 3.0));
/// assert_eq!(score.dice(), Some(0.5));
/// assert_eq!(Confusion::default().iou(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Confusion {
    /// Predicted and true.
    pub true_positive: u64,
    /// Predicted, not true.
    pub false_positive: u64,
    /// True, not predicted.
    pub false_negative: u64,
    /// Neither.
    pub true_negative: u64,
}

impl Confusion {
    /// Counts one pixel of the region.
    pub fn push(&mut self, predicted: bool, truth: bool) {
        let cell = match (predicted, truth) {
            (true, true) => &mut self.true_positive,
            (true, false) => &mut self.false_positive,
            (false, true) => &mut self.false_negative,
            (false, false) => &mut self.true_negative,
        };
        *cell = cell.saturating_add(1);
    }

    /// Counts the pixels where `region` is true.
    ///
    /// # Errors
    /// [`crate::Error::LengthMismatch`] when the three are not equally long.
    pub fn from_masks(predicted: &[bool], truth: &[bool], region: &[bool]) -> Result<Self, crate::Error> {
        for (name, found) in [("truth", truth.len()), ("region", region.len())] {
            if found != predicted.len() {
                return Err(crate::Error::LengthMismatch { name, expected: predicted.len(), found });
            }
        }
        let mut counts = Self::default();
        for ((&predicted, &truth), _) in predicted.iter().zip(truth).zip(region).filter(|(_, inside)| **inside) {
            counts.push(predicted, truth);
        }
        Ok(counts)
    }

    /// Both together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            true_positive: self.true_positive.saturating_add(other.true_positive),
            false_positive: self.false_positive.saturating_add(other.false_positive),
            false_negative: self.false_negative.saturating_add(other.false_negative),
            true_negative: self.true_negative.saturating_add(other.true_negative),
        }
    }

    /// Pixels counted.
    pub fn pixels(&self) -> u64 {
        self.true_positive.saturating_add(self.false_positive).saturating_add(self.false_negative).saturating_add(self.true_negative)
    }

    /// Intersection over union, `TP / (TP + FP + FN)`; `None` where nothing is predicted and nothing is true.
    pub fn iou(&self) -> Option<f64> {
        ratio(self.true_positive, &[self.true_positive, self.false_positive, self.false_negative])
    }

    /// Dice coefficient, `2 TP / (2 TP + FP + FN)`; `None` where nothing is predicted and nothing is true.
    pub fn dice(&self) -> Option<f64> {
        let twice = self.true_positive.saturating_mul(2);
        ratio(twice, &[twice, self.false_positive, self.false_negative])
    }

    /// `TP / (TP + FP)`; `None` where nothing is predicted.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, &[self.true_positive, self.false_positive])
    }

    /// `TP / (TP + FN)`; `None` where nothing is true.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, &[self.true_positive, self.false_negative])
    }

    /// `(TP + TN) / all`; `None` for an empty region.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_positive.saturating_add(self.true_negative), &[self.pixels()])
    }
}

fn ratio(numerator: u64, parts: &[u64]) -> Option<f64> {
    let denominator = parts.iter().fold(0_u64, |sum, &part| sum.saturating_add(part));
    (denominator > 0).then(|| numerator as f64 / denominator as f64)
}
