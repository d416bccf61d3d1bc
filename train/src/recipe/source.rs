//! A source's images at the pixel size that the network sees.

use super::{Recipe, RecipeObserver, Source};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::rescale::{RescaleSettings, rescale};
use crate::synth_folder::write_synthetic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The folders of a source, one for each of its stretches, under `output`; what is there is kept. Images are named after their source and stretch.
pub(super) fn prepare(
    source: &Source,
    recipe: &Recipe,
    data: &Path,
    output: &Path,
    observer: &mut dyn RecipeObserver,
    stop: &AtomicBool,
) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for stretch in &source.stretch {
        let folder = output.join(format!("x{stretch}"));
        if !folder.exists() {
            observer.part(&format!("{}: images of {} um/px, {stretch} times as large", source.name, recipe.um_per_px));
            crate::atomic::make_folder(output)?;
            let (from, um_per_px) = original(source, data, output)?;
            let images = Dataset::open(&[from])?.select(&source.images)?;
            let prefix = format!("{}-x{stretch}-", source.name);
            let settings = RescaleSettings { from_um_per_px: Some(um_per_px * stretch), um_per_px: recipe.um_per_px, prefix };
            rescale(&images, &settings, &folder, |_| ())?;
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped { again: "run the same command again".to_owned() });
        }
        folders.push(folder);
    }
    Ok(folders)
}

/// The folder of a source's own images and their pixel size.
fn original(source: &Source, data: &Path, output: &Path) -> Result<(PathBuf, f64)> {
    match (&source.synthetic, &source.folder, source.um_per_px) {
        (Some(made), _, _) => {
            let folder = output.join("synthetic");
            // Its card is written last.
            if !folder.join("dataset.toml").exists() {
                write_synthetic(&folder, made.images, made.size_px, made.um_per_px, made.seed, |_| ())?;
            }
            Ok((folder, f64::from(made.um_per_px)))
        }
        (None, Some(folder), Some(um_per_px)) => Ok((data.join(folder), um_per_px)),
        _ => Err(Error::setting("source", "either a folder with um_per_px, or synthetic", &source.name)),
    }
}
