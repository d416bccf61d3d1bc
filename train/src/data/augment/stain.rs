//! Stain jitter: haematoxylin, eosin and DAB are made stronger or weaker, each by itself.
//!
//! Colour deconvolution as in Ruifrok and Johnston (2001): optical density is linear in the amounts of stain, `OD = amounts * M`, with one
//! row of M for the colour of each stain. Tellez et al. (2018) replace each amount `a` by `scale * a + shift`, with scale from
//! [1 - sigma, 1 + sigma] and shift from [-sigma, sigma]. Both steps and the way back are one affine map of the optical density:
//! `OD' = OD * (M^-1 diag(scale) M) + shift * M`. Here `OD = -ln((value + 1) / 256)`, so black has an optical density of 5.5.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::sync::LazyLock;

type Matrix = [[f64; 3]; 3];

/// Colours of haematoxylin, eosin and DAB in optical density (red, green, blue), from Ruifrok and Johnston.
const STAINS: Matrix = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]];

/// Steps of the table that leads back from optical density to grey values: at white, a step is 0.17 of a grey value.
const STEPS: usize = 8192;

/// Logarithms are what would take the time: both directions are tables.
struct Tables {
    density: [f32; 256],
    value: Vec<u8>,
    steps_per_density: f32,
    unmix: Matrix,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let largest = 256.0_f64.ln();
    let density = std::array::from_fn(|value| (-((value as f64 + 1.0) / 256.0).ln()) as f32);
    let value = (0..STEPS).map(|step| (256.0 * (-(step as f64) / (STEPS - 1) as f64 * largest).exp() - 1.0).round() as u8).collect();
    Tables { density, value, steps_per_density: ((STEPS - 1) as f64 / largest) as f32, unmix: inverse(&STAINS) }
});

/// How the amount of each stain is changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StainJitter {
    scale: [f64; 3],
    shift: [f64; 3],
}

impl StainJitter {
    /// Draws a change of strength `sigma`.
    pub(super) fn draw(sigma: f64, random: &mut ChaCha8Rng) -> Self {
        let mut uniform = || random.random_range(-sigma..=sigma);
        Self { scale: std::array::from_fn(|_| 1.0 + uniform()), shift: std::array::from_fn(|_| uniform()) }
    }

    /// Changes RGB pixels in place.
    pub(super) fn apply(&self, rgb: &mut [u8]) {
        let tables = &*TABLES;
        // From optical density to steps of the table on the way back; half a step rounds.
        let to_steps = f64::from(tables.steps_per_density);
        let mut matrix = [[0.0_f32; 3]; 3];
        let mut offset = [0.5_f32; 3];
        for to in 0..3 {
            for (from, row) in matrix.iter_mut().enumerate() {
                let sum: f64 = (0..3).map(|stain| tables.unmix[from][stain] * self.scale[stain] * STAINS[stain][to]).sum();
                row[to] = (sum * to_steps) as f32;
            }
            let sum: f64 = (0..3).map(|stain| self.shift[stain] * STAINS[stain][to]).sum();
            offset[to] += (sum * to_steps) as f32;
        }
        for pixel in rgb.as_chunks_mut::<3>().0 {
            let density = pixel.map(|value| tables.density[usize::from(value)]);
            for (to, value) in pixel.iter_mut().enumerate() {
                let step = density[0] * matrix[0][to] + density[1] * matrix[1][to] + density[2] * matrix[2][to] + offset[to];
                // The cast takes what is whiter than white to 0.
                *value = tables.value[(step as usize).min(STEPS - 1)];
            }
        }
    }
}

/// Inverse by cofactors; the stains' colours are far from dependent (determinant 0.39).
fn inverse(m: &Matrix) -> Matrix {
    let cofactor = |row: usize, column: usize| {
        let (r0, r1, c0, c1) = ((row + 1) % 3, (row + 2) % 3, (column + 1) % 3, (column + 2) % 3);
        m[r0][c0] * m[r1][c1] - m[r0][c1] * m[r1][c0]
    };
    let determinant: f64 = (0..3).map(|column| m[0][column] * cofactor(0, column)).sum();
    std::array::from_fn(|row| std::array::from_fn(|column| cofactor(column, row) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    /// All 4,096 colours with channels in steps of 17.
    fn colours() -> Vec<u8> {
        (0..4096_u32).flat_map(|i| [(i >> 8) as u8 * 17, (i >> 4 & 15) as u8 * 17, (i & 15) as u8 * 17]).collect()
    }

    #[test]
    fn no_change_is_the_identity_to_one_grey_value() {
        let mut rgb = colours();
        StainJitter { scale: [1.0; 3], shift: [0.0; 3] }.apply(&mut rgb);
        let worst = rgb.iter().zip(colours()).map(|(&a, b)| a.abs_diff(b)).max().unwrap();
        assert!(worst <= 1, "{worst}");
    }

    #[test]
    fn the_tables_follow_the_formula() {
        let jitter = StainJitter { scale: [1.1, 0.9, 1.05], shift: [0.05, -0.03, 0.02] };
        let (mut rgb, unmix) = (colours(), inverse(&STAINS));
        jitter.apply(&mut rgb);
        for (after, before) in rgb.chunks_exact(3).zip(colours().chunks_exact(3)) {
            let density: Vec<f64> = before.iter().map(|&value| -((f64::from(value) + 1.0) / 256.0).ln()).collect();
            let amounts: Vec<f64> = (0..3)
                .map(|stain| jitter.scale[stain] * (0..3).map(|c| density[c] * unmix[c][stain]).sum::<f64>() + jitter.shift[stain])
                .collect();
            for c in 0..3 {
                let density: f64 = (0..3).map(|stain| amounts[stain] * STAINS[stain][c]).sum();
                let expected = (256.0 * (-density).exp() - 1.0).clamp(0.0, 255.0);
                assert!((f64::from(after[c]) - expected).abs() <= 0.7, "{before:?}: {after:?}, channel {c}: {expected}");
            }
        }
    }

    #[test]
    fn more_haematoxylin_is_darker_and_bluer() {
        let mut rgb = vec![200, 180, 210];
        StainJitter { scale: [1.0; 3], shift: [0.3, 0.0, 0.0] }.apply(&mut rgb);
        // exp(-0.3 * (0.65, 0.70, 0.29)) = (0.823, 0.811, 0.917) of (value + 1)
        assert_eq!(rgb, [164, 146, 192]);
    }

    #[test]
    fn jitter_is_drawn_within_sigma() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..1000 {
            let jitter = StainJitter::draw(0.2, &mut random);
            assert!(jitter.scale.iter().all(|scale| (scale - 1.0).abs() <= 0.2 + 1e-12));
            assert!(jitter.shift.iter().all(|shift| shift.abs() <= 0.2));
        }
    }
}
