//! Whether this machine computes what the embedded network computed where it was released: one field, and the SHA-256 of its probabilities.
//!
//! A processor, a compiler or a memory that is not what it should be shows here before it shows in a mask. Every instruction set that the processor
//! has must give the same bytes.

use crate::digest::sha256;
use crate::error::Error;
use crate::int8::{Isa, OneThread, Rgb};
use crate::model::Model;
use std::time::{Duration, Instant};

/// Side of the field, pixels of the network's size.
const SIDE: usize = 160;

/// SHA-256 of the field's probabilities, a byte each.
const GOLDEN: &str = "c7c877af36bfa4aefc66e1c35e39567061d85008b04bdaa4a85bd7c87fca5243";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTest {
    /// SHA-256 of the embedded network's file.
    pub model_sha256: String,
    /// Instruction sets, and how long the field took with each.
    pub passed: Vec<(&'static str, Duration)>,
}

/// Runs the embedded network on the field with every instruction set of this processor.
///
/// # Errors
/// [`Error::SelfTest`] for other probabilities than those that are known; [`Error::Model`].
pub fn self_test() -> Result<SelfTest, Error> {
    let field = tissue_like(SIDE);
    let mut model = Model::embedded()?;
    let mut passed = Vec::new();
    for isa in Isa::available() {
        model.use_isa(isa)?;
        let start = Instant::now();
        let mut probability = vec![0; SIDE * SIDE];
        let image = Rgb { pixels: &field, width: SIDE, origin: [0, 0] };
        model.probability_bytes(image, [SIDE; 2], &mut probability, &OneThread, &mut |_| true)?;
        let found = sha256(&probability);
        if found != GOLDEN {
            return Err(Error::SelfTest { isa: isa.name(), found, expected: GOLDEN });
        }
        passed.push((isa.name(), start.elapsed()));
    }
    Ok(SelfTest { model_sha256: model.card().sha256.clone(), passed })
}

/// A square field of `side` x `side` px of red, green, blue: pink ground with violet nuclei, in integers, few and small ones on the left, many and large
/// ones on the right.
pub(crate) fn tissue_like(side: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let mut pixels: Vec<u8> =
        (0..side * side).flat_map(|_| [225 - random(20), 165 - random(30), 200 - random(20)]).map(|level| level as u8).collect();
    for _ in 0..700 * side * side / (SIDE * SIDE) {
        let (x, y, keep) = (random(side as u32) as i32, random(side as u32) as i32, random(side as u32) as i32);
        if keep > x + 20 {
            continue;
        }
        let radius = 2 + x * 4 / side as i32;
        let colour = [95 + random(40), 60 + random(30), 140 + random(30)].map(|level| level as u8);
        for (dx, dy) in (-radius..=radius).flat_map(|dx| (-radius..=radius).map(move |dy| (dx, dy))) {
            let (px, py) = (x + dx, y + dy);
            let inside = (0..side as i32).contains(&px) && (0..side as i32).contains(&py);
            if inside && dx * dx + dy * dy <= radius * radius {
                let at = 3 * (py as usize * side + px as usize);
                pixels[at..at + 3].copy_from_slice(&colour);
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field on which the network says the same everywhere would prove little.
    #[test]
    fn the_field_has_both_classes() {
        let probability = Model::embedded().unwrap().probabilities(&tissue_like(SIDE), SIDE as u32, SIDE as u32).unwrap();
        let share = probability.iter().filter(|&&p| p >= 0.5).count() as f64 / probability.len() as f64;
        assert!((0.1..0.9).contains(&share), "{share}");
        let mut levels: Vec<u32> = probability.iter().map(|p| (255.0 * p) as u32).collect();
        levels.sort_unstable();
        levels.dedup();
        assert!(levels.len() > 100, "{}", levels.len());
    }
}
