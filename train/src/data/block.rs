//! Blocks and their low-resolution labels: `blocks.csv`.

use crate::csv_file::{read_csv, write_csv};
use crate::error::{Error, Result};
use image::GrayImage;
use serde::{Deserialize, Serialize};
use std::path::Path;

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
