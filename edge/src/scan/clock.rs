//! The controller's time on this machine's clock, as far as it is known: not before which moment a pulse can have been.

use std::time::{Duration, Instant};

/// Two clocks differ by less than this share; an oscillator that is ten times worse than usual ones by a tenth of it.
const DRIFT: u32 = 100;
/// What a clock may be read too late.
const MARGIN: Duration = Duration::from_millis(5);

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// When the field was asked for. Nothing of it is earlier.
    pub(super) asked: Instant,
    /// When the controller was asked for its time, and what it said: it said so after that.
    pub(super) read: Option<(Instant, u64)>,
}

impl Clock {
    /// The moment before which a pulse of this time (us since power-on) cannot have been.
    pub(super) fn earliest(&self, time_us: u64) -> Instant {
        let Some((read, uptime_us)) = self.read else { return self.asked };
        let Some(later) = time_us.checked_sub(uptime_us).map(Duration::from_micros) else { return self.asked };
        let later = later.saturating_sub(later / DRIFT).saturating_sub(MARGIN);
        read.checked_add(later).map_or(self.asked, |moment| moment.max(self.asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_not_earlier_than_its_time_says() {
        let asked = Instant::now();
        let read = asked + Duration::from_millis(10);
        let clock = Clock { asked, read: Some((read, 5_000_000)) };
        // 100 ms after the reading, less 1 % and 5 ms.
        assert_eq!(clock.earliest(5_100_000), read + Duration::from_millis(94));
        assert_eq!(clock.earliest(4_999_999), asked, "before the reading: only that it was asked for");
        assert_eq!(Clock { asked, read: None }.earliest(9_000_000), asked);
    }
}
