//! The figures of `lsr-train bench`, for programs and for people.

use super::BenchSettings;
use crate::statistics::quantile;
use serde::Serialize;
use std::fmt::Write;

/// Milliseconds of something that was timed several times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Times {
    /// Median.
    pub median_ms: f64,
    /// 95th percentile, linear between neighbours.
    pub p95_ms: f64,
}

impl Times {
    /// Of some durations in seconds; 0 of none.
    pub(super) fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| if seconds.is_empty() { 0.0 } else { quantile(&seconds, share) * 1e3 };
        Self { median_ms: at(0.5), p95_ms: at(0.95) }
    }
}

/// Parts of a step, each waited for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parts {
    /// The step in which every part is waited for; no faster than a free one.
    pub step: Times,
    /// Network, forward, with the upload of its input.
    pub forward: Times,
    /// Loss, forward.
    pub loss: Times,
    /// Backward pass of loss and network.
    pub backward: Times,
    /// Optimiser.
    pub optimizer: Times,
    /// Loss forward, sigmoid included, timed outside the step on logits that the network does not hang on.
    pub loss_alone: Times,
    /// The loss's gradient by these logits alone, outside the step.
    pub loss_backward_alone: Times,
    /// `backward` less `loss_backward_alone`: medians, so derived and not measured.
    pub network_backward_ms: f64,
    /// `loss_alone` and `loss_backward_alone` as a share of a free step.
    pub loss_share: f64,
}

/// What was measured, and of what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepBench {
    /// Version of lsr-train.
    pub lsr_train: String,
    /// Name of the device.
    pub device_name: String,
    /// Threads of the CPU's pool.
    pub threads: usize,
    /// Settings.
    pub settings: BenchSettings,
    /// Each step as in training, in milliseconds, in their order.
    pub steps_ms: Vec<f64>,
    /// A step as in training, waiting for data included.
    pub step: Times,
    /// Waiting for the loader, a step.
    pub loader_wait: Times,
    /// Share of all these steps that was such waiting.
    pub waiting_share: f64,
    /// When the first of these steps began, seconds since 1970.
    pub began_unix_s: f64,
    /// When the last of them ended, parts not included.
    pub ended_unix_s: f64,
    /// Parts of a step; nothing where only steps were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
    /// Images each second, at the median.
    pub images_per_s: f64,
    /// Products of a weight and a pixel in a step: three times the forward pass, less the first layer's input gradient.
    pub macs: u64,
    /// 10^9 of these each second, at the median.
    pub gmacs_per_s: f64,
    /// Most memory that the process held, megabytes (10^6 bytes); nothing where the system does not say.
    pub peak_rss_mb: Option<f64>,
    /// Memory of the GPU in use after the steps, of all processes, megabytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_memory_mb: Option<f64>,
}

impl StepBench {
    /// A table for people.
    pub fn table(&self) -> String {
        let s = &self.settings;
        let mut text = format!(
            "{}, {} threads: {} blocks of {} px in {} groups, width {}, depth {}\n",
            self.device_name, self.threads, s.batch, s.size, s.groups, s.width, s.depth
        );
        let mut row = |name: &str, times: &Times| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:34} {:10.2} ms {:10.2} ms", times.median_ms, times.p95_ms);
        };
        row("step (median, p95)", &self.step);
        row("loader wait", &self.loader_wait);
        if let Some(parts) = &self.parts {
            row("step, each part waited for", &parts.step);
            row("  forward", &parts.forward);
            row("  loss", &parts.loss);
            row("  backward", &parts.backward);
            row("  optimiser", &parts.optimizer);
            row("loss alone", &parts.loss_alone);
            row("loss backward alone", &parts.loss_backward_alone);
            let _ = writeln!(text, "{:34} {:10.2} ms (derived)", "network backward", parts.network_backward_ms);
            let _ = writeln!(text, "{:34} {:10.2} % of a step", "loss and its backward", 100.0 * parts.loss_share);
        }
        let _ = writeln!(text, "{:.2} images/s, {:.2} x 10^9 multiply-accumulates/s", self.images_per_s, self.gmacs_per_s);
        for (name, memory) in [("peak memory", self.peak_rss_mb), ("GPU memory in use", self.device_memory_mb)] {
            if let Some(memory) = memory {
                let _ = writeln!(text, "{name} {memory:.0} MB");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_p95_lie_between_times_that_were_measured() {
        let times = Times::of((0..=20).rev().map(f64::from).collect());
        assert_eq!(times, Times { median_ms: 10_000.0, p95_ms: 19_000.0 });
        assert_eq!(Times::of(vec![1.0, 2.0]).median_ms, 1500.0);
        assert_eq!(Times::of(vec![0.5]), Times { median_ms: 500.0, p95_ms: 500.0 });
        assert_eq!(Times::of(vec![]), Times { median_ms: 0.0, p95_ms: 0.0 });
    }
}
