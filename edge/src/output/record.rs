//! The record of one image, `NAME.json`: what was found, and everything that it follows from.

use crate::field::PixelSizeSource;
use crate::low_resolution::LowResolution;
use crate::mask::CancerFraction;
use crate::model::Card;
use crate::quality::Quality;
use crate::session::utc_text;
use crate::training_distance::TrainingDistance;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::time::SystemTime;

/// What every record says first.
pub const NOTICE: &str = "research use only: not a medical device, not for diagnosis";

/// One image's record.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    /// [`NOTICE`].
    pub(crate) notice: &'static str,
    /// Version of this program.
    pub(crate) lsr_edge: &'static str,
    /// The image.
    pub(crate) input: InputRecord,
    /// When work on it began.
    pub(crate) began: Began,
    /// What was found.
    pub(crate) cancer: CancerFraction,
    /// Whether it agrees with the label that the image was given.
    pub(crate) low_resolution: LowResolution,
    /// Regions of the mask, each a polygon in `NAME.geojson`.
    pub(crate) regions: usize,
    /// Whether it is fit to be judged; an unfit one has masks too, but is not to be counted.
    pub(crate) quality: Quality,
    /// How far the field is from what the network has learned from; null where the model does not say what that was.
    pub(crate) training_distance: Option<TrainingDistance>,
    /// What the result depends on besides image and model.
    pub(crate) settings: Settings,
    /// What the network was fed.
    pub(crate) network: NetworkRecord,
    /// The model.
    pub(crate) model: &'a Card,
    /// Where the time went.
    pub(crate) timings_ms: Timings,
}

/// When work on an input began, by the wall clock, which may be set, and by the clock that is not: seconds since the machine was started.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Began {
    /// RFC 3339.
    utc: String,
    /// Seconds, to a millisecond.
    monotonic_s: f64,
}

impl Began {
    pub(crate) fn now() -> Self {
        let monotonic = clock_gettime(ClockId::Monotonic);
        let milliseconds = (monotonic.tv_nsec as f64 / 1e6).floor();
        Self { utc: utc_text(SystemTime::now()), monotonic_s: monotonic.tv_sec as f64 + milliseconds / 1000.0 }
    }
}

/// The image.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InputRecord {
    /// As it was given.
    pub(crate) path: String,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
    /// Pixels; mask and probabilities have the same.
    pub(crate) width: u32,
    /// Pixels.
    pub(crate) height: u32,
    /// Pixel size.
    pub(crate) um_per_px: f64,
    /// Who says so.
    pub(crate) um_per_px_source: PixelSizeSource,
}

/// What the result depends on besides image and model. Records are compared by this before an image is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Settings {
    /// A pixel is cancer where its probability is at least this.
    pub(crate) threshold: f32,
    /// `--um-per-px`, null where it was not given.
    pub(crate) um_per_px: Option<f64>,
    /// `--um-per-px-if-missing`, null where it was not given.
    pub(crate) um_per_px_if_missing: Option<f64>,
    /// Longest side that is run in one pass.
    pub(crate) tile: u32,
    /// Pixels that neighbouring tiles share at least.
    pub(crate) overlap: u32,
}

/// What the network was fed.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct NetworkRecord {
    /// Width of the image at the model's pixel size.
    pub(crate) width: u32,
    /// Its height.
    pub(crate) height: u32,
    /// Tiles side by side.
    pub(crate) tile_columns: usize,
    /// Tiles below each other.
    pub(crate) tile_rows: usize,
    /// Width of a tile.
    pub(crate) tile_width: u32,
    /// Height of a tile.
    pub(crate) tile_height: u32,
    /// Whether the overlap is so large that tiles give the same as one pass, up to rounding (true for a single tile).
    pub(crate) same_as_one_pass: bool,
}

/// Milliseconds per stage.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Timings {
    /// Reading, hashing, decoding.
    pub(crate) decode: f64,
    /// To the model's pixel size, and back.
    pub(crate) resample: f64,
    /// The network, all tiles, with cutting and blending.
    pub(crate) inference: f64,
    /// Quality and features of the field, and their distance from those of the training images.
    pub(crate) training_distance: f64,
    /// Mask, counts and overlay.
    pub(crate) mask: f64,
    /// Outlines, and encoding and writing all files but the record.
    pub(crate) write: f64,
}
