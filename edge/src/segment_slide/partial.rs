//! `NAME.partial`: bands of a slide that are done. A band is there once its picture is; what belongs to another slide, model or setting is removed.

use crate::error::Error;
use crate::output::{prepare_folder, write_png, write_whole};
use crate::training_distance::TrainingDistance;
use image::ExtendedColorType;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

use super::record::MadeBy;

/// The folder.
pub(super) struct Partial {
    folder: PathBuf,
}

/// What is known of a band beside its probabilities: how far its tiles are from what the network has learned from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BandNote {
    /// Tiles that the distance is measured of.
    pub(super) tiles: u32,
    /// Of these, those with enough tissue.
    pub(super) judged_tiles: u32,
    /// Of these, those beyond the limit.
    pub(super) tiles_beyond_limit: u32,
    /// Sum of the judged tiles' distances.
    pub(super) distance: f64,
    /// Sum of the tiles' shares of tissue.
    pub(super) tissue: f64,
}

impl BandNote {
    /// Adds what was measured of a window.
    pub(super) fn add(&mut self, of: &TrainingDistance) {
        self.tiles += of.tiles;
        self.judged_tiles += of.judged_tiles;
        self.tiles_beyond_limit += of.tiles_beyond_limit;
        self.distance += of.distance.unwrap_or(0.0) * f64::from(of.judged_tiles);
        self.tissue += of.tissue * f64::from(of.tiles);
    }

    /// Both together.
    pub(super) fn merge(&mut self, other: &Self) {
        self.tiles += other.tiles;
        self.judged_tiles += other.judged_tiles;
        self.tiles_beyond_limit += other.tiles_beyond_limit;
        self.distance += other.distance;
        self.tissue += other.tissue;
    }

    /// The mean over tiles, beyond this limit or not.
    pub(super) fn training_distance(&self, limit: f32) -> TrainingDistance {
        let mean = |sum: f64, of: u32| (of > 0).then(|| sum / f64::from(of));
        TrainingDistance::of_tiles(
            mean(self.distance, self.judged_tiles),
            limit,
            [self.tiles, self.judged_tiles, self.tiles_beyond_limit],
            mean(self.tissue, self.tiles).unwrap_or(0.0),
        )
    }
}

impl Partial {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::OutputFolder`].
    pub(super) fn open(folder: PathBuf, made_by: &MadeBy<'_>) -> Result<Self, Error> {
        let run = folder.join("run.json");
        let failed = |source| Error::Write { path: run.clone(), source };
        let text = serde_json::to_vec_pretty(made_by).map_err(|error| failed(error.into()))?;
        if fs::read(&run).is_ok_and(|existing| existing == text) {
            return Ok(Self { folder });
        }
        let partial = Self { folder };
        partial.remove()?;
        prepare_folder(&partial.folder)?;
        write_whole(&run, &text)?;
        Ok(partial)
    }

    /// Whether a band of this size is done.
    pub(super) fn has(&self, band: u32, size: [u32; 2]) -> bool {
        image::image_dimensions(self.picture(band)).is_ok_and(|(width, height)| [width, height] == size) && self.note(band).is_ok()
    }

    /// Writes a band: what is known of it first, then its picture.
    pub(super) fn write(&self, band: u32, probability: &[u8], size: [u32; 2], note: &BandNote) -> Result<(), Error> {
        let path = self.path(band, "json");
        let text = serde_json::to_vec(note).map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        write_whole(&path, &text)?;
        write_png(&self.picture(band), probability, size, ExtendedColorType::L8)
    }

    /// Probabilities of a band, row by row.
    pub(super) fn probability(&self, band: u32) -> Result<Vec<u8>, Error> {
        let path = self.picture(band);
        let picture = image::open(&path).map_err(|error| Error::Read { path, source: io::Error::other(error) })?;
        Ok(picture.into_luma8().into_raw())
    }

    pub(super) fn note(&self, band: u32) -> Result<BandNote, Error> {
        let path = self.path(band, "json");
        let failed = |source| Error::Read { path: path.clone(), source };
        serde_json::from_slice(&fs::read(&path).map_err(failed)?).map_err(|error| failed(error.into()))
    }

    /// Removes the folder; one that is not there is none.
    pub(super) fn remove(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Write { path: self.folder.clone(), source }),
            _ => Ok(()),
        }
    }

    fn picture(&self, band: u32) -> PathBuf {
        self.path(band, "png")
    }

    fn path(&self, band: u32, extension: &str) -> PathBuf {
        self.folder.join(format!("rows-{band:05}.{extension}"))
    }
}
