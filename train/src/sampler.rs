//! Which blocks make the groups of a step: same-z groups, from (seed, step) alone.

use crate::data::Block;
use crate::error::{Error, Result};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

/// The blocks of one group, by index, and how each is turned before the network sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampledGroup {
    /// Low-resolution class of all of them.
    pub label: usize,
    /// Index of each block, and one of the eight symmetries of the square.
    pub blocks: Vec<(usize, u8)>,
}

/// Draws groups of blocks of one label, labels in balance. Stateless: the same (seed, step) always gives the same groups, so that a
/// resumed run continues with the very blocks of an unbroken one.
#[derive(Debug, Clone)]
pub struct Sampler {
    by_label: BTreeMap<usize, Vec<usize>>,
    group: usize,
    groups: usize,
    augment: bool,
    seed: u64,
}

impl Sampler {
    /// A sampler of `groups` groups of `group` blocks each.
    ///
    /// # Errors
    /// Groups of size 0, or no block.
    pub fn new(blocks: &[Block], group: usize, groups: usize, augment: bool, seed: u64) -> Result<Self> {
        for (name, value) in [("group", group), ("groups", groups)] {
            if value == 0 || value > 100_000 {
                return Err(Error::setting(name, "1 to 100000", value));
            }
        }
        let mut by_label: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, block) in blocks.iter().enumerate() {
            by_label.entry(block.z).or_default().push(index);
        }
        if by_label.is_empty() {
            return Err(Error::setting("blocks", "at least one block", 0));
        }
        Ok(Self { by_label, group, groups, augment, seed })
    }

    /// The groups of a step. Labels do not repeat within a step while there are enough of them; blocks do not repeat within a group while
    /// their label has enough.
    pub fn groups(&self, step: usize) -> Vec<SampledGroup> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        // One of 2^64 independent streams for every step.
        random.set_stream(step as u64);
        let all: Vec<usize> = self.by_label.keys().copied().collect();
        let mut labels = Vec::new();
        while labels.len() < self.groups {
            let mut round = all.clone();
            round.shuffle(&mut random);
            labels.extend(round);
        }
        labels.truncate(self.groups);
        labels
            .into_iter()
            .map(|label| {
                let candidates = &self.by_label[&label];
                let chosen: Vec<usize> = if candidates.len() >= self.group {
                    candidates.sample(&mut random, self.group).copied().collect()
                } else {
                    (0..self.group).map(|_| candidates[random.random_range(0..candidates.len())]).collect()
                };
                let blocks = chosen.into_iter().map(|index| (index, if self.augment { random.random_range(0..8_u8) } else { 0 })).collect();
                SampledGroup { label, blocks }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> Vec<Block> {
        (0..100)
            .map(|i| Block {
                image: format!("{i}"),
                x: 0,
                y: 0,
                width: 8,
                height: 8,
                probability: 0.0,
                z: if i < 5 { 0 } else { 1 + i % 3 },
            })
            .collect()
    }

    #[test]
    fn groups_have_one_label_and_follow_from_seed_and_step() {
        let blocks = blocks();
        let sampler = Sampler::new(&blocks, 15, 2, true, 7).unwrap();
        let again = Sampler::new(&blocks, 15, 2, true, 7).unwrap();
        let other = Sampler::new(&blocks, 15, 2, true, 8).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for step in 0..50 {
            let groups = sampler.groups(step);
            assert_eq!(groups, again.groups(step));
            assert_ne!(groups, other.groups(step));
            assert_ne!(groups[0].label, groups[1].label);
            for group in &groups {
                assert_eq!(group.blocks.len(), 15);
                assert!(group.blocks.iter().all(|&(index, symmetry)| blocks[index].z == group.label && symmetry < 8));
                let distinct: std::collections::BTreeSet<_> = group.blocks.iter().map(|b| b.0).collect();
                assert!(group.label == 0 || distinct.len() == 15, "no block twice where there are enough");
                seen.insert(group.label);
            }
        }
        assert_eq!(seen.len(), 4, "every label is drawn");
        assert!(Sampler::new(&blocks, 0, 2, true, 7).is_err());
    }
}
