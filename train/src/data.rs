//! Folders of images, masks and block labels.
//!
//! ```text
//! DIR/images/NAME.{png,jpg,jpeg,tif,tiff}    H&E, RGB
//! DIR/masks/NAME.png                         white = cancer; needed by `label`, `prior` and `evaluate`, never by `fit`
//! DIR/dataset.toml                           optional: what the data is (see [`DataCard`])
//! blocks.csv                                 image,x,y,width,height,probability,z
//! ```

use crate::error::{Error, Result};
use image::{GrayImage, ImageFormat, ImageReader, RgbImage};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// What `dataset.toml` says about a folder of data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCard {
    /// Pixel size in micrometres.
    pub um_per_px: Option<f64>,
    /// Licence of the images, as their publisher states it.
    pub licence: Option<String>,
    /// Who must be named.
    pub attribution: Option<String>,
    /// Where the data is from, or the command that made it.
    pub source: Option<String>,
}

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

/// Largest width or height that is decoded: bigger images are slides, which are read by window.
const MAX_SIDE_PX: u32 = 32_768;

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

fn read_card(folder: &Path) -> Result<DataCard> {
    let path = folder.join("dataset.toml");
    if !path.exists() {
        return Ok(DataCard::default());
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
    toml::from_str(&text).map_err(|error| Error::file(&path, error.message()))
}

fn decode(path: &Path) -> Result<image::DynamicImage> {
    let bytes = std::fs::read(path).map_err(Error::io("reading", path))?;
    let undecodable = |reason: String| Error::file(path, format!("cannot be decoded: {reason}"));
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(Error::io("reading", path))?;
    // The decoder fills what a truncated JPEG lacks with grey and reports nothing; scans never hold the end marker's bytes.
    if reader.format() == Some(ImageFormat::Jpeg) && !bytes.windows(2).any(|pair| pair == [0xFF, 0xD9]) {
        return Err(undecodable("the JPEG data end too early".to_owned()));
    }
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE_PX);
    limits.max_image_height = Some(MAX_SIDE_PX);
    limits.max_alloc = Some(4 << 30);
    reader.limits(limits);
    reader.decode().map_err(|error| undecodable(error.to_string()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One block and its low-resolution label: a row of `blocks.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Name of the image.
    pub image: String,
    /// Left edge in pixels.
    pub x: u32,
    /// Upper edge in pixels.
    pub y: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The classifier's probability that this is a cancer block, in [0, 1].
    pub probability: f64,
    /// Low-resolution class.
    pub z: usize,
}

/// Most low-resolution classes that a file may have.
pub const MAX_LABELS: usize = 64;

/// Reads `blocks.csv`.
///
/// # Errors
/// A row that cannot be read, a probability that is NaN or outside [0, 1], a label of [`MAX_LABELS`] or more, an empty block: with the line's number.
pub fn read_blocks(path: &Path) -> Result<Vec<Block>> {
    let blocks: Vec<Block> = read_csv(path)?;
    for (row, block) in blocks.iter().enumerate() {
        let refuse = |reason: String| Err(Error::file(path, format!("line {}: {reason}", row + 2)));
        if !(0.0..=1.0).contains(&block.probability) {
            return refuse(format!("probability: expected a value in [0, 1], found {}", block.probability));
        }
        if block.z >= MAX_LABELS {
            return refuse(format!("z: expected a label below {MAX_LABELS}, found {}", block.z));
        }
        if block.width == 0 || block.height == 0 {
            return refuse(format!("block: expected a width and height above 0, found {} x {}", block.width, block.height));
        }
    }
    if blocks.is_empty() {
        return Err(Error::file(path, "no block in this file"));
    }
    Ok(blocks)
}

/// Writes `blocks.csv`.
///
/// # Errors
/// [`Error::Io`].
pub fn write_blocks(path: &Path, blocks: &[Block]) -> Result<()> {
    write_csv(path, blocks)
}

/// Reads a CSV file with a header row into records; errors carry the line number.
pub(crate) fn read_csv<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let file = std::fs::File::open(path).map_err(Error::io("reading", path))?;
    csv::Reader::from_reader(file).deserialize().map(|row| row.map_err(|error| Error::file(path, error.to_string()))).collect()
}

/// Writes records as CSV with a header row.
pub(crate) fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| Error::file(path, error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::file(path, error.to_string()))?;
    crate::atomic::write(path, &bytes)
}

/// Fraction of a block that is cancer in a mask.
pub(crate) fn cancer_fraction(mask: &GrayImage, block: &Block) -> f64 {
    let mut cancer = 0_u64;
    for y in block.y..block.y + block.height {
        for x in block.x..block.x + block.width {
            cancer += u64::from(mask.get_pixel(x, y).0[0] >= 128);
        }
    }
    cancer as f64 / (f64::from(block.width) * f64::from(block.height))
}

/// Refuses a block that does not lie inside its image.
pub(crate) fn check_inside(block: &Block, size: (u32, u32)) -> Result<()> {
    let inside = |start: u32, length: u32, limit: u32| u64::from(start) + u64::from(length) <= u64::from(limit);
    if inside(block.x, block.width, size.0) && inside(block.y, block.height, size.1) {
        return Ok(());
    }
    let found = format!("{} x {} px at ({}, {}) of '{}'", block.width, block.height, block.x, block.y, block.image);
    Err(Error::setting("block", format!("a block inside its image of {} x {} px", size.0, size.1), found))
}
