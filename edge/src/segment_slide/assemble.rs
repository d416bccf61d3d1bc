//! Finished bands to the files of a slide.

use super::bands::Bands;
use super::partial::{BandNote, Partial};
use crate::error::Error;
use crate::mask::{CancerFraction, Mask, MaskBits};
use crate::output::{
    About, MOST_RUNS, Origin, Outliner, OutputFiles, Samples, Segmentation, overlay, write_dicom_seg, write_png, write_pyramid,
};
use crate::segment::Segmenter;
use crate::slide::Tissue;
use crate::training_distance::TrainingDistance;
use dicom_core::chrono::Utc;
use dicom_object::InMemDicomObject;
use image::ExtendedColorType;
use image::imageops::{FilterType, resize};
use lsr_core::U8Sums;

/// Longest side of `NAME.overlay.png`.
pub(super) const OVERVIEW_PX: u32 = 2048;

/// What was found on a slide.
pub(super) struct Assembled {
    /// Of the pixels that were looked at.
    pub(super) sums: U8Sums,
    /// None where nothing was looked at.
    pub(super) cancer: Option<CancerFraction>,
    /// None where there are too many to be drawn.
    pub(super) regions: Option<usize>,
    pub(super) training_distance: Option<TrainingDistance>,
}

/// How many pixels of the mask lie in each pixel of the overview.
struct Overview {
    /// Pixels of the grid to one of the overview.
    factor: u32,
    size: [u32; 2],
    cancer: Vec<u32>,
}

/// What is collected while the mask is written.
struct Collected {
    sums: U8Sums,
    mask_pixels: u64,
    bits: MaskBits,
    /// None once there are too many runs.
    outliner: Option<Outliner>,
    overview: Overview,
}

/// What the files are made of.
pub(super) struct Parts<'a> {
    pub(super) segmenter: &'a Segmenter,
    pub(super) name: &'a str,
    pub(super) files: &'a OutputFiles,
    pub(super) bands: &'a Bands,
    pub(super) tissue: &'a Tissue,
    pub(super) partial: &'a Partial,
    /// What the file of a DICOM slide says of it.
    pub(super) dicom: Option<&'a InMemDicomObject>,
    pub(super) origin: Origin<'a>,
}

/// Writes mask, probabilities, overlay and outlines.
///
/// # Errors
/// [`Error::Write`], [`Error::Read`], [`Error::Interrupted`].
pub(super) fn assemble(parts: &Parts<'_>) -> Result<Assembled, Error> {
    let &Parts { segmenter, name, files, bands, tissue, partial, dicom, origin } = parts;
    let model = segmenter.model();
    let (um_per_px, threshold) = (model.metadata().um_per_px, segmenter.settings().threshold);
    let provenance = [
        ("notice", crate::NOTICE.to_owned()),
        ("lsr_edge", crate::VERSION.to_owned()),
        ("model_sha256", origin.model_sha256.to_owned()),
        ("input_sha256", origin.input_sha256.to_owned()),
        ("settings", origin.settings.to_string()),
    ];
    let about = |channel| About { name, channel, um_per_px, origin: &provenance };
    let bands_of = || (0..bands.count()).map(|band| segmenter.interrupt().check().and_then(|()| probability(band, bands, tissue, partial)));

    let size = bands.size();
    let mut collected = Collected {
        sums: U8Sums::default(),
        mask_pixels: 0,
        bits: MaskBits::new(size),
        outliner: Some(Outliner::new()),
        overview: Overview::new(size),
    };
    let mask = bands_of().enumerate().map(|(band, probability)| {
        let mut mask = probability?;
        let rows = bands.rows(band as u32);
        for (y, row) in rows.zip(mask.chunks_exact_mut(size[0] as usize)) {
            collected.take(y, row, tissue, threshold);
        }
        Ok(mask)
    });
    write_pyramid(&files.mask_pyramid(), size, Samples::Mask, &about("cancer mask, 255 is cancer"), mask)?;
    let Collected { sums, mask_pixels, bits, outliner, overview } = collected;
    write_pyramid(&files.probability_pyramid(), size, Samples::Grey, &about("cancer probability, round(255 p)"), bands_of())?;
    overview.write(files, tissue)?;
    if let Some(source) = dicom {
        let now = Utc::now();
        let [input, model, settings] = [origin.input_sha256, origin.model_sha256, &origin.settings.to_string()];
        let segmentation = Segmentation {
            source,
            origin: &format!("input_sha256={input} model_sha256={model} settings={settings}"),
            model_sha256: model,
            class: origin.class,
            um_per_px: [origin.um_per_px, um_per_px],
            size,
            made: ["%Y%m%d", "%H%M%S"].map(|format| now.format(format).to_string()),
        };
        write_dicom_seg(&files.dicom_seg(), &segmentation, |x, y| bits.get(x, y))?;
    }
    let regions = outliner.map(|outliner| outliner.regions(size[0] as usize, |x, y| bits.get(x, y)));
    drop(bits);
    match &regions {
        Some(regions) => files.write_geojson(regions, origin)?,
        None => files.remove_geojson()?,
    }
    let cancer = if sums.pixels > 0 { Some(CancerFraction::of_sums(sums, mask_pixels, um_per_px)?) } else { None };
    let mut note = BandNote::default();
    for band in 0..bands.count() {
        note.merge(&partial.note(band)?);
    }
    let limit = model.metadata().reference.as_ref().map(|known| known.reference().parts().limit);
    Ok(Assembled {
        sums,
        cancer,
        regions: regions.map(|regions| regions.len()),
        training_distance: limit.map(|limit| note.training_distance(limit)),
    })
}

