//! What is kept of a field and of a session.

use crate::mask::CancerFraction;
use crate::quality::Quality;
use crate::source::Position;
use crate::training_distance::TrainingDistance;
use lsr_core::{Drift, U8Sums};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A field of a session: what was found, and what it follows from together with its [`SessionRecord`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldRecord {
    /// Its session.
    pub session: String,
    /// Its number in the session, from 1 on; numbers of fields that failed are missing.
    pub number: u64,
    /// Its name at its source.
    pub name: String,
    /// When it was seen first, UTC (RFC 3339).
    pub seen_utc: String,
    /// The same by the monotonic clock: milliseconds since the session's begin.
    pub seen_ms: f64,
    /// SHA-256 of the file, or of width, height (four bytes each, the lowest first) and the RGB bytes where it came as pixels.
    pub input_sha256: String,
    /// Pixels; mask and probabilities have the same.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pixel size.
    pub um_per_px: f64,
    /// Who says so.
    pub um_per_px_source: String,
    /// Its centre on the stage or the slide, where that is known.
    pub position: Option<Position>,
    /// Its place in a scan, and the pulse that it was taken by; none of a field that no stage was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanPlace>,
    /// A pixel is cancer where its probability is at least this.
    pub threshold: f32,
    /// Pixels n.
    pub pixels: u32,
    /// Sum of the u8 probabilities q.
    pub sum: u64,
    /// Sum of q^2.
    pub sum_of_squares: u64,
    /// What was found.
    pub cancer: CancerFraction,
    /// Whether it is fit to be counted.
    pub quality: Quality,
    /// How far it is from what the network has learned from, where the model says what that was.
    pub training_distance: Option<TrainingDistance>,
    /// Low-resolution class z that it is held against the count prior of.
    pub label: Option<u8>,
    /// How many standard deviations its count lies above the prior; none without a label, and where it is not fit to be counted.
    pub z_score: Option<f64>,
    /// The label's alarm at that time: `above` or `below`.
    #[schema(value_type = Option<String>)]
    pub alarm: Option<Drift>,
    /// Its pictures in the store.
    pub artefacts: Vec<Artefact>,
    /// Where the time went until it was written.
    pub times_ms: StageTimes,
    /// SHA-256 of the model.
    pub model_sha256: String,
    /// Version of this program.
    pub lsr_edge: String,
    /// What it may be used for.
    pub notice: String,
}

impl FieldRecord {
    /// Its integer sums.
    pub fn sums(&self) -> U8Sums {
        U8Sums { pixels: self.pixels, sum: self.sum, sum_of_squares: self.sum_of_squares }
    }

    /// The file of a kind, below the store's folder.
    pub fn path_of(&self, kind: Kind) -> Option<&str> {
        self.artefacts.iter().find(|artefact| artefact.kind == kind).map(|artefact| artefact.path.as_str())
    }
}

/// Where a field of a scan lies, and what proves that its frame was taken there: the controller reports number, time and place of the pulse, and no other
/// frame came between this pulse and the one after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScanPlace {
    /// Its number in the plan, `row * columns + column`; the field's number in the session is one more.
    pub field: u32,
    /// Row, from 0 on.
    pub row: u32,
    /// Column, from 0 on.
    pub column: u32,
    /// How often it was visited; more than once where a frame was missing or doubtful, or the count unlikely.
    pub visits: u32,
    /// Number of the pulse, counted from the controller's start.
    pub trigger_id: u32,
    /// The controller's start: another number is another start.
    pub boot: u32,
    /// Beginning of the pulse, us since the controller's start.
    pub exposed_us: u64,
    /// Where the stage stood by its own count: x, y, z, um.
    pub position_um: [f64; 3],
    /// Light of each channel, permille.
    pub light_permille: [u16; 4],
    /// Earlier visits whose count was so unlikely that the field was looked at once more.
    pub unlikely: Vec<UnlikelyVisit>,
    /// Where the time went besides the field's own.
    pub times_ms: ScanTimes,
}

/// A visit that another one followed because its count was unlikely.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnlikelyVisit {
    /// Its pulse.
    pub trigger_id: u32,
    /// Predicted count, a fraction.
    pub count_fraction: f64,
    /// Standard deviations above the prior.
    pub z_score: f64,
}

/// Milliseconds of a field of a scan. They overlap: while one field is segmented the stage is on its way to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScanTimes {
    /// From asking for the field to the news of its pulse: move, rest, pulse.
    pub travel: f64,
    /// From there until its frame was there and the scan rested.
    pub frame: f64,
    /// In the queue, and held back until the next pulse showed that there was one frame.
    pub queue: f64,
    /// Asking the monitor.
    pub judge: f64,
}

/// A picture of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Artefact {
    /// What it is.
    pub kind: Kind,
    /// Path below the store's folder, with `/`.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// Kinds of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// 0 or 255.
    Mask,
    /// `round(255 p)`.
    Probability,
    /// What the camera saw, as PNG.
    Frame,
    /// The same with the mask drawn on it.
    Overlay,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mask, Self::Probability, Self::Frame, Self::Overlay];

    /// In file names and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Probability => "probability",
            Self::Frame => "frame",
            Self::Overlay => "overlay",
        }
    }
}

/// Milliseconds of a field from being seen until it is written, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageTimes {
    /// From being seen until work on it began: reading, waiting for the field before.
    pub capture: f64,
    /// Hashing and decoding.
    pub decode: f64,
    /// The network, with resampling to its pixel size and back.
    pub inference: f64,
    /// Mask, counts, quality and distance from the training images.
    pub mask: f64,
    /// Encoding its pictures.
    pub encode: f64,
}

impl StageTimes {
    /// Names and values.
    pub fn stages(&self) -> [(&'static str, f64); 5] {
        let Self { capture, decode, inference, mask, encode } = *self;
        [("capture", capture), ("decode", decode), ("inference", inference), ("mask", mask), ("encode", encode)]
    }
}

/// A run of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionRecord {
    /// Its identity: a UUID of version 7, different on every device.
    pub id: String,
    /// When it began, UTC (RFC 3339).
    pub begun_utc: String,
    /// The device's name.
    pub device: String,
    /// Where its fields come from.
    pub source: String,
    /// What results depend on besides fields and model.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// SHA-256 of the model.
    pub model_sha256: String,
    /// What the model says about itself.
    #[schema(value_type = Object)]
    pub model: Value,
    /// Version of this program.
    pub lsr_edge: String,
    /// What results may be used for.
    pub notice: String,
}
