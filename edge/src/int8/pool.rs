//! 2 x 2 max pooling of bytes: the order of bytes is the order of the numbers they stand for.

/// One output row (without borders) of `pixel` bytes a pixel, from two padded input rows.
pub(super) fn max_pool_row(upper: &[u8], lower: &[u8], pixel: usize, out: &mut [u8]) {
    let (upper, lower) = (&upper[pixel..], &lower[pixel..]);
    let pairs = upper.chunks_exact(2 * pixel).zip(lower.chunks_exact(2 * pixel));
    for (out, (upper, lower)) in out.chunks_exact_mut(pixel).zip(pairs) {
        let (a, b) = upper.split_at(pixel);
        let (c, d) = lower.split_at(pixel);
        for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *out = (*a).max(*b).max((*c).max(*d));
        }
    }
}
