//! What programs that measure costs compute with.

use lsr_firmware::wire::ROW_PIXELS;

/// Rows that are summed: one from each of the four places that a row can have in a word of memory, and some more.
pub const ROWS: usize = 8;

/// Pixels of which rows are cut: dark ones, bright ones, and some between.
pub fn image() -> [u8; ROW_PIXELS + ROWS] {
    let mut state = 1_u32;
    core::array::from_fn(|_| {
        // Numerical Recipes' generator, whose upper bits are good enough.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
}

/// A row of 240 pixels that begins at a pixel below [`ROWS`].
pub fn row(image: &[u8; ROW_PIXELS + ROWS], start: usize) -> &[u8] {
    image.get(start..start + ROW_PIXELS).unwrap_or_default()
}
