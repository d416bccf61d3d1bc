//! The grid of each activation, from what was seen of it.

use super::grid::Grid;
use super::histogram::Histogram;
use super::logits;
use super::observe::Observed;
use super::reader::shared_grids;
use super::settings::{QuantizeSettings, RangeRule};
use crate::network::{FoldedNetwork, Operation, Value};

/// Ranges that are tried are this much smaller than the one before.
const SHRINK: f64 = 0.98;
/// Number of ranges that are tried: down to 0.98^200, less than 2 % of the values' own.
const TRIED: i32 = 200;

/// The grid of every value.
pub(crate) fn grids(network: &FoldedNetwork, observed: &Observed, settings: &QuantizeSettings) -> Vec<Grid> {
    let shared = shared_grids(network);
    let made_by_layers = network.layer_values();
    let logits = network.steps.len();
    let mut grids = vec![Grid::IMAGE; network.values()];
    for value in (1..network.values()).filter(|&value| shared[value] == value) {
        let grid = if value == logits {
            logits::grid(&observed.logits, network.outputs())
        } else {
            let seen = made_by_layers.iter().zip(&observed.histograms).filter(|(made, _)| shared[**made] == value);
            let seen: Vec<_> = seen.map(|(&made, histogram)| (histogram, copies(network, made))).collect();
            choose(&seen, settings)
        };
        for other in (0..network.values()).filter(|&other| shared[other] == value) {
            grids[other] = grid;
        }
    }
    grids
}

/// How often each number of a value stands in what is read: up-sampling repeats it four times.
fn copies(network: &FoldedNetwork, value: Value) -> f64 {
    let up_sampled = network.steps.iter().any(|step| step.operation == Operation::UpSample { input: value });
    if up_sampled { 4.0 } else { 1.0 }
}

/// One grid for all that these histograms counted, each with its weight.
fn choose(seen: &[(&Histogram, f64)], settings: &QuantizeSettings) -> Grid {
    let over_all = |of: &dyn Fn(&Histogram) -> f64| seen.iter().map(|(histogram, _)| of(histogram)).fold(0.0, f64::max);
    match settings.ranges {
        RangeRule::Percentile => {
            // None of the values that meet loses more than the share.
            let share = 1.0 - settings.percentile / 100.0;
            let [low, high] = [true, false].map(|negative| over_all(&|histogram| histogram.magnitude_beyond(share, negative)));
            Grid::spanning(-low, high)
        }
        RangeRule::Mse => {
            let low = over_all(&|histogram| -f64::from(histogram.range().0));
            let high = over_all(&|histogram| f64::from(histogram.range().1));
            let candidates = (0..TRIED).map(|i| SHRINK.powi(i)).map(|factor| Grid::spanning(-low * factor, high * factor));
            let error = |grid: Grid| seen.iter().map(|(histogram, weight)| weight * histogram.squared_error(grid)).sum::<f64>();
            let best = candidates.map(|grid| (error(grid), grid)).min_by(|a, b| a.0.total_cmp(&b.0));
            best.map_or(Grid::spanning(-low, high), |(_, grid)| grid)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_large_values_are_cut_off_where_that_lowers_the_error() {
        let mut histogram = Histogram::new();
        let common: Vec<f32> = (0..1_000_000).map(|i| i as f32 * 1e-6).collect();
        histogram.push(&common).unwrap();
        histogram.push(&[3.0]).unwrap();
        let high = |ranges, percentile| {
            choose(&[(&histogram, 1.0)], &QuantizeSettings { ranges, percentile, ..QuantizeSettings::default() }).limits().1
        };
        let mse = high(RangeRule::Mse, 0.0);
        assert!((0.9..1.5).contains(&mse), "{mse}");
        assert!((high(RangeRule::Percentile, 100.0) - 3.0).abs() < 1e-5);
        assert!((high(RangeRule::Percentile, 99.0) - 0.99).abs() < 0.01);
        // Brute force over the values themselves finds no better range.
        let error = |high: f64| {
            let grid = Grid::spanning(0.0, high);
            common.iter().chain(&[3.0]).map(|&x| f64::from(grid.nearest(x) - x).powi(2)).sum::<f64>()
        };
        assert!((1..60).map(|i| 0.05 * f64::from(i)).all(|other| error(mse) < 1.02 * error(other)));
    }
}
