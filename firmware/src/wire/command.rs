//! What a host can ask for.

use super::field::{FieldSummary, RowPixels};
use super::scan::{LightLevel, ScanPlan, TriggerPulse};
use super::settings::{AxisSettings, StageSettings};
use crate::motion::{Axis, PerAxis};
use crate::units::Um;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// What a host can ask for, once it has a session. What takes time is only started by its answer ([`Answer::Started`](super::Answer::Started))
/// and ends with an [`Event::Finished`](super::Event::Finished) of the same operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Command {
    /// Is someone there, and who?
    Ping,
    /// Where everything stands. Allowed at any time.
    Status,
    /// The settings of an axis.
    AxisSettings {
        /// Which axis.
        axis: Axis,
    },
    /// New settings for an axis; only at rest.
    ConfigureAxis(AxisSettings),
    /// The settings of the stage.
    StageSettings,
    /// New settings for the stage; only at rest.
    ConfigureStage(StageSettings),
    /// Longest silence of the host before everything stops. It cannot be switched off.
    SetHeartbeat {
        /// 100 to 10,000 ms.
        heartbeat_ms: u16,
    },
    /// Finds the switches of these axes, z first.
    Home {
        /// Which axes.
        axes: PerAxis<bool>,
    },
    /// A straight line to a position.
    MoveTo {
        /// The position; axes without one stay.
        target: PerAxis<Option<Um>>,
    },
    /// A straight line by a way.
    MoveBy {
        /// The way; axes without one stay.
        offset: PerAxis<Option<Um>>,
    },
    /// Ends motion by its ramp, and a scan with it.
    Stop,
    /// Ends everything at once and latches a fault. (A frame of its own does the same without a session, and overtakes.)
    EmergencyStop,
    /// A person has seen the fault; refused while its cause lasts.
    AcknowledgeFault,
    /// Sets a light.
    Light {
        /// Channel and level.
        level: LightLevel,
        /// Time from the present level to the new one, ms.
        ramp_ms: u16,
    },
    /// One pulse for the camera, after the stage has settled.
    Trigger(TriggerPulse),
    /// Visits a grid of fields.
    Scan(ScanPlan),
    /// Halts a scan after the field it is in.
    PauseScan,
    /// Goes on with it.
    ResumeScan,
    /// Ends it; motion stops by its ramp.
    AbortScan,
    /// Visits a field of the running or paused scan once more, before the next one.
    RepeatField {
        /// Its number in the plan.
        field: u32,
    },
    /// A field has been segmented: is it consistent?
    Field(FieldSummary),
    /// A field follows row by row; one that was begun before is forgotten.
    BeginField {
        /// Low-resolution class z of the field.
        label: u8,
    },
    /// Pixels of that field.
    FieldRow(RowPixels),
    /// The field is complete: is it consistent?
    EndField {
        /// Pixels that were sent; another number is refused, and the field forgotten.
        pixels: u32,
    },
    /// The moments of all fields of a label so far.
    Moments {
        /// Low-resolution class z.
        label: u8,
    },
    /// A person has seen the alarm of a label.
    AcknowledgeAlarm {
        /// Low-resolution class z.
        label: u8,
    },
    /// Ends the session without a fault: lights go off. Refused while anything moves.
    Goodbye,
}
