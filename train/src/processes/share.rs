//! Which blocks of a batch this process reads.

use super::Processes;
use std::ops::Range;

/// A run of neighbouring blocks of everything that goes through the network at once. Groups may lie across the border of two processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Blocks that go through the network at once, in all processes.
    at_once: usize,
    /// Those of them that are this process's.
    own: Range<usize>,
}

impl Share {
    /// The share of a process; shares differ by one block at most.
    pub fn of(processes: Processes, at_once: usize) -> Self {
        let border = |rank: usize| at_once * rank / processes.count;
        Self { at_once, own: border(processes.rank)..border(processes.rank + 1) }
    }

    /// This process's blocks of what goes through at once.
    pub fn range(&self) -> Range<usize> {
        self.own.clone()
    }

    /// Whether this process reads a block of the batch, by its place in it.
    pub fn has(&self, slot: usize) -> bool {
        self.own.contains(&(slot % self.at_once))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_one_process_s() {
        for (count, at_once) in [(1, 30), (2, 30), (4, 30), (7, 7), (3, 8)] {
            let shares: Vec<Share> = (0..count).map(|rank| Share::of(Processes { rank, count, local_rank: rank }, at_once)).collect();
            for slot in 0..3 * at_once {
                assert_eq!(shares.iter().filter(|share| share.has(slot)).count(), 1);
            }
            let sizes: Vec<usize> = shares.iter().map(|share| share.range().len()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), at_once);
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1 && sizes.iter().all(|&size| size > 0));
        }
    }
}
