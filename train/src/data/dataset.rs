//! Folders of images and masks: which there are, and how they are read whole.

use super::card::{DataCard, read_card};
use super::digest::FileDigests;
use super::source::{ImageSource, open_source, read_size, read_whole};
use super::{hex, mask};
use crate::error::{Error, Result};
use image::{GrayImage, RgbImage};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Clone)]
struct Entry {
    image: PathBuf,
    mask: PathBuf,
    valid: PathBuf,
    /// Place of its folder among those of the data.
    folder: usize,
}

/// One or more folders of images with (or without) masks. An image's name is its file name without extension.
#[derive(Debug, Clone)]
pub struct Dataset {
    entries: BTreeMap<String, Entry>,
    cards: Vec<DataCard>,
    masks_closed: bool,
    /// Where the classes of pixels come from instead of the masks.
    digests: FileDigests,
}

const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

impl Dataset {
    /// Lists the images of some folders.
    ///
    /// # Errors
    /// A folder without `images/` or without an image in it, two images of one name, a bad `dataset.toml`.
    pub fn open(folders: &[PathBuf]) -> Result<Self> {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        let mut cards = Vec::new();
        for (place, folder) in folders.iter().enumerate() {
            let images = folder.join("images");
            let before = entries.len();
            for file in std::fs::read_dir(&images).map_err(Error::io("reading", &images))? {
                let image = file.map_err(Error::io("reading", &images))?.path();
                let extension = image.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
                let Some(name) = image.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else { continue };
                if !EXTENSIONS.contains(&extension.as_str()) {
                    continue;
                }
                let mask = folder.join("masks").join(format!("{name}.png"));
                let valid = folder.join("valid").join(format!("{name}.png"));
                if let Some(other) = entries.insert(name.clone(), Entry { image: image.clone(), mask, valid, folder: place }) {
                    let reason = format!("the name '{name}' is also that of {}: image names must differ", other.image.display());
                    return Err(Error::file(&image, reason));
                }
            }
            if entries.len() == before {
                return Err(Error::file(&images, format!("no image here (expected one of: {})", EXTENSIONS.join(", "))));
            }
            cards.push(read_card(folder)?);
        }
        Ok(Self { entries, cards, masks_closed: false, digests: FileDigests::default() })
    }

    /// The same images, with every mask of classes closed: reading one is an error. Weakly supervised training sees its data this way, so
    /// that no mask can reach it. Validity masks stay open: they say which pixels count, not what they are.
    pub fn without_masks(mut self) -> Self {
        self.masks_closed = true;
        self
    }

    /// Keeps the images whose name matches one of the patterns (`*`, `?`, `[0-3]`); all of them without patterns.
    ///
    /// # Errors
    /// A bad pattern, or one that matches nothing.
    pub fn select(mut self, patterns: &[String]) -> Result<Self> {
        if patterns.is_empty() {
            return Ok(self);
        }
        let mut keep: BTreeMap<String, Entry> = BTreeMap::new();
        for text in patterns {
            let pattern = glob::Pattern::new(text)
                .map_err(|error| Error::setting("--images", "a pattern such as '1067*' or '1069[0-3]'", format!("{text} ({error})")))?;
            let matching: Vec<_> = self.entries.iter().filter(|(name, _)| pattern.matches(name)).collect();
            if matching.is_empty() {
                let found = format!("'{text}', which matches none of {} images", self.entries.len());
                return Err(Error::setting("--images", "a pattern that matches an image's name", found));
            }
            keep.extend(matching.into_iter().map(|(name, entry)| (name.clone(), entry.clone())));
        }
        self.entries = keep;
        Ok(self)
    }

    /// The images' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Pixel size that all folders agree on, if any of them states one.
    ///
    /// # Errors
    /// Folders that state different pixel sizes.
    pub fn um_per_px(&self) -> Result<Option<f64>> {
        let mut stated = self.cards.iter().filter_map(|card| card.um_per_px);
        let Some(first) = stated.next() else { return Ok(None) };
        match stated.find(|other| (other - first).abs() > 0.02 * first) {
            Some(other) => Err(Error::setting("um_per_px", format!("one pixel size in all data folders ({first})"), other)),
            None => Ok(Some(first)),
        }
    }

