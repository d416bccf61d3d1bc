//! Tables of 256 entries, made by the compiler in f64 and rounded to integers: the same bytes give the same sums on every machine.

/// Steps of [`DENSITY`] in one unit of optical density (natural logarithm).
pub(super) const DENSITY_STEPS: f64 = 4096.0;

/// Steps of [`ENTROPY`] in one bit.
pub(super) const ENTROPY_STEPS: f64 = 32_768.0;

/// Optical density of an 8-bit level, `-ln((level + 1) / 256)`: 0 for white, 5.545 for black.
pub(super) static DENSITY: [u16; 256] = density();

/// Entropy in bits of a prediction of probability `q / 255`.
pub(super) static ENTROPY: [u16; 256] = entropy();

/// Colours of haematoxylin, eosin and DAB in optical density (red, green, blue), from Ruifrok and Johnston (2001). The third stands for what
/// neither of the two stains is.
const STAINS: [[f64; 3]; 3] = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]];

/// From optical density to the amounts of stain, `amount[s] = sum_c density[c] * UNMIX[c][s]`: the inverse of [`STAINS`].
pub(super) static UNMIX: [[f64; 3]; 3] = inverse(&STAINS);

const fn density() -> [u16; 256] {
    let mut table = [0; 256];
    let mut level = 0;
    while level < 256 {
        table[level] = (-ln((level as f64 + 1.0) / 256.0) * DENSITY_STEPS + 0.5) as u16;
        level += 1;
    }
    table
}

const fn entropy() -> [u16; 256] {
    let mut table = [0; 256];
    let mut q = 1;
    while q < 255 {
        let p = q as f64 / 255.0;
        let nats = -p * ln(p) - (1.0 - p) * ln(1.0 - p);
        table[q] = (nats / core::f64::consts::LN_2 * ENTROPY_STEPS + 0.5) as u16;
        q += 1;
    }
    table
}

/// Natural logarithm of a number in (0, 1]: `ln x = ln m - k ln 2` with m in (1/2, 1], `ln m = 2 artanh((m - 1) / (m + 1))`. The series in powers
/// of at most 1/9 is below the last digit of f64 after 18 terms.
const fn ln(x: f64) -> f64 {
    let (mut m, mut k) = (x, 0.0);
    while m <= 0.5 {
        m *= 2.0;
        k += 1.0;
    }
    let z = (m - 1.0) / (m + 1.0);
    let (mut power, mut sum, mut n) = (z, 0.0, 1.0);
    while n < 40.0 {
        sum += power / n;
        power *= z * z;
        n += 2.0;
    }
    2.0 * sum - k * core::f64::consts::LN_2
}

/// Inverse by cofactors; the stains' colours are far from dependent (determinant 0.39).
const fn inverse(m: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let mut adjugate = [[0.0; 3]; 3];
    let mut row = 0;
    while row < 3 {
        let mut column = 0;
        while column < 3 {
            let (r0, r1, c0, c1) = ((column + 1) % 3, (column + 2) % 3, (row + 1) % 3, (row + 2) % 3);
            adjugate[row][column] = m[r0][c0] * m[r1][c1] - m[r0][c1] * m[r1][c0];
            column += 1;
        }
        row += 1;
    }
    let determinant = m[0][0] * adjugate[0][0] + m[0][1] * adjugate[1][0] + m[0][2] * adjugate[2][0];
    let mut at = 0;
    while at < 9 {
        adjugate[at / 3][at % 3] /= determinant;
        at += 1;
    }
    adjugate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_the_logarithms_of_libm() {
        for level in 0..256_usize {
            let density = -libm::log((level as f64 + 1.0) / 256.0) * DENSITY_STEPS;
            assert_eq!(f64::from(DENSITY[level]), libm::round(density), "{level}");
            let p = level as f64 / 255.0;
            let bits = if level % 255 == 0 { 0.0 } else { -p * libm::log2(p) - (1.0 - p) * libm::log2(1.0 - p) };
            assert_eq!(f64::from(ENTROPY[level]), libm::round(bits * ENTROPY_STEPS), "{level}");
        }
        assert_eq!((DENSITY[255], DENSITY[0], ENTROPY[0], ENTROPY[255]), (0, 22_713, 0, 0));
    }

    #[test]
    fn a_pure_stain_has_no_other() {
        for (stain, colour) in STAINS.iter().enumerate() {
            for (other, row) in (0..3).map(|s| (s, UNMIX.map(|row| row[s]))) {
                let amount: f64 = colour.iter().zip(row).map(|(d, u)| d * u).sum();
                assert!((amount - if other == stain { 1.0 } else { 0.0 }).abs() < 1e-14);
            }
        }
    }
}
