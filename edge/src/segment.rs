//! One image, from its file to its five files. Read this to see the whole path; [`segment_slide`](crate::segment_slide) is that of a slide.

use crate::digest::sha256;
use crate::error::Error;
use crate::field::{Field, PixelSize};
use crate::input::Input;
use crate::interrupt::Interrupt;
use crate::listener::Listener;
use crate::live::{CountTable, NameLabels};
use crate::low_resolution::LowResolution;
use crate::mask::{CancerFraction, Mask};
use crate::model::{LearnedFrom, Model};
use crate::output::{
    Began, Existing, InputRecord, NOTICE, NetworkRecord, Origin, OutputFiles, Record, Settings, Timings, as_recorded, regions,
};
use crate::predict::{TilePlan, predict};
use crate::quality::Quality;
use crate::read::read_file;
use crate::segment_slide::segment_slide;
use crate::shard::Shard;
use crate::slide::{Slide, TissueChoice};
use crate::tile::{DEFAULT_TILE, TileRule, Tiling};
use crate::training_distance::TrainingDistance;
use lsr_core::U8Sums;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Image files beyond this are not read.
pub(crate) const MAX_FILE_BYTES: u64 = 2 << 30;

/// What the user may choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Pixel size of all inputs, whatever they state.
    pub um_per_px: Option<f64>,
    /// Pixel size of inputs that state none; `None` is the model's for images, and refuses slides.
    pub um_per_px_if_missing: Option<f64>,
    /// What is looked at of slides.
    pub tissue: TissueChoice,
    /// Mask threshold; `None` is the model's.
    pub threshold: Option<f32>,
    /// The share of the inputs that is segmented.
    pub shard: Option<Shard>,
    /// How large images are cut.
    pub tiling: Tiling,
    /// Low-resolution classes of the inputs, by their names.
    pub labels: NameLabels,
    /// Count prior of the classes; `None` is the paper's Table 1.
    pub prior: Option<CountTable>,
    /// Replace what exists.
    pub overwrite: bool,
}

/// Segments images with one model and one set of options, checked once.
pub struct Segmenter {
    model: Model,
    output: PathBuf,
    options: Options,
    settings: Settings,
    rule: TileRule,
    prior: CountTable,
    interrupt: Interrupt,
}

/// What became of an image.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Its files were written.
    Written(Box<Written>),
    /// Its files were there.
    Skipped {
        /// Made with the same model, settings and version.
        same: bool,
    },
}

/// What was found in an image or slide.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// None on a slide without tissue.
    pub cancer: Option<CancerFraction>,
    /// Whether that agrees with the label that the input was given; none without tissue.
    pub low_resolution: Option<LowResolution>,
    /// Whether it is fit to be counted; a slide is not judged as a whole.
    pub quality: Option<Quality>,
    /// How far it is from what the network has learned from, where the model says what that was.
    pub training_distance: Option<TrainingDistance>,
}

/// What the network finds in a field.
pub(crate) struct Found {
    pub(crate) mask: Mask,
    /// `round(255 p)`.
    pub(crate) probability: Vec<u8>,
    pub(crate) sums: U8Sums,
    pub(crate) cancer: CancerFraction,
    pub(crate) network: NetworkRecord,
    pub(crate) quality: Quality,
    /// Where the model says what it has learned from.
    pub(crate) training_distance: Option<TrainingDistance>,
}

