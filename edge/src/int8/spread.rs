//! Spreads the rows of a layer over threads: each piece of work gets rows, the bytes of just these rows, and sums of its own.

use super::rows::Ring;
use super::split::Split;
use core::ops::Range;

/// What a layer fills.
pub(super) struct Target<'a> {
    pub(super) rows: Range<usize>,
    pub(super) ring: &'a Ring,
    /// The ring's bytes.
    pub(super) bytes: &'a mut [u8],
    /// Sums for all threads.
    pub(super) scratch: &'a mut [i32],
}

/// Spreads the rows of a layer over threads.
pub(super) struct Spread<'a, S> {
    pub(super) split: &'a S,
    pub(super) pieces: usize,
    pub(super) scratch_each: usize,
}

pub(super) type Work<'a> = &'a (dyn Fn(Range<usize>, &mut [u8], &mut [i32]) + Sync);

impl<S: Split> Spread<'_, S> {
    /// `work` gets rows, the bytes of just these rows, and sums of its own.
    pub(super) fn rows(&self, target: Target<'_>, work: Work<'_>) {
        let Target { rows, ring, bytes, scratch } = target;
        // The ring wraps around at most once, since it holds all rows of a band.
        let first = rows.start % ring.capacity;
        let until_wrap = rows.len().min(ring.capacity - first);
        let (head, tail) = bytes[..ring.capacity * ring.stride].split_at_mut(first * ring.stride);
        let middle = rows.start + until_wrap;
        self.part(rows.start..middle, ring.stride, tail, scratch, self.pieces, work);
        if middle < rows.end {
            self.part(middle..rows.end, ring.stride, head, scratch, self.pieces, work);
        }
    }

    fn part(&self, rows: Range<usize>, stride: usize, own: &mut [u8], scratch: &mut [i32], pieces: usize, work: Work<'_>) {
        let own = &mut own[..rows.len() * stride];
        if pieces < 2 || rows.len() < 2 {
            return work(rows, own, &mut scratch[..self.scratch_each]);
        }
        let half = pieces / 2;
        let middle = rows.start + rows.len() * half / pieces;
        let (upper, lower) = own.split_at_mut((middle - rows.start) * stride);
        let (upper_scratch, lower_scratch) = scratch.split_at_mut(half * self.scratch_each);
        self.split.join(
            || self.part(rows.start..middle, stride, upper, upper_scratch, half, work),
            || self.part(middle..rows.end, stride, lower, lower_scratch, pieces - half, work),
        );
    }
}
