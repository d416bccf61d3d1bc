//! So many frames a second.

use crate::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Frames that are due one after the other, from the first one that is asked for on.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    period: Duration,
    begun: Option<Instant>,
    given: u64,
}

impl Pace {
    /// # Errors
    /// [`Error::Flag`] for a rate outside (0, 1000].
    pub(crate) fn new(rate: f64) -> Result<Self, Error> {
        if !(rate > 0.0 && rate <= 1000.0) {
            return Err(Error::Flag { flag: "--rate", value: rate, expected: "frames a second in (0, 1000]" });
        }
        Ok(Self { period: Duration::from_secs_f64(1.0 / rate), begun: None, given: 0 })
    }

    /// Waits for the next frame's time, no longer than is said. Returns its number, from 0 on, or nothing if it is not due yet.
    pub(crate) fn next(&mut self, patience: Duration) -> Option<u64> {
        // By its number, so that delays do not add up.
        let due = *self.begun.get_or_insert_with(Instant::now) + self.period.mul_f64(self.given as f64);
        let wait = due.saturating_duration_since(Instant::now());
        sleep(wait.min(patience));
        (wait <= patience).then(|| {
            self.given += 1;
            self.given - 1
        })
    }
}
