//! The record of one slide, `NAME.json`.

use super::bands::Bands;
use crate::digest::sha256;
use crate::error::Error;
use crate::field::{PixelSize, PixelSizeSource};
use crate::low_resolution::LowResolution;
use crate::mask::CancerFraction;
use crate::model::Card;
use crate::output::Began;
use crate::read::read_file;
use crate::segment::{MAX_FILE_BYTES, Segmenter};
use crate::slide::{Grid, TissueChoice};
use crate::training_distance::TrainingDistance;
use serde::Serialize;
use serde_json::Value;

/// One slide's record: keys that a field's record has too mean the same.
#[derive(Debug, Serialize)]
pub(super) struct SlideRecord<'a> {
    /// [`NOTICE`](crate::NOTICE).
    pub(super) notice: &'static str,
    /// Version of this program.
    pub(super) lsr_edge: &'static str,
    /// The slide.
    pub(super) input: SlideInput,
    /// When work on it began, in this run.
    pub(super) began: Began,
    /// What was found, as fractions of the pixels that were looked at, whose area is `image_area_mm2`; null where
    /// there is no tissue.
    pub(super) cancer: Option<CancerFraction>,
    /// Whether it agrees with the label that the slide was given; null where there is no tissue.
    pub(super) low_resolution: Option<LowResolution>,
    /// Regions of the mask, each a polygon in `NAME.geojson`; null where there would be too many, and that file is not written.
    pub(super) regions: Option<usize>,
    /// Where was looked.
    pub(super) tissue: TissueRecord,
    /// How far its tissue is from what the network has learned from; null where the model does not say what that was.
    pub(super) training_distance: Option<TrainingDistance>,
    /// What the result depends on besides slide and model.
    pub(super) settings: SlideSettings,
    /// What the network was fed.
    pub(super) network: BandsRecord,
    /// The model.
    pub(super) model: &'a Card,
    /// Where the time went; of this run, where an earlier one had begun.
    pub(super) timings_ms: SlideTimings,
}

#[derive(Debug, Serialize)]
pub(super) struct SlideInput {
    /// As it was given.
    pub(super) path: String,
    /// SHA-256 of the file; of several, of the lines that `sha256sum` prints for them.
    pub(super) sha256: String,
    /// From the finest level, where the slide has several files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<SlideFile>,
    /// What kind of file it is.
    pub(super) kind: &'static str,
    /// Pixels of the finest level.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Pixel size of the finest level.
    pub(super) um_per_px: f64,
    /// Who says so.
    pub(super) um_per_px_source: PixelSizeSource,
    /// Area of the slide, square millimetres.
    pub(super) area_mm2: f64,
    /// Width and height of every level.
    pub(super) levels: Vec<[u32; 2]>,
    /// The level that was read.
    pub(super) level: usize,
}

/// A file of a slide.
#[derive(Debug, Serialize)]
pub(super) struct SlideFile {
    pub(super) name: String,
    pub(super) sha256: String,
}

#[derive(Debug, Serialize)]
pub(super) struct TissueRecord {
    /// Saturation of 255 from which on a pixel was taken for tissue; null where it was not looked for.
    pub(super) threshold: Option<u8>,
    /// Share of the slide that was taken for pen marks.
    pub(super) pen: f64,
    /// Pixel size of the small picture on which it was looked for.
    pub(super) um_per_px: f64,
}

/// What the result depends on besides slide and model.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SlideSettings {
    threshold: f32,
    um_per_px: Option<f64>,
    um_per_px_if_missing: Option<f64>,
    /// Longest side that is run in one pass.
    tile: u32,
    /// `none`, `auto` or the mask's file.
    tissue: String,
    /// SHA-256 of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    tissue_sha256: Option<String>,
}

impl SlideSettings {
    /// # Errors
    /// A mask's file that cannot be read.
    pub(super) fn new(segmenter: &Segmenter, tile: u32, pixel_size: PixelSize) -> Result<Self, Error> {
        let options = segmenter.options();
        let (tissue, tissue_sha256) = match &options.tissue {
            TissueChoice::None => ("none".to_owned(), None),
            TissueChoice::Auto => ("auto".to_owned(), None),
            TissueChoice::Mask(path) => (path.to_string_lossy().into_owned(), Some(sha256(&read_file(path, MAX_FILE_BYTES)?))),
        };
        Ok(Self {
            threshold: segmenter.settings().threshold,
            um_per_px: options.um_per_px,
            // What the slide states stands, so that the flag changes nothing for it.
            um_per_px_if_missing: options.um_per_px_if_missing.filter(|_| pixel_size.source == PixelSizeSource::FlagIfMissing),
            tile,
            tissue,
            tissue_sha256,
        })
    }
}

/// How the slide was cut.
#[derive(Debug, Serialize)]
pub(super) struct BandsRecord {
    /// Width of the slide at the model's pixel size.
    width: u32,
    height: u32,
    um_per_px: f64,
    bands: u32,
    /// Of these, those that an earlier run had done.
    bands_kept: u32,
    tile_width: u32,
    tile_height: u32,
    /// Most memory, as it was stated before the run.
    most_bytes: u64,
    /// Threads that it was run on.
    threads: usize,
}

impl BandsRecord {
    pub(super) fn new(grid: &Grid<'_>, bands: &Bands, bands_kept: u32, most_bytes: u64) -> Self {
        let ([width, height], [tile_width, tile_height]) = (grid.size, bands.largest());
        let threads = rayon::current_num_threads();
        Self { width, height, um_per_px: grid.um_per_px, bands: bands.count(), bands_kept, tile_width, tile_height, most_bytes, threads }
    }
}

/// What finished bands follow from.
#[derive(Debug, Serialize)]
pub(super) struct MadeBy<'a> {
    lsr_edge: &'static str,
    input_sha256: &'a str,
    model_sha256: &'a str,
    settings: &'a Value,
    size: [u32; 2],
}

impl<'a> MadeBy<'a> {
    pub(super) fn new(input_sha256: &'a str, model_sha256: &'a str, settings: &'a Value, size: [u32; 2]) -> Self {
        Self { lsr_edge: crate::VERSION, input_sha256, model_sha256, settings, size }
    }
}

/// Milliseconds per stage.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct SlideTimings {
    /// SHA-256 of the file.
    pub(super) hash: f64,
    /// The small picture, and tissue on it.
    pub(super) tissue: f64,
    /// Reading, resampling, the network, and the bands' files.
    pub(super) inference: f64,
    /// All files but the record.
    pub(super) write: f64,
}
