//! Blocks with one bit each: `image,x,y,width,height,cancer`.

use crate::csv_file::{read_csv, write_csv};
use crate::data::{Block, Dataset, class_fractions};
use crate::error::{Error, Result};
use crate::label::grid;
use crate::prior::CANCER;
use lsr_core::LabelBins;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Share of cancer from which comparisons and recipes call a block cancer.
pub(crate) const CANCER_FROM: f64 = 0.5;

/// One block and whether it is cancer: what a block classifier learns from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinaryBlock {
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
    /// 1 or 0 in the file.
    #[serde(with = "zero_or_one")]
    pub cancer: bool,
}

/// Lays a grid of blocks over every image, as for the labels z. A block is cancer where more than `cancer_from` of its valid pixels is; a
/// block without one is left out.
///
/// # Errors
/// An image smaller than a block, a missing mask, a side or distance of 0, a fraction outside [0, 1).
pub fn binary_labels_from_masks(data: &Dataset, block_px: u32, stride_px: u32, cancer_from: f64) -> Result<Vec<BinaryBlock>> {
    if !(0.0..1.0).contains(&cancer_from) {
        return Err(Error::setting("--cancer-from", "a fraction in [0, 1)", cancer_from));
    }
    let mut blocks = Vec::new();
    for name in data.names() {
        let size = data.size(name)?;
        let mask = data.known_classes(name, size, 2)?;
        for (x, y) in grid(name, size, block_px, stride_px)? {
            let block = Block { image: name.to_owned(), x, y, width: block_px, height: block_px, probability: 0.0, z: 0 };
            let Some(fractions) = class_fractions(&mask, size.0, &block, 2) else { continue };
            let cancer = fractions[CANCER] > cancer_from;
            blocks.push(BinaryBlock { image: block.image, x, y, width: block_px, height: block_px, cancer });
        }
    }
    Ok(blocks)
}

/// Labels of these blocks as they are known, without a classifier: a probability of 0 or 1, and the paper's bin z of it.
///
/// # Errors
/// Those of [`LabelBins::label`], which has none for 0 and 1.
pub fn known_blocks(labels: &[BinaryBlock]) -> Result<Vec<Block>> {
    let bins = LabelBins::<f64, 9>::paper();
    let block = |label: &BinaryBlock| {
        let probability = f64::from(u8::from(label.cancer));
        let BinaryBlock { x, y, width, height, .. } = *label;
        Ok(Block { image: label.image.clone(), x, y, width, height, probability, z: bins.label(probability)? })
    };
    labels.iter().map(block).collect()
}

/// Reads blocks with one bit each.
///
/// # Errors
/// A row that cannot be read, a bit that is neither 0 nor 1, an empty block: with the line's number; a file without blocks.
pub fn read_binary_blocks(path: &Path) -> Result<Vec<BinaryBlock>> {
    let blocks: Vec<BinaryBlock> = read_csv(path)?;
    for (row, block) in blocks.iter().enumerate() {
        if block.width == 0 || block.height == 0 {
            let found = format!("found {} x {}", block.width, block.height);
            return Err(Error::file(path, format!("line {}: block: expected a width and height above 0, {found}", row + 2)));
        }
    }
    if blocks.is_empty() {
        return Err(Error::file(path, "no block in this file"));
    }
    Ok(blocks)
}

/// Writes blocks with one bit each.
///
/// # Errors
/// [`Error::Io`].
pub fn write_binary_blocks(path: &Path, blocks: &[BinaryBlock]) -> Result<()> {
    write_csv(path, blocks)
}

mod zero_or_one {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(cancer: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*cancer))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        match u64::deserialize(deserializer)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(D::Error::custom(format!("cancer: expected 0 or 1, found {other}"))),
        }
    }
}