impl Segmenter {
    /// Checks the options against the model.
    ///
    /// # Errors
    /// [`Error::Flag`], [`Error::TileTooSmall`], [`Error::OverlapTooLarge`]; [`Error::NotInPrior`] for a label without a count.
    pub fn new(model: Model, output: &Path, options: &Options, interrupt: Interrupt) -> Result<Self, Error> {
        let metadata = model.metadata();
        let threshold = options.threshold.unwrap_or(metadata.threshold);
        if !(threshold > 0.0 && threshold < 1.0) {
            return Err(Error::Flag { flag: "--threshold", value: f64::from(threshold), expected: "a number in (0, 1)" });
        }
        for (flag, value) in [("--um-per-px", options.um_per_px), ("--um-per-px-if-missing", options.um_per_px_if_missing)] {
            if let Some(value) = value.filter(|&value| !(value > 0.0 && value <= 1000.0)) {
                return Err(Error::Flag { flag, value, expected: "micrometres per pixel in (0, 1000]" });
            }
        }
        let max_tile = Some(options.tiling.max_tile.unwrap_or(model.default_tile()));
        let rule = Tiling { max_tile, ..options.tiling }.for_model(metadata.alignment, metadata.context_px)?;
        // Images state none, so only the first of the two flags counts.
        let (um_per_px, um_per_px_if_missing) = (options.um_per_px, options.um_per_px_if_missing.filter(|_| options.um_per_px.is_none()));
        let settings = Settings { threshold, um_per_px, um_per_px_if_missing, tile: rule.max_tile, overlap: rule.overlap };
        let prior = options.prior.clone().unwrap_or_else(CountTable::table_1);
        if let Some(label) = options.labels.labels().find(|&label| !prior.has(label)) {
            return Err(Error::NotInPrior { label });
        }
        Ok(Self { model, output: output.to_owned(), options: options.clone(), settings, rule, prior, interrupt })
    }

    /// Where outputs go.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// The wish to stop.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Whether an image of this stored size is so small that several are run side by side, each on one thread: it is one tile, and no larger than
    /// the largest tile of a float network by default.
    pub(crate) fn is_small(&self, size: [u32; 2]) -> bool {
        let resampled = self.pixel_size().resampled(size, self.model.metadata().um_per_px);
        let small = |side: u32| self.rule.is_whole(side) && side <= DEFAULT_TILE;
        resampled.is_ok_and(|[width, height]| small(width) && small(height))
    }

    /// Pixel size that the network sees.
    pub fn um_per_px(&self) -> f64 {
        self.model.metadata().um_per_px
    }

