//! Pseudo masks: what a trained network sees in the images that it was trained on, held to what the block labels allow, for another network to
//! learn from (self-training). No pixel mask has a part in it.
//!
//! ```text
//! OUTPUT/NAME.png      255 cancer, 0 other, 128 unsure
//! OUTPUT/pseudo.json   version, settings, the teachers' networks, how much of each image is sure
//! ```

mod constrain;

use crate::atomic;
use crate::config::RunConfig;
use crate::data::{Block, Dataset, hex};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::png_file::write_png;
use crate::predict::predict_turned;
use crate::prior::Prior;
use crate::run_folder::RunFolder;
use constrain::{UNSURE, constrain};
use image::GrayImage;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// How pseudo masks are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PseudoSettings {
    /// Standard deviation of the teacher's count of a block.
    pub teacher_std: f64,
    /// How many standard deviations of the count a pixel must be away from its block's limit to be sure.
    pub margin: f64,
    /// Device.
    pub device: DeviceChoice,
}

impl Default for PseudoSettings {
    fn default() -> Self {
        Self { teacher_std: 0.15, margin: 0.5, device: DeviceChoice::Cpu }
    }
}

/// What the teachers look at, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct PseudoData<'a> {
    /// Images.
    pub data: &'a Dataset,
    /// Label blocks.
    pub blocks: &'a [Block],
    /// Count prior of their labels.
    pub prior: &'a Prior,
}

/// What came of it: `pseudo.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PseudoReport {
    /// Version of lsr-train.
    pub version: String,
    /// Settings.
    pub settings: PseudoSettings,
    /// SHA-256 of each teacher's weights.
    pub teachers: Vec<String>,
    /// Share of each image's pixels that is cancer or other.
    pub sure: BTreeMap<String, f64>,
}

/// Makes a pseudo mask of every image that has blocks, from the mean of the teachers' probabilities over the eight turns of the image.
///
/// # Errors
/// Teachers, images or blocks that cannot be read or do not fit each other, settings outside their interval, an output folder that is there already.
pub fn pseudo_masks(
    teachers: &[RunFolder],
    lesson: PseudoData<'_>,
    settings: PseudoSettings,
    output: &Path,
    mut progress: impl FnMut(&str),
    mut warn: impl FnMut(&str),
) -> Result<PseudoReport> {
    let PseudoData { data, blocks, prior } = lesson;
    for (name, value, min, max) in [("--teacher-std", settings.teacher_std, 1e-3, 10.0), ("--margin", settings.margin, 0.0, 10.0)] {
        if !(min..=max).contains(&value) {
            return Err(Error::setting(name, format!("{min} to {max}"), value));
        }
    }
    if output.exists() {
        return Err(Error::file(output, "there is something here already: choose another --output"));
    }
    let device = settings.device.open_or_cpu(&mut warn);
    let mut trained: Vec<(RunConfig, Network)> = Vec::new();
    let mut report = PseudoReport { version: env!("CARGO_PKG_VERSION").to_owned(), settings, teachers: Vec::new(), sure: BTreeMap::new() };
    for teacher in teachers {
        let config = teacher.config()?;
        if config.network.outputs != 1 {
            return Err(Error::setting("--run", "networks of two classes", format!("{} classes", config.network.outputs)));
        }
        let found = teacher.network(&config, &device, &mut warn)?;
        report.teachers.push(found.sha256.clone());
        trained.push((config, found.network));
    }
    let mut by_image: BTreeMap<&str, Vec<&Block>> = BTreeMap::new();
    for block in blocks {
        by_image.entry(&block.image).or_default().push(block);
    }
    atomic::write_folder(output, |folder| {
        for (name, blocks) in &by_image {
            progress(name);
            let image = data.image(name)?;
            let size = image.dimensions();
            for block in blocks {
                crate::data::check_inside(block, size)?;
            }
            let valid = data.validity(name, size)?;
            let mut mean = vec![0_f32; image.width() as usize * image.height() as usize];
            for (config, network) in &trained {
                for (sum, p) in mean.iter_mut().zip(predict_turned(network, config, &image, &device)?) {
                    *sum += p / trained.len() as f32;
                }
            }
            let mask = constrain(&mean, valid.as_deref(), size.0 as usize, blocks, prior, &settings);
            let sure = mask.iter().filter(|&&grey| grey != UNSURE).count();
            report.sure.insert((*name).to_owned(), sure as f64 / mask.len() as f64);
            let path = folder.join(format!("{name}.png"));
            let mask =
                GrayImage::from_raw(size.0, size.1, mask).ok_or_else(|| Error::file(&path, "a mask of another size than its image"))?;
            write_png(&path, &mask.into())?;
        }
        let path = folder.join("pseudo.json");
        let json = serde_json::to_vec_pretty(&report).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write(&path, &json)
    })?;
    Ok(report)
}

/// SHA-256 over the pseudo masks of some images.
pub(crate) fn pseudo_digest<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> Result<String> {
    let mut hash = Sha256::new();
    for name in names {
        let path = folder.join(format!("{name}.png"));
        hash.update(name.as_bytes());
        hash.update(std::fs::read(&path).map_err(Error::io("reading", &path))?);
    }
    Ok(hex(&hash.finalize()))
}
