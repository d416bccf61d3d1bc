//! What the network of a recipe learns from: block labels of all sources, their count prior, and how often each source is drawn.

use super::{Recipe, RecipeObserver, Source};
use crate::classify::{CANCER_FROM, binary_labels_from_masks, known_blocks};
use crate::config::FolderWeights;
use crate::data::{Dataset, write_blocks};
use crate::error::{Error, Result};
use crate::prior::Prior;
use crate::sampling::Sampling;
use std::path::{Path, PathBuf};

/// What is learned from.
pub(super) struct Lesson {
    /// Folders of images, source by source.
    pub(super) folders: Vec<PathBuf>,
    /// One label for each block: cancer or not.
    pub(super) blocks: PathBuf,
    /// The count prior of both labels.
    pub(super) prior: PathBuf,
    /// How often each folder is drawn.
    pub(super) sampling: Sampling,
    /// Weight of the length of boundaries in each folder.
    pub(super) boundary_weight: FolderWeights,
}

impl Lesson {
    /// From the masks it takes one bit a block, and the counts of the annotated blocks.
    pub(super) fn make(
        recipe: &Recipe,
        sources: &[(&Source, Vec<PathBuf>)],
        output: &Path,
        observer: &mut dyn RecipeObserver,
    ) -> Result<Self> {
        let folders: Vec<PathBuf> = sources.iter().flat_map(|(_, folders)| folders.iter().cloned()).collect();
        let weights = sources.iter().flat_map(|(source, folders)| folders.iter().map(|_| source.weight / folders.len() as f64));
        let weights: Vec<String> = weights.enumerate().map(|(folder, weight)| format!("{folder}:{weight}")).collect();
        let of_all = recipe.fit.boundary_weight.as_ref().map_or(0.0, |weights| weights.of(0));
        let boundaries = sources.iter().flat_map(|(source, folders)| folders.iter().map(|_| source.boundary_weight.unwrap_or(of_all)));
        let lesson = Self {
            folders,
            blocks: output.join("blocks.csv"),
            prior: output.join("prior.csv"),
            sampling: weights.join(",").parse().map_err(|error| Error::setting("weight", "weights of the sources", error))?,
            boundary_weight: FolderWeights::Each(boundaries.enumerate().collect()),
        };
        if !lesson.prior.exists() {
            observer.part("block labels and count prior");
            let mut labels = Vec::new();
            for (source, folders) in sources {
                let (side, stride) = (source.block_px.unwrap_or(recipe.block_px), source.stride_px.unwrap_or(recipe.stride_px));
                labels.extend(binary_labels_from_masks(&Dataset::open(folders)?, side, stride, CANCER_FROM)?);
            }
            let data = Dataset::open(&lesson.folders)?;
            let blocks = known_blocks(&labels)?;
            write_blocks(&lesson.blocks, &blocks)?;
            Prior::from_masks(&data, &blocks, recipe.annotated, recipe.seed)?.write(&lesson.prior)?;
        }
        Ok(lesson)
    }
}
