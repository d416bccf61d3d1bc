//! How good are the masks: IoU and Dice near the true boundary (the paper's masked metrics) and over whole images.

use crate::boundary::distance_to_boundary;
use crate::checkpoint::RunFolder;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::predict::predict;
use burn::module::Module;
use image::GrayImage;
use lsr_core::Confusion;
use serde::Serialize;
use std::path::Path;

/// IoU, Dice and so on of a set of pixels; `null` where a ratio is not defined.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Pixels counted.
    pub pixels: u64,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// Dice coefficient.
    pub dice: Option<f64>,
    /// TP / (TP + FP).
    pub precision: Option<f64>,
    /// TP / (TP + FN).
    pub recall: Option<f64>,
    /// (TP + TN) / all.
    pub accuracy: Option<f64>,
}

impl From<Confusion> for Scores {
    fn from(counts: Confusion) -> Self {
        Self {
            pixels: counts.pixels(),
            iou: counts.iou(),
            dice: counts.dice(),
            precision: counts.precision(),
            recall: counts.recall(),
            accuracy: counts.accuracy(),
        }
    }
}

/// Scores of a prediction inside the band around the true boundary and over everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BandScores {
    /// Within `band_px` of the true boundary.
    pub masked: Scores,
    /// All pixels.
    pub whole: Scores,
}

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

/// What `evaluate` prints as JSON.
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
    /// Image by image.
    pub images: Vec<ImageScores>,
}

#[derive(Default, Clone, Copy)]
struct Pair {
    masked: Confusion,
    whole: Confusion,
}

impl Pair {
    fn push(&mut self, predicted: bool, truth: bool, near: bool) {
        self.whole.push(predicted, truth);
        if near {
            self.masked.push(predicted, truth);
        }
    }

    fn merge(self, other: Self) -> Self {
        Self { masked: self.masked.merge(other.masked), whole: self.whole.merge(other.whole) }
    }

    fn scores(self) -> BandScores {
        BandScores { masked: self.masked.into(), whole: self.whole.into() }
    }
}

/// Runs a trained network over images with masks. `band_px` is the largest distance to the true boundary that counts for the masked metrics (without
/// one: the width of a training block, as in the paper). Masks are written to `output` as `NAME.mask.png` where that is given.
///
/// # Errors
/// A run, image or mask that cannot be read; an output folder that cannot be written.
pub fn evaluate(
    run: &RunFolder,
    data: &Dataset,
    band_px: Option<f64>,
    output: Option<&Path>,
    mut progress: impl FnMut(&str),
    warn: impl FnMut(String),
) -> Result<Evaluation> {
    let config = run.config()?;
    let band_px = match band_px {
        Some(band) if band > 0.0 && band.is_finite() => band,
        Some(band) => return Err(Error::setting("--band", "a distance above 0 px", band)),
        None => crate::data::read_blocks(&run.path("blocks.csv"))?.first().map_or(240.0, |block| f64::from(block.width)),
    };
    let device = config.device.open()?;
    let restored = run.restore(&config.network().init(config.seed, &device), warn)?;
    let model = restored.model.valid();
    if let Some(folder) = output {
        crate::atomic::make_folder(folder)?;
    }
    let (mut pooled, mut all, mut none) = (Pair::default(), Pair::default(), Pair::default());
    let mut images = Vec::new();
    for name in data.names() {
        progress(name);
        let image = data.image(name)?;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let truth = data.mask(name, image.dimensions())?;
        let distance = distance_to_boundary(truth.as_raw(), width, height);
        let map = predict(&model, &config, &image, &device)?;
        // The threshold is compared as the edge runtime compares it: in f32, on the network's own probability.
        let predicted: Vec<bool> = map.iter().map(|&p| p >= config.threshold as f32).collect();
        let mut own = Pair::default();
        for ((&predicted, &truth), &distance) in predicted.iter().zip(truth.as_raw()).zip(&distance) {
            let (truth, near) = (truth != 0, f64::from(distance) <= band_px);
            own.push(predicted, truth, near);
            all.push(true, truth, near);
            none.push(false, truth, near);
        }
        pooled = pooled.merge(own);
        let fraction = |count: u64| count as f64 / (width * height) as f64;
        images.push(ImageScores {
            image: name.to_owned(),
            cancer_fraction: fraction(own.whole.true_positive + own.whole.false_negative),
            predicted_fraction: fraction(own.whole.true_positive + own.whole.false_positive),
            scores: own.scores(),
        });
        if let Some(folder) = output {
            write_mask(&folder.join(format!("{name}.mask.png")), &predicted, image.dimensions())?;
        }
    }
    Ok(Evaluation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        step: restored.step,
        band_px,
        threshold: config.threshold,
        pooled: pooled.scores(),
        all_cancer: all.scores(),
        no_cancer: none.scores(),
        images,
    })
}

fn write_mask(path: &Path, predicted: &[bool], size: (u32, u32)) -> Result<()> {
    let pixels = predicted.iter().map(|&cancer| if cancer { 255 } else { 0 }).collect();
    let mask = GrayImage::from_raw(size.0, size.1, pixels).ok_or_else(|| Error::file(path, "mask of the wrong size"))?;
    write_png(path, &mask.into())
}

/// Encodes an image as PNG and writes it whole or not at all.
pub(crate) fn write_png(path: &Path, image: &image::DynamicImage) -> Result<()> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).map_err(|error| Error::file(path, error.to_string()))?;
    crate::atomic::write(path, bytes.get_ref())
}

/// The scores as a table for the terminal.
pub fn table(evaluation: &Evaluation) -> String {
    let number = |value: Option<f64>| value.map_or("     -".to_owned(), |v| format!("{v:.4}"));
    let row = |name: &str, s: &BandScores| {
        format!(
            "  {name:<16} {}  {}   |   {}  {}  {}\n",
            number(s.masked.iou),
            number(s.masked.dice),
            number(s.whole.iou),
            number(s.whole.dice),
            number(s.whole.accuracy)
        )
    };
    let mut text = format!("  {:<16} within {} px of the boundary | whole image\n", "", evaluation.band_px);
    text.push_str(&format!("  {:<16} {:<6}  {:<6}   |   {:<6}  {:<6}  accuracy\n", "image", "IoU", "Dice", "IoU", "Dice"));
    for image in &evaluation.images {
        text.push_str(&row(&image.image, &image.scores));
    }
    text.push_str(&row("all images", &evaluation.pooled));
    text.push_str(&row("all cancer", &evaluation.all_cancer));
    text.push_str(&row("no cancer", &evaluation.no_cancer));
    text
}
