//! Random changes of a block that leave its label as it is: turns, stain, blur, compression.

mod blur;
mod jpeg;
mod stain;
mod symmetry;

use super::BlockPixels;
use crate::error::{Error, Result};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use stain::StainJitter;

/// Which changes are made, and how strongly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Turns by one of the eight symmetries of the square; a block that is not square is only mirrored.
    pub geometric: bool,
    /// Sigma of the stain jitter (Tellez et al. 2018: 0.05 is light, 0.2 is strong); 0: none.
    pub hed_jitter: f64,
    /// Probability of a Gaussian blur, in [0, 1].
    pub blur: f64,
    /// Probability of JPEG compression, in [0, 1].
    pub jpeg: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { geometric: true, ..Self::NONE }
    }
}

impl Augmentation {
    /// Leaves every block as it is.
    pub const NONE: Self = Self { geometric: false, hed_jitter: 0.0, blur: 0.0, jpeg: 0.0 };

    /// Refuses values that cannot be.
    ///
    /// # Errors
    /// A sigma or probability that is NaN or outside [0, 1], by name.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("hed_jitter", self.hed_jitter), ("blur", self.blur), ("jpeg", self.jpeg)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::setting(name, "a value in [0, 1]", value));
            }
        }
        Ok(())
    }

    /// By which of the eight symmetries [`Augmentation::apply`] turns a square block: bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps the axes first.
    pub(super) fn symmetry(&self, seed: u64, step: usize, slot: usize) -> u8 {
        if self.geometric { draw_symmetry(&mut stream(seed, step, slot)) } else { 0 }
    }

    /// Changes the block in place `slot` of a batch, `size` (width, height) in pixels. What is done follows from (seed, step, slot) alone:
    /// neither the other blocks nor the threads have a part in it. Validity and classes turn with the pixels.
    ///
    /// # Errors
    /// Pixels that are not `size`, or that cannot be compressed (a side of more than 65,535 px).
    pub fn apply(&self, pixels: &mut BlockPixels, size: (u32, u32), seed: u64, step: usize, slot: usize) -> Result<()> {
        let area = size.0 as usize * size.1 as usize;
        let planes = [&pixels.valid, &pixels.classes];
        if pixels.rgb.len() != 3 * area || planes.into_iter().flatten().any(|plane| plane.len() != area) {
            return Err(Error::setting("block", format!("pixels of {} x {} px", size.0, size.1), format!("{} bytes", pixels.rgb.len())));
        }
        let mut random = stream(seed, step, slot);
        if self.geometric {
            let symmetry = draw_symmetry(&mut random);
            symmetry::turn::<3>(&mut pixels.rgb, size, symmetry);
            for plane in [&mut pixels.valid, &mut pixels.classes].into_iter().flatten() {
                symmetry::turn::<1>(plane, size, symmetry);
            }
        }
        // In the order in which a slide comes about: stained, seen through a lens, compressed.
        if self.hed_jitter > 0.0 {
            StainJitter::draw(self.hed_jitter, &mut random).apply(&mut pixels.rgb);
        }
        if random.random::<f64>() < self.blur {
            blur::blur(&mut pixels.rgb, size, random.random_range(blur::SIGMA_PX));
        }
        if random.random::<f64>() < self.jpeg {
            jpeg::compress(&mut pixels.rgb, size, random.random_range(jpeg::QUALITY))?;
        }
        Ok(())
    }
}

fn draw_symmetry(random: &mut ChaCha8Rng) -> u8 {
    random.random_range(0..8_u8)
}

/// An independent stream of random numbers for every (seed, step, slot).
fn stream(seed: u64, step: usize, slot: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    let words = [seed, step as u64, slot as u64, u64::from_le_bytes(*b"augment\0")];
    for (part, word) in key.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(width: u32, height: u32) -> BlockPixels {
        let area = (width * height) as usize;
        let rgb = (0..area).flat_map(|i| [(i * 7 % 251) as u8, (i * 3 % 241) as u8, (i % 239) as u8]).collect();
        // Functions of the pixel itself, so that a mask turned otherwise than its pixels shows.
        let valid: Vec<u8> = (0..area).map(|i| ((i * 7 % 251) % 2) as u8).collect();
        let classes = (0..area).map(|i| ((i * 3 % 241) % 5) as u8).collect();
        BlockPixels { rgb, valid: Some(valid), classes: Some(classes) }
    }

    const ALL: Augmentation = Augmentation { geometric: true, hed_jitter: 0.1, blur: 0.5, jpeg: 0.5 };

    #[test]
    fn the_change_follows_from_seed_step_and_slot() {
        let change = |seed, step, slot| {
            let mut pixels = block(24, 24);
            ALL.apply(&mut pixels, (24, 24), seed, step, slot).unwrap();
            pixels
        };
        assert_eq!(change(1, 2, 3), change(1, 2, 3));
        for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1)] {
            assert_ne!(change(1, 2, 3), change(other.0, other.1, other.2));
        }
        let mut same = block(24, 24);
        Augmentation::NONE.apply(&mut same, (24, 24), 1, 2, 3).unwrap();
        assert_eq!(same, block(24, 24));
    }

    #[test]
    fn masks_turn_with_their_pixels() {
        for size in [(16, 16), (16, 10)] {
            let mut seen = std::collections::BTreeSet::new();
            for slot in 0..100 {
                let mut pixels = block(size.0, size.1);
                Augmentation::default().apply(&mut pixels, size, 5, 0, slot).unwrap();
                for (i, (valid, class)) in pixels.valid.unwrap().into_iter().zip(pixels.classes.unwrap()).enumerate() {
                    assert_eq!((valid, class), (pixels.rgb[3 * i] % 2, pixels.rgb[3 * i + 1] % 5));
                }
                seen.insert(pixels.rgb);
            }
            assert_eq!(seen.len(), if size.0 == size.1 { 8 } else { 4 });
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for wrong in [
            Augmentation { hed_jitter: f64::NAN, ..ALL },
            Augmentation { hed_jitter: -0.1, ..ALL },
            Augmentation { blur: 1.1, ..ALL },
            Augmentation { jpeg: f64::INFINITY, ..ALL },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(ALL.check().is_ok());
        assert!(ALL.apply(&mut block(4, 4), (4, 5), 0, 0, 0).is_err());
        let read: Augmentation = toml::from_str("hed_jitter = 0.05").unwrap();
        assert_eq!(read, Augmentation { hed_jitter: 0.05, ..Augmentation::default() });
    }
}
