//! What planner and executor tell each other without a lock. Every value has one writer, so loads and stores are enough (a Cortex-M0+ has no more).

use crate::motion::axis::{Axis, PerAxis, Side};
use crate::motion::halt::Halt;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, Ordering::Acquire, Ordering::Release};

/// State shared between the planner ([`Stage`](crate::Stage)), the executor ([`StepExecutor`](crate::StepExecutor)) and whoever stops them.
/// A `static` on a board.
#[derive(Debug)]
pub struct MotionShared {
    // From the planner and from safety functions.
    emergency: AtomicBool,
    permitted: AtomicBool,
    energised: AtomicBool,
    resume: AtomicU32,
    // From the executor.
    position: PerAxis<AtomicI32>,
    interval: PerAxis<AtomicU32>,
    consumed: AtomicU32,
    halt: AtomicU32,
    resumed: AtomicU32,
    switches: AtomicU8,
    fitted: AtomicU8,
    calls: AtomicU32,
}

/// The bit of a limit switch: negative ends are bits 0 to 2, positive ends 3 to 5.
pub(crate) const fn switch_bit(axis: Axis, side: Side) -> u8 {
    match side {
        Side::Negative => axis.bit(),
        Side::Positive => axis.bit() << 3,
    }
}

impl MotionShared {
    /// Nothing moves until [`MotionShared::permit`].
    pub const fn new() -> Self {
        Self {
            emergency: AtomicBool::new(false),
            permitted: AtomicBool::new(false),
            energised: AtomicBool::new(false),
            resume: AtomicU32::new(0),
            position: PerAxis { x: AtomicI32::new(0), y: AtomicI32::new(0), z: AtomicI32::new(0) },
            interval: PerAxis { x: AtomicU32::new(0), y: AtomicU32::new(0), z: AtomicU32::new(0) },
            consumed: AtomicU32::new(0),
            halt: AtomicU32::new(0),
            resumed: AtomicU32::new(0),
            switches: AtomicU8::new(0),
            fitted: AtomicU8::new(0),
            calls: AtomicU32::new(0),
        }
    }

    /// Stops all steps at once: none begins after this. From anywhere, an interrupt of an emergency button included. Latched until
    /// [`Stage::acknowledge`](crate::Stage::acknowledge).
    pub fn emergency_stop(&self) {
        self.emergency.store(true, Release);
    }

    /// Gives or withdraws the permission to step. Withdrawing it while something moves is a fault and stops it at once.
    pub fn permit(&self, permitted: bool) {
        self.permitted.store(permitted, Release);
    }

    /// Whether steps are permitted.
    pub fn is_permitted(&self) -> bool {
        self.permitted.load(Acquire)
    }

    /// How often the executor was called, wrapping: as long as it grows, the executor is alive. It is called every millisecond at least.
    pub fn executor_calls(&self) -> u32 {
        self.calls.load(Acquire)
    }

    /// Whether a limit switch is active, debounced.
    pub fn switch_active(&self, axis: Axis, side: Side) -> bool {
        self.switches.load(Acquire) & switch_bit(axis, side) != 0
    }

    /// Whether there is a limit switch.
    pub fn has_switch(&self, axis: Axis, side: Side) -> bool {
        self.fitted.load(Acquire) & switch_bit(axis, side) != 0
    }

    /// Steps since power-on, wrapping.
    pub(crate) fn count(&self, axis: Axis) -> i32 {
        self.position.get(axis).load(Acquire)
    }

    /// When halted: ticks between the last two steps.
    pub(crate) fn interval(&self, axis: Axis) -> u32 {
        self.interval.get(axis).load(Acquire)
    }

    /// Events that were carried out or dropped, wrapping.
    pub(crate) fn consumed(&self) -> u32 {
        self.consumed.load(Acquire)
    }

    pub(crate) fn halt(&self) -> Option<Halt> {
        Halt::from_code(self.halt.load(Acquire))
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed.load(Acquire) == self.resume.load(Acquire)
    }

    /// By the planner, when it has nothing in the queue: lets the executor go on after a halt.
    pub(crate) fn resume(&self) {
        self.resume.store(self.resume.load(Acquire).wrapping_add(1), Release);
    }

    pub(crate) fn clear_emergency(&self) {
        self.emergency.store(false, Release);
    }

    pub(crate) fn energise(&self, on: bool) {
        self.energised.store(on, Release);
    }

    pub(crate) fn is_energised(&self) -> bool {
        self.energised.load(Acquire)
    }

    pub(crate) fn is_emergency(&self) -> bool {
        self.emergency.load(Acquire)
    }

    // The executor's side.

    pub(crate) fn resume_request(&self) -> u32 {
        self.resume.load(Acquire)
    }

    pub(crate) fn set_resumed(&self, request: u32) {
        self.halt.store(0, Release);
        self.resumed.store(request, Release);
    }

    pub(crate) fn set_count(&self, axis: Axis, steps: i32) {
        self.position.get(axis).store(steps, Release);
    }

    pub(crate) fn set_interval(&self, axis: Axis, ticks: u32) {
        self.interval.get(axis).store(ticks, Release);
    }

    pub(crate) fn set_consumed(&self, events: u32) {
        self.consumed.store(events, Release);
    }

    pub(crate) fn set_halt(&self, halt: Halt) {
        self.halt.store(halt.code(), Release);
    }

    pub(crate) fn set_switches(&self, active: u8) {
        self.switches.store(active, Release);
    }

    pub(crate) fn set_fitted(&self, fitted: u8) {
        self.fitted.store(fitted, Release);
    }

    pub(crate) fn set_calls(&self, calls: u32) {
        self.calls.store(calls, Release);
    }
}

impl Default for MotionShared {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for MotionShared {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "MotionShared {{ permitted: {}, emergency: {}, halt: {} }}",
            self.is_permitted(),
            self.is_emergency(),
            self.halt()
        );
    }
}
