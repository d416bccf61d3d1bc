//! The report of one training run: `report.html` from what the run's folder holds.

use crate::atomic;
use crate::collapse::LabelStatistics;
use crate::config::RunConfig;
use crate::data::{Block, Dataset, read_blocks};
use crate::error::{Error, Result};
use crate::evaluate::cut;
use crate::figure::{overlay, png};
use crate::fit::{Summary, Timing};
use crate::metrics::{StepReport, ValidationReport, read_lines};
use crate::predict::predict;
use crate::report::{LabelCurve, Overlay, RunReport, Series, run_report};
use crate::run_folder::RunFolder;
use image::{GrayImage, RgbImage};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Images that the report shows with their masks.
const OVERLAYS: usize = 6;

/// Largest side of such an image: a window from the upper left corner of larger ones.
const OVERLAY_PX: u32 = 768;

/// Writes a run's report: settings, curves, predicted counts against the prior, masks on some of its images (those that are watched first).
///
/// # Errors
/// A run or image that cannot be read, an unwritable file.
pub fn write_run_report(run: &RunFolder, output: &Path, mut warn: impl FnMut(&str)) -> Result<()> {
    let config = run.config()?;
    let steps: Vec<StepReport> = read_lines(&run.path("metrics.jsonl"))?;
    let validations: Vec<ValidationReport> = read_lines(&run.path("validation.jsonl"))?;
    let summary: Option<Summary> = read_json(&run.path("summary.json"))?;
    let timing: Option<Timing> = read_json(&run.path("timing.json"))?;
    let over_steps = |value: &dyn Fn(&StepReport) -> f64| steps.iter().map(|step| (step.step as f64, value(step))).collect::<Vec<_>>();
    let validated = |value: &dyn Fn(&ValidationReport) -> Option<f64>| -> Vec<(f64, f64)> {
        validations.iter().filter_map(|validation| Some((validation.step as f64, value(validation)?))).collect()
    };
    let dice = validated(&|validation| validation.masked_dice);
    let mut warnings: Vec<String> = summary.iter().flat_map(|summary| summary.collapsed.clone()).collect();
    warnings.extend(summary.iter().flat_map(|summary| summary.stopped_early.clone()));
    let report = RunReport {
        title: format!("Training run: {}", config.loss_name()),
        provenance: provenance(run, &config, summary.as_ref()),
        settings: settings(&config)?,
        warnings,
        loss: over_steps(&|step| step.loss),
        validation: vec![Series {
            name: "counts against the prior (squared 2-Wasserstein)".to_owned(),
            points: validated(&|validation| Some(validation.count_mismatch)),
        }],
        labels: label_curves(&steps),
        dice: (!dice.is_empty()).then(|| Series { name: "masked Dice".to_owned(), points: dice }),
        learning_rate: Some(Series { name: "learning rate".to_owned(), points: over_steps(&|step| step.learning_rate) }),
        timing: timing.map(|timing| durations(&timing)).unwrap_or_default(),
        overlays: overlays(run, &config, &mut warn)?,
    };
    atomic::write(output, run_report(&report)?.as_bytes())
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(Error::io("reading", path))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::file(path, error.to_string()))
}

fn provenance(run: &RunFolder, config: &RunConfig, summary: Option<&Summary>) -> Vec<(String, String)> {
    let steps = summary.map_or("unfinished".to_owned(), |summary| format!("{} of {}", summary.steps, config.steps));
    [
        ("version", format!("lsr-train {}", config.version)),
        ("run", run.path("").display().to_string()),
        ("steps", steps),
        ("data, SHA-256", config.data_digest.clone()),
        ("licence of the images", config.data_licence.clone()),
        ("pixel size", format!("{} um/px", config.um_per_px)),
        ("seed", config.seed.to_string()),
        ("device", config.device.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .filter(|(_, value)| !value.is_empty())
    .collect()
}

/// Everything in `config.toml`, one line each.
fn settings(config: &RunConfig) -> Result<Vec<(String, String)>> {
    let table = toml::Table::try_from(config).map_err(|error| Error::setting("settings", "values that can be written", error))?;
    let mut rows = Vec::new();
    for (name, value) in table.into_iter().filter(|(name, _)| !["version", "data_digest", "data_licence"].contains(&name.as_str())) {
        match value {
            toml::Value::Table(inner) => rows.extend(inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value.to_string()))),
            value => rows.push((name, value.to_string())),
        }
    }
    Ok(rows)
}

