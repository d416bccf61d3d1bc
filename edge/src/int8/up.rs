//! A 3 x 3 convolution of a tensor that is up-sampled to the nearest, without up-sampling it.
//!
//! Rows `2r` and `2r + 1` of the up-sampled tensor are both row `r`. Let `V_ky[r]` be row `r` convolved with row `ky` of the taps. Then the
//! output's rows are
//!
//! ```text
//! out[2r]     =  V_0[r-1]             +  V_1[r] + V_2[r]
//! out[2r + 1] =  V_0[r] + V_1[r]      +  V_2[r+1]
//! ```
//!
//! so going down the rows, each `V` is made once, and two sums are handed to the next row: `above_0 = V_0` and `above_01 = V_0 + V_1`. The
//! same holds along a row for the three taps of it. Each of the nine products of a pixel and a tap is thus formed once, where convolving the
//! up-sampled tensor would form it four times. Integers have no rounding: the sums are the same.

use super::kernel::UpRow;
use super::pack::PackedUp;
use super::rows::Ring;

/// Sums of one thread.
pub(super) struct Scratch<'a> {
    above_0: &'a mut [i32],
    above_01: &'a mut [i32],
    odd: &'a mut [i32],
    even: &'a mut [i32],
}

/// Numbers that a thread needs for a low-resolution row of so many pixels.
pub(super) fn scratch_len(vectors: usize, lanes: usize, width: usize) -> usize {
    4 * vectors * lanes * 2 * width
}

/// An up-sampled source of a layer.
#[derive(Clone, Copy)]
pub(super) struct UpSource<'a> {
    pub(super) packed: &'a PackedUp,
    pub(super) ring: Ring,
    pub(super) bytes: &'a [u8],
}

impl UpSource<'_> {
    /// Gives the sums of rows `rows` of the output, one after the other, to `each`.
    pub(super) fn rows(&self, rows: core::ops::Range<usize>, scratch: &mut [i32], mut each: impl FnMut(usize, &[i32])) {
        let one = scratch_len(self.packed.vectors, self.packed.isa.lanes(), self.ring.width) / 4;
        let (above_0, rest) = scratch.split_at_mut(one);
        let (above_01, rest) = rest.split_at_mut(one);
        let (odd, rest) = rest.split_at_mut(one);
        let mut scratch = Scratch { above_0, above_01, odd, even: &mut rest[..one] };
        // Output rows 2r - 1 and 2r come out of the cell row r; the one before it only hands its sums on.
        let first = rows.start.div_ceil(2);
        self.cell_row(first as isize - 1, &mut scratch);
        for row in first..=rows.end / 2 {
            self.cell_row(row as isize, &mut scratch);
            if row > 0 && rows.contains(&(2 * row - 1)) {
                each(2 * row - 1, scratch.odd);
            }
            if rows.contains(&(2 * row)) {
                each(2 * row, scratch.even);
            }
        }
    }

    fn cell_row(&self, row: isize, scratch: &mut Scratch<'_>) {
        UpRow {
            row: self.ring.row(self.bytes, row),
            pixel: self.ring.pixel,
            width: self.ring.width,
            packed: self.packed,
            above_0: scratch.above_0,
            above_01: scratch.above_01,
            odd: scratch.odd,
            even: scratch.even,
        }
        .run();
    }
}
