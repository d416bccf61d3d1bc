//! The 256 numbers that a quantised value can take.

/// A grid of `(q - zero_point) scale`, q from 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Distance of neighbours; normal and positive.
    pub scale: f32,
    /// The q that stands for 0.
    pub zero_point: u8,
}

/// Smallest scale: products of a scale of activations and one of weights stay normal numbers.
const LEAST_SCALE: f64 = 1e-15;

impl Grid {
    /// Of the image: `(byte - 128) / 64` is the byte itself.
    pub(crate) const IMAGE: Self = Self { scale: 1.0 / crate::network::PIXEL_STD, zero_point: crate::network::PIXEL_MEAN as u8 };

    /// The grid that reaches from `low` to `high`, widened to hold 0.
    pub(crate) fn spanning(low: f64, high: f64) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = ((high - low) / 255.0).clamp(LEAST_SCALE, f64::from(f32::MAX) / 256.0);
        Self { scale: scale as f32, zero_point: (-low / scale).round_ties_even().clamp(0.0, 255.0) as u8 }
    }

    /// Smallest and largest number of the grid.
    pub(crate) fn limits(self) -> (f64, f64) {
        let at = |q: f64| (q - f64::from(self.zero_point)) * f64::from(self.scale);
        (at(0.0), at(255.0))
    }

    /// The nearest number of the grid; halves go to the even q, as in ONNX.
    pub(crate) fn nearest(self, x: f32) -> f32 {
        let zero = f32::from(self.zero_point);
        (((x / self.scale).round_ties_even() + zero).clamp(0.0, 255.0) - zero) * self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_holds_zero_and_its_limits() {
        for (low, high) in [(0.0, 7.0), (-3.0, 5.0), (-2.0, 0.0), (1.0, 4.0), (-9.0, -1.0), (0.0, 0.0)] {
            let grid = Grid::spanning(low, high);
            assert_eq!(grid.nearest(0.0), 0.0);
            assert!(grid.scale.is_normal() && grid.scale > 0.0);
            let (least, most) = grid.limits();
            let half = f64::from(grid.scale) / 2.0 + 1e-12;
            assert!((least - low.min(0.0)).abs() <= half && (most - high.max(0.0)).abs() <= half, "{low} {high}: {least} {most}");
            assert!((f64::from(grid.nearest(1e9)) - most).abs() < 1e-5 && (f64::from(grid.nearest(-1e9)) - least).abs() < 1e-5);
        }
        assert_eq!(Grid::spanning(0.0, 7.0).zero_point, 0);
        for byte in 0..=255_u8 {
            let x = (f32::from(byte) - 128.0) / 64.0;
            assert_eq!(Grid::IMAGE.nearest(x), x);
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let grid = Grid { scale: 1.0, zero_point: 10 };
        assert_eq!([0.5, 1.5, -0.5, -1.5, 2.4].map(|x| grid.nearest(x)), [0.0, 2.0, 0.0, -2.0, 2.0]);
    }
}