/// A band's probabilities, 0 where nobody looked.
fn probability(band: u32, bands: &Bands, tissue: &Tissue, partial: &Partial) -> Result<Vec<u8>, Error> {
    let mut probability = partial.probability(band)?;
    for (y, row) in bands.rows(band).zip(probability.chunks_exact_mut(bands.size()[0] as usize)) {
        for (pixels, &looked_at) in row.chunks_mut(tissue.factor as usize).zip(tissue.row(y)) {
            if !looked_at {
                pixels.fill(0);
            }
        }
    }
    Ok(probability)
}

impl Collected {
    /// Takes a row of probabilities, and leaves the mask in its place.
    fn take(&mut self, y: u32, row: &mut [u8], tissue: &Tissue, threshold: f32) {
        for (pixels, _) in row.chunks(tissue.factor as usize).zip(tissue.row(y)).filter(|(_, looked_at)| **looked_at) {
            self.sums.push_row(pixels);
        }
        let cancer: Vec<bool> = row.iter().map(|&p| f32::from(p) / 255.0 >= threshold).collect();
        self.mask_pixels += cancer.iter().filter(|&&cancer| cancer).count() as u64;
        self.bits.set_row(y as usize, &cancer);
        if let Some(outliner) = &mut self.outliner {
            outliner.push(&cancer, row);
        }
        if self.outliner.as_ref().is_some_and(|outliner| outliner.runs() as u64 > MOST_RUNS) {
            self.outliner = None;
        }
        self.overview.add(y, &cancer);
        row.iter_mut().zip(cancer).for_each(|(pixel, cancer)| *pixel = if cancer { 255 } else { 0 });
    }
}

impl Overview {
    fn new(size: [u32; 2]) -> Self {
        let factor = size[0].max(size[1]).div_ceil(OVERVIEW_PX);
        let size = size.map(|side| side.div_ceil(factor));
        Self { factor, size, cancer: vec![0; size[0] as usize * size[1] as usize] }
    }

    fn add(&mut self, y: u32, cancer: &[bool]) {
        let width = self.size[0] as usize;
        let row = &mut self.cancer[(y / self.factor) as usize * width..][..width];
        for (count, pixels) in row.iter_mut().zip(cancer.chunks(self.factor as usize)) {
            *count += pixels.iter().filter(|&&cancer| cancer).count() as u32;
        }
    }

    fn write(self, files: &OutputFiles, tissue: &Tissue) -> Result<(), Error> {
        let [width, height] = self.size;
        let half = u64::from(self.factor) * u64::from(self.factor);
        let cancer = self.cancer.into_iter().map(|count| 2 * u64::from(count) >= half).collect();
        let picture = resize(&tissue.picture, width, height, FilterType::Triangle);
        let drawn = overlay(picture, &Mask::from_pixels(width, cancer));
        write_png(&files.overlay(), drawn.as_raw(), self.size, ExtendedColorType::Rgb8)
    }
}
