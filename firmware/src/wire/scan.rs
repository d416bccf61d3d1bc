//! Light, trigger and scan, as a host asks for them and as the controller reports them.

use crate::motion::PerAxis;
use crate::units::Um;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Most light channels that messages can name.
pub const LIGHT_CHANNELS: usize = 4;

/// A level of one light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LightLevel {
    /// Channel, from 0 on; fewer than [`LIGHT_CHANNELS`].
    pub channel: u8,
    /// Permille of full.
    pub permille: u16,
}

/// A camera's trigger pulse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TriggerPulse {
    /// Width, us.
    pub width_us: u32,
    /// Rest before it, us; the settling time after a move comes first.
    pub delay_before_us: u32,
    /// Rest after it before anything may move, us: exposure and read-out.
    pub delay_after_us: u32,
}

/// In which order the fields of a scan are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ScanOrder {
    /// Every row from its first column on.
    Raster,
    /// Every other row backwards: the shortest way.
    Snake,
}

/// A grid of fields that the controller visits by itself: move, settle, trigger, report. Field `row * columns + column` lies at
/// `(x + column * pitch_x, y + row * pitch_y)`, whatever the order of the visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScanPlan {
    /// x of field 0.
    pub x: Um,
    /// y of field 0.
    pub y: Um,
    /// z of all fields; the present one if none is given.
    pub z: Option<Um>,
    /// Fields in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Distance of columns; negative is allowed.
    pub pitch_x: Um,
    /// Distance of rows.
    pub pitch_y: Um,
    /// Order of the visits.
    pub order: ScanOrder,
    /// First field in that order: 0, or where an interrupted scan goes on.
    pub first_visit: u32,
    /// Rest after each move, ms; never less than the stage's own.
    pub settle_ms: u16,
    /// The camera's pulse in each field.
    pub trigger: TriggerPulse,
    /// Light for the whole scan, off at its end; none leaves the light as it is.
    pub light: Option<LightLevel>,
}

impl ScanPlan {
    /// Number of fields.
    pub const fn fields(&self) -> u32 {
        self.columns as u32 * self.rows as u32
    }
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScanProgress {
    /// Number of its operation.
    pub operation: u32,
    /// Fields visited, repeated ones not counted again.
    pub visited: u32,
    /// Fields in all.
    pub fields: u32,
    /// Waits for `ResumeScan`.
    pub paused: bool,
}

/// A pulse that the camera got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Exposure {
    /// The operation that it belongs to.
    pub operation: u32,
    /// Number of the pulse; never repeated before the next power-on.
    pub trigger_id: u32,
    /// Beginning of the pulse, us since power-on.
    pub time_us: u64,
    /// Where the stage stood.
    pub position: PerAxis<Um>,
    /// Light of each channel, permille.
    pub light: [u16; LIGHT_CHANNELS],
}
