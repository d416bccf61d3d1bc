//! Resampled test sets: images drawn with replacement, the same draws for every system.

use crate::error::{Error, Result};
use lsr_core::Confusion;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

/// Fewer resamples than this leave a handful of values beyond each end of a 95 % interval.
const LEAST_RESAMPLES: usize = 100;

/// How the resamples are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Resampled test sets; 100 or more.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 2,000 resamples: the ends of a 95 % interval rest on 50 values each.
    fn default() -> Self {
        Self { resamples: 2000, seed: 0 }
    }
}

impl Bootstrap {
    /// Calls `each` with how often every one of `images` images is in a resample, once a resample.
    pub(super) fn draw(&self, images: usize, mut each: impl FnMut(&[u64])) -> Result<()> {
        if self.resamples < LEAST_RESAMPLES {
            return Err(Error::setting("resamples", format!("{LEAST_RESAMPLES} or more"), self.resamples));
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut times = vec![0_u64; images];
        for _ in 0..self.resamples {
            times.fill(0);
            for _ in 0..images {
                times[random.random_range(0..images)] += 1;
            }
            each(&times);
        }
        Ok(())
    }
}

/// The pixels of images together, each as often as `times` says.
pub(super) fn pooled<'a>(images: impl Iterator<Item = &'a Confusion>, times: &[u64]) -> Confusion {
    images.zip(times).fold(Confusion::default(), |sum, (counts, &times)| {
        sum.merge(Confusion {
            true_positive: counts.true_positive.saturating_mul(times),
            false_positive: counts.false_positive.saturating_mul(times),
            false_negative: counts.false_negative.saturating_mul(times),
            true_negative: counts.true_negative.saturating_mul(times),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resample_is_as_large_as_the_set_and_the_seed_decides() {
        let draws = |seed| {
            let mut all = Vec::new();
            Bootstrap { resamples: 200, seed }.draw(7, |times| all.push(times.to_vec())).unwrap();
            all
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        assert!(draws(3).iter().all(|times| times.iter().sum::<u64>() == 7));
        let left_out = draws(4).iter().flatten().filter(|&&times| times == 0).count() as f64 / 1400.0;
        assert!((left_out - (6.0_f64 / 7.0).powi(7)).abs() < 0.04, "an image is left out with probability (6/7)^7, found {left_out}");
    }

    #[test]
    fn too_few_resamples_are_refused() {
        let error = Bootstrap { resamples: 99, seed: 0 }.draw(3, |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "resamples: expected 100 or more, found 99");
    }
}
