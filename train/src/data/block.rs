//! Blocks and their low-resolution labels: `blocks.csv`.

use crate::csv_file::{read_csv, write_csv};
use crate::error::{Error, Result};
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

/// Fraction of each class among a block's known pixels; none when it has no known pixel. A pixel is known when its value is below `classes`.
///
/// `mask` is row by row, `width` pixels a row; the block must lie inside it.
pub(crate) fn class_fractions(mask: &[u8], width: u32, block: &Block, classes: usize) -> Option<Vec<f64>> {
    let mut pixels = vec![0_u64; classes];
    for y in block.y..block.y + block.height {
        let start = y as usize * width as usize + block.x as usize;
        for &class in &mask[start..start + block.width as usize] {
            if let Some(count) = pixels.get_mut(usize::from(class)) {
                *count += 1;
            }
        }
    }
    let known: u64 = pixels.iter().sum();
    (known > 0).then(|| pixels.iter().map(|&count| count as f64 / known as f64).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_of_the_known_pixels_of_the_block_alone() {
        #[rustfmt::skip]
        let mask = [
            9, 9, 9, 9,
            9, 0, 2, 9,
            9, 2, 255, 9,
        ];
        let block = |x, y, width, height| Block { image: String::new(), x, y, width, height, probability: 0.0, z: 0 };
        assert_eq!(class_fractions(&mask, 4, &block(1, 1, 2, 2), 3), Some(vec![1.0 / 3.0, 0.0, 2.0 / 3.0]));
        assert_eq!(class_fractions(&mask, 4, &block(1, 1, 1, 1), 3), Some(vec![1.0, 0.0, 0.0]));
        assert_eq!(class_fractions(&mask, 4, &block(0, 0, 4, 1), 3), None);
    }
}
