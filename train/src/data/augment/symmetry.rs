//! The eight symmetries of the square: flips and rotations by quarter turns.

/// Turns an image of `CHANNELS` bytes a pixel in place. Bit 0 of `symmetry` mirrors x, bit 1 mirrors y, bit 2 swaps the axes first; an
/// image that is not square (`size` is width, height) is only mirrored.
pub(super) fn turn<const CHANNELS: usize>(pixels: &mut Vec<u8>, size: (u32, u32), symmetry: u8) {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let swap = symmetry & 4 != 0 && width == height;
    if symmetry & 3 == 0 && !swap {
        return;
    }
    let mut turned = Vec::with_capacity(pixels.len());
    for y in 0..height {
        for x in 0..width {
            let (mut u, mut v) = if swap { (y, x) } else { (x, y) };
            if symmetry & 1 != 0 {
                u = width - 1 - u;
            }
            if symmetry & 2 != 0 {
                v = height - 1 - v;
            }
            let start = (v * width + u) * CHANNELS;
            turned.extend_from_slice(&pixels[start..start + CHANNELS]);
        }
    }
    *pixels = turned;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_turns_of_a_square() {
        //  1 2
        //  3 4
        let expected = [[1, 2, 3, 4], [2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1], [1, 3, 2, 4], [2, 4, 1, 3], [3, 1, 4, 2], [4, 2, 3, 1]];
        for (symmetry, expected) in expected.iter().enumerate() {
            let mut square = vec![1, 2, 3, 4];
            turn::<1>(&mut square, (2, 2), symmetry as u8);
            assert_eq!(&square, expected, "{symmetry}");
        }
        let mut wide = vec![1, 1, 1, 2, 2, 2];
        turn::<3>(&mut wide, (2, 1), 7);
        assert_eq!(wide, [2, 2, 2, 1, 1, 1]);
    }
}
