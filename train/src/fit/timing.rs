//! Where the time of a run goes: `timing.json`. Not part of what the same seed reproduces.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Seconds of each part, summed over the steps of one process (the first, where there are several). On a GPU, work is queued: the parts then say when the processor was busy, and
/// `total_s` alone what it took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Steps.
    pub steps: usize,
    /// Blocks that went through the network.
    pub blocks: usize,
    /// The device waited for data.
    pub waiting_s: f64,
    /// Network, forward, with the upload of its input.
    pub forward_s: f64,
    /// The loss, forward.
    pub loss_s: f64,
    /// Backward pass of both.
    pub backward_s: f64,
    /// Optimiser and moving average.
    pub optimizer_s: f64,
    /// Sums over processes, waiting for the slower ones included; part of the times above.
    #[serde(default)]
    pub exchange_s: f64,
    /// Validations.
    pub validation_s: f64,
    /// Everything, checkpoints included.
    pub total_s: f64,
    /// Share of the total that the device waited for data.
    pub waiting_share: f64,
}

impl Timing {
    pub(super) fn finished(&self, total: Duration) -> Self {
        let total_s = total.as_secs_f64();
        Self { total_s, waiting_share: self.waiting_s / total_s, ..self.clone() }
    }
}
