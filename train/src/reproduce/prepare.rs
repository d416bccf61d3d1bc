//! Before any network: which images are for training and which for testing, the images at the scale of the experiment, and for each seed the
//! block classifier, its labels and the count prior.

use super::Progress;
use super::settings::{Plan, ReproduceSettings};
use super::system::chosen;
use crate::atomic;
use crate::classify::{
    CANCER_FROM, apply_classifier, binary_labels_from_masks, fit_classifier, known_blocks, read_binary_blocks, write_binary_blocks,
};
use crate::data::{Block, Dataset, hex, read_blocks, write_blocks};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::png_file::write_png;
use crate::prior::{CANCER, Prior};
use image::{GrayImage, Luma, Rgb, RgbImage};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What the classifier learned from.
const LABELS_FILE: &str = "labels.csv";

/// Reads the data's names, splits them, and fixes the plan in `settings.toml`; refuses a folder that was begun with another plan.
pub(super) fn plan(settings: &ReproduceSettings, output: &Path) -> Result<(Plan, Dataset)> {
    let data = Dataset::open(std::slice::from_ref(&settings.data))?;
    let names: Vec<String> = data.names().map(str::to_owned).collect();
    let test: Vec<String> = if settings.test.is_empty() {
        names[names.len() - names.len().div_ceil(4)..].to_vec()
    } else {
        data.clone().select(&settings.test)?.names().map(str::to_owned).collect()
    };
    let training: Vec<String> = names.iter().filter(|name| !test.contains(name)).cloned().collect();
    if training.len() < 4 || test.is_empty() {
        let found = format!("{} and {}", training.len(), test.len());
        return Err(Error::setting("--test", "patterns that leave at least 4 images for training and one for testing", found));
    }
    let um_per_px = settings.um_per_px.or(data.um_per_px()?).unwrap_or(0.0);
    let plan = Plan {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_digest: digest(&data, &names)?,
        um_per_px: um_per_px * f64::from(settings.budget.scale),
        data_licence: data.licence(),
        training,
        test,
        systems: chosen(&settings.systems)?.iter().map(|system| system.key.to_owned()).collect(),
        budget: settings.budget.clone(),
    };
    plan.check()?;
    let path = output.join("settings.toml");
    if path.exists() {
        let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        let begun: Plan = toml::from_str(&text).map_err(|error| Error::file(&path, error.message()))?;
        if begun != plan {
            return Err(Error::file(&path, "this report was begun with other data or settings: choose another --output"));
        }
    } else {
        atomic::make_folder(output)?;
        let text = toml::to_string(&plan).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write(&path, text.as_bytes())?;
    }
    Ok((plan, data))
}

/// SHA-256 over images and masks: both make the numbers.
fn digest(data: &Dataset, names: &[String]) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(data.digest(names.iter().map(String::as_str))?);
    for name in names {
        hash.update(data.mask(name, data.size(name)?)?.as_raw());
    }
    Ok(hex(&hash.finalize()))
}

/// The images, masks and validity masks of the plan, made smaller: colours are averaged, a pixel is cancer (valid) when at least half of its
/// area is.
pub(super) fn scaled(plan: &Plan, data: Dataset, output: &Path) -> Result<PathBuf> {
    let folder = output.join("data");
    if folder.exists() {
        return Ok(folder);
    }
    let factor = plan.budget.scale;
    atomic::write_folder(&folder, |folder| {
        for part in ["images", "masks", "valid"] {
            atomic::make_folder(&folder.join(part))?;
        }
        for name in plan.training.iter().chain(&plan.test) {
            let image = data.image(name)?;
            let mask = data.mask(name, image.dimensions())?;
            let file = format!("{name}.png");
            write_png(&folder.join("images").join(&file), &smaller(&image, factor).into())?;
            write_png(&folder.join("masks").join(&file), &majority(mask.as_raw(), image.dimensions(), 255, factor).into())?;
            if let Some(valid) = data.validity(name, image.dimensions())? {
                write_png(&folder.join("valid").join(&file), &majority(&valid, image.dimensions(), 1, factor).into())?;
            }
        }
        Ok(())
    })?;
    Ok(folder)
}