    /// The licences that the folders state, joined; empty when none does.
    pub fn licence(&self) -> String {
        let mut licences: Vec<&str> = self.cards.iter().filter_map(|card| card.licence.as_deref()).collect();
        licences.dedup();
        licences.join("; ")
    }

    /// Who must be named, of all folders; nothing when none says.
    pub fn attribution(&self) -> Option<String> {
        let mut named: Vec<&str> = self.cards.iter().filter_map(|card| card.attribution.as_deref()).collect();
        named.dedup();
        (!named.is_empty()).then(|| named.join("; "))
    }

    /// Whether an image has a mask.
    ///
    /// # Errors
    /// An unknown name; masks that are closed.
    pub fn has_mask(&self, name: &str) -> Result<bool> {
        Ok(self.mask_path(name)?.exists())
    }

    /// Reads an image's mask as it is: 255 where cancer for two classes, the class itself for more.
    ///
    /// # Errors
    /// As [`Dataset::mask`].
    pub fn grey_mask(&self, name: &str, size: (u32, u32)) -> Result<GrayImage> {
        mask::read_grey(self.mask_path(name)?, size)
    }

    /// Opens an image for reading by window: a large TIFF as it is, anything else decoded whole.
    ///
    /// # Errors
    /// An unknown name; a file that cannot be decoded.
    pub fn source(&self, name: &str) -> Result<Arc<dyn ImageSource>> {
        open_source(&self.entry(name)?.image)
    }

    /// Width and height of an image in pixels, from its header alone.
    ///
    /// # Errors
    /// An unknown name; a file whose header cannot be read.
    pub fn size(&self, name: &str) -> Result<(u32, u32)> {
        read_size(&self.entry(name)?.image)
    }

    /// Which of the folders an image lies in.
    ///
    /// # Errors
    /// An unknown name.
    pub fn folder(&self, name: &str) -> Result<usize> {
        Ok(self.entry(name)?.folder)
    }

    /// The file of an image.
    ///
    /// # Errors
    /// An unknown name.
    pub fn path(&self, name: &str) -> Result<&Path> {
        Ok(&self.entry(name)?.image)
    }

    /// Reads an image as 8-bit RGB.
    ///
    /// # Errors
    /// An unknown name; a file that cannot be decoded whole.
    pub fn image(&self, name: &str) -> Result<RgbImage> {
        read_whole(&self.entry(name)?.image)
    }

    /// Reads an image's mask: 255 where cancer, 0 elsewhere.
    ///
    /// # Errors
    /// As [`Dataset::image`]; a mask whose size is not `size`; masks that are closed.
    pub fn mask(&self, name: &str, size: (u32, u32)) -> Result<GrayImage> {
        mask::read_mask(self.mask_path(name)?, size)
    }

    /// Reads the class of every pixel of an image, row by row. For two classes, grey from 128 on is class 1; for more, the grey value is the
    /// class, and 255 is unknown.
    ///
    /// # Errors
    /// As [`Dataset::mask`]; a grey value that is no class, by its position.
    pub fn class_mask(&self, name: &str, size: (u32, u32), classes: usize) -> Result<Vec<u8>> {
        mask::read_classes(self.mask_path(name)?, size, classes)
    }

    /// Reads which pixels of an image count, row by row: 1 where the validity mask is white, 0 where it is black (pen marks, folds,
    /// background). Nothing where the image has no validity mask: then all pixels count.
    ///
    /// # Errors
    /// As [`Dataset::image`]; a mask whose size is not `size`.
    pub fn validity(&self, name: &str, size: (u32, u32)) -> Result<Option<Vec<u8>>> {
        mask::read_validity(&self.entry(name)?.valid, size)
    }

    /// As [`Dataset::class_mask`], with every pixel that does not count as unknown.
    ///
    /// # Errors
    /// As [`Dataset::class_mask`] and [`Dataset::validity`].
    pub fn known_classes(&self, name: &str, size: (u32, u32), classes: usize) -> Result<Vec<u8>> {
        let mut mask = self.class_mask(name, size, classes)?;
        if let Some(valid) = self.validity(name, size)? {
            for (class, valid) in mask.iter_mut().zip(valid) {
                if valid == 0 {
                    *class = mask::UNKNOWN_CLASS;
                }
            }
        }
        Ok(mask)
    }

