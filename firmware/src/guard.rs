//! Is the host still there? On from power-on; it cannot be switched off, only told how long to wait.

/// Range of the heartbeat's time-out, milliseconds.
pub const HEARTBEAT_RANGE_MS: core::ops::RangeInclusive<u16> = 100..=10_000;

/// Time-out until a host sets another, milliseconds.
pub const HEARTBEAT_DEFAULT_MS: u16 = 1_000;

/// A time-out outside [`HEARTBEAT_RANGE_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HeartbeatOutOfRange {
    /// What was asked for, milliseconds.
    pub found: u16,
}

impl core::fmt::Display for HeartbeatOutOfRange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (least, most) = (HEARTBEAT_RANGE_MS.start(), HEARTBEAT_RANGE_MS.end());
        write!(f, "heartbeat: expected {least} to {most} ms, found {}", self.found)
    }
}

impl core::error::Error for HeartbeatOutOfRange {}

/// Watches the time since the host was last heard. A host that was never heard, or has said goodbye, is not missed: nothing moves for it either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Guard {
    timeout_ms: u16,
}

impl Default for Guard {
    fn default() -> Self {
        Self { timeout_ms: HEARTBEAT_DEFAULT_MS }
    }
}

impl Guard {
    /// Waits for another time from now on.
    ///
    /// # Errors
    /// [`HeartbeatOutOfRange`]; the old time-out stays.
    pub fn set_timeout(&mut self, milliseconds: u16) -> Result<(), HeartbeatOutOfRange> {
        if !HEARTBEAT_RANGE_MS.contains(&milliseconds) {
            return Err(HeartbeatOutOfRange { found: milliseconds });
        }
        self.timeout_ms = milliseconds;
        Ok(())
    }

    /// The time-out, milliseconds.
    pub const fn timeout_ms(&self) -> u16 {
        self.timeout_ms
    }

    /// Whether the host that was last heard at `heard` (microseconds since power-on) is gone.
    pub fn is_lost(&self, now: u64, heard: Option<u64>) -> bool {
        heard.is_some_and(|heard| now.saturating_sub(heard) > u64::from(self.timeout_ms) * 1000)
    }
}