fn smaller(image: &RgbImage, factor: u32) -> RgbImage {
    RgbImage::from_fn(image.width() / factor, image.height() / factor, |x, y| {
        let mut sum = [0_u32; 3];
        for (dy, dx) in (0..factor).flat_map(|dy| (0..factor).map(move |dx| (dy, dx))) {
            for (sum, &value) in sum.iter_mut().zip(&image.get_pixel(x * factor + dx, y * factor + dy).0) {
                *sum += u32::from(value);
            }
        }
        let area = factor * factor;
        Rgb(sum.map(|sum| ((sum + area / 2) / area) as u8))
    })
}

fn majority(mask: &[u8], (width, height): (u32, u32), set: u8, factor: u32) -> GrayImage {
    GrayImage::from_fn(width / factor, height / factor, |x, y| {
        let area = (0..factor).flat_map(|dy| (0..factor).map(move |dx| (dy, dx)));
        let count = area.filter(|(dy, dx)| mask[((y * factor + dy) * width + x * factor + dx) as usize] == set).count() as u32;
        Luma([if 2 * count >= factor * factor { 255 } else { 0 }])
    })
}

/// What a seed's systems learn from.
pub(super) struct Lesson {
    /// Labels of the training images' blocks.
    pub(super) blocks: PathBuf,
    /// Count prior.
    pub(super) prior: PathBuf,
    /// The binary labels that the classifier learned from, as blocks.
    pub(super) known_blocks: PathBuf,
    /// The count prior of both.
    pub(super) known_prior: PathBuf,
    /// Blocks of the test images, as the classifier judges them.
    pub(super) test_blocks: Vec<Block>,
}

/// Trains a seed's block classifier, labels all blocks with it, and estimates the count prior from a few annotated ones. From the masks it takes
/// the binary block labels and the counts of the annotated blocks, and nothing else.
pub(super) fn lesson(
    plan: &Plan,
    folder: &Path,
    seed: u64,
    output: &Path,
    device: DeviceChoice,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Lesson> {
    let data = Dataset::open(&[folder.to_owned()])?;
    let select = |names: &[String]| data.clone().select(&names.iter().map(|name| glob::Pattern::escape(name)).collect::<Vec<_>>());
    let (training, test) = (select(&plan.training)?, select(&plan.test)?);
    let classifier = output.join("classifier");
    let lesson = Lesson {
        blocks: output.join("blocks.csv"),
        prior: output.join("prior.csv"),
        known_blocks: output.join("known-blocks.csv"),
        known_prior: output.join("known-prior.csv"),
        test_blocks: Vec::new(),
    };
    let test_blocks = output.join("test-blocks.csv");
    atomic::make_folder(output)?;
    // Each file is whole or not there, so what is there need not be made again.
    if !test_blocks.exists() {
        let labels = binary_labels_from_masks(&training, plan.block_px(), plan.stride_px(), CANCER_FROM)?;
        write_binary_blocks(&output.join(LABELS_FILE), &labels)?;
        progress.stage(&format!("seed {seed}: block classifier"));
        let weak = training.clone().without_masks();
        fit_classifier(&weak, &labels, &plan.classifier(seed, device), &classifier, &mut |_| (), stop)?;
        progress.stage(&format!("seed {seed}: block labels"));
        write_blocks(&lesson.blocks, &apply_classifier(&classifier, &weak, Some(plan.stride_px()), device, |_| ())?)?;
        write_blocks(&test_blocks, &apply_classifier(&classifier, &test.without_masks(), Some(plan.stride_px()), device, |_| ())?)?;
    }
    if !lesson.known_prior.exists() {
        let known = known_blocks(&read_binary_blocks(&output.join(LABELS_FILE))?)?;
        write_blocks(&lesson.known_blocks, &known)?;
        Prior::from_masks(&training, &known, plan.budget.annotated, seed)?.write(&lesson.known_prior)?;
    }
    if !lesson.prior.exists() {
        progress.stage(&format!("seed {seed}: count prior from {} annotated blocks a label", plan.budget.annotated));
        let prior = Prior::from_masks(&training, &read_blocks(&lesson.blocks)?, plan.budget.annotated, seed)?;
        for label in prior.labels() {
            if let Some(count) = prior.counts(label).and_then(|counts| counts.get(CANCER)) {
                let n = prior.annotated(label);
                progress.note(&format!("  z {label}: {:.3} ± {:.3} cancer, from {n} blocks", count.mean, count.std));
            }
        }
        prior.write(&lesson.prior)?;
    }
    Ok(Lesson { test_blocks: read_blocks(&test_blocks)?, ..lesson })
}
