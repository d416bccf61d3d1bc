//! A share of the inputs, for one of several processes or machines.

use sha2::{Digest, Sha256};
use std::str::FromStr;

/// The `index`-th of `count` shares, counted from 1. Which inputs belong to it follows from their names alone, so that shares need not see the same
/// list, and files that come later move no other file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// Whether an input of this NAME belongs to it.
    pub fn has(&self, name: &str) -> bool {
        // As names are compared: without regard to case.
        let hash = Sha256::digest(name.to_lowercase());
        let mut head = [0; 8];
        head.copy_from_slice(&hash[..8]);
        u64::from_be_bytes(head) % self.count == self.index - 1
    }
}

/// Why a text is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected I/N with I from 1 to N, such as 3/16")]
pub struct NoShard;

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let (index, count) = text.split_once('/').ok_or(NoShard)?;
        let (index, count) = (index.parse().map_err(|_| NoShard)?, count.parse().map_err(|_| NoShard)?);
        if (1..=count).contains(&index) { Ok(Self { index, count }) } else { Err(NoShard) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_belongs_to_one_share_and_shares_are_alike() {
        let shares: Vec<Shard> = (1..=4).map(|index| format!("{index}/4").parse().unwrap()).collect();
        let mut sizes = [0; 4];
        for name in (0..1000).map(|number| format!("slide-{number}")) {
            let owners: Vec<usize> = (0..4).filter(|&share| shares[share].has(&name)).collect();
            assert_eq!(owners.len(), 1, "{name}");
            assert!(shares[owners[0]].has(&name.to_uppercase()));
            sizes[owners[0]] += 1;
        }
        assert!(sizes.iter().all(|&size| (200..300).contains(&size)), "{sizes:?}");
        assert!("1/1".parse::<Shard>().unwrap().has("anything"));
        for text in ["", "3", "0/4", "5/4", "1/0", "a/b", "-1/4", "1/4/2"] {
            assert_eq!(text.parse::<Shard>(), Err(NoShard), "{text}");
        }
    }
}
