//! From folders of tissue to a finished int8 network, by one file.
//!
//! ```text
//! recipe.toml ─► source ─► lesson ─► fit ─► quantize ─► judge
//!  what, how     images    labels    run    .onnx       figures.json, figures.md
//!                of one    and prior
//!                size
//! ```
//!
//! Images, labels and training are kept, and a later call goes on after the last whole part, or in the middle of training; quantising and judging
//! are done again. The same recipe, data and seed give the same bytes on a processor.

mod judge;
mod lesson;
mod settings;
mod source;

pub use judge::{Figures, JudgedSet};
pub use settings::{Recipe, Source, Synthetic};

use crate::atomic;
use crate::config::FitOptions;
use crate::data::Dataset;
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::fit::{Observer, train};
use crate::quantize::{QuantizeObserver, quantize_network, table};
use crate::run::Run;
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use lesson::Lesson;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What a recipe is made with besides its file.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeSettings {
    /// Folder in which the sources' folders lie.
    pub data: PathBuf,
    /// Names of sources that are left out of the training and judged instead.
    pub without: Vec<String>,
    /// Training steps instead of the recipe's.
    pub steps: Option<usize>,
    /// Where the network is trained.
    pub device: Option<DeviceChoice>,
}

/// Hears what is being done.
pub trait RecipeObserver {
    /// A part begins.
    fn part(&mut self, text: &str);
    /// Who hears of the training.
    fn training(&mut self) -> &mut dyn Observer;
    /// Who hears of quantising and judging.
    fn quantising(&mut self) -> &mut dyn QuantizeObserver;
}

/// `plan.toml`: what everything in the folder follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    version: String,
    without: Vec<String>,
    steps: Option<usize>,
    /// The recipe's file.
    recipe: String,
}

/// Makes the network of a recipe in `output`: `run/`, `model.onnx`, `model.int8.onnx`, `figures.json` and `figures.md`.
///
/// # Errors
/// A recipe, folder or image that cannot be used, an `output` that was begun with something else, or an interruption, after which the same call
/// goes on.
pub fn make(
    recipe: &Recipe,
    settings: &RecipeSettings,
    output: &Path,
    observer: &mut dyn RecipeObserver,
    stop: &AtomicBool,
) -> Result<Figures> {
    let left = recipe.clone().without(&settings.without)?;
    begin(recipe, settings, output)?;
    let recipe = left;
    let folder = |name: &str| output.join("data").join(name);
    let mut sources = Vec::new();
    for source in &recipe.source {
        let folders = source::prepare(source, &recipe, &settings.data, &folder(&source.name), observer, stop)?;
        sources.push((source, folders));
    }
    let lesson = Lesson::make(&recipe, &sources, output, observer)?;
    let run = output.join("run");
    observer.part("training");
    fit(&recipe, settings, &lesson, &run, observer, stop)?;

    let model = output.join("model.int8.onnx");
    observer.part("quantising");
    let run = RunFolder::open(&run)?;
    let config = run.config()?;
    let trained = run.network(&config, &Device::flex(), |text| observer.training().warn(text))?;
    atomic::write(&output.join("model.onnx"), &crate::onnx::to_bytes(&trained.network, &config, trained.step)?)?;
    let calibration = Dataset::open(&config.data)?.without_masks();
    let settings_of_8_bits = recipe.quantize.settings(recipe.seed);
    let mut quantized = quantize_network(&trained, &config, &calibration, &settings_of_8_bits, observer.quantising(), stop)?;
    if let Some(reference) = &settings_of_8_bits.reference {
        quantized.learned_from(&run, &trained, &config, &calibration, reference, observer.quantising())?;
    }
    atomic::write(&output.join("quantized.md"), table(&quantized.report).as_bytes())?;
    atomic::write(&model, &quantized.bytes)?;

    let mut judged = Vec::new();
    for source in &recipe.judge {
        let folders = source::prepare(source, &recipe, &settings.data, &folder(&format!("judge-{}", source.name)), observer, stop)?;
        judged.push((source, folders));
    }
    observer.part("judging");
    let figures = judge::judge(&recipe, &judged, &trained, &config, &quantized, observer.quantising(), stop)?;
    figures.write(output)?;
    Ok(figures)
}

/// Fixes what is made in `plan.toml`, or compares it with what was begun there.
fn begin(recipe: &Recipe, settings: &RecipeSettings, output: &Path) -> Result<()> {
    let plan = Plan {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        without: settings.without.clone(),
        steps: settings.steps,
        recipe: recipe.text.clone(),
    };
    let path = output.join("plan.toml");
    if path.exists() {
        let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        let begun: Plan = toml::from_str(&text).map_err(|error| Error::file(&path, error.message()))?;
        if begun != plan {
            return Err(Error::file(&path, "this folder was begun with another recipe or other settings: choose another --output"));
        }
        return Ok(());
    }
    atomic::make_folder(output)?;
    let text = toml::to_string(&plan).map_err(|error| Error::file(&path, error.to_string()))?;
    atomic::write(&path, text.as_bytes())
}

/// Trains, or goes on where an earlier call was interrupted.
fn fit(
    recipe: &Recipe,
    settings: &RecipeSettings,
    lesson: &Lesson,
    run: &Path,
    observer: &mut dyn RecipeObserver,
    stop: &AtomicBool,
) -> Result<()> {
    let run = if run.join("config.toml").exists() {
        Run::resume(FitOptions { device: settings.device, ..FitOptions::default() }, run)?
    } else {
        let chosen = recipe.fit.clone();
        let options = FitOptions {
            data: lesson.folders.clone(),
            blocks: Some(lesson.blocks.clone()),
            prior: Some(lesson.prior.clone()),
            sampling: Some(lesson.sampling.clone()),
            boundary_weight: Some(lesson.boundary_weight.clone()),
            data_licence: Some(recipe.licences()),
            um_per_px: Some(recipe.um_per_px),
            steps: settings.steps.or(chosen.steps),
            device: settings.device.or(chosen.device),
            seed: Some(recipe.seed),
            ..chosen
        };
        Run::create(options, run)?
    };
    match train(&run, observer.training(), stop) {
        Ok(_) => Ok(()),
        Err(Error::Interrupted { step, .. }) => {
            Err(Error::Stopped { again: format!("run the same command again (it continues from step {step})") })
        }
        Err(error) => Err(error),
    }
}
