//! How often an activation takes which value, in constant memory.

use super::grid::Grid;

/// Bins of each sign.
const BINS: usize = 2048;

/// Width of the finest bins: 2^-40. Widths are powers of two, so that bins of one width lie exactly inside those of twice the width, and the
/// histogram does not depend on the order in which values come.
const FINEST: i32 = -40;

/// Counts of values by magnitude and sign. The range grows by doubling: neighbours are then added together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    /// A bin is 2^exponent wide.
    exponent: i32,
    zeros: u64,
    positive: Vec<u64>,
    negative: Vec<u64>,
    least: f32,
    most: f32,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        let empty = vec![0; BINS];
        Self { exponent: FINEST, zeros: 0, positive: empty.clone(), negative: empty, least: f32::INFINITY, most: f32::NEG_INFINITY }
    }

    /// Counts some values; the first that is no finite number is given back, and nothing is counted.
    pub(crate) fn push(&mut self, values: &[f32]) -> Result<(), f32> {
        if let Some(&bad) = values.iter().find(|value| !value.is_finite()) {
            return Err(bad);
        }
        let (least, most) = values.iter().fold((self.least, self.most), |(least, most), &value| (least.min(value), most.max(value)));
        (self.least, self.most) = (least, most);
        while f64::from(least.abs().max(most.abs())) >= BINS as f64 * self.width() && !values.is_empty() {
            self.double();
        }
        let per_width = (1.0 / self.width()) as f32;
        for &value in values {
            // A power of two: the product is exact, unless it is so small that it belongs into the first bin anyway.
            let bin = ((value.abs() * per_width) as usize).min(BINS - 1);
            if value > 0.0 {
                self.positive[bin] += 1;
            } else if value < 0.0 {
                self.negative[bin] += 1;
            } else {
                self.zeros += 1;
            }
        }
        Ok(())
    }

    /// Smallest and largest value.
    pub(crate) fn range(&self) -> (f32, f32) {
        (self.least, self.most)
    }

    fn width(&self) -> f64 {
        f64::from(self.exponent).exp2()
    }

    fn double(&mut self) {
        for side in [&mut self.positive, &mut self.negative] {
            let halved: Vec<u64> = side.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect();
            side.fill(0);
            side[..BINS / 2].copy_from_slice(&halved);
        }
        self.exponent += 1;
    }

    fn bins(&self) -> impl Iterator<Item = (f64, u64)> {
        let width = self.width();
        let side = move |bins: &[u64], sign: f64| {
            let middle = move |(i, &count): (usize, &u64)| (sign * (i as f64 + 0.5) * width, count);
            bins.iter().enumerate().filter(|(_, count)| **count > 0).map(middle).collect::<Vec<_>>()
        };
        side(&self.negative, -1.0).into_iter().rev().chain(side(&self.positive, 1.0))
    }

    /// Sum over all values of the expected squared error on a grid. Between two numbers of the grid values count as spread evenly, an error of
    /// `scale^2 / 12` on average; those next to 0 become 0 (most of what a ReLU leaves is there), and those outside become the limit.
    pub(crate) fn squared_error(&self, grid: Grid) -> f64 {
        let (low, high) = grid.limits();
        let scale = f64::from(grid.scale);
        let within_bin = self.width() * self.width() / 12.0;
        let error = |x: f64| {
            if x < low {
                (low - x).powi(2) + within_bin
            } else if x > high {
                (x - high).powi(2) + within_bin
            } else if x.abs() < scale / 2.0 {
                x * x + within_bin
            } else {
                scale * scale / 12.0
            }
        };
        self.bins().map(|(x, count)| count as f64 * error(x)).sum()
    }

    /// Number of values.
    pub(crate) fn count(&self) -> u64 {
        self.zeros + self.positive.iter().chain(&self.negative).sum::<u64>()
    }

    /// A magnitude that all but a share of the values of one sign do not exceed: the upper edge of its bin. `share` is of all values.
    pub(crate) fn magnitude_beyond(&self, share: f64, negative: bool) -> f64 {
        let (side, limit) = if negative { (&self.negative, -f64::from(self.least)) } else { (&self.positive, f64::from(self.most)) };
        let allowed = share * self.count() as f64;
        let mut beyond = 0.0;
        for (bin, &count) in side.iter().enumerate().rev() {
            beyond += count as f64;
            if beyond > allowed {
                return ((bin + 1) as f64 * self.width()).min(limit.max(0.0));
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::new();
        histogram.push(values).unwrap();
        histogram
    }

    /// Values of many magnitudes and both signs.
    fn values() -> Vec<f32> {
        (1..5000_u32).map(|i| (i * 7919 % 1000) as f32 * if i % 3 == 0 { -0.001 } else { 0.0037 }).collect()
    }

    #[test]
    fn the_order_of_values_does_not_matter() {
        let values = values();
        let whole = of(&values);
        let mut parts = Histogram::new();
        for part in values.chunks(17).rev() {
            parts.push(part).unwrap();
        }
        assert_eq!(whole, parts);
        assert_eq!(whole.count(), 4999);
        let (least, most) = whole.range();
        assert!((least + 0.999).abs() < 1e-6 && (most - 3.6963).abs() < 1e-6, "{least} {most}");
    }

    #[test]
    fn numbers_that_are_none_are_given_back() {
        let mut histogram = of(&[1.0]);
        let before = histogram.clone();
        assert_eq!(histogram.push(&[2.0, f32::INFINITY]), Err(f32::INFINITY));
        assert!(histogram.push(&[f32::NAN]).unwrap_err().is_nan());
        assert_eq!(histogram, before);
        // The largest number and the smallest are counted.
        histogram.push(&[f32::MAX, f32::MIN_POSITIVE / 4.0, -0.0]).unwrap();
        assert_eq!(histogram.count(), 4);
    }

    #[test]
    fn the_expected_error_is_that_of_the_values() {
        let values = values();
        let histogram = of(&values);
        for (low, high) in [(-1.0, 3.7), (-0.5, 2.0), (0.0, 1.0), (-1.0, 0.2)] {
            let grid = Grid::spanning(low, high);
            let found = histogram.squared_error(grid);
            let expected: f64 = values.iter().map(|&x| f64::from(grid.nearest(x) - x).powi(2)).sum();
            // The values of this test are not spread quite evenly between the numbers of the grid.
            assert!((found / expected - 1.0).abs() < 0.05, "{low} to {high}: {found} {expected}");
        }
    }

    #[test]
    fn a_percentile_leaves_out_the_share_it_says() {
        let values: Vec<f32> = (0..10_000).map(|i| i as f32 / 1000.0).collect();
        let histogram = of(&values);
        let at = histogram.magnitude_beyond(0.01, false);
        assert!((at - 9.9).abs() < 0.01, "{at}");
        assert!((histogram.magnitude_beyond(0.0, false) - 9.999).abs() < 1e-6);
        assert_eq!(histogram.magnitude_beyond(0.0, true), 0.0);
    }
}
