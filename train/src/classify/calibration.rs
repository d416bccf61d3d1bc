//! One temperature for all logits, and how far the probabilities can be believed.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Bins of the reliability table, of equal width.
const BINS: usize = 10;
/// Temperatures that are looked for. Logits that separate the labels without an error would have 0, and logits that say nothing infinity.
const TEMPERATURES: (f64, f64) = (0.05, 100.0);

/// One bin of probabilities: are as many of its blocks cancer as the classifier says?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReliabilityBin {
    /// Smallest probability of the bin.
    pub lower: f64,
    /// Its upper end, which only the last bin holds itself.
    pub upper: f64,
    /// Blocks in it.
    pub n: usize,
    /// Their mean probability; nothing where there is no block.
    pub confidence: Option<f64>,
    /// Fraction of them that is cancer.
    pub frequency: Option<f64>,
}

/// What the classifier's probabilities are worth, measured on blocks of images that the network had not seen: `calibration.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of lsr-train.
    pub version: String,
    /// Logits are divided by this.
    pub temperature: f64,
    /// Blocks that were judged.
    pub blocks: usize,
    /// Those of them that are cancer.
    pub cancer: usize,
    /// Area under the ROC curve; the temperature does not change it.
    pub auc: f64,
    /// Fraction of blocks on the right side of a probability of 0.5; the temperature does not change it.
    pub accuracy: f64,
    /// Mean negative log-likelihood in nats, with a temperature of 1.
    pub nll_before: f64,
    /// The same with the temperature.
    pub nll_after: f64,
    /// Expected calibration error over ten bins of equal width, with a temperature of 1.
    pub ece_before: f64,
    /// The same with the temperature.
    pub ece_after: f64,
    /// The ten bins, with the temperature.
    pub reliability: Vec<ReliabilityBin>,
}

impl Calibration {
    /// Finds the temperature of out-of-fold logits and measures the probabilities before and after.
    ///
    /// # Errors
    /// Blocks of one kind only; a logit that is no number.
    pub(super) fn of(logits: &[f64], cancer: &[bool]) -> Result<Self> {
        if let Some(bad) = logits.iter().find(|logit| !logit.is_finite()) {
            return Err(Error::setting("logit", "a finite number from every network (try a smaller --learning-rate)", bad));
        }
        let positive = cancer.iter().filter(|&&c| c).count();
        if logits.len() != cancer.len() || positive == 0 || positive == cancer.len() {
            let found = format!("{positive} cancer blocks of {}", cancer.len());
            return Err(Error::setting("labels", "cancer blocks and others", found));
        }
        let temperature = temperature(logits, cancer);
        let probabilities = |t: f64| logits.iter().map(|logit| sigmoid(logit / t)).collect::<Vec<f64>>();
        let (before, after) = (reliability(&probabilities(1.0), cancer), reliability(&probabilities(temperature), cancer));
        let right = logits.iter().zip(cancer).filter(|&(&logit, &cancer)| (logit >= 0.0) == cancer).count();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            temperature,
            blocks: logits.len(),
            cancer: positive,
            auc: auc(logits, cancer),
            accuracy: right as f64 / logits.len() as f64,
            nll_before: negative_log_likelihood(logits, cancer, 1.0),
            nll_after: negative_log_likelihood(logits, cancer, temperature),
            ece_before: expected_error(&before),
            ece_after: expected_error(&after),
            reliability: after,
        })
    }

    /// The probability that a logit stands for.
    pub(super) fn probability(&self, logit: f64) -> f64 {
        sigmoid(logit / self.temperature)
    }

    /// Whether the logits ask for a temperature beyond the limits: they separate the labels, or say next to nothing about them.
    pub fn at_limit(&self) -> bool {
        self.temperature <= TEMPERATURES.0 || self.temperature >= TEMPERATURES.1
    }

    /// The report for the terminal.
    pub fn table(&self) -> String {
        let mut text = format!("  {:<13} {:>7}  {:>16}  {:>16}\n", "probability", "blocks", "mean probability", "fraction cancer");
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.4}"));
        for bin in &self.reliability {
            let interval = format!("{:.2} to {:.2}", bin.lower, bin.upper);
            let (confidence, frequency) = (number(bin.confidence), number(bin.frequency));
            text.push_str(&format!("  {interval:<13} {:>7}  {confidence:>16}  {frequency:>16}\n", bin.n));
        }
        text.push_str(&format!(
            "  out of fold: {} blocks ({} cancer), AUC {:.4}, accuracy {:.4}; temperature {:.3}\n",
            self.blocks, self.cancer, self.auc, self.accuracy, self.temperature
        ));
        text.push_str(&format!(
            "  calibration error {:.4} before and {:.4} after; negative log-likelihood {:.4} before and {:.4} after\n",
            self.ece_before, self.ece_after, self.nll_before, self.nll_after
        ));
        text
    }
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The temperature T of the largest likelihood. In b = 1/T the negative log-likelihood is convex and its slope `mean((sigmoid(b s) - y) s)`
/// ascends, so halving an interval finds the root to the last bit.
fn temperature(logits: &[f64], cancer: &[bool]) -> f64 {
    let slope = |b: f64| {
        let terms = logits.iter().zip(cancer).map(|(&s, &y)| (sigmoid(b * s) - f64::from(u8::from(y))) * s);
        terms.sum::<f64>()
    };
    let (mut low, mut high) = (1.0 / TEMPERATURES.1, 1.0 / TEMPERATURES.0);
    if slope(low) >= 0.0 {
        return TEMPERATURES.1;
    }
    if slope(high) <= 0.0 {
        return TEMPERATURES.0;
    }
    // Each round halves the interval: 60 leave 2e-17 of it.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    2.0 / (low + high)
}

