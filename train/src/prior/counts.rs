//! Counts of annotated blocks: which fraction of a block is of each high-resolution class.

use super::MAX_CLASSES;
use crate::data::{Block, Dataset, check_inside, class_fractions};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// One annotated block: its label and what was found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotatedBlock {
    /// Low-resolution class.
    pub z: usize,
    /// Fraction of the block's known pixels that is of each high-resolution class; sums to 1.
    pub counts: Vec<f64>,
}

impl AnnotatedBlock {
    /// A block of two classes of which the given fraction is cancer.
    pub(crate) fn with_cancer(z: usize, fraction: f64) -> Self {
        Self { z, counts: vec![1.0 - fraction, fraction] }
    }
}

/// Looks up blocks in the masks, in the order given. Each mask is read once.
///
/// # Errors
/// Fewer than 2 or more than [`MAX_CLASSES`] classes; a block outside its image or without a known pixel; a missing or unfit mask.
pub fn count_in_masks(data: &Dataset, blocks: &[Block], classes: usize) -> Result<Vec<AnnotatedBlock>> {
    if !(2..=MAX_CLASSES).contains(&classes) {
        return Err(Error::setting("--classes", format!("2 to {MAX_CLASSES} classes"), classes));
    }
    let mut by_image: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, block) in blocks.iter().enumerate() {
        by_image.entry(&block.image).or_default().push(index);
    }
    let mut found: Vec<AnnotatedBlock> = blocks.iter().map(|block| AnnotatedBlock { z: block.z, counts: Vec::new() }).collect();
    for (image, indices) in by_image {
        let size = data.size(image)?;
        let mask = data.known_classes(image, size, classes)?;
        for index in indices {
            let block = &blocks[index];
            check_inside(block, size)?;
            found[index].counts = class_fractions(&mask, size.0, block, classes).ok_or_else(|| {
                let found = format!("{} x {} px at ({}, {}) of '{image}', all unknown", block.width, block.height, block.x, block.y);
                Error::setting("block", "a block with known pixels in its mask", found)
            })?;
        }
    }
    Ok(found)
}
