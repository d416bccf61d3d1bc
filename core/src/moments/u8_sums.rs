//! Integer sums of u8 probabilities, for devices without a floating-point unit.

/// Integer sums of a block's u8 probabilities `p = q / 255`: exact, mergeable, without floating point.
///
/// ```
/// use lsr_core::U8Sums;
/// let (mut first, mut second) = (U8Sums::default(), U8Sums::default());
/// first.push_row(&[1, 2]);
/// second.push(10);
/// assert_eq!(first.merge(second), U8Sums { pixels: 3, sum: 13, sum_of_squares: 105 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct U8Sums {
    /// Valid pixels n.
    pub pixels: u32,
    /// Sum of q.
    pub sum: u64,
    /// Sum of q^2.
    pub sum_of_squares: u64,
}

impl U8Sums {
    /// Adds a row of pixels. Pixels beyond 2^32 - 1 are an error of [`BlockMoments::from_u8_sums`](super::BlockMoments::from_u8_sums), not of this hot loop.
    pub fn push_row(&mut self, row: &[u8]) {
        // 32-bit sums within a chunk: 2^16 * 255^2 < 2^32.
        for chunk in row.chunks(1 << 16) {
            let (mut sum, mut squares) = (0_u32, 0_u32);
            for &q in chunk {
                let q = u32::from(q);
                sum += q;
                squares += q * q;
            }
            self.pixels = self.pixels.saturating_add(chunk.len() as u32);
            self.sum = self.sum.saturating_add(u64::from(sum));
            self.sum_of_squares = self.sum_of_squares.saturating_add(u64::from(squares));
        }
    }

    /// Adds one pixel.
    pub fn push(&mut self, q: u8) {
        self.push_row(&[q]);
    }

    /// The sums of both sets of pixels together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            pixels: self.pixels.saturating_add(other.pixels),
            sum: self.sum.saturating_add(other.sum),
            sum_of_squares: self.sum_of_squares.saturating_add(other.sum_of_squares),
        }
    }
}