fn negative_log_likelihood(logits: &[f64], cancer: &[bool], temperature: f64) -> f64 {
    let terms = logits.iter().zip(cancer).map(|(&logit, &cancer)| {
        let wrong = (if cancer { -logit } else { logit }) / temperature;
        wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
    });
    terms.sum::<f64>() / logits.len() as f64
}

fn reliability(probabilities: &[f64], cancer: &[bool]) -> Vec<ReliabilityBin> {
    let mut sums = [(0_usize, 0.0_f64, 0_usize); BINS];
    for (&probability, &cancer) in probabilities.iter().zip(cancer) {
        let (n, confidence, positive) = &mut sums[((probability * BINS as f64) as usize).min(BINS - 1)];
        *n += 1;
        *confidence += probability;
        *positive += usize::from(cancer);
    }
    let bin = |(i, (n, confidence, positive)): (usize, (usize, f64, usize))| ReliabilityBin {
        lower: i as f64 / BINS as f64,
        upper: (i + 1) as f64 / BINS as f64,
        n,
        confidence: (n > 0).then(|| confidence / n as f64),
        frequency: (n > 0).then(|| positive as f64 / n as f64),
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// Expected calibration error: `sum over bins of n / N |mean probability - fraction of cancer|`.
fn expected_error(bins: &[ReliabilityBin]) -> f64 {
    let all: usize = bins.iter().map(|bin| bin.n).sum();
    let gap = |bin: &ReliabilityBin| Some((bin.confidence? - bin.frequency?).abs() * bin.n as f64);
    bins.iter().filter_map(gap).sum::<f64>() / all as f64
}

/// Probability that a cancer block has a higher logit than another one, ties counted half (Mann and Whitney 1947).
fn auc(logits: &[f64], cancer: &[bool]) -> f64 {
    let mut ordered: Vec<(f64, bool)> = logits.iter().copied().zip(cancer.iter().copied()).collect();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut pairs, mut below) = (0.0, 0.0);
    for tie in ordered.chunk_by(|a, b| a.0 == b.0) {
        let positive = tie.iter().filter(|(_, cancer)| *cancer).count() as f64;
        let negative = tie.len() as f64 - positive;
        pairs += positive * (below + 0.5 * negative);
        below += negative;
    }
    pairs / (below * (logits.len() as f64 - below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// Labels drawn from `sigmoid(s)`, and logits that are `s` times a known temperature.
    fn overconfident(temperature: f64, n: usize) -> (Vec<f64>, Vec<bool>) {
        let mut random = ChaCha8Rng::seed_from_u64(9);
        (0..n)
            .map(|_| {
                let s = 8.0 * random.random::<f64>() - 4.0;
                (temperature * s, random.random::<f64>() < sigmoid(s))
            })
            .unzip()
    }

    #[test]
    fn a_known_temperature_is_found() {
        for expected in [0.4, 1.0, 3.0] {
            let (logits, cancer) = overconfident(expected, 40_000);
            let found = Calibration::of(&logits, &cancer).unwrap();
            // The standard error of 1/T is 1 / sqrt(n E[s^2 p (1 - p)]) = 0.008 here.
            assert!((found.temperature / expected - 1.0).abs() < 0.025, "{} for {expected}", found.temperature);
            assert!(found.ece_after < 0.01 && found.nll_after <= found.nll_before, "{found:?}");
            assert!(expected != 3.0 || found.ece_before > 0.05);
            // The optimum is one: a small step to either side is worse.
            let at = |t: f64| negative_log_likelihood(&logits, &cancer, t);
            assert!(at(found.temperature) < at(found.temperature * 1.001) && at(found.temperature) < at(found.temperature / 1.001));
        }
    }

    #[test]
    fn logits_beyond_any_temperature_end_at_the_limits() {
        let separable = Calibration::of(&[-3.0, -1.0, 1.0, 3.0], &[false, false, true, true]).unwrap();
        assert!(separable.temperature == TEMPERATURES.0 && separable.at_limit() && separable.auc == 1.0 && separable.accuracy == 1.0);
        let inverted = Calibration::of(&[-3.0, -1.0, 1.0, 3.0], &[true, true, false, false]).unwrap();
        assert!(inverted.temperature == TEMPERATURES.1 && inverted.at_limit() && inverted.auc == 0.0);
        assert!(Calibration::of(&[1.0, 2.0], &[true, true]).is_err());
        assert!(Calibration::of(&[1.0, f64::NAN], &[true, false]).unwrap_err().to_string().contains("NaN"));
    }

    #[test]
    fn area_reliability_and_error_are_those_counted_by_hand() {
        // Pairs (cancer, other): 2 > 0, 2 > 1, 1 > 0 and a tie of 1 and 1.
        assert_eq!(auc(&[0.0, 1.0, 1.0, 2.0], &[false, false, true, true]), 3.5 / 4.0);
        let bins = reliability(&[0.0, 0.05, 0.95, 1.0, 0.5], &[false, true, true, true, false]);
        assert_eq!((bins[0].n, bins[0].confidence, bins[0].frequency), (2, Some(0.025), Some(0.5)));
        assert_eq!((bins[9].n, bins[9].confidence, bins[9].frequency), (2, Some(0.975), Some(1.0)));
        assert_eq!((bins[5].n, bins[5].frequency, bins[1].n, bins[1].confidence), (1, Some(0.0), 0, None));
        let expected = (2.0 * 0.475 + 2.0 * 0.025 + 0.5) / 5.0;
        assert!((expected_error(&bins) - expected).abs() < 1e-12);
    }
}
