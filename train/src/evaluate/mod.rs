//! How good are the masks: IoU and Dice near the true boundary (the paper's masked metrics) and over whole images.

mod scores;
mod table;

pub use scores::{BandScores, Counts, Scores, count_image, count_mask, cut};
pub use table::table;

use crate::data::{Dataset, UNKNOWN_CLASS};
use crate::error::{Error, Result};
use crate::png_file::write_png;
use crate::predict::{predict_classes, predict_turned};
use crate::prior::CANCER;
use crate::run_folder::RunFolder;
use image::GrayImage;
use lsr_core::Confusion;
use serde::Serialize;
use std::path::Path;

/// One image's scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageScores {
    /// Its name.
    pub image: String,
    /// True fraction of cancer.
    pub cancer_fraction: f64,
    /// Predicted fraction of cancer.
    pub predicted_fraction: f64,
    /// Its scores.
    #[serde(flatten)]
    pub scores: BandScores,
}

/// One class against the rest, over the pixels of all images together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScores {
    /// Its name.
    pub class: String,
    /// Its scores.
    #[serde(flatten)]
    pub scores: Scores,
}

/// What `evaluate` prints as JSON. Where there are more than two classes, the scores beside `classes` are those of class 1 against the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Version of lsr-train.
    pub version: String,
    /// Steps that the network was trained for.
    pub step: usize,
    /// Half the width of the band, in pixels.
    pub band_px: f64,
    /// Probability from which a pixel is cancer.
    pub threshold: f64,
    /// Over the pixels of all images together.
    pub pooled: BandScores,
    /// What calling every pixel cancer would give.
    pub all_cancer: BandScores,
    /// What calling no pixel cancer would give.
    pub no_cancer: BandScores,
    /// Share of pixels whose class is right, over all images, where there are more than two classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Class by class, where there are more than two.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassScores>,
    /// Image by image.
    pub images: Vec<ImageScores>,
}