    /// SHA-256 over the names and files of the given images, in order, and over their validity masks. Files are read piece by piece and side
    /// by side, each once per process.
    ///
    /// # Errors
    /// An unknown name or an unreadable file.
    pub fn digest<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<String> {
        let files: Vec<(&str, &Entry)> = names.map(|name| Ok((name, self.entry(name)?))).collect::<Result<_>>()?;
        let digests: Vec<([u8; 32], Option<[u8; 32]>)> = files
            .par_iter()
            .map(|(_, entry)| {
                let valid = if entry.valid.exists() { Some(self.digests.of(&entry.valid)?) } else { None };
                Ok((self.digests.of(&entry.image)?, valid))
            })
            .collect::<Result<_>>()?;
        let mut hash = Sha256::new();
        for ((name, _), (image, valid)) in files.iter().zip(digests) {
            hash.update(name.as_bytes());
            hash.update(image);
            if let Some(valid) = valid {
                hash.update(b"valid");
                hash.update(valid);
            }
        }
        Ok(hex(&hash.finalize()))
    }

    /// SHA-256 over the names and masks of the given images, in order.
    ///
    /// # Errors
    /// As [`Dataset::digest`]; masks that are closed.
    pub fn masks_digest<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<String> {
        let mut hash = Sha256::new();
        for name in names {
            hash.update(name.as_bytes());
            hash.update(self.digests.of(self.mask_path(name)?)?);
        }
        Ok(hex(&hash.finalize()))
    }

    fn mask_path(&self, name: &str) -> Result<&Path> {
        let path = &self.entry(name)?.mask;
        if self.masks_closed {
            // A setting, and no fault of the file: it must not be skipped as a damaged image is.
            let expected = "none to be read (masks are closed to this run, which learns from block labels)";
            return Err(Error::setting("masks", expected, path.display()));
        }
        Ok(path)
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| {
            Error::setting("image", format!("one of the {} images of the data folder", self.entries.len()), format!("'{name}'"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_masks_cannot_be_read_and_validity_can() {
        let folder = crate::data::tests::folder(&[("a", 4, 3)]);
        std::fs::create_dir(folder.path().join("valid")).unwrap();
        let open = Dataset::open(&[folder.path().to_owned()]).unwrap();
        let before = open.digest(["a"].into_iter()).unwrap();
        GrayImage::from_pixel(4, 3, image::Luma([255])).save(folder.path().join("masks/a.png")).unwrap();
        assert_eq!(open.digest(["a"].into_iter()).unwrap(), before, "masks are not what a run learns from");
        GrayImage::from_fn(4, 3, |x, _| image::Luma([x as u8 * 80])).save(folder.path().join("valid/a.png")).unwrap();
        assert_ne!(open.digest(["a"].into_iter()).unwrap(), before, "validity is");
        assert_eq!(open.size("a").unwrap(), (4, 3));
        assert_eq!(open.class_mask("a", (4, 3), 2).unwrap(), [1; 12]);
        assert!(open.masks_digest(["a"].into_iter()).is_ok());
        let closed = open.without_masks();
        for error in [
            closed.mask("a", (4, 3)).unwrap_err(),
            closed.class_mask("a", (4, 3), 2).unwrap_err(),
            closed.masks_digest(["a"].into_iter()).unwrap_err(),
        ] {
            assert!(error.to_string().contains("masks are closed to this run"), "{error}");
        }
        assert_eq!(closed.validity("a", (4, 3)).unwrap().unwrap(), [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn a_changed_file_has_another_digest() {
        let folder = crate::data::tests::folder(&[("a", 4, 3), ("b", 4, 3)]);
        let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
        let before = data.digest(["a", "b"].into_iter()).unwrap();
        assert_eq!(data.digest(["a", "b"].into_iter()).unwrap(), before);
        assert_ne!(data.digest(["b", "a"].into_iter()).unwrap(), before);
        let path = folder.path().join("images/b.png");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.push(0);
        std::fs::write(&path, bytes).unwrap();
        assert_ne!(data.digest(["a", "b"].into_iter()).unwrap(), before);
    }
}
