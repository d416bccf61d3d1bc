//! Faults: closed, latched until a person acknowledges them.

use crate::motion::Axis;
use crate::motion::Side;
use crate::units::Um;
use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Who stopped everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StopSource {
    /// The host.
    Host,
    /// A button on the board.
    Button,
}

/// A part that has pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Part {
    /// Step, direction, enable or switch pins of an axis.
    Axis(Axis),
    /// A light channel.
    Light {
        /// Channel.
        channel: u8,
    },
    /// The camera's trigger.
    Trigger,
    /// The alarm lamp.
    Lamp,
}

/// What stops the microscope: light off, motion ended, nothing moves until [`Command::AcknowledgeFault`](super::Command::AcknowledgeFault).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// The host was silent for too long. Motion stopped by its ramp.
    HostLost {
        /// The silence that was allowed, ms.
        heartbeat_ms: u16,
    },
    /// Someone asked for it. Motion stopped at once: the position may be off by what the stage slipped, so axes that moved are not homed.
    EmergencyStop {
        /// Who.
        source: StopSource,
    },
    /// A limit switch was hit outside homing.
    LimitHit {
        /// The axis.
        axis: Axis,
        /// Which of its ends.
        side: Side,
    },
    /// Homing did not end in time.
    HomingTimeout {
        /// The axis.
        axis: Axis,
        /// Time that was allowed, ms.
        timeout_ms: u32,
    },
    /// The axis went all its way and met no switch.
    SwitchNotFound {
        /// The axis.
        axis: Axis,
    },
    /// A switch stays active although the stage backed off.
    SwitchStuck {
        /// The axis.
        axis: Axis,
        /// Which of its ends.
        side: Side,
    },
    /// The encoder and the steps disagree.
    LostSteps {
        /// The axis.
        axis: Axis,
        /// Position by the steps.
        expected: Um,
        /// Position by the encoder.
        found: Um,
    },
    /// An encoder could not be read.
    EncoderSilent {
        /// The axis.
        axis: Axis,
    },
    /// Steps came too late to be on time.
    StepsLate {
        /// By how much, us.
        late_us: u32,
    },
    /// A pin could not be set or read.
    Pin {
        /// Whose.
        part: Part,
    },
    /// The interrupt that makes steps no longer runs.
    ExecutorSilent,
    /// A defect of the firmware.
    Internal,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Axis(axis) => write!(f, "axis {axis}"),
            Self::Light { channel } => write!(f, "light {channel}"),
            Self::Trigger => f.write_str("the trigger"),
            Self::Lamp => f.write_str("the alarm lamp"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HostLost { heartbeat_ms } => write!(f, "the host was silent for more than {heartbeat_ms} ms"),
            Self::EmergencyStop { source: StopSource::Host } => f.write_str("emergency stop by the host"),
            Self::EmergencyStop { source: StopSource::Button } => f.write_str("emergency stop by the button"),
            Self::LimitHit { axis, side } => write!(f, "axis {axis} hit its {side} switch"),
            Self::HomingTimeout { axis, timeout_ms } => write!(f, "axis {axis}: homing took more than {timeout_ms} ms"),
            Self::SwitchNotFound { axis } => write!(f, "axis {axis}: no switch on the whole way"),
            Self::SwitchStuck { axis, side } => write!(f, "axis {axis}: its {side} switch stays active after backing off"),
            Self::LostSteps { axis, expected, found } => write!(f, "axis {axis} lost steps: expected {expected}, the encoder says {found}"),
            Self::EncoderSilent { axis } => write!(f, "the encoder of axis {axis} cannot be read"),
            Self::StepsLate { late_us } => write!(f, "steps came {late_us} us late"),
            Self::Pin { part } => write!(f, "a pin of {part} failed"),
            Self::ExecutorSilent => f.write_str("the step interrupt no longer runs"),
            Self::Internal => f.write_str("internal error of the firmware"),
        }
    }
}

impl core::error::Error for Fault {}
