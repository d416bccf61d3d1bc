//! Where everything stands.

use super::fault::Fault;
use super::scan::{LIGHT_CHANNELS, ScanProgress};
use crate::motion::PerAxis;
use crate::motion::StageState;
use crate::units::Um;
use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Why the controller started last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ResetReason {
    /// Power came.
    PowerOn,
    /// The reset pin, a debugger, or the board's own button.
    External,
    /// The firmware was stuck.
    Watchdog,
    /// The firmware found a defect of its own and restarted.
    Panic,
    /// The supply was too low.
    BrownOut,
    /// The board cannot tell.
    Unknown,
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerOn => "power on",
            Self::External => "external reset",
            Self::Watchdog => "watchdog",
            Self::Panic => "panic",
            Self::BrownOut => "brown-out",
            Self::Unknown => "unknown",
        })
    }
}

/// The answer to `Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// Since power-on, us.
    pub uptime_us: u64,
    /// Where the stage stands; without meaning for axes that are not homed.
    pub position: PerAxis<Um>,
    /// Which axes know where they are.
    pub homed: PerAxis<bool>,
    /// What the stage does.
    pub state: StageState,
    /// The latched fault.
    pub fault: Option<Fault>,
    /// The operation that has not finished yet.
    pub operation: Option<u32>,
    /// The scan, running or paused.
    pub scan: Option<ScanProgress>,
    /// Light of each channel, permille.
    pub light: [u16; LIGHT_CHANNELS],
    /// Number of the last pulse; 0 before the first.
    pub trigger_id: u32,
    /// Any label's alarm.
    pub alarm: bool,
    /// Longest silence of the host before everything stops, ms.
    pub heartbeat_ms: u16,
    /// Why the controller started last.
    pub reset_reason: ResetReason,
    /// What the link has seen.
    pub link: LinkStatistics,
}

/// What one end of the link has seen since power-on; counters stop at their largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkStatistics {
    /// Good frames.
    pub frames: u32,
    /// Frames whose checksum was wrong.
    pub bad_checksum: u32,
    /// Frames that were too long, too short, or no COBS.
    pub malformed: u32,
    /// Good frames that hold no message for this end.
    pub not_understood: u32,
    /// Frames that came once more: answered again, not carried out again.
    pub repeated: u32,
    /// Frames of an earlier session or before the last request: dropped.
    pub late: u32,
    /// Events that were sent once more.
    pub events_resent: u32,
    /// Events that found no room and were lost.
    pub events_lost: u32,
}

impl LinkStatistics {
    /// One more.
    #[inline(never)]
    pub(super) fn count(counter: &mut u32) {
        *counter = counter.saturating_add(1);
    }
}
