//! What the planner hands to the executor: one event per instant at which something steps, through a queue without a lock.
//!
//! The queue is made of atomic words, so that it can be a plain `static`. (The ends of `heapless::spsc` forget the capacity's constant: they divide by
//! it at every step, which a Cortex-M0+ does in software, and have a panic for a capacity of 0.)

use crate::motion::axis::Axis;
use crate::units::Ticks;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

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

/// Low and high word of the time, and the two masks.
type Slot = [AtomicU32; 3];

/// Up to `N` events between planner and executor; `N` is a power of two.
///
/// ```
/// use lsr_firmware::{StepEvent, StepQueue};
/// static QUEUE: StepQueue = StepQueue::new();
/// let (mut planner, mut executor) = QUEUE.split().unwrap();
/// let event = StepEvent { at: 1 << 40, axes: 1, direction: 5 };
/// assert_eq!(planner.push(event), Ok(()));
/// assert_eq!((executor.pop(), executor.pop()), (Some(event), None));
/// assert!(QUEUE.split().is_none(), "there are two ends");
/// ```
#[derive(Debug)]
pub struct StepQueue<const N: usize = 64> {
    slots: [Slot; N],
    ends: Ends,
}

#[derive(Debug)]
struct Ends {
    /// Events pushed and popped so far, wrapping. Each has one writer.
    pushed: AtomicU32,
    popped: AtomicU32,
    split: AtomicBool,
}

/// The planner's end.
#[derive(Debug)]
pub struct StepSender<'q> {
    slots: &'q [Slot],
    ends: &'q Ends,
}

/// The executor's end.
#[derive(Debug)]
pub struct StepReceiver<'q> {
    slots: &'q [Slot],
    ends: &'q Ends,
}

impl<const N: usize> StepQueue<N> {
    /// An empty queue.
    pub const fn new() -> Self {
        const { assert!(N.is_power_of_two() && N <= 1 << 16, "a power of two") };
        let ends = Ends { pushed: AtomicU32::new(0), popped: AtomicU32::new(0), split: AtomicBool::new(false) };
        Self { slots: [const { [const { AtomicU32::new(0) }; 3] }; N], ends }
    }

    /// Its two ends, the first time; `None` afterwards.
    pub fn split(&self) -> Option<(StepSender<'_>, StepReceiver<'_>)> {
        // No compare-and-swap: two that split at the same time would lose events, and nothing worse.
        if self.ends.split.load(Acquire) {
            return None;
        }
        self.ends.split.store(true, Release);
        let (slots, ends) = (self.slots.as_slice(), &self.ends);
        Some((StepSender { slots, ends }, StepReceiver { slots, ends }))
    }
}

impl<const N: usize> Default for StepQueue<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The slot of an event's number.
fn slot(slots: &[Slot], number: u32) -> Option<&Slot> {
    slots.get(number as usize & slots.len().wrapping_sub(1))
}

impl StepSender<'_> {
    /// Whether there is room for an event.
    pub fn has_room(&self) -> bool {
        let used = self.ends.pushed.load(Relaxed).wrapping_sub(self.ends.popped.load(Acquire));
        (used as usize) < self.slots.len()
    }

    /// Adds an event.
    ///
    /// # Errors
    /// The event, when there is no room.
    pub fn push(&mut self, event: StepEvent) -> Result<(), StepEvent> {
        let pushed = self.ends.pushed.load(Relaxed);
        match slot(self.slots, pushed) {
            Some([low, high, masks]) if self.has_room() => {
                low.store(event.at as u32, Relaxed);
                high.store((event.at >> 32) as u32, Relaxed);
                masks.store(u32::from(event.axes) | u32::from(event.direction) << 8, Relaxed);
                self.ends.pushed.store(pushed.wrapping_add(1), Release);
                Ok(())
            }
            _ => Err(event),
        }
    }
}

impl StepReceiver<'_> {
    /// Takes the oldest event.
    pub fn pop(&mut self) -> Option<StepEvent> {
        let popped = self.ends.popped.load(Relaxed);
        if popped == self.ends.pushed.load(Acquire) {
            return None;
        }
        let [low, high, masks] = slot(self.slots, popped)?;
        let masks = masks.load(Relaxed);
        let event = StepEvent {
            at: Ticks::from(high.load(Relaxed)) << 32 | Ticks::from(low.load(Relaxed)),
            axes: masks as u8,
            direction: (masks >> 8) as u8,
        };
        self.ends.popped.store(popped.wrapping_add(1), Release);
        Some(event)
    }
}

#[cfg(feature = "defmt")]
mod format {
    use super::{Relaxed, StepQueue, StepReceiver, StepSender};

    impl<const N: usize> defmt::Format for StepQueue<N> {
        fn format(&self, f: defmt::Formatter<'_>) {
            defmt::write!(f, "StepQueue {{ pushed: {}, popped: {} }}", self.ends.pushed.load(Relaxed), self.ends.popped.load(Relaxed));
        }
    }

    impl defmt::Format for StepSender<'_> {
        fn format(&self, f: defmt::Formatter<'_>) {
            defmt::write!(f, "StepSender {{ pushed: {} }}", self.ends.pushed.load(Relaxed));
        }
    }

    impl defmt::Format for StepReceiver<'_> {
        fn format(&self, f: defmt::Formatter<'_>) {
            defmt::write!(f, "StepReceiver {{ popped: {} }}", self.ends.popped.load(Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn event(n: u64) -> StepEvent {
        StepEvent { at: n.wrapping_mul(0x9e37_79b9_7f4a_7c15), axes: n as u8, direction: (n >> 8) as u8 }
    }

    #[test]
    fn full_and_empty() {
        let queue = StepQueue::<4>::new();
        let (mut sender, mut receiver) = queue.split().unwrap();
        assert_eq!(receiver.pop(), None);
        for round in 0..10 {
            for n in 0..4 {
                assert!(sender.has_room());
                assert_eq!(sender.push(event(round * 4 + n)), Ok(()));
            }
            assert!(!sender.has_room());
            assert_eq!(sender.push(event(99)), Err(event(99)));
            for n in 0..4 {
                assert_eq!(receiver.pop(), Some(event(round * 4 + n)));
            }
            assert_eq!(receiver.pop(), None);
        }
    }

    /// Both ends at once, on two threads: every event once, in order, whole.
    #[test]
    fn two_threads() {
        static QUEUE: StepQueue<8> = StepQueue::new();
        let (mut sender, mut receiver) = QUEUE.split().unwrap();
        let events = 20_000;
        let planner = std::thread::spawn(move || {
            for n in 0..events {
                while sender.push(event(n)).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        for n in 0..events {
            let found = loop {
                match receiver.pop() {
                    Some(found) => break found,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(found, event(n));
        }
        planner.join().unwrap();
        assert_eq!(receiver.pop(), None);
    }
}
