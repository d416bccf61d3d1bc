//! Which blocks make the groups of a step: same-z groups, from (seed, step) alone.

use crate::data::Block;
use crate::error::{Error, Result};
use crate::sampling::Sampling;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

/// The blocks of one group, by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampledGroup {
    /// Low-resolution class of all of them.
    pub label: usize,
    /// Index of each block.
    pub blocks: Vec<usize>,
}

/// Draws groups of blocks of one label. Stateless: the same (seed, step) always gives the same groups, so that a resumed run continues with
/// the very blocks of an unbroken one.
#[derive(Debug, Clone)]
pub struct Sampler {
    by_label: BTreeMap<usize, Vec<usize>>,
    /// Weights of the labels in the order of `by_label`; nothing: in balance.
    weights: Option<Vec<f64>>,
    group: usize,
    groups: usize,
    seed: u64,
}

impl Sampler {
    /// A sampler of `groups` groups of `group` blocks each.
    ///
    /// # Errors
    /// Groups of size 0, no block, or weights that do not fit the labels (see [`Sampling::weights`]).
    pub fn new(blocks: &[Block], group: usize, groups: usize, sampling: &Sampling, seed: u64) -> Result<Self> {
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
        let labels: Vec<(usize, usize)> = by_label.iter().map(|(&label, blocks)| (label, blocks.len())).collect();
        Ok(Self { weights: sampling.weights(&labels)?, by_label, group, groups, seed })
    }

