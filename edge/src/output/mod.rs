//! The five files of an image: three pictures, outlines, and the record, which is written last.

mod dicom_seg;
mod file;
mod geojson;
mod outline;
mod overlay;
mod pyramid;
mod record;
mod table;

pub(crate) use dicom_seg::{Segmentation, dicom_seg_bytes, write_dicom_seg};
pub use file::write_file;
pub(crate) use file::{prepare_folder, write_whole};
pub(crate) use geojson::Origin;
pub(crate) use outline::{MOST_RUNS, Outliner, Region, regions};
pub(crate) use overlay::{TINT, TINT_WEIGHT, dilate, mix, overlay};
pub(crate) use pyramid::{About, Samples, pyramid_bytes, write_pyramid};
pub use record::NOTICE;
pub(crate) use record::{Began, InputRecord, NetworkRecord, Record, Settings, Timings};
pub(crate) use table::write_tables;

use crate::error::Error;
use crate::mask::Mask;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Where the files of one image go.
#[derive(Debug, Clone)]
pub struct OutputFiles {
    folder: PathBuf,
    name: String,
}

/// What an existing record says about an image that is to be segmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// There is none: whatever pictures exist were left by a run that was killed.
    None,
    /// The same image, model and settings.
    Same,
    /// The same image with another model, other settings or another version.
    Different,
}

impl OutputFiles {
    /// `folder/NAME.*`.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned() }
    }

    /// `NAME.mask.png`: 0 or 255.
    pub fn mask(&self) -> PathBuf {
        self.path("mask.png")
    }

    /// `NAME.probability.png`: `round(255 p)`.
    pub fn probability(&self) -> PathBuf {
        self.path("probability.png")
    }

    /// `NAME.overlay.png`.
    pub fn overlay(&self) -> PathBuf {
        self.path("overlay.png")
    }

    /// `NAME.frame.ome.tif`: what the camera saw, of fields that were put together.
    pub fn frame_pyramid(&self) -> PathBuf {
        self.path("frame.ome.tif")
    }

    /// `NAME.geojson`: the mask's regions as polygons.
    pub fn geojson(&self) -> PathBuf {
        self.path("geojson")
    }

    /// `NAME.mask.ome.tif`: the mask of a slide.
    pub fn mask_pyramid(&self) -> PathBuf {
        self.path("mask.ome.tif")
    }

    /// `NAME.probability.ome.tif`: the probabilities of a slide.
    pub fn probability_pyramid(&self) -> PathBuf {
        self.path("probability.ome.tif")
    }

    /// `NAME.seg.dcm`: the mask of a DICOM slide.
    pub fn dicom_seg(&self) -> PathBuf {
        self.path("seg.dcm")
    }

    /// `NAME.partial`: what is done of a slide, while it is segmented.
    pub fn partial(&self) -> PathBuf {
        self.path("partial")
    }

    /// `NAME.json`. It is written last and removed first: where it is, the other files are whole and belong to it.
    pub fn record(&self) -> PathBuf {
        self.path("json")
    }

    fn path(&self, extension: &str) -> PathBuf {
        // Not `with_extension`: NAME may hold dots.
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// What is there already, and whether it is about the same image, model, settings, and whatever else a record names at these places.
    ///
    /// # Errors
    /// [`Error::OtherImage`] for a record of another image, or for a JSON file that is no record of ours: neither is overwritten unasked.
    pub(crate) fn existing(
        &self,
        input_sha256: &str,
        model_sha256: &str,
        settings: &Value,
        others: &[(&str, Value)],
    ) -> Result<Existing, Error> {
        let path = self.record();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::None),
            Err(source) => return Err(Error::Read { path, source }),
        };
        let record: Value = serde_json::from_slice(&text).unwrap_or_default();
        let text_at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        if text_at("/input/sha256") != Some(input_sha256) {
            let other = text_at("/input/path").unwrap_or("it is no record of lsr-edge").to_owned();
            return Err(Error::OtherImage { record: path, other });
        }
        let same = text_at("/model/sha256") == Some(model_sha256)
            && text_at("/lsr_edge") == Some(crate::VERSION)
            && record.pointer("/settings") == Some(settings)
            // A slide without tissue has nothing there.
            && others.iter().all(|(pointer, value)| record.pointer(pointer).is_none_or(|there| there == value));
        Ok(if same { Existing::Same } else { Existing::Different })
    }

    /// Removes the record of an earlier run, before its pictures are replaced.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(crate) fn remove_record(&self) -> Result<(), Error> {
        removed(self.record())
    }

    /// Writes the three pictures.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(crate) fn write_pictures(&self, image: RgbImage, mask: &Mask, probability_u8: &[u8]) -> Result<(), Error> {
        let size = [image.width(), image.height()];
        write_png(&self.mask(), &mask.to_u8(), size, ExtendedColorType::L8)?;
        write_png(&self.probability(), probability_u8, size, ExtendedColorType::L8)?;
        write_png(&self.overlay(), overlay::overlay(image, mask).as_raw(), size, ExtendedColorType::Rgb8)
    }

    /// Writes the mask's regions.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(crate) fn write_geojson(&self, regions: &[Region], origin: Origin<'_>) -> Result<(), Error> {
        let path = self.geojson();
        file::write_whole_with(&path, |file| {
            let written = geojson::write_geojson(BufWriter::new(file), regions, origin);
            written.map_err(|error| Error::Write { path: path.clone(), source: error.into() })
        })
    }

    /// Removes the regions of an earlier run.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(crate) fn remove_geojson(&self) -> Result<(), Error> {
        removed(self.geojson())
    }

    /// Writes the record, after everything else.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(crate) fn write_record(&self, record: &impl Serialize) -> Result<(), Error> {
        let path = self.record();
        let mut text = serde_json::to_vec_pretty(record).map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        text.push(b'\n');
        write_whole(&path, &text)
    }
}

/// The bytes of a file of regions.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn geojson_bytes(regions: &[Region], origin: Origin<'_>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let written = geojson::write_geojson(&mut bytes, regions, origin);
    written.map_err(|error| Error::Write { path: "regions.geojson".into(), source: error.into() })?;
    Ok(bytes)
}

fn removed(path: PathBuf) -> Result<(), Error> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Write { path, source }),
        _ => Ok(()),
    }
}

/// Settings as a record has them: through text, since an `f32` has more digits as an `f64`.
pub(crate) fn as_recorded(settings: &impl Serialize) -> Value {
    serde_json::to_string(settings).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

pub(crate) fn write_png(path: &Path, pixels: &[u8], size: [u32; 2], color: ExtendedColorType) -> Result<(), Error> {
    write_whole(path, &png(path, pixels, size, color)?)
}

/// The bytes of a PNG file; `path` is what it is for.
///
/// # Errors
/// [`Error::Write`] for pixels that do not fill the size.
pub(crate) fn png(path: &Path, pixels: &[u8], [width, height]: [u32; 2], color: ExtendedColorType) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(pixels, width, height, color)
        .map_err(|error| Error::Write { path: path.to_owned(), source: io::Error::other(error) })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_dots() {
        let files = OutputFiles::new(Path::new("out"), "slide.1");
        assert_eq!(files.mask(), Path::new("out/slide.1.mask.png"));
        assert_eq!(files.record(), Path::new("out/slide.1.json"));
    }
}
