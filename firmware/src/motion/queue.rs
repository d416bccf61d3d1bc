//! What the planner hands to the executor: one event per instant at which something steps.

use crate::motion::axis::Axis;
use crate::units::Ticks;
use heapless::spsc::Queue;

/// Steps of one or more axes at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StepEvent {
    /// When the step pins rise.
    pub at: Ticks,
    /// Axes that step, by [`Axis::bit`].
    pub axes: u8,
    /// Axes whose direction is positive, moving or not.
    pub direction: u8,
}

impl StepEvent {
    /// Whether an axis steps.
    pub const fn steps(&self, axis: Axis) -> bool {
        self.axes & axis.bit() != 0
    }

    /// Whether an axis' direction is positive.
    pub const fn positive(&self, axis: Axis) -> bool {
        self.direction & axis.bit() != 0
    }
}

/// Between planner and executor, without a lock: `split` gives each its end. It holds `N - 1` events.
pub type StepQueue<const N: usize = 64> = Queue<StepEvent, N>;
