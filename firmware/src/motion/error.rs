//! Why a move is refused, and what stops one: both closed, and by name.

use crate::motion::axis::{Axis, Side};
use crate::motion::config_error::ConfigError;
use crate::units::Um;
use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Why a command of motion was refused. Nothing has moved, and nothing is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MotionError {
    /// The axis does not know its position. For long x-y moves with retraction z counts, too.
    NotHomed {
        /// The axis.
        axis: Axis,
    },
    /// The target, or the way to its last approach, is outside the soft limits.
    OutsideLimits {
        /// The axis.
        axis: Axis,
        /// Smallest position that can be asked for.
        min: Um,
        /// Largest position that can be asked for.
        max: Um,
        /// The position asked for, cut to what fits [`Um`].
        asked: Um,
    },
    /// Something is moving.
    Busy,
    /// A fault is latched. To be acknowledged first.
    Faulted {
        /// The fault.
        fault: MotionFault,
    },
    /// There is no permission to step ([`MotionShared::permit`](crate::MotionShared::permit)).
    Forbidden,
    /// No axis was named.
    NoAxis,
    /// The switch by which the axis is to be homed is not there.
    NoSwitch {
        /// The axis.
        axis: Axis,
        /// Its end.
        side: Side,
    },
    /// The axis has an encoder tolerance, but no encoder.
    NoEncoder {
        /// The axis.
        axis: Axis,
    },
    /// There is no fault to acknowledge.
    NoFault,
    /// The configuration is wrong.
    Config {
        /// What is wrong with it.
        error: ConfigError,
    },
}

impl From<ConfigError> for MotionError {
    fn from(error: ConfigError) -> Self {
        Self::Config { error }
    }
}

impl fmt::Display for MotionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHomed { axis } => write!(f, "axis {axis} is not homed"),
            Self::OutsideLimits { axis, min, max, asked } => write!(f, "axis {axis}: {asked} is outside {min} to {max}"),
            Self::Busy => f.write_str("the stage is moving"),
            Self::Faulted { fault } => write!(f, "to be acknowledged first: {fault}"),
            Self::Forbidden => f.write_str("motion is not permitted"),
            Self::NoAxis => f.write_str("no axis was named"),
            Self::NoSwitch { axis, side } => write!(f, "axis {axis} has no limit switch at its {side} end"),
            Self::NoEncoder { axis } => write!(f, "axis {axis} has an encoder tolerance, but no encoder"),
            Self::NoFault => f.write_str("there is no fault to acknowledge"),
            Self::Config { error } => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for MotionError {}

/// What stopped the stage. Latched until acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MotionFault {
    /// An emergency stop was asked for.
    EmergencyStop,
    /// The permission to step was withdrawn during a move.
    Forbidden,
    /// An axis ran into a limit switch.
    Limit {
        /// The axis.
        axis: Axis,
        /// Its end.
        side: Side,
    },
    /// An encoder is too far from the steps counted.
    LostSteps {
        /// The axis.
        axis: Axis,
        /// How far it may be.
        tolerance: Um,
        /// How far it is: measured less counted.
        found: Um,
    },
    /// An encoder could not be read.
    EncoderSilent {
        /// The axis.
        axis: Axis,
    },
    /// A step came too late: the main loop or an interrupt took too long.
    Late {
        /// By how many ticks, cut to 65,535.
        late_us: u16,
    },
    /// Homing took too long.
    HomingTimeout {
        /// The axis.
        axis: Axis,
        /// The longest duration.
        timeout_ms: u32,
    },
    /// Homing did not find the switch.
    SwitchNotFound {
        /// The axis.
        axis: Axis,
        /// The end that was searched.
        side: Side,
    },
    /// The switch stays active after the axis has backed off.
    SwitchStuck {
        /// The axis.
        axis: Axis,
        /// Its end.
        side: Side,
    },
    /// A pin of an axis could not be set or read.
    Pin {
        /// The axis.
        axis: Axis,
    },
}

impl fmt::Display for MotionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmergencyStop => f.write_str("emergency stop"),
            Self::Forbidden => f.write_str("permission was withdrawn during a move"),
            Self::Limit { axis, side } => write!(f, "axis {axis} ran into its {side} limit switch"),
            Self::LostSteps { axis, tolerance, found } => {
                write!(f, "axis {axis} has lost steps: the encoder is off by {found}, expected at most {tolerance}")
            }
            Self::EncoderSilent { axis } => write!(f, "the encoder of axis {axis} cannot be read"),
            Self::Late { late_us } => write!(f, "a step was due {late_us} us ago"),
            Self::HomingTimeout { axis, timeout_ms } => write!(f, "homing axis {axis} took more than {timeout_ms} ms"),
            Self::SwitchNotFound { axis, side } => write!(f, "axis {axis} has not found its {side} limit switch"),
            Self::SwitchStuck { axis, side } => write!(f, "the {side} limit switch of axis {axis} stays active"),
            Self::Pin { axis } => write!(f, "a pin of axis {axis} has failed"),
        }
    }
}

impl core::error::Error for MotionFault {}
