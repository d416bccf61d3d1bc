//! What a host may set: axes and stage. Pins, light ceilings and the watchdog are the board's, and no message changes them.

use crate::motion::Axis;
use crate::units::Um;
use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// How an axis moves. The controller checks it as a whole and takes all of it or nothing; the axis must be homed again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AxisSettings {
    /// Which axis.
    pub axis: Axis,
    /// Full steps of the motor for one turn.
    pub steps_per_turn: u16,
    /// Microsteps that the driver makes of a full step.
    pub microsteps: u16,
    /// Way of the stage for one turn.
    pub travel_per_turn: Um,
    /// The motor turns the other way.
    pub reversed: bool,
    /// Lower soft limit, in the coordinates that homing gives.
    pub minimum: Um,
    /// Upper soft limit.
    pub maximum: Um,
    /// Highest speed, um/s.
    pub speed_um_s: u32,
    /// Highest acceleration, um/s^2.
    pub acceleration_um_s2: u32,
    /// Play of the mechanics that every approach makes up for; 0 for none.
    pub backlash: Um,
    /// Speed towards the switch when homing, um/s.
    pub homing_speed_um_s: u32,
    /// Speed of the second, slow approach, um/s.
    pub homing_slow_um_s: u32,
    /// Way off the switch after each approach.
    pub back_off: Um,
    /// Longest time that homing this axis may take, ms.
    pub homing_timeout_ms: u32,
}

/// How the stage moves as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StageSettings {
    /// z moves away from the specimen by this much before a long x-y move; 0 for never.
    pub retraction: Um,
    /// An x-y move is long from this way on.
    pub retract_from: Um,
    /// Rest after a move before the camera may be triggered, ms.
    pub settle_ms: u16,
}

/// The name of a value that can be refused. Its unit is that of the field or command argument it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Setting {
    /// [`AxisSettings::steps_per_turn`].
    StepsPerTurn,
    /// [`AxisSettings::microsteps`].
    Microsteps,
    /// [`AxisSettings::travel_per_turn`], nm.
    TravelPerTurn,
    /// [`AxisSettings::minimum`], nm.
    Minimum,
    /// [`AxisSettings::maximum`], nm.
    Maximum,
    /// [`AxisSettings::speed_um_s`].
    Speed,
    /// [`AxisSettings::acceleration_um_s2`].
    Acceleration,
    /// [`AxisSettings::backlash`], nm.
    Backlash,
    /// [`AxisSettings::homing_speed_um_s`].
    HomingSpeed,
    /// [`AxisSettings::homing_slow_um_s`].
    HomingSlow,
    /// [`AxisSettings::back_off`], nm.
    BackOff,
    /// [`AxisSettings::homing_timeout_ms`].
    HomingTimeout,
    /// [`StageSettings::retraction`], nm.
    Retraction,
    /// [`StageSettings::retract_from`], nm.
    RetractFrom,
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
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StepsPerTurn => "steps per turn",
            Self::Microsteps => "microsteps",
            Self::TravelPerTurn => "travel per turn (nm)",
            Self::Minimum => "minimum (nm)",
            Self::Maximum => "maximum (nm)",
            Self::Speed => "speed (um/s)",
            Self::Acceleration => "acceleration (um/s^2)",
            Self::Backlash => "backlash (nm)",
            Self::HomingSpeed => "homing speed (um/s)",
            Self::HomingSlow => "slow homing speed (um/s)",
            Self::BackOff => "back-off (nm)",
            Self::HomingTimeout => "homing time-out (ms)",
            Self::Retraction => "retraction (nm)",
            Self::RetractFrom => "retraction from (nm)",
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
        })
    }
}
