//! One whole slide, from its file to its files. Memory does not grow with the slide but for a bit or two for each pixel at the model's
//! pixel size; what is done is kept on the disk band by band, so that a run that was stopped goes on from there.
//!
//! ```text
//! slide ─ tissue ─► tiles of a band ─ grid ─► RGB at the model's pixel size ─ predict ─► NAME.partial/rows-00000.png
//! bands ─ assemble ─► NAME.mask.ome.tif  NAME.probability.ome.tif  NAME.overlay.png  NAME.geojson  NAME.seg.dcm  NAME.json
//! ```

mod assemble;
mod bands;
mod memory;
mod partial;
mod record;

use crate::digest::{sha256, sha256_of_file};
use crate::error::Error;
use crate::field::PixelSize;
use crate::input::Input;
use crate::listener::Listener;
use crate::output::{Began, Existing, NOTICE, Origin, OutputFiles, as_recorded};
use crate::segment::{Clock, Outcome, Segmenter, Written};
use crate::slide::{Grid, Slide, Tissue};
use assemble::{Assembled, Parts, assemble};
use bands::Bands;
use memory::most_bytes;
use partial::Partial;
use record::{BandsRecord, SlideFile, SlideInput, SlideRecord, SlideSettings, SlideTimings, TissueRecord};
use std::path::PathBuf;
use std::time::Instant;

/// Longest side that is run in one pass where the user does not say.
pub(crate) const SLIDE_TILE: u32 = 1280;

/// Segments a slide.
///
/// # Errors
/// Whatever is wrong with the slide, its outputs or the model's run. What is done stays in `NAME.partial`, and nothing half-written under a
/// final name.
pub(crate) fn segment_slide(segmenter: &Segmenter, input: &Input, slide: &Slide, listener: Listener<'_>) -> Result<Outcome, Error> {
    let (began, mut clock) = (Began::now(), Clock(Instant::now()));
    let mut timings = SlideTimings::default();
    let (model, options) = (segmenter.model(), segmenter.options());
    let metadata = model.metadata();
    if let Some(overlap) = options.tiling.overlap {
        return Err(Error::Flag {
            flag: "--overlap",
            value: f64::from(overlap),
            expected: "nothing for slides: tiles always overlap by what the model sees",
        });
    }
    let bands_of = |size| Bands::new(size, options.tiling.max_tile.unwrap_or(SLIDE_TILE), metadata.alignment, metadata.context_px);
    let pixel_size = slide.pixel_size_or(options.um_per_px, options.um_per_px_if_missing)?;
    let settings = SlideSettings::new(segmenter, bands_of([1; 2])?.tile(), pixel_size)?;
    let recorded = as_recorded(&settings);
    let (digest, files) = digest_of(slide)?;
    let outputs = OutputFiles::new(segmenter.output(), &input.name);
    match segmenter.existing(&outputs, &input.name, &digest, &recorded)? {
        Existing::None => {}
        existing => return Ok(Outcome::Skipped { same: existing == Existing::Same }),
    }
    timings.hash = clock.lap();

    let grid = Grid::new(slide, pixel_size.um_per_px, metadata.um_per_px)?;
    let bands = bands_of(grid.size)?;
    let most_bytes = most_bytes(model, slide, &grid, &bands)?;
    (listener.tell)(&about_to(&input.name, slide, pixel_size, &grid, &bands, most_bytes));

    let tissue = Tissue::find(slide, &grid, &options.tissue)?;
    timings.tissue = clock.lap();
    segmenter.interrupt().check()?;
    let made_by = record::MadeBy::new(&digest, &model.card().sha256, &recorded, grid.size);
    let partial = Partial::open(outputs.partial(), &made_by)?;
    let kept = bands.run(segmenter, &grid, &tissue, &partial, listener.progress)?;
    timings.inference = clock.lap();

    segmenter.interrupt().check()?;
    outputs.remove_record()?;
    let origin = Origin {
        input_sha256: &digest,
        model_sha256: &model.card().sha256,
        settings: &recorded,
        class: metadata.mask_class_name(),
        um_per_px: pixel_size.um_per_px,
        scale: std::array::from_fn(|axis| grid.um_per_px / slide.um_per_px(0, pixel_size.um_per_px)[axis]),
        size: slide.levels[0].size,
    };
    let name = &input.name;
    let dicom = slide.dicom.as_deref();
    let parts = Parts { segmenter, name, files: &outputs, bands: &bands, tissue: &tissue, partial: &partial, dicom, origin };
    let Assembled { sums, cancer, regions, training_distance } = assemble(&parts)?;
    let low_resolution = if cancer.is_some() { Some(segmenter.low_resolution(name, sums)?) } else { None };
    timings.write = clock.lap();
    let [width, height] = slide.levels[0].size;
    outputs.write_record(&SlideRecord {
        notice: NOTICE,
        lsr_edge: crate::VERSION,
        input: SlideInput {
            path: input.path.to_string_lossy().into_owned(),
            sha256: digest,
            files,
            kind: slide.kind,
            width,
            height,
            um_per_px: pixel_size.um_per_px,
            um_per_px_source: pixel_size.source,
            area_mm2: f64::from(width) * f64::from(height) * pixel_size.um_per_px.powi(2) * 1e-6,
            levels: slide.levels.iter().map(|level| level.size).collect(),
            level: grid.level,
        },
        began,
        cancer,
        low_resolution: low_resolution.clone(),
        regions,
        tissue: TissueRecord { threshold: tissue.threshold, pen: tissue.pen, um_per_px: f64::from(tissue.factor) * grid.um_per_px },
        training_distance: training_distance.clone(),
        settings,
        network: BandsRecord::new(&grid, &bands, kept, most_bytes),
        model: model.card(),
        timings_ms: timings,
    })?;
    partial.remove()?;
    Ok(Outcome::Written(Box::new(Written { cancer, low_resolution, quality: None, training_distance })))
}

/// SHA-256 of a slide and, where it has several files, of each of them; then the first is that of what `sha256sum` prints for them.
fn digest_of(slide: &Slide) -> Result<(String, Vec<SlideFile>), Error> {
    let file = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sha256_of_file(path).map(|sha256| SlideFile { name, sha256 })
    };
    let files: Vec<SlideFile> = slide.files.iter().map(file).collect::<Result<_, _>>()?;
    match &files[..] {
        [one] => Ok((one.sha256.clone(), Vec::new())),
        several => {
            let lines: String = several.iter().map(|file| format!("{}  {}\n", file.sha256, file.name)).collect();
            Ok((sha256(lines.as_bytes()), files))
        }
    }
}

fn about_to(name: &str, slide: &Slide, pixel_size: PixelSize, grid: &Grid<'_>, bands: &Bands, most_bytes: u64) -> String {
    let [width, height] = slide.levels[0].size;
    let [own_width, own_height] = grid.size;
    let (um, level, levels) = (pixel_size.um_per_px, grid.level, slide.levels.len());
    let (own_um, count) = (grid.um_per_px, bands.count());
    format!(
        "{name}: {}, {width} x {height} px at {um} um/px, level {level} of {levels} -> {own_width} x {own_height} px at {own_um} um/px in {count} \
         band{}; at most {} MB of memory",
        slide.kind,
        if count == 1 { "" } else { "s" },
        most_bytes.div_ceil(1_000_000),
    )
}
