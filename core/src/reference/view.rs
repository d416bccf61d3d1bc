//! A field as the features see it: pixels, the network's answer, and the tiles that they are cut into.

use crate::Error;

/// A field at the model's pixel size: RGB bytes and the network's answer, row by row.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldView<'a> {
    pub(super) rgb: &'a [u8],
    pub(super) probabilities: &'a [u8],
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<'a> FieldView<'a> {
    /// `rgb` has three bytes a pixel, `probabilities` one, `round(255 p)`.
    ///
    /// # Errors
    /// [`Error::ParameterOutOfRange`] for a field without pixels, [`Error::LengthMismatch`] for bytes that do not fill it.
    pub fn new(rgb: &'a [u8], probabilities: &'a [u8], width: usize, height: usize) -> Result<Self, Error> {
        for (name, side) in [("field width", width), ("field height", height)] {
            if side == 0 {
                return Err(Error::ParameterOutOfRange { name, value: 0.0, min: 1.0, max: f64::from(u32::MAX) });
            }
        }
        // A product beyond what an address can be fits no slice.
        let pixels = width.saturating_mul(height);
        for (name, expected, found) in [("RGB bytes", pixels.saturating_mul(3), rgb.len()), ("probabilities", pixels, probabilities.len())]
        {
            if expected != found {
                return Err(Error::LengthMismatch { name, expected, found });
            }
        }
        Ok(Self { rgb, probabilities, width, height })
    }

    /// The field's [`tiles`].
    pub fn tiles(&self, side: usize) -> impl Iterator<Item = Tile> + use<> {
        tiles(self.width, self.height, side)
    }
}

/// The fewest tiles of at most `side` pixels that cover a field, row by row; the last of a row or column is moved inwards. A field that is smaller
/// is one tile.
pub fn tiles(width: usize, height: usize, side: usize) -> impl Iterator<Item = Tile> {
    spans(height, side).flat_map(move |(y, height)| spans(width, side).map(move |(x, width)| Tile { x, y, width, height }))
}

/// Where a tile lies in its field, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tile {
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Starts and lengths of the fewest pieces of at most `side` over a length; the last is moved inwards.
fn spans(length: usize, side: usize) -> impl Iterator<Item = (usize, usize)> {
    let side = side.clamp(1, length.max(1));
    (0..length.div_ceil(side)).map(move |i| ((i * side).min(length - side), side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_a_field_and_stay_inside() {
        let rgb = [0; 3 * 70];
        let tiles = |width, height, side, out: &mut [Tile]| {
            let view = FieldView::new(&rgb[..3 * width * height], &rgb[..width * height], width, height).unwrap();
            view.tiles(side).zip(out.iter_mut()).map(|(tile, slot)| *slot = tile).count()
        };
        let mut found = [Tile { x: 0, y: 0, width: 0, height: 0 }; 8];
        assert_eq!(tiles(10, 7, 4, &mut found), 6);
        let corners = found[..6].iter().map(|tile| (tile.x, tile.y, tile.width, tile.height));
        assert!(corners.eq([(0, 0, 4, 4), (4, 0, 4, 4), (6, 0, 4, 4), (0, 3, 4, 4), (4, 3, 4, 4), (6, 3, 4, 4)]));
        assert_eq!((tiles(3, 2, 100, &mut found), found[0]), (1, Tile { x: 0, y: 0, width: 3, height: 2 }));
    }

    #[test]
    fn bytes_must_fill_the_field() {
        let bytes = [0; 12];
        assert!(FieldView::new(&bytes, &bytes[..4], 2, 2).is_ok());
        let short = FieldView::new(&bytes[..11], &bytes[..4], 2, 2).unwrap_err();
        assert_eq!(short, Error::LengthMismatch { name: "RGB bytes", expected: 12, found: 11 });
        let long = FieldView::new(&bytes, &bytes[..5], 2, 2).unwrap_err();
        assert_eq!(long, Error::LengthMismatch { name: "probabilities", expected: 4, found: 5 });
        assert!(matches!(FieldView::new(&[], &[], 0, 2), Err(Error::ParameterOutOfRange { name: "field width", .. })));
        assert!(matches!(FieldView::new(&[], &[], usize::MAX, 2), Err(Error::LengthMismatch { name: "RGB bytes", .. })));
    }
}
