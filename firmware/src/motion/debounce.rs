//! When a limit switch counts as active: after it has read so at every look for long enough.

use crate::units::Ticks;

/// One switch, looked at from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Debounce {
    reads: bool,
    since: Ticks,
    active: bool,
}

impl Debounce {
    /// Inactive until seen otherwise for long enough.
    pub(crate) const fn new() -> Self {
        Self { reads: false, since: 0, active: false }
    }

    /// Takes a look in.
    pub(crate) fn look(&mut self, reads: bool, now: Ticks, debounce: u32) {
        if reads != self.reads {
            self.reads = reads;
            self.since = now;
        }
        if now.saturating_sub(self.since) >= Ticks::from(debounce) {
            self.active = reads;
        }
    }

    /// The state that was last certain.
    pub(crate) const fn active(&self) -> bool {
        self.active
    }

    /// Whether it reads active and has done so for long enough.
    pub(crate) fn confirmed(&self) -> bool {
        self.reads && self.active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glitch_is_nothing_and_a_press_is_one() {
        let mut switch = Debounce::new();
        switch.look(true, 100, 20);
        assert!(!switch.active());
        switch.look(false, 119, 20);
        switch.look(true, 121, 20);
        assert!(!switch.active(), "19 ticks, then another look");
        switch.look(true, 140, 20);
        assert!(!switch.active() && !switch.confirmed());
        switch.look(true, 141, 20);
        assert!(switch.active() && switch.confirmed());
        switch.look(false, 142, 20);
        assert!(switch.active() && !switch.confirmed(), "released or bouncing: not yet certain");
        switch.look(false, 162, 20);
        assert!(!switch.active());
    }

    #[test]
    fn without_a_window_every_look_counts() {
        let mut switch = Debounce::new();
        switch.look(true, 5, 0);
        assert!(switch.confirmed());
        switch.look(false, 5, 0);
        assert!(!switch.active());
    }
}
