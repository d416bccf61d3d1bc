//! What is compared: pixels by predicted and true class, of every system, seed and test image.

use crate::error::{Error, Result};
use lsr_core::Confusion;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One test image's pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCounts {
    /// Its name.
    pub image: String,
    /// Pixels within the band around the true boundary.
    pub masked: Confusion,
    /// All pixels.
    pub whole: Confusion,
}

/// What one training run (one seed) predicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedCounts {
    /// Its seed.
    pub seed: u64,
    /// Every test image once, in any order.
    pub images: Vec<ImageCounts>,
}

/// A system: one way to train, with one or more seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemCounts {
    /// Short and unique ("intra_inter").
    pub key: String,
    /// As people read it ("intra + inter").
    pub name: String,
    /// Its training runs.
    pub seeds: Vec<SeedCounts>,
}

/// Counts of which every system and seed is known to have the same images; everything in the order of the images' names.
pub(super) struct Checked<'a> {
    /// Number of images.
    pub(super) images: usize,
    /// The systems.
    pub(super) systems: Vec<CheckedSystem<'a>>,
}

/// One of them: `seeds[s][i]` is image i under seed s.
pub(super) struct CheckedSystem<'a> {
    /// As given.
    pub(super) source: &'a SystemCounts,
    /// Images in the order of their names.
    pub(super) seeds: Vec<Vec<&'a ImageCounts>>,
}

impl<'a> Checked<'a> {
    /// # Errors
    /// [`Error::Setting`] where something is missing, named twice, or not the same for all.
    pub(super) fn new(systems: &'a [SystemCounts]) -> Result<Self> {
        let refuse = |expected: &str, found: String| Err(Error::setting("results", expected, found));
        let mut names: Option<Vec<&str>> = None;
        let mut keys = BTreeSet::new();
        let mut checked = Vec::with_capacity(systems.len());
        for source in systems {
            if !keys.insert(source.key.as_str()) {
                return refuse("every system once", format!("{} twice", source.key));
            }
            if source.seeds.is_empty() {
                return refuse("at least one seed a system", format!("none of {}", source.key));
            }
            let mut seeds = Vec::with_capacity(source.seeds.len());
            let mut known = BTreeSet::new();
            for run in &source.seeds {
                let place = format!("{}, seed {}", source.key, run.seed);
                if !known.insert(run.seed) {
                    return refuse("every seed once", format!("{place} twice"));
                }
                let mut by_name = BTreeMap::new();
                for image in &run.images {
                    if by_name.insert(image.image.as_str(), image).is_some() {
                        return refuse("every image once", format!("{} twice in {place}", image.image));
                    }
                }
                let own: Vec<&str> = by_name.keys().copied().collect();
                let expected = names.get_or_insert_with(|| own.clone());
                if *expected != own {
                    let other = expected.iter().find(|name| !by_name.contains_key(*name)).map_or_else(
                        || own.iter().find(|name| !expected.contains(name)).map(|name| format!("{place}, has {name} besides")),
                        |name| Some(format!("{place}, lacks {name}")),
                    );
                    return refuse("the same images for every system and seed", other.unwrap_or(place));
                }
                seeds.push(by_name.into_values().collect());
            }
            checked.push(CheckedSystem { source, seeds });
        }
        match names.map_or(0, |names| names.len()) {
            0 => refuse("at least one system with one image", "none".to_owned()),
            images => Ok(Self { images, systems: checked }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(key: &str, seeds: &[(u64, &[&str])]) -> SystemCounts {
        let counts = |name: &&str| ImageCounts { image: (*name).to_owned(), masked: Confusion::default(), whole: Confusion::default() };
        let seeds = seeds.iter().map(|(seed, images)| SeedCounts { seed: *seed, images: images.iter().map(counts).collect() }).collect();
        SystemCounts { key: key.to_owned(), name: key.to_owned(), seeds }
    }

    fn refused(systems: &[SystemCounts]) -> String {
        Checked::new(systems).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn images_are_matched_by_name_whatever_their_order() {
        let systems = [system("a", &[(1, &["x", "y"]), (2, &["y", "x"])])];
        let checked = Checked::new(&systems).unwrap();
        assert_eq!(checked.images, 2);
        assert!(checked.systems[0].seeds.iter().all(|seed| seed[0].image == "x" && seed[1].image == "y"));
    }

    #[test]
    fn a_fault_is_named() {
        assert!(refused(&[]).contains("at least one system"));
        assert!(refused(&[system("a", &[(1, &[])])]).contains("one image, found none"));
        assert!(refused(&[system("a", &[])]).contains("found none of a"));
        assert!(refused(&[system("a", &[(1, &["x"])]), system("a", &[(1, &["x"])])]).contains("found a twice"));
        assert!(refused(&[system("a", &[(1, &["x"]), (1, &["x"])])]).contains("found a, seed 1 twice"));
        assert!(refused(&[system("a", &[(1, &["x", "x"])])]).contains("found x twice in a, seed 1"));
        assert!(refused(&[system("a", &[(1, &["x", "y"])]), system("b", &[(7, &["x"])])]).contains("found b, seed 7, lacks y"));
        assert!(refused(&[system("a", &[(1, &["x"])]), system("b", &[(7, &["x", "y"])])]).contains("found b, seed 7, has y besides"));
    }
}
