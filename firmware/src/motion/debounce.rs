//! When a limit switch counts as active: after it has read so at every look for long enough.

use crate::units::Ticks;

/// All switches of a stage as bits (`shared::switch_bit`), looked at from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Debounce {
    reads: u8,
    active: u8,
    /// When each began to read as it does.
    since: [Ticks; 6],
}

impl Debounce {
    /// Inactive until seen otherwise for long enough.
    pub(crate) const fn new() -> Self {
        Self { reads: 0, active: 0, since: [0; 6] }
    }

    /// Takes a look in.
    pub(crate) fn look(&mut self, reads: u8, now: Ticks, debounce: u32) {
        let changed = self.reads ^ reads;
        self.reads = reads;
        if changed == 0 && self.active == reads {
            return; // As almost always.
        }
        let mut bit = 1;
        for since in &mut self.since {
            if changed & bit != 0 {
                *since = now;
            }
            if now.saturating_sub(*since) >= Ticks::from(debounce) {
                self.active = (self.active & !bit) | (reads & bit);
            }
            bit <<= 1;
        }
    }

    /// The state that was last certain.
    pub(crate) const fn active(&self) -> u8 {
        self.active
    }

    /// Those that read active and have done so for long enough.
    pub(crate) const fn confirmed(&self) -> u8 {
        self.reads & self.active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glitch_is_nothing_and_a_press_is_one() {
        let mut switches = Debounce::new();
        switches.look(4, 100, 20);
        assert_eq!(switches.active(), 0);
        switches.look(0, 119, 20);
        switches.look(4, 121, 20);
        assert_eq!(switches.active(), 0, "19 ticks, then another look");
        switches.look(4, 140, 20);
        assert_eq!((switches.active(), switches.confirmed()), (0, 0));
        switches.look(4, 141, 20);
        assert_eq!((switches.active(), switches.confirmed()), (4, 4));
        switches.look(0, 142, 20);
        assert_eq!((switches.active(), switches.confirmed()), (4, 0), "released or bouncing: not yet certain");
        switches.look(0, 162, 20);
        assert_eq!(switches.active(), 0);
    }

    #[test]
    fn switches_are_apart() {
        let mut switches = Debounce::new();
        switches.look(1, 100, 20);
        switches.look(1 | 32, 110, 20);
        switches.look(1 | 32, 120, 20);
        assert_eq!(switches.active(), 1);
        switches.look(32, 125, 20);
        assert_eq!((switches.active(), switches.confirmed()), (1, 0));
        switches.look(32, 130, 20);
        assert_eq!((switches.active(), switches.confirmed()), (1 | 32, 32));
        switches.look(32, 145, 20);
        assert_eq!(switches.active(), 32);
    }

    #[test]
    fn without_a_window_every_look_counts() {
        let mut switches = Debounce::new();
        switches.look(2, 5, 0);
        assert_eq!(switches.confirmed(), 2);
        switches.look(0, 5, 0);
        assert_eq!(switches.active(), 0);
    }
}
