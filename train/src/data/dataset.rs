//! Folders of images and masks: which there are, and how they are read whole.

use super::card::{DataCard, read_card};
use super::decode::decode;
use super::hex;
use crate::error::{Error, Result};
use image::{GrayImage, RgbImage};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Clone)]
struct Entry {
    image: PathBuf,
    mask: PathBuf,
}

/// One or more folders of images with (or without) masks. An image's name is its file name without extension.
#[derive(Debug, Clone)]
pub struct Dataset {
    entries: BTreeMap<String, Entry>,
    cards: Vec<DataCard>,
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
        for folder in folders {
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
                if let Some(other) = entries.insert(name.clone(), Entry { image: image.clone(), mask }) {
                    let reason = format!("the name '{name}' is also that of {}: image names must differ", other.image.display());
                    return Err(Error::file(&image, reason));
                }
            }
            if entries.len() == before {
                return Err(Error::file(&images, format!("no image here (expected one of: {})", EXTENSIONS.join(", "))));
            }
            cards.push(read_card(folder)?);
        }
        Ok(Self { entries, cards })
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

    /// Reads an image as 8-bit RGB.
    ///
    /// # Errors
    /// An unknown name; a file that cannot be decoded whole.
    pub fn image(&self, name: &str) -> Result<RgbImage> {
        Ok(decode(&self.entry(name)?.image)?.into_rgb8())
    }

    /// Reads an image's mask: 255 where cancer, 0 elsewhere.
    ///
    /// # Errors
    /// As [`Dataset::image`]; a mask whose size is not `size`.
    pub fn mask(&self, name: &str, size: (u32, u32)) -> Result<GrayImage> {
        let path = &self.entry(name)?.mask;
        let mut mask = decode(path)?.into_luma8();
        if mask.dimensions() != size {
            let reason =
                format!("expected a mask as large as its image, {} x {} px, found {} x {}", size.0, size.1, mask.width(), mask.height());
            return Err(Error::file(path, reason));
        }
        for pixel in mask.pixels_mut() {
            pixel.0[0] = if pixel.0[0] >= 128 { 255 } else { 0 };
        }
        Ok(mask)
    }

    /// SHA-256 over the names and files of the given images, in order.
    ///
    /// # Errors
    /// An unknown name or an unreadable file.
    pub fn digest<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<String> {
        let mut hash = Sha256::new();
        for name in names {
            let path = &self.entry(name)?.image;
            let bytes = std::fs::read(path).map_err(Error::io("reading", path))?;
            hash.update(name.as_bytes());
            hash.update(Sha256::digest(&bytes));
        }
        Ok(hex(&hash.finalize()))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| {
            Error::setting("image", format!("one of the {} images of the data folder", self.entries.len()), format!("'{name}'"))
        })
    }
}
