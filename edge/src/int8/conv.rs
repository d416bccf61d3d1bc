//! Rows of a convolution.

use super::kernel::{ConvRow, Tap};
use super::network::MOST_DIRECT;
use super::pack::Packed;
use super::rows::Ring;
use super::up::UpSource;

/// Rows of taps of all sources together.
const MOST_TAPS: usize = 3 * MOST_DIRECT;

/// What a convolution reads, and with which weights.
pub(super) struct ConvSources<'a> {
    pub(super) packed: &'a Packed,
    pub(super) direct: [Option<(Ring, &'a [u8])>; MOST_DIRECT],
    pub(super) up: Option<UpSource<'a>>,
}

impl ConvSources<'_> {
    /// Makes rows `rows` of the output, which lie one after the other in `out`.
    pub(super) fn rows(&self, rows: core::ops::Range<usize>, ring: &Ring, out: &mut [u8], scratch: &mut [i32]) {
        let first = rows.start;
        let mut row = |y: usize, partial: Option<&[i32]>| {
            let out = &mut out[(y - first) * ring.stride..][ring.pixel..(ring.width + 1) * ring.pixel];
            self.row(y, partial, ring, out);
        };
        match &self.up {
            None => rows.for_each(|y| row(y, None)),
            Some(up) => up.rows(rows, scratch, |y, partial| row(y, Some(partial))),
        }
    }

    fn row(&self, y: usize, partial: Option<&[i32]>, ring: &Ring, out: &mut [u8]) {
        let mut taps = [Tap { row: &[], pixel: 4 }; MOST_TAPS];
        let kernel = self.packed.kernel;
        let mut count = 0;
        for (source, bytes) in self.direct.iter().flatten() {
            // A kernel of 3 begins one row and one pixel before, in the border; a kernel of 1 at the pixel itself.
            let before = kernel / 2;
            for ky in 0..kernel {
                let row = source.row(bytes, y as isize + ky as isize - before as isize);
                taps[count] = Tap { row: &row[(1 - before) * source.pixel..], pixel: source.pixel };
                count += 1;
            }
        }
        let (width, out_pixel) = (ring.width, ring.pixel);
        ConvRow { taps: &taps[..count], packed: self.packed, partial, width, out, out_pixel, out_step: out_pixel }.run();
    }
}

/// Rows of a transposed convolution 2 x 2: `phases` are the weights of the upper left, upper right, lower left and lower right pixel of a cell.
pub(super) fn transposed_rows(
    phases: &[Packed; 4],
    (source, bytes): (Ring, &[u8]),
    rows: core::ops::Range<usize>,
    ring: &Ring,
    out: &mut [u8],
) {
    for (y, out) in rows.zip(out.chunks_exact_mut(ring.stride)) {
        let row = &source.row(bytes, (y / 2) as isize)[source.pixel..];
        for (x, packed) in phases[2 * (y % 2)..][..2].iter().enumerate() {
            let out = &mut out[(1 + x) * ring.pixel..(ring.width + 1) * ring.pixel];
            let taps = [Tap { row, pixel: source.pixel }];
            let out_step = 2 * ring.pixel;
            ConvRow { taps: &taps, packed, partial: None, width: source.width, out, out_pixel: ring.pixel, out_step }.run();
        }
    }
}