    /// The groups of a step. In balance, labels do not repeat within a step while there are enough of them; blocks do not repeat within a
    /// group while their label has enough.
    pub fn groups(&self, step: usize) -> Vec<SampledGroup> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        // One of 2^64 independent streams for every step.
        random.set_stream(step as u64);
        let labels = match &self.weights {
            None => self.labels_in_balance(&mut random),
            Some(weights) => (0..self.groups).map(|_| self.weighted_label(weights, &mut random)).collect(),
        };
        labels
            .into_iter()
            .map(|label| {
                let candidates = &self.by_label[&label];
                let blocks: Vec<usize> = if candidates.len() >= self.group {
                    candidates.sample(&mut random, self.group).copied().collect()
                } else {
                    (0..self.group).map(|_| candidates[random.random_range(0..candidates.len())]).collect()
                };
                // One draw a block goes unused: it was the block's symmetry once, and a seed's blocks are to stay what they were.
                for _ in &blocks {
                    let _: u8 = random.random_range(0..8_u8);
                }
                SampledGroup { label, blocks }
            })
            .collect()
    }

    /// A block of a label that takes the place of one that cannot be read, in place `slot` of a step's batch; attempts from 0 to
    /// [`Sampler::candidates`] - 1 give every block of the label once, in an order that follows from (seed, step, slot). Nothing for a
    /// label without blocks.
    pub fn replacement(&self, step: usize, slot: usize, attempt: usize, label: usize) -> Option<usize> {
        let candidates = self.by_label.get(&label)?;
        let mut key = [0; 32];
        let words = [self.seed, step as u64, slot as u64, u64::from_le_bytes(*b"replace\0")];
        for (part, word) in key.chunks_exact_mut(8).zip(words) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        let mut order: Vec<usize> = candidates.clone();
        order.shuffle(&mut ChaCha8Rng::from_seed(key));
        Some(order[attempt % order.len()])
    }

    /// Number of blocks of a label.
    pub fn candidates(&self, label: usize) -> usize {
        self.by_label.get(&label).map_or(0, Vec::len)
    }

    fn labels_in_balance(&self, random: &mut ChaCha8Rng) -> Vec<usize> {
        let all: Vec<usize> = self.by_label.keys().copied().collect();
        let mut labels = Vec::new();
        while labels.len() < self.groups {
            let mut round = all.clone();
            round.shuffle(random);
            labels.extend(round);
        }
        labels.truncate(self.groups);
        labels
    }

    fn weighted_label(&self, weights: &[f64], random: &mut ChaCha8Rng) -> usize {
        let mut left = random.random::<f64>() * weights.iter().sum::<f64>();
        let mut chosen = 0;
        for (&label, &weight) in self.by_label.keys().zip(weights) {
            if weight > 0.0 {
                chosen = label;
                if left < weight {
                    break;
                }
                left -= weight;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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

    fn sampler(group: usize, groups: usize, sampling: Sampling, seed: u64) -> Sampler {
        Sampler::new(&blocks(), group, groups, &sampling, seed).unwrap()
    }

    #[test]
    fn groups_have_one_label_and_follow_from_seed_and_step() {
        let blocks = blocks();
        let (first, again, other) =
            (sampler(15, 2, Sampling::Balanced, 7), sampler(15, 2, Sampling::Balanced, 7), sampler(15, 2, Sampling::Balanced, 8));
        let mut seen = BTreeSet::new();
        for step in 0..50 {
            let groups = first.groups(step);
            assert_eq!(groups, again.groups(step));
            assert_ne!(groups, other.groups(step));
            assert_ne!(groups[0].label, groups[1].label);
            for group in &groups {
                assert_eq!(group.blocks.len(), 15);
                assert!(group.blocks.iter().all(|&index| blocks[index].z == group.label));
                let distinct: BTreeSet<_> = group.blocks.iter().collect();
                assert!(group.label == 0 || distinct.len() == 15, "no block twice where there are enough");
                seen.insert(group.label);
            }
        }
        assert_eq!(seen.len(), 4, "every label is drawn");
        assert!(Sampler::new(&blocks, 0, 2, &Sampling::Balanced, 7).is_err());
        assert!(Sampler::new(&[], 1, 1, &Sampling::Balanced, 7).is_err());
    }

    /// The draws as they were when a sampler also drew each block's symmetry, written out a second time.
    #[test]
    fn blocks_of_a_seed_are_those_of_earlier_versions() {
        let sampler = sampler(6, 5, Sampling::Balanced, 41);
        for step in 0..20 {
            let mut random = ChaCha8Rng::seed_from_u64(41);
            random.set_stream(step as u64);
            let all = vec![0, 1, 2, 3];
            let mut labels = Vec::new();
            while labels.len() < 5 {
                let mut round = all.clone();
                round.shuffle(&mut random);
                labels.extend(round);
            }
            labels.truncate(5);
            let mut expected = Vec::new();
            for label in labels {
                let of_label: Vec<usize> = (0..100).filter(|&i| blocks()[i].z == label).collect();
                let chosen: Vec<usize> = if of_label.len() >= 6 {
                    of_label.sample(&mut random, 6).copied().collect()
                } else {
                    (0..6).map(|_| of_label[random.random_range(0..of_label.len())]).collect()
                };
                let with_symmetry: Vec<(usize, u8)> = chosen.into_iter().map(|index| (index, random.random_range(0..8_u8))).collect();
                expected.push(SampledGroup { label, blocks: with_symmetry.into_iter().map(|(index, _)| index).collect() });
            }
            assert_eq!(sampler.groups(step), expected);
        }
    }

    #[test]
    fn labels_are_drawn_as_often_as_their_weights_say() {
        let shares = |sampling: &str| {
            let sampler = sampler(1, 2, sampling.parse().unwrap(), 3);
            let mut counts = [0.0_f64; 4];
            for step in 0..5000 {
                for group in sampler.groups(step) {
                    counts[group.label] += 1e-4;
                }
            }
            counts
        };
        // Ten thousand draws: one standard deviation is at most 0.005.
        let near = |found: [f64; 4], expected: [f64; 4]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.02);
        for (sampling, expected) in
            [("balanced", [0.25; 4]), ("frequency", [0.05, 0.31, 0.32, 0.32]), ("0:1,1:2,2:0,3:5", [0.125, 0.25, 0.0, 0.625])]
        {
            let found = shares(sampling);
            assert!(near(found, expected), "{sampling}: {found:?}");
        }
        assert_eq!(shares("0:1,1:2,2:0,3:5")[2], 0.0, "weight 0 leaves a label out");
        assert!(Sampler::new(&blocks(), 1, 1, &"0:1".parse().unwrap(), 3).is_err());
    }

    #[test]
    fn replacements_go_through_all_blocks_of_the_label() {
        let sampler = sampler(4, 2, Sampling::Balanced, 7);
        let order = |step, slot| (0..5).map(|attempt| sampler.replacement(step, slot, attempt, 0).unwrap()).collect::<Vec<_>>();
        assert_eq!(order(3, 1), order(3, 1));
        assert_eq!(order(3, 1).into_iter().collect::<BTreeSet<_>>(), (0..5).collect());
        assert!((0..20).any(|slot| order(3, slot) != order(3, 1)));
        assert_eq!((sampler.candidates(0), sampler.candidates(9)), (5, 0));
        assert_eq!(sampler.replacement(0, 0, 0, 9), None);
    }
}
