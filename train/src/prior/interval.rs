//! How well a few blocks pin down a mean and a standard deviation.

use statrs::distribution::{ChiSquared, ContinuousCDF, StudentsT};

/// Share of repetitions in which an interval holds the true value.
const CONFIDENCE: f64 = 0.95;

/// A 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Of the mean of `n` fractions with sample standard deviation `std`: mean +- t std / sqrt(n), Student's t with n - 1 degrees of freedom,
    /// cut to [0, 1]. None for a single value. Where the
    /// probability tells the count, stratified blocks miss the mean by less than this assumes: it is then too wide.
    pub(super) fn of_mean(mean: f64, std: f64, n: usize) -> Option<Self> {
        let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)? as f64;
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.5 + CONFIDENCE / 2.0);
        let half = t * std / (n as f64).sqrt();
        Some(Self { low: (mean - half).max(0.0), high: (mean + half).min(1.0) })
    }

    /// Of the standard deviation: (n - 1) std^2 / sigma^2 is chi-square distributed with n - 1 degrees of freedom where the counts are Gaussian.
    /// Counts that crowd at 0 or 1 are not: the interval is then rather too narrow. None for a single value.
    pub(super) fn of_std(std: f64, n: usize) -> Option<Self> {
        let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)? as f64;
        let chi_square = ChiSquared::new(freedom).ok()?;
        let end = |probability: f64| std * (freedom / chi_square.inverse_cdf(probability)).sqrt();
        Some(Self { low: end(0.5 + CONFIDENCE / 2.0), high: end(0.5 - CONFIDENCE / 2.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles from printed tables (t: 2.201, 12.706; chi-square: 3.816, 21.920 and 0.000982, 5.024), so only their digits count.
    #[test]
    fn intervals_follow_the_printed_quantiles() {
        let mean = Interval::of_mean(0.5, 0.1, 12).unwrap();
        assert!((mean.high - (0.5 + 2.201 * 0.1 / 12_f64.sqrt())).abs() < 1e-5, "{mean:?}");
        assert!((mean.low + mean.high - 1.0).abs() < 1e-12);
        let std = Interval::of_std(0.1, 12).unwrap();
        assert!((std.low - 0.1 * (11.0 / 21.920_f64).sqrt()).abs() < 1e-5, "{std:?}");
        assert!((std.high - 0.1 * (11.0 / 3.816_f64).sqrt()).abs() < 1e-4, "{std:?}");
        let two = Interval::of_std(0.01, 2).unwrap();
        assert!((two.low - 0.01 / 5.024_f64.sqrt()).abs() < 1e-5 && (two.high - 0.01 / 0.000_982_f64.sqrt()).abs() < 1e-3, "{two:?}");
        let cut = Interval::of_mean(0.5, 0.1, 2).unwrap();
        assert!((cut.low, cut.high) == (0.0, 1.0), "12.706 x 0.1 / sqrt 2 reaches beyond [0, 1]: {cut:?}");
    }

    #[test]
    fn a_single_value_has_no_interval() {
        assert_eq!((Interval::of_mean(0.5, 0.0, 1), Interval::of_std(0.0, 1), Interval::of_mean(0.5, 0.0, 0)), (None, None, None));
    }
}