/// Mean and spread of each label's counts, at every step that had a group of it.
fn label_curves(steps: &[StepReport]) -> Vec<LabelCurve> {
    let mut by_label: BTreeMap<usize, Vec<(usize, LabelStatistics)>> = BTreeMap::new();
    for step in steps {
        for group in &step.groups {
            by_label.entry(group.z).or_default().push((step.step, *group));
        }
    }
    by_label
        .into_iter()
        .map(|(z, groups)| LabelCurve {
            z,
            eta: groups[0].1.eta,
            rho: groups[0].1.rho,
            points: groups.iter().map(|(step, group)| (*step as f64, group.mean, group.spread)).collect(),
        })
        .collect()
}

fn durations(timing: &Timing) -> Vec<(String, String)> {
    let share = |seconds: f64| format!("{seconds:.1} s ({:.1} %)", 100.0 * seconds / timing.total_s);
    [
        ("total", format!("{:.1} s, {} steps", timing.total_s, timing.steps)),
        ("step", format!("{:.3} s", timing.total_s / timing.steps.max(1) as f64)),
        ("blocks a second", format!("{:.1}", timing.blocks as f64 / timing.total_s)),
        ("waiting for data", share(timing.waiting_s)),
        ("forward", share(timing.forward_s)),
        ("loss", share(timing.loss_s)),
        ("backward", share(timing.backward_s)),
        ("optimiser", share(timing.optimizer_s)),
        ("validation", share(timing.validation_s)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Masks on some images: watched ones first.
fn overlays(run: &RunFolder, config: &RunConfig, warn: &mut impl FnMut(&str)) -> Result<Vec<Overlay>> {
    let data = Dataset::open(&config.data)?;
    let blocks: Vec<Block> = read_blocks(&run.path("blocks.csv"))?;
    let watched: BTreeSet<String> = if config.validation.is_empty() {
        BTreeSet::new()
    } else {
        data.clone().select(&config.validation)?.names().map(str::to_owned).collect()
    };
    let trained: BTreeSet<String> = blocks.iter().map(|block| block.image.clone()).filter(|name| !watched.contains(name)).collect();
    let device = config.device.open_or_cpu(warn);
    let network = run.network(config, &device, &mut *warn)?;
    let mut found = Vec::new();
    let named = watched.iter().map(|name| (name, "validation image")).chain(trained.iter().map(|name| (name, "training image")));
    for (name, what) in named.take(OVERLAYS) {
        let image = match data.image(name) {
            Ok(image) => image,
            // A run that skips what it cannot read has a report all the same.
            Err(error) => {
                warn(&error.to_string());
                continue;
            }
        };
        let (width, height) = (image.width().min(OVERLAY_PX), image.height().min(OVERLAY_PX));
        let image: RgbImage = image::imageops::crop_imm(&image, 0, 0, width, height).to_image();
        let cancer = cut(&predict(&network.network, config, &image, &device)?, config.threshold);
        let share = 100.0 * cancer.iter().filter(|&&cancer| cancer).count() as f64 / cancer.len().max(1) as f64;
        let pixels = cancer.into_iter().map(|cancer| if cancer { 255 } else { 0 }).collect();
        let mask =
            GrayImage::from_raw(width, height, pixels).ok_or_else(|| Error::setting("mask", "one value a pixel", "another number"))?;
        let caption = format!("{what}; {share:.1} % predicted to be cancer after {} steps", network.step);
        found.push(Overlay { name: name.clone(), caption, png: png(&overlay(&image, &mask, 1)?)? });
    }
    Ok(found)
}
