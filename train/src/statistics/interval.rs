//! Percentile intervals, and means of which a part may not be defined.

use serde::{Deserialize, Serialize};

/// Share of the resamples that lies inside an interval.
pub(super) const CONFIDENCE: f64 = 0.95;

/// Share of the resamples in which a figure must be defined for an interval of it to be given: as much as one end of the interval leaves out.
const LEAST_DEFINED: f64 = 0.975;

/// From the 2.5th to the 97.5th percentile of the resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// `None` where more than 2.5 % of the resamples are not defined: leaving them out would cut one end off unseen.
    pub(super) fn of(values: &[Option<f64>]) -> Option<Self> {
        let mut defined: Vec<f64> = values.iter().copied().flatten().collect();
        if defined.is_empty() || (defined.len() as f64) < LEAST_DEFINED * values.len() as f64 {
            return None;
        }
        defined.sort_by(f64::total_cmp);
        let tail = (1.0 - CONFIDENCE) / 2.0;
        Some(Self { low: quantile(&defined, tail), high: quantile(&defined, 1.0 - tail) })
    }
}

/// Quantile of sorted values, of which there is one at least, linear between neighbours (type 7 of Hyndman and Fan 1996).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

/// Mean; `None` where a value is not defined or there is none.
pub(super) fn mean(values: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let count = values.len();
    (count > 0).then_some(())?;
    Some(values.sum::<Option<f64>>()? / count as f64)
}

/// Standard deviation with n - 1; `None` where a value is not defined or there are fewer than two.
pub(super) fn standard_deviation(values: &[Option<f64>]) -> Option<f64> {
    (values.len() > 1).then_some(())?;
    let mean = mean(values.iter().copied())?;
    let squares = values.iter().map(|value| value.map(|v| (v - mean) * (v - mean))).sum::<Option<f64>>()?;
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let values: Vec<Option<f64>> = (0..=1000).rev().map(|i| Some(f64::from(i))).collect();
        let interval = Interval::of(&values).unwrap();
        assert!((interval.low - 25.0).abs() < 1e-9 && (interval.high - 975.0).abs() < 1e-9);
        assert!((quantile(&[1.0, 2.0, 4.0], 0.75) - 3.0).abs() < 1e-12);
        assert_eq!(quantile(&[5.0], 0.975), 5.0);
    }

    #[test]
    fn an_interval_needs_nearly_all_resamples() {
        let with_undefined = |undefined: usize| (0..200).map(|i| (i >= undefined).then_some(1.0)).collect::<Vec<_>>();
        assert!(Interval::of(&with_undefined(5)).is_some());
        assert!(Interval::of(&with_undefined(6)).is_none());
        assert!(Interval::of(&[]).is_none());
    }

    #[test]
    fn means_and_deviations_do_not_pass_over_what_is_undefined() {
        assert_eq!(mean([Some(1.0), Some(3.0)].into_iter()), Some(2.0));
        assert_eq!(mean([Some(1.0), None].into_iter()), None);
        assert_eq!(mean([].into_iter()), None);
        assert_eq!(standard_deviation(&[Some(1.0), Some(3.0)]), Some(2.0_f64.sqrt()));
        assert_eq!(standard_deviation(&[Some(1.0)]), None);
        assert_eq!(standard_deviation(&[Some(1.0), None]), None);
    }
}
