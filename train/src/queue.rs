//! A queue of recent block moments: it enlarges a group's statistics without enlarging the batch.
//!
//! The variance of N counts is estimated with a relative standard deviation of about sqrt(2 / (N - 1)), 38 % for the paper's N = 15. The moments
//! of blocks from earlier steps, slightly out of date and without gradient, cut that noise. Off unless asked for: the paper has no queue.

use lsr_core::{BlockMoments, GroupMoments};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Moments of one block and class, as they came from the network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PastBlock {
    /// Valid pixels.
    pub pixels: u32,
    /// Predicted count mu_k.
    pub mean: f32,
    /// Mean of p(1-p).
    pub bernoulli: f32,
}

/// The latest blocks of every label.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MomentQueue {
    capacity: usize,
    /// For each label, the latest blocks, each with one entry per class.
    labels: BTreeMap<usize, VecDeque<Vec<PastBlock>>>,
}

impl MomentQueue {
    /// A queue of at most `capacity` blocks of each label.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, labels: BTreeMap::new() }
    }

    /// Takes in a block: the moments of each of its classes.
    pub fn push(&mut self, label: usize, classes: Vec<PastBlock>) {
        if self.capacity == 0 {
            return;
        }
        let blocks = self.labels.entry(label).or_default();
        blocks.push_back(classes);
        while blocks.len() > self.capacity {
            blocks.pop_front();
        }
    }

    /// The moments of a class over a label's blocks; of no blocks where there are none yet.
    pub fn moments(&self, label: usize, class: usize) -> GroupMoments<f64> {
        let mut group = GroupMoments::new();
        for block in self.labels.get(&label).into_iter().flatten().filter_map(|classes| classes.get(class)) {
            let mean = f64::from(block.mean).clamp(0.0, 1.0);
            // A sum in f32 may leave the range that exact arithmetic keeps by an ulp or so.
            let bernoulli = f64::from(block.bernoulli).clamp(0.0, mean * (1.0 - mean));
            if let Ok(block) = BlockMoments::from_parts(block.pixels, mean, bernoulli) {
                group.push(&block);
            }
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest_blocks_of_each_label() {
        let mut queue = MomentQueue::new(3);
        for i in 0..5_u8 {
            queue.push(2, vec![PastBlock { pixels: 4, mean: f32::from(i) / 10.0, bernoulli: 0.0 }]);
        }
        queue.push(7, vec![PastBlock { pixels: 4, mean: 1.0, bernoulli: 0.0 }]);
        let moments = queue.moments(2, 0);
        assert_eq!(moments.blocks(), 3);
        assert!((moments.mean() - 0.3).abs() < 1e-7);
        assert!((moments.between_variance() - 2.0 / 300.0).abs() < 1e-8);
        assert_eq!(queue.moments(7, 0).blocks(), 1);
        assert_eq!(queue.moments(3, 0).blocks(), 0);
        assert_eq!(queue.moments(2, 1).blocks(), 0, "a class that was never there");
        let mut off = MomentQueue::new(0);
        off.push(1, vec![PastBlock { pixels: 1, mean: 0.5, bernoulli: 0.0 }]);
        assert_eq!(off.moments(1, 0).blocks(), 0);
    }
}
