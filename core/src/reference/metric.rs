//! In which units features are compared: their covariance over the reference tiles.

use super::features::{FEATURES, Features};

/// Smallest standard deviation that a feature is measured in: tiles that agree by chance must not make everything else far.
const LEAST_SPREAD: f64 = 1e-3;

/// Spread of features and the Cholesky factor of their covariance.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Metric {
    /// Standard deviation of each feature.
    pub(super) spread: Features,
    /// Lower triangle L of C = L L^T, with the inverse of each diagonal entry in its place.
    factor: [Features; FEATURES],
}

impl Metric {
    /// The metric of some vectors; `ridge` times each variance is added to it.
    pub(super) fn of(vectors: &[Features], ridge: f64) -> Self {
        let n = vectors.len().max(1) as f64;
        let mean: [f64; FEATURES] = core::array::from_fn(|i| vectors.iter().map(|vector| f64::from(vector[i])).sum::<f64>() / n);
        let covariance = |i: usize, j: usize| {
            let product = |vector: &Features| (f64::from(vector[i]) - mean[i]) * (f64::from(vector[j]) - mean[j]);
            vectors.iter().map(product).sum::<f64>() / n
        };
        let variance: [f64; FEATURES] = core::array::from_fn(|i| covariance(i, i).max(LEAST_SPREAD * LEAST_SPREAD));
        let mut factor = [[0.0_f64; FEATURES]; FEATURES];
        for i in 0..FEATURES {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
                // Below the diagonal the column's own diagonal entry is an inverse already.
                factor[i][j] = if i == j {
                    // The ridge is all that is left of a feature that the others determine.
                    let rest = (variance[i] * (1.0 + ridge) - known).max(variance[i] * ridge.min(1.0) * 0.5);
                    1.0 / libm::sqrt(rest)
                } else {
                    (covariance(i, j) - known) * factor[j][j]
                };
            }
        }
        let spread = core::array::from_fn(|i| libm::sqrt(variance[i]) as f32);
        Self { spread, factor: factor.map(|row| row.map(|x| x as f32)) }
    }

    /// `L^-1 d`: its length is the distance. The first entries are those of the first features alone.
    pub(super) fn whitened(&self, difference: &Features) -> Features {
        let mut whitened = [0.0; FEATURES];
        for (i, row) in self.factor.iter().enumerate() {
            let known: f32 = row.iter().zip(&whitened).take(i).map(|(l, w)| l * w).sum();
            whitened[i] = (difference[i] - known) * row[i];
        }
        whitened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features that go together, the rest alone: of a pair with covariance ((1, 0.8), (0.8, 1)) the inverse is ((1, -0.8), (-0.8, 1)) / 0.36.
    #[test]
    fn distances_by_hand() {
        let mut vectors = [[0.0; FEATURES]; 4];
        let (a, b) = (libm::sqrtf(1.8), libm::sqrtf(0.2));
        for (vector, (p, q)) in vectors.iter_mut().zip([(a, 0.0), (-a, 0.0), (0.0, b), (0.0, -b)]) {
            // Along (1, 1) the variance is 1.8, across it 0.2; both halved by the four points.
            (vector[0], vector[1]) = (p + q, p - q);
        }
        let metric = Metric::of(&vectors, 0.0);
        assert!((metric.spread[0] - 1.0).abs() < 1e-6 && (metric.spread[5] - 1e-3).abs() < 1e-9);
        let squared = |x: f32, y: f32| {
            let mut difference = [0.0; FEATURES];
            (difference[0], difference[1]) = (x, y);
            metric.whitened(&difference).iter().map(|w| w * w).sum::<f32>()
        };
        let expected = |x: f32, y: f32| (x * x - 1.6 * x * y + y * y) / 0.36;
        for (x, y) in [(1.0, 1.0), (1.0, -1.0), (0.5, 2.0)] {
            assert!((squared(x, y) - expected(x, y)).abs() < 1e-4, "{} {}", squared(x, y), expected(x, y));
        }
    }

    #[test]
    fn equal_tiles_give_numbers() {
        for ridge in [0.0, 0.03] {
            let metric = Metric::of(&[[0.5; FEATURES]; 7], ridge);
            assert!(metric.whitened(&[1.0; FEATURES]).iter().all(|w| w.is_finite()));
        }
    }
}
