//! Rows of a tensor in memory: a ring of padded rows, u8 NHWC.
//!
//! A row is one pixel of border, `width` pixels, one pixel of border; borders hold the zero point. A pixel takes its channels, rounded up to
//! four bytes; what fills them up meets weights of 0.

/// Channels that are multiplied together.
pub(super) const GROUP: usize = 4;

/// Where a tensor lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ring {
    /// First byte in the arena.
    pub(super) offset: usize,
    /// Rows that are kept.
    pub(super) capacity: usize,
    /// Rows of the whole tensor.
    pub(super) height: usize,
    /// Pixels of a row, without borders.
    pub(super) width: usize,
    /// Bytes of a pixel.
    pub(super) pixel: usize,
    /// Bytes of a row, with borders.
    pub(super) stride: usize,
}

/// Bytes of a pixel of so many channels.
pub(super) fn pixel_bytes(channels: usize) -> usize {
    channels.next_multiple_of(GROUP)
}

/// Bytes of a padded row. Whole cache lines: then rows written by different threads share none.
pub(super) fn row_bytes(width: usize, pixel: usize) -> usize {
    ((width + 2) * pixel).next_multiple_of(64)
}

impl Ring {
    /// Bytes of the ring, with one more row that stands for all rows beyond the image's upper and lower border.
    pub(super) fn bytes(&self) -> usize {
        (self.capacity + 1) * self.stride
    }

    /// Where it lies in the arena.
    pub(super) fn range(&self) -> core::ops::Range<usize> {
        self.offset..self.offset + self.bytes()
    }

    /// A padded row out of the ring's bytes; rows beyond the image are the border row.
    pub(super) fn row<'a>(&self, ring: &'a [u8], row: isize) -> &'a [u8] {
        let inside = row >= 0 && (row as usize) < self.height;
        let slot = if inside { row as usize % self.capacity } else { self.capacity };
        &ring[slot * self.stride..][..(self.width + 2) * self.pixel]
    }

    /// Sets the borders of all rows, and the border row.
    pub(super) fn border(&self, ring: &mut [u8], zero_point: u8) {
        let (rows, border) = ring.split_at_mut(self.capacity * self.stride);
        border.fill(zero_point);
        for row in rows.chunks_exact_mut(self.stride) {
            row[..self.pixel].fill(zero_point);
            row[(self.width + 1) * self.pixel..][..self.pixel].fill(zero_point);
        }
    }
}
