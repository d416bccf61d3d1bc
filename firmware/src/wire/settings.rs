//! What a host may set: axes and stage. Pins, light ceilings and the watchdog are the board's, and no message changes them.

use crate::motion::Axis;
use crate::motion::{AxisConfig, Retraction};
use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// How an axis is built. The controller checks it as a whole and takes all of it or nothing; the axis must be homed again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AxisSettings {
    /// Which axis.
    pub axis: Axis,
    /// Its mechanics, limits and homing.
    pub config: AxisConfig,
}

/// How the stage moves as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StageSettings {
    /// Whether, when and where z leaves the sample before a long x-y move.
    pub retraction: Option<Retraction>,
    /// Rest after a move before the camera may be triggered, ms.
    pub settle_ms: u16,
}

/// The name of a value that can be refused. Its unit is that of the field or command argument it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Setting {
    /// [`StageSettings::settle_ms`].
    Settle,
    /// Time without a sign of the host after which the stage stops, ms.
    Heartbeat,
    /// Level of a light, permille.
    LightLevel,
    /// Time that a light takes to its new level, ms.
    LightRamp,
    /// Width of the camera's trigger pulse, us.
    TriggerWidth,
    /// Rest before the pulse, us.
    TriggerDelayBefore,
    /// Rest after the pulse, us.
    TriggerDelayAfter,
    /// Columns of a scan.
    ScanColumns,
    /// Rows of a scan.
    ScanRows,
    /// Distance of a scan's columns, nm.
    ScanPitchX,
    /// Distance of a scan's rows, nm.
    ScanPitchY,
    /// Fields that wait to be visited once more.
    ScanRepeats,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settle => "settling time (ms)",
            Self::Heartbeat => "heartbeat (ms)",
            Self::LightLevel => "light level (permille)",
            Self::LightRamp => "light ramp (ms)",
            Self::TriggerWidth => "trigger width (us)",
            Self::TriggerDelayBefore => "delay before the trigger (us)",
            Self::TriggerDelayAfter => "delay after the trigger (us)",
            Self::ScanColumns => "columns of the scan",
            Self::ScanRows => "rows of the scan",
            Self::ScanPitchX => "column distance of the scan (nm)",
            Self::ScanPitchY => "row distance of the scan (nm)",
            Self::ScanRepeats => "fields to be repeated",
        })
    }
}
