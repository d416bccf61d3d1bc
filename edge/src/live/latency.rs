//! How long a field takes from being seen to being shown, stage by stage.

use crate::error::Error;
use crate::session::StageTimes;
use hdrhistogram::Histogram;
use serde::Serialize;
use utoipa::ToSchema;

/// The stages of [`StageTimes`], then writing a field and telling of it, then everything.
const STAGES: [&str; 8] = ["capture", "decode", "inference", "mask", "encode", "store", "publish", "total"];
/// Times beyond this count as this, microseconds.
const LONGEST_US: u64 = 600_000_000;

/// Histograms of fixed size.
#[derive(Debug)]
pub struct Latency([Histogram<u64>; STAGES.len()]);

/// The times of a stage, milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StageLatency {
    /// `capture`, `decode`, `inference`, `mask`, `encode`, `store`, `publish` or `total`.
    pub stage: String,
    /// Fields.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 95 % are below.
    pub p95_ms: f64,
    /// 99 % are below.
    pub p99_ms: f64,
    /// Longest.
    pub max_ms: f64,
}

impl Latency {
    /// Nothing yet.
    ///
    /// # Errors
    /// [`Error::Bench`] for bounds that the library refuses, which ours are not.
    pub fn new() -> Result<Self, Error> {
        // Two digits: some 20 kB a stage.
        let empty = Histogram::new_with_bounds(1, LONGEST_US, 2).map_err(|error| Error::Bench { reason: error.to_string() })?;
        Ok(Self(std::array::from_fn(|_| empty.clone())))
    }

    /// Adds a field: its stages; writing it through to the disk, and telling of it; everything from being seen to being told of. All in milliseconds.
    pub fn add(&mut self, times: &StageTimes, after: [f64; 2], total: f64) {
        let stages = times.stages().map(|(_, time)| time).into_iter().chain(after).chain([total]);
        for (histogram, time) in self.0.iter_mut().zip(stages) {
            histogram.saturating_record((1000.0 * time) as u64);
        }
    }

    /// The stages in their order.
    pub fn view(&self) -> Vec<StageLatency> {
        let view = |(stage, histogram): (&&str, &Histogram<u64>)| {
            let ms = |us: u64| us as f64 / 1000.0;
            let quantile = |share: f64| ms(histogram.value_at_quantile(share));
            StageLatency {
                stage: (*stage).to_owned(),
                count: histogram.len(),
                mean_ms: histogram.mean() / 1000.0,
                p50_ms: quantile(0.5),
                p95_ms: quantile(0.95),
                p99_ms: quantile(0.99),
                max_ms: ms(histogram.max()),
            }
        };
        STAGES.iter().zip(&self.0).map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_known_times() {
        let mut latency = Latency::new().unwrap();
        for field in 1..=100 {
            let times = StageTimes { inference: f64::from(field), ..StageTimes::default() };
            latency.add(&times, [0.0, 0.5], f64::from(field) + 1.0);
        }
        let view = latency.view();
        assert_eq!(view.iter().map(|stage| stage.stage.as_str()).collect::<Vec<_>>(), STAGES);
        let (inference, total) = (&view[2], &view[7]);
        assert_eq!((inference.count, total.count), (100, 100));
        // Two digits.
        for (found, expected) in [(inference.mean_ms, 50.5), (inference.p50_ms, 50.0), (inference.p99_ms, 99.0), (total.max_ms, 101.0)] {
            assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
        }
    }
}
