//! Refusals: closed, each with what was expected and what was found.

use super::fault::Fault;
use super::field::ROW_PIXELS;
use super::settings::Setting;
use crate::motion::Axis;
use crate::motion::StageState;
use crate::motion::{ConfigError, Side};
use crate::units::Um;
use core::fmt;
use lsr_core::Error;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Why a request was not carried out: it changed nothing. Closed: a host knows every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ErrorCode {
    /// `Hello` of another version.
    ProtocolVersion {
        /// The controller's.
        expected: u16,
        /// The host's.
        found: u16,
    },
    /// No `Hello` since the controller started, or another host has taken over.
    NoSession,
    /// A request before this one did not arrive.
    OutOfOrder {
        /// Its number.
        expected: u32,
        /// The number of this one.
        found: u32,
    },
    /// A command that needs a part which this board has not.
    NotOnThisBoard,
    /// The stage moves.
    Busy {
        /// What it does.
        state: StageState,
    },
    /// A pulse of the camera is under way.
    TriggerPending,
    /// A scan is running or paused.
    ScanRunning,
    /// No scan is running.
    NoScan,
    /// The scan is not paused.
    ScanNotPaused,
    /// A fault has not been acknowledged.
    Faulted {
        /// It.
        fault: Fault,
    },
    /// The fault's cause is still there.
    FaultPersists {
        /// It.
        fault: Fault,
    },
    /// The axis does not know where it is.
    NotHomed {
        /// The axis.
        axis: Axis,
    },
    /// A position beyond the soft limits.
    OutsideLimits {
        /// The axis.
        axis: Axis,
        /// Lower limit.
        minimum: Um,
        /// Upper limit.
        maximum: Um,
        /// Position asked for.
        asked: Um,
    },
    /// A move or homing that names no axis.
    NoAxis,
    /// The board has no such axis.
    UnknownAxis {
        /// The axis.
        axis: Axis,
    },
    /// A value outside its range; units are those of the setting.
    OutOfRange {
        /// Its name.
        setting: Setting,
        /// Smallest allowed.
        minimum: i32,
        /// Largest allowed.
        maximum: i32,
        /// Value found; cut to what an i32 holds.
        found: i32,
    },
    /// A configuration that cannot be; nothing was changed.
    Configuration {
        /// The field that is wrong, and why.
        error: ConfigError,
    },
    /// The switch by which an axis is to be homed is not there.
    NoSwitch {
        /// The axis.
        axis: Axis,
        /// Its end.
        side: Side,
    },
    /// An encoder tolerance for an axis without encoder.
    NoEncoder {
        /// The axis.
        axis: Axis,
    },
    /// There is no fault to acknowledge.
    NoFault,
    /// The board has no such light.
    UnknownLight {
        /// Number of channels.
        channels: u8,
        /// Channel asked for.
        found: u8,
    },
    /// More light than the channel's ceiling.
    LightAboveCeiling {
        /// Channel.
        channel: u8,
        /// Its ceiling, permille.
        ceiling: u16,
        /// Level asked for, permille.
        asked: u16,
    },
    /// The scan has no such field.
    UnknownField {
        /// Number of fields.
        fields: u32,
        /// Field asked for.
        found: u32,
    },
    /// The prior has no such label.
    UnknownLabel {
        /// Number of labels.
        labels: u8,
        /// Label asked for.
        found: u8,
    },
    /// A field without a valid pixel.
    EmptyField,
    /// More than 2^32 - 2 pixels.
    TooManyPixels,
    /// Sums that no bytes have.
    ImpossibleSums,
    /// The label's prior is too narrow for f32.
    NotFinite,
    /// `FieldRow` or `EndField` without `BeginField`.
    NoOpenField,
    /// Not as many pixels came as were sent; the field is forgotten.
    PixelsMissing {
        /// Pixels that were sent.
        expected: u32,
        /// Pixels that came.
        found: u32,
    },
    /// An error that this version of the protocol has no code for: a defect of the firmware.
    Internal,
}

impl From<Error> for ErrorCode {
    // So that values which no code of the link carries are not computed either: as f64, in software, they are 0.4 kB of a Cortex-M0+'s flash.
    #[inline(always)]
    fn from(error: Error) -> Self {
        let cut = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
        match error {
            Error::UnknownLabel { label, labels } => Self::UnknownLabel { labels: cut(labels), found: cut(label) },
            Error::EmptyBlock { .. } => Self::EmptyField,
            Error::TooMany { .. } => Self::TooManyPixels,
            Error::ImpossibleMoments { .. } => Self::ImpossibleSums,
            Error::NotFinite { .. } => Self::NotFinite,
            _ => Self::Internal,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ProtocolVersion { expected, found } => write!(f, "the controller speaks protocol {expected}, the host {found}"),
            Self::NoSession => f.write_str("the controller knows no such session: it has restarted, or another host has taken over"),
            Self::OutOfOrder { expected, found } => write!(f, "request {found} came before request {expected}"),
            Self::NotOnThisBoard => f.write_str("this board has no such part"),
            Self::Busy { state } => write!(f, "the stage is {state}"),
            Self::TriggerPending => f.write_str("a pulse of the camera is under way"),
            Self::ScanRunning => f.write_str("a scan is running"),
            Self::NoScan => f.write_str("no scan is running"),
            Self::ScanNotPaused => f.write_str("the scan is not paused"),
            Self::Faulted { fault } => write!(f, "a fault must be acknowledged first: {fault}"),
            Self::FaultPersists { fault } => write!(f, "the cause is still there: {fault}"),
            Self::NotHomed { axis } => write!(f, "axis {axis} is not homed"),
            Self::OutsideLimits { axis, minimum, maximum, asked } => {
                write!(f, "axis {axis}: {asked} is outside its limits, {minimum} to {maximum}")
            }
            Self::NoAxis => f.write_str("no axis was named"),
            Self::UnknownAxis { axis } => write!(f, "this board has no axis {axis}"),
            Self::OutOfRange { setting, minimum, maximum, found } => write!(f, "{setting}: expected {minimum} to {maximum}, found {found}"),
            Self::Configuration { error } => write!(f, "{error}"),
            Self::NoSwitch { axis, side } => write!(f, "axis {axis} has no limit switch at its {side} end"),
            Self::NoEncoder { axis } => write!(f, "axis {axis} has an encoder tolerance, but no encoder"),
            Self::NoFault => f.write_str("there is no fault to acknowledge"),
            Self::UnknownLight { channels, found } => write!(f, "light {found}: this board has {channels}, counted from 0"),
            Self::LightAboveCeiling { channel, ceiling, asked } => {
                write!(f, "light {channel}: {asked} permille is above its ceiling of {ceiling}")
            }
            Self::UnknownField { fields, found } => write!(f, "field {found}: the scan has {fields}, counted from 0"),
            Self::UnknownLabel { labels, found } => write!(f, "label {found}: the controller's prior has {labels}, counted from 0"),
            Self::EmptyField => f.write_str("the field has no valid pixel"),
            Self::TooManyPixels => f.write_str("the field has more than 2^32 - 2 pixels"),
            Self::ImpossibleSums => f.write_str("no bytes have these sums"),
            Self::NotFinite => f.write_str("the prior of this label is too narrow for f32"),
            Self::NoOpenField => write!(f, "no field was begun (rows of at most {ROW_PIXELS} pixels follow a BeginField)"),
            Self::PixelsMissing { expected, found } => write!(f, "{expected} pixels of the field were sent, {found} came"),
            Self::Internal => f.write_str("internal error of the firmware"),
        }
    }
}

impl core::error::Error for ErrorCode {}
