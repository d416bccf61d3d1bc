//! What a command gives.

use super::error_code::ErrorCode;
use super::field::{Consistency, LabelMoments, SummedField};
use super::settings::{AxisSettings, StageSettings};
use super::status::{ResetReason, Status};
use crate::motion::PerAxis;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// What a command that was carried out gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Answer {
    /// To what is over at once and has nothing to tell.
    Done,
    /// To `Home`, `MoveTo`, `MoveBy`, `Scan`: begun; `Finished` of this operation follows.
    Started {
        /// Counts the operations since power-on.
        operation: u32,
    },
    /// To `Trigger`: `Exposed`, then `Finished` of this operation follow.
    TriggerStarted {
        /// Number of the operation.
        operation: u32,
        /// Number of the pulse.
        trigger_id: u32,
    },
    /// To `Ping`.
    Pong(Identity),
    /// To `Status`.
    Status(Status),
    /// To `AxisSettings`.
    AxisSettings(AxisSettings),
    /// To `StageSettings`.
    StageSettings(StageSettings),
    /// To `Field`.
    Consistency(Consistency),
    /// To `FieldRow`.
    RowTaken {
        /// Pixels of the field so far.
        pixels: u32,
    },
    /// To `EndField`.
    Summed(SummedField),
    /// To `Moments`.
    Moments(LabelMoments),
}

/// What an exchange brought the host: the answer, or why there is none.
pub type Outcome = Result<Answer, ErrorCode>;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Identity {
    /// [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION) of the controller.
    pub protocol: u16,
    /// Major, minor and patch version of this crate on the controller.
    pub firmware: [u16; 3],
    /// Axes that the board has.
    pub axes: PerAxis<bool>,
    /// Number of light channels.
    pub lights: u8,
    /// Number of labels that its monitor watches; 0 without one.
    pub labels: u8,
    /// Why it started last.
    pub reset_reason: ResetReason,
    /// Longest silence of the host before everything stops, ms.
    pub heartbeat_ms: u16,
}
