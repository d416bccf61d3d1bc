//! What is wrong with a configuration: the field's name, what was expected of it and what was found.

use crate::motion::axis::Axis;
use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// A field of a configuration. Lengths are given in nanometres where an error shows a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigField {
    /// `AxisConfig::full_steps_per_turn`
    FullStepsPerTurn,
    /// `AxisConfig::microsteps`
    Microsteps,
    /// `AxisConfig::travel_per_turn`
    TravelPerTurn,
    /// `AxisConfig::min`
    Min,
    /// `AxisConfig::max`
    Max,
    /// `AxisConfig::max_speed_um_per_s`
    MaxSpeed,
    /// `AxisConfig::acceleration_um_per_s2`
    Acceleration,
    /// `AxisConfig::sudden_stop_um_per_s`
    SuddenStop,
    /// `AxisConfig::backlash`
    Backlash,
    /// `AxisConfig::encoder_tolerance`
    EncoderTolerance,
    /// `Homing::Here::position`
    HomingPosition,
    /// `SwitchHoming::switch_at`
    HomingSwitchAt,
    /// `SwitchHoming::fast_um_per_s`
    HomingFast,
    /// `SwitchHoming::slow_um_per_s`
    HomingSlow,
    /// `SwitchHoming::back_off`
    HomingBackOff,
    /// `SwitchHoming::search`
    HomingSearch,
    /// `SwitchHoming::timeout_ms`
    HomingTimeout,
    /// `Retraction::over`
    RetractionOver,
    /// `Retraction::to`
    RetractionTo,
    /// `DriverTiming::pulse_us`
    Pulse,
    /// `DriverTiming::direction_setup_us`
    DirectionSetup,
    /// `DriverTiming::enable_us`
    Enable,
    /// `DriverTiming::debounce_us`
    Debounce,
    /// `DriverTiming::latency_us`
    Latency,
}

impl ConfigField {
    /// Its name as it is written in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullStepsPerTurn => "full_steps_per_turn",
            Self::Microsteps => "microsteps",
            Self::TravelPerTurn => "travel_per_turn (nm)",
            Self::Min => "min (nm)",
            Self::Max => "max (nm)",
            Self::MaxSpeed => "max_speed_um_per_s",
            Self::Acceleration => "acceleration_um_per_s2",
            Self::SuddenStop => "sudden_stop_um_per_s",
            Self::Backlash => "backlash (nm)",
            Self::EncoderTolerance => "encoder_tolerance (nm)",
            Self::HomingPosition => "homing.position (nm)",
            Self::HomingSwitchAt => "homing.switch_at (nm)",
            Self::HomingFast => "homing.fast_um_per_s",
            Self::HomingSlow => "homing.slow_um_per_s",
            Self::HomingBackOff => "homing.back_off (nm)",
            Self::HomingSearch => "homing.search (nm)",
            Self::HomingTimeout => "homing.timeout_ms",
            Self::RetractionOver => "retraction.over (nm)",
            Self::RetractionTo => "retraction.to (nm)",
            Self::Pulse => "pulse_us",
            Self::DirectionSetup => "direction_setup_us",
            Self::Enable => "enable_us",
            Self::Debounce => "debounce_us",
            Self::Latency => "latency_us",
        }
    }
}

/// Why a configuration was refused. Nothing of it was put right or taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigError {
    /// A value outside the range that the rest of the configuration leaves for it. With `min > max` it leaves none. Numbers beyond i32 are given as
    /// its ends.
    OutOfRange {
        /// The axis, if it is a field of one.
        axis: Option<Axis>,
        /// The field.
        field: ConfigField,
        /// Smallest value allowed.
        min: i32,
        /// Largest value allowed.
        max: i32,
        /// The value given.
        found: i32,
    },
    /// Drivers have microsteps of 1, 1/2, 1/4 and so on.
    NotAPowerOfTwo {
        /// The axis.
        axis: Axis,
        /// The field.
        field: ConfigField,
        /// The value given.
        found: u16,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { axis, field, min, max, found } => {
                if let Some(axis) = axis {
                    write!(f, "axis {axis}: ")?;
                }
                write!(f, "{}: expected {min} to {max}, found {found}", field.name())
            }
            Self::NotAPowerOfTwo { axis, field, found } => {
                write!(f, "axis {axis}: {}: expected a power of two, found {found}", field.name())
            }
        }
    }
}

impl core::error::Error for ConfigError {}

/// Whose fields are being checked.
#[derive(Clone, Copy)]
pub(crate) struct Check(pub(crate) Option<Axis>);

impl Check {
    /// Refuses a value outside `min..=max`.
    pub(crate) fn range(self, field: ConfigField, found: i32, min: i32, max: i32) -> Result<(), ConfigError> {
        if found < min || found > max { Err(ConfigError::OutOfRange { axis: self.0, field, min, max, found }) } else { Ok(()) }
    }

    /// The same for what is never negative.
    pub(crate) fn natural(self, field: ConfigField, found: u32, min: u32, max: u32) -> Result<(), ConfigError> {
        let cut = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        if found < min || found > max {
            Err(ConfigError::OutOfRange { axis: self.0, field, min: cut(min), max: cut(max), found: cut(found) })
        } else {
            Ok(())
        }
    }
}