/// Runs a trained network over images with masks. `band_px` is the largest distance to the true boundary that counts for the masked metrics (without
/// one: the width of a training block, as in the paper). Masks are written to `output` as `NAME.mask.png` where that is given: 0 or 255, or the
/// class itself where there are more than two. `turned` takes the mean probability over the eight turns of each image, of two classes. The run's own device draws them, or the processor where that is not here.
///
/// # Errors
/// A run, image or mask that cannot be read; an output folder that cannot be written.
pub fn evaluate(
    run: &RunFolder,
    data: &Dataset,
    band_px: Option<f64>,
    turned: bool,
    output: Option<&Path>,
    mut progress: impl FnMut(&str),
    mut warn: impl FnMut(&str),
) -> Result<Evaluation> {
    let config = run.config()?;
    let band_px = match band_px {
        Some(band) if band > 0.0 && band.is_finite() => band,
        Some(band) => return Err(Error::setting("--band", "a distance above 0 px", band)),
        None => crate::data::read_blocks(&run.path("blocks.csv"))?.first().map_or(240.0, |block| f64::from(block.width)),
    };
    let device = config.device.open_or_cpu(&mut warn);
    let trained = run.network(&config, &device, warn)?;
    if let Some(folder) = output {
        crate::atomic::make_folder(folder)?;
    }
    let classes = config.classes.len();
    if turned && classes != 2 {
        return Err(Error::setting("--turned", "a network of two classes", format!("{classes} classes")));
    }
    let (mut pooled, mut all, mut none) = (Counts::default(), Counts::default(), Counts::default());
    let mut by_class = vec![Confusion::default(); classes];
    let mut images = Vec::new();
    for name in data.names() {
        progress(name);
        let image = data.image(name)?;
        let size = image.dimensions();
        let truth = data.class_mask(name, size, classes)?;
        let valid = known(&truth, data.validity(name, size)?);
        let maps = if turned {
            vec![predict_turned(&trained.network, &config, &image, &device)?]
        } else {
            predict_classes(&trained.network, &config, &image, &device)?
        };
        let predicted = classes_of(&maps, config.threshold);
        let is_cancer: Vec<bool> = predicted.iter().map(|&class| usize::from(class) == CANCER).collect();
        let true_cancer: Vec<u8> = truth.iter().map(|&class| u8::from(usize::from(class) == CANCER)).collect();
        let count = |mask: &[bool]| count_mask(mask, &true_cancer, valid.as_deref(), size.0 as usize, band_px);
        let own = count(&is_cancer);
        pooled = pooled.merge(own);
        all = all.merge(count(&vec![true; truth.len()]));
        none = none.merge(count(&vec![false; truth.len()]));
        for (i, (&predicted, &truth)) in predicted.iter().zip(&truth).enumerate() {
            if valid.as_ref().is_none_or(|valid| valid[i] != 0) {
                for (class, counts) in by_class.iter_mut().enumerate() {
                    counts.push(usize::from(predicted) == class, usize::from(truth) == class);
                }
            }
        }
        let fraction = |count: u64| count as f64 / own.whole.pixels().max(1) as f64;
        images.push(ImageScores {
            image: name.to_owned(),
            cancer_fraction: fraction(own.whole.true_positive + own.whole.false_negative),
            predicted_fraction: fraction(own.whole.true_positive + own.whole.false_positive),
            scores: own.scores(),
        });
        if let Some(folder) = output {
            let pixels = if classes == 2 { is_cancer.iter().map(|&cancer| if cancer { 255 } else { 0 }).collect() } else { predicted };
            write_mask(&folder.join(format!("{name}.mask.png")), pixels, size)?;
        }
    }
    let right: u64 = by_class.iter().map(|counts| counts.true_positive).sum();
    let named = config.classes.iter().cloned().zip(&by_class).map(|(class, &counts)| ClassScores { class, scores: counts.into() });
    Ok(Evaluation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        step: trained.step,
        band_px,
        threshold: config.threshold,
        pooled: pooled.scores(),
        all_cancer: all.scores(),
        no_cancer: none.scores(),
        accuracy: (classes > 2).then(|| right as f64 / by_class[0].pixels().max(1) as f64),
        classes: if classes > 2 { named.collect() } else { Vec::new() },
        images,
    })
}

/// Pixels that count: valid ones whose true class is known. `None` where all do.
pub(crate) fn known(truth: &[u8], valid: Option<Vec<u8>>) -> Option<Vec<u8>> {
    if valid.is_none() && !truth.contains(&UNKNOWN_CLASS) {
        return None;
    }
    let known = |(i, &class): (usize, &u8)| u8::from(class != UNKNOWN_CLASS && valid.as_ref().is_none_or(|valid| valid[i] != 0));
    Some(truth.iter().enumerate().map(known).collect())
}

/// The predicted class of every pixel: cancer from the threshold on, or the most probable of several.
pub(crate) fn classes_of<M: AsRef<[f32]>>(maps: &[M], threshold: f64) -> Vec<u8> {
    if let [cancer] = maps {
        return cut(cancer.as_ref(), threshold).into_iter().map(u8::from).collect();
    }
    let maps: Vec<&[f32]> = maps.iter().map(AsRef::as_ref).collect();
    let pixels = maps.first().map_or(0, |map| map.len());
    let most_probable =
        |pixel: usize| (1..maps.len()).fold(0, |best, class| if maps[class][pixel] > maps[best][pixel] { class } else { best });
    (0..pixels).map(|pixel| most_probable(pixel) as u8).collect()
}

fn write_mask(path: &Path, pixels: Vec<u8>, size: (u32, u32)) -> Result<()> {
    let mask = GrayImage::from_raw(size.0, size.1, pixels).ok_or_else(|| Error::file(path, "mask of the wrong size"))?;
    write_png(path, &mask.into())
}