    /// Width and height of what the network sees of a field of this size without a pixel size of its own.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub(crate) fn network_size(&self, size: [u32; 2]) -> Result<[u32; 2], Error> {
        self.pixel_size().resampled(size, self.um_per_px())
    }

    /// The model.
    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// What the user has chosen.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The predicted count of an input against the label that it was given.
    ///
    /// # Errors
    /// [`Error::Moments`] where there are no pixels.
    pub(crate) fn low_resolution(&self, name: &str, sums: U8Sums) -> Result<LowResolution, Error> {
        LowResolution::of(sums, self.options.labels.of(name), &self.prior)
    }

    /// What is there of an input already.
    ///
    /// # Errors
    /// As [`OutputFiles::existing`].
    pub(crate) fn existing(&self, files: &OutputFiles, name: &str, input_sha256: &str, settings: &Value) -> Result<Existing, Error> {
        if self.options.overwrite {
            return Ok(Existing::None);
        }
        let given = LowResolution::given(self.options.labels.of(name), &self.prior);
        files.existing(input_sha256, &self.model.card().sha256, settings, &given)
    }

    /// What results depend on besides image and model.
    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Pixel size of the inputs.
    pub(crate) fn pixel_size(&self) -> PixelSize {
        PixelSize::given_or_assumed(self.settings.um_per_px, self.settings.um_per_px_if_missing, self.model.metadata().field_um_per_px)
    }

    /// Segments one image or slide.
    ///
    /// # Errors
    /// Whatever is wrong with the image, its outputs or the model's run; nothing half-written stays behind.
    pub fn segment(&self, input: &Input, listener: Listener<'_>) -> Result<Outcome, Error> {
        self.interrupt.check()?;
        match Slide::open(&input.path)? {
            Some(slide) => segment_slide(self, input, &slide, listener),
            None => self.segment_image(input, listener.progress),
        }
    }

    fn segment_image(&self, input: &Input, progress: &(dyn Fn(f64) + Sync)) -> Result<Outcome, Error> {
        let (began, mut clock) = (Began::now(), Clock(Instant::now()));
        let mut timings = Timings::default();
        let bytes = read_file(&input.path, MAX_FILE_BYTES)?;
        let digest = sha256(&bytes);
        let files = OutputFiles::new(&self.output, &input.name);
        let settings = as_recorded(&self.settings);
        match self.existing(&files, &input.name, &digest, &settings)? {
            Existing::None => {}
            existing => return Ok(Outcome::Skipped { same: existing == Existing::Same }),
        }

        let field = Field::decode(&bytes, self.pixel_size())?;
        drop(bytes);
        timings.decode = clock.lap();
        let found = self.find(&field, self.settings.threshold, &mut timings, progress)?;
        let low_resolution = self.low_resolution(&input.name, found.sums)?;
        clock.lap();
        self.interrupt.check()?;
        files.remove_record()?;
        let (width, height) = field.image.dimensions();
        let PixelSize { um_per_px, source } = field.pixel_size;
        files.write_pictures(field.image, &found.mask, &found.probability)?;
        let regions = regions(found.mask.pixels(), width as usize, &found.probability);
        let card = self.model.card();
        let class = card.metadata.mask_class_name();
        let model_sha256 = &card.sha256;
        let (settings, size) = (&settings, [width, height]);
        let origin = Origin { input_sha256: &digest, model_sha256, settings, class, um_per_px, scale: [1.0; 2], size };
        files.write_geojson(&regions, origin)?;
        timings.write = clock.lap();
        files.write_record(&Record {
            notice: NOTICE,
            lsr_edge: crate::VERSION,
            input: InputRecord {
                path: input.path.to_string_lossy().into_owned(),
                sha256: digest,
                width,
                height,
                um_per_px,
                um_per_px_source: source,
            },
            began,
            cancer: found.cancer,
            low_resolution: low_resolution.clone(),
            regions: regions.len(),
            quality: found.quality.clone(),
            training_distance: found.training_distance.clone(),
            settings: self.settings,
            network: found.network,
            model: card,
            timings_ms: timings,
        })?;
        Ok(Outcome::Written(Box::new(Written {
            cancer: Some(found.cancer),
            low_resolution: Some(low_resolution),
            quality: Some(found.quality),
            training_distance: found.training_distance,
        })))
    }

    /// What the network finds in a field, where a pixel is cancer whose probability is at least `threshold`; adds to the timings of resampling, inference, distance and mask.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Model`], [`Error::Interrupted`].
    pub(crate) fn find(
        &self,
        field: &Field,
        threshold: f32,
        timings: &mut Timings,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Found, Error> {
        let mut clock = Clock(Instant::now());
        let resampled = field.at(self.model.metadata().um_per_px)?;
        let image = resampled.as_ref().unwrap_or(&field.image);
        timings.resample += clock.lap();

        let plan = TilePlan::new(&self.rule, image.width(), image.height());
        let network = self.network_record(&plan, image.width(), image.height());
        let map = predict(&self.model, image, &self.rule, &self.interrupt, progress)?;
        timings.inference += clock.lap();

        let learned_from = self.model.metadata().reference.as_ref();
        let distance =
            |known: &LearnedFrom| TrainingDistance::of(known.reference(), image.as_raw(), &map.to_u8(), image.width(), image.height());
        let training_distance = learned_from.map(distance).transpose()?;
        let quality = Quality::of(image.as_raw(), image.width() as usize, image.height() as usize);
        drop(resampled);
        timings.training_distance += clock.lap();

        let (width, height) = field.image.dimensions();
        let map = map.resized(width, height);
        timings.resample += clock.lap();

        let mask = Mask::new(&map, threshold);
        let probability = map.to_u8();
        drop(map);
        let mut sums = U8Sums::default();
        sums.push_row(&probability);
        let cancer = CancerFraction::of_sums(sums, mask.count(), field.pixel_size.um_per_px)?;
        timings.mask += clock.lap();
        Ok(Found { mask, probability, sums, cancer, network, quality, training_distance })
    }

    fn network_record(&self, plan: &TilePlan, width: u32, height: u32) -> NetworkRecord {
        NetworkRecord {
            width,
            height,
            tile_columns: plan.columns.starts.len(),
            tile_rows: plan.rows.starts.len(),
            tile_width: plan.columns.tile,
            tile_height: plan.rows.tile,
            same_as_one_pass: plan.tiles() == 1 || self.rule.exact,
        }
    }
}

/// Times stages one after the other.
pub(crate) struct Clock(pub(crate) Instant);

impl Clock {
    /// Milliseconds since the last lap, to a microsecond.
    pub(crate) fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let micros = now.duration_since(std::mem::replace(&mut self.0, now)).as_micros();
        micros as f64 / 1000.0
    }
}
