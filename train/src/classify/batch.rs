//! The batches of a step, from (seed, fold, step) alone: half cancer and half not, turned, mirrored and stained anew.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use image::RgbImage;

/// Largest change of the optical density of all channels together, as a factor `exp(+-x)`: how long the section lay in the stain.
const STAIN_JITTER: f64 = 0.2;
/// The same for each channel by itself: the stain's hue.
const CHANNEL_JITTER: f64 = 0.1;

/// One block of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draw {
    /// Index of the block.
    pub(super) index: usize,
    /// One of the eight symmetries of the square: bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps the axes.
    pub(super) symmetry: u8,
    /// Factor of the optical density of R, G and B.
    pub(super) density: [f64; 3],
}

/// Where random numbers of a step come from: one of 2^64 independent streams for every (fold, step).
fn random(seed: u64, fold: usize, step: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(((fold as u64 + 1) << 32) | step as u64);
    random
}

/// The blocks of a step: `batch / 2` of each kind, none twice while its kind has enough.
pub(super) fn draw(cancer: &[usize], other: &[usize], batch: usize, (seed, fold, step): (u64, usize, usize)) -> Vec<Draw> {
    let mut random = random(seed, fold, step);
    let mut draws = Vec::with_capacity(batch);
    for candidates in [cancer, other] {
        let half = batch / 2;
        let chosen: Vec<usize> = if candidates.len() >= half {
            candidates.sample(&mut random, half).copied().collect()
        } else {
            (0..half).filter_map(|_| candidates.choose(&mut random).copied()).collect()
        };
        for index in chosen {
            let mut jitter = |size: f64| size * (2.0 * random.random::<f64>() - 1.0);
            let stain = jitter(STAIN_JITTER);
            let density = std::array::from_fn(|_| (stain + jitter(CHANNEL_JITTER)).exp());
            draws.push(Draw { index, symmetry: random.random_range(0..8_u8), density });
        }
    }
    draws
}

/// Appends the square of `side` pixels at (x, y), turned and stained anew, as interleaved bytes.
pub(super) fn append_drawn(image: &RgbImage, (x, y): (u32, u32), side: u32, draw: &Draw, bytes: &mut Vec<u8>) {
    // Beer and Lambert: transmitted light is 10^-density, so a factor on the density is a power of the light. White stays white.
    let tables: [[u8; 256]; 3] =
        draw.density.map(|factor| std::array::from_fn(|byte| (255.0 * (byte as f64 / 255.0).powf(factor)).round() as u8));
    for row in 0..side {
        for column in 0..side {
            let (mut u, mut v) = if draw.symmetry & 4 != 0 { (row, column) } else { (column, row) };
            if draw.symmetry & 1 != 0 {
                u = side - 1 - u;
            }
            if draw.symmetry & 2 != 0 {
                v = side - 1 - v;
            }
            let pixel = image.get_pixel(x + u, y + v).0;
            bytes.extend(pixel.iter().zip(&tables).map(|(&byte, table)| table[usize::from(byte)]));
        }
    }
}

/// Appends the square as it is.
pub(super) fn append(image: &RgbImage, (x, y): (u32, u32), side: u32, bytes: &mut Vec<u8>) {
    for v in y..y + side {
        for u in x..x + side {
            bytes.extend_from_slice(&image.get_pixel(u, v).0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn batches_are_balanced_and_follow_from_seed_fold_and_step() {
        let (cancer, other): (Vec<usize>, Vec<usize>) = ((0..3).collect(), (3..100).collect());
        let at = |seed, fold, step| draw(&cancer, &other, 16, (seed, fold, step));
        assert_eq!(at(1, 0, 5), at(1, 0, 5));
        for different in [at(2, 0, 5), at(1, 1, 5), at(1, 0, 6)] {
            assert_ne!(at(1, 0, 5), different);
        }
        for step in 0..20 {
            let batch = at(1, 0, step);
            assert_eq!(batch.iter().filter(|d| d.index < 3).count(), 8);
            let others: BTreeSet<usize> = batch.iter().map(|d| d.index).filter(|&i| i >= 3).collect();
            assert_eq!(others.len(), 8, "no block twice where there are enough");
        }
        let all: Vec<Draw> = (0..50).flat_map(|step| at(1, 0, step)).collect();
        assert_eq!(all.iter().map(|d| d.symmetry).collect::<BTreeSet<u8>>().len(), 8);
        let limit = (STAIN_JITTER + CHANNEL_JITTER).exp();
        assert!(all.iter().flat_map(|d| d.density).all(|d| d <= limit && d >= 1.0 / limit));
    }

    #[test]
    fn symmetries_move_pixels_and_stain_keeps_white_and_black() {
        let image = RgbImage::from_fn(4, 4, |x, y| image::Rgb([(16 * y + x) as u8, 255, 128]));
        let red = |symmetry: u8, density: f64| {
            let mut bytes = Vec::new();
            append_drawn(&image, (1, 1), 2, &Draw { index: 0, symmetry, density: [density; 3] }, &mut bytes);
            bytes
        };
        let mut plain = Vec::new();
        append(&image, (1, 1), 2, &mut plain);
        assert_eq!(red(0, 1.0), plain);
        let reds = |bytes: &[u8]| bytes.chunks(3).map(|p| p[0]).collect::<Vec<u8>>();
        assert_eq!(reds(&red(1, 1.0)), [0x12, 0x11, 0x22, 0x21]);
        assert_eq!(reds(&red(2, 1.0)), [0x21, 0x22, 0x11, 0x12]);
        assert_eq!(reds(&red(4, 1.0)), [0x11, 0x21, 0x12, 0x22]);
        let darker = red(0, 1.2);
        assert!(darker[1] == 255 && darker[2] < 128 && darker[0] < plain[0]);
    }
}
