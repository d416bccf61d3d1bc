//! The grid of the logits: what counts is the probability that is made of them.

use super::grid::Grid;

/// Limits that are tried on either side.
const TRIED: usize = 48;

/// The grid of least mean squared error of the probabilities. A range that ends where the probability is near 0 or 1 cuts the logits' tails off
/// at no cost, and leaves finer steps around the threshold. `logits` are of some pixels, `outputs` for each.
pub(super) fn grid(logits: &[f32], outputs: usize) -> Grid {
    let least = logits.iter().copied().fold(0.0, f32::min);
    let most = logits.iter().copied().fold(0.0, f32::max);
    let expected: Vec<f32> = logits.chunks_exact(outputs).flat_map(probabilities).collect();
    let error = |grid: Grid| {
        let error_of = |(pixel, expected): (&[f32], &[f32])| {
            let rounded: Vec<f32> = pixel.iter().map(|&x| grid.nearest(x)).collect();
            probabilities(&rounded).iter().zip(expected).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
        };
        logits.chunks_exact(outputs).zip(expected.chunks_exact(outputs)).map(error_of).sum::<f64>()
    };
    let mut best = Grid::spanning(f64::from(least), f64::from(most));
    let (mut low, mut high) = (f64::from(least), f64::from(most));
    let mut least_error = error(best);
    // One limit at a time, then the other, twice: enough for a valley without a second bottom.
    for side in [0, 1, 0, 1] {
        let (from, other) = if side == 0 { (f64::from(least), high) } else { (f64::from(most), low) };
        for i in 0..TRIED {
            let limit = from * (1.0 - i as f64 / TRIED as f64);
            let candidate = if side == 0 { Grid::spanning(limit, other) } else { Grid::spanning(other, limit) };
            let found = error(candidate);
            if found < least_error {
                (best, least_error) = (candidate, found);
                if side == 0 { low = limit } else { high = limit }
            }
        }
    }
    best
}

/// Sigmoid of one logit, softmax of several.
fn probabilities(logits: &[f32]) -> Vec<f32> {
    if let [x] = logits {
        return vec![1.0 / (1.0 + (-x).exp())];
    }
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|x| (x - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_cut_off_where_the_probability_hardly_changes() {
        let logits: Vec<f32> = (0..4000).map(|i| -40.0 + i as f32 * 0.02).collect();
        let (low, high) = grid(&logits, 1).limits();
        assert!(low > -15.0 && high < 15.0 && low < -2.0 && high > 2.0, "{low} {high}");
        // Logits that are all near 0 keep their range.
        let near: Vec<f32> = (0..1000).map(|i| i as f32 * 0.001 - 0.5).collect();
        let (low, high) = grid(&near, 1).limits();
        assert!((low + 0.5).abs() < 0.02 && (high - 0.5).abs() < 0.02, "{low} {high}");
    }

    #[test]
    fn several_classes_are_judged_together() {
        // The second class decides; the first is the same everywhere, and far away.
        let logits: Vec<f32> = (0..900).flat_map(|i| [2.0, i as f32 * 0.1 - 43.0, -30.0]).collect();
        let (low, high) = grid(&logits, 3).limits();
        assert!(low > -15.0 && high > 4.0 && high < 25.0, "{low} {high}");
    }
}
