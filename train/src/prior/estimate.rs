//! The count prior from a few annotated blocks.

use super::{Prior, RHO_FLOOR, mean_and_std};
use crate::data::{Block, Dataset, cancer_fraction, check_inside};
use crate::error::{Error, Result};
use lsr_core::Count;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

impl Prior {
    /// Mean and standard deviation of the cancer fraction over at most `annotated` blocks of each label, chosen by the seed.
    /// These blocks are the only thing that the prior learns from masks.
    ///
    /// # Errors
    /// Fewer than two blocks asked for, a block outside its image, a missing mask.
    pub fn from_masks(data: &Dataset, blocks: &[Block], annotated: usize, seed: u64) -> Result<Self> {
        if annotated < 2 {
            return Err(Error::setting("--annotated", "at least 2 blocks per label, for a standard deviation", annotated));
        }
        let mut by_label: BTreeMap<usize, Vec<&Block>> = BTreeMap::new();
        for block in blocks {
            by_label.entry(block.z).or_default().push(block);
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut masks = BTreeMap::new();
        let mut prior = Self { rows: BTreeMap::new(), annotated: BTreeMap::new(), classes: 2 };
        for (label, mut candidates) in by_label {
            candidates.shuffle(&mut random);
            candidates.truncate(annotated);
            let mut counts = Vec::new();
            for block in candidates {
                if !masks.contains_key(&block.image) {
                    let size = data.image(&block.image)?.dimensions();
                    masks.insert(block.image.clone(), data.mask(&block.image, size)?);
                }
                let mask = &masks[&block.image];
                check_inside(block, mask.dimensions())?;
                counts.push(cancer_fraction(mask, block));
            }
            let (mean, std) = mean_and_std(&counts);
            let std = std.max(RHO_FLOOR);
            prior.rows.insert(label, vec![Count { mean: 1.0 - mean, std }, Count { mean, std }]);
            prior.annotated.insert(label, counts.len() as u32);
        }
        Ok(prior)
    }
}
