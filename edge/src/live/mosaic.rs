//! All fields with a position in one picture of fixed size: where it does not reach, it becomes coarser.

use crate::mask::Mask;
use crate::output::{TINT, TINT_WEIGHT, mix};
use crate::source::Position;
use image::{Rgb, RgbImage, imageops};
use serde::Serialize;
use utoipa::ToSchema;

/// Side of the picture.
const SIDE: u32 = 1024;
/// Width of the first field in it.
const FIRST_PX: f64 = 64.0;
/// Where no field was.
const GROUND: [u8; 3] = [128, 128, 128];

/// The picture.
#[derive(Debug)]
pub(super) struct Mosaic {
    place: Option<Place>,
    image: RgbImage,
    /// How much of a pixel is cancer, of 255.
    mask: Vec<u8>,
    seen: Vec<bool>,
}

/// Where a mosaic lies.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    /// Upper left corner of the picture, um.
    origin: [f64; 2],
    um_per_px: f64,
    /// What the fields cover, um: smallest and largest x, smallest and largest y.
    covered: [[f64; 2]; 2],
}

/// Where the mosaic lies and what of it is covered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct MosaicView {
    /// Left border of what is covered, um.
    pub x_um: f64,
    /// Upper border, um.
    pub y_um: f64,
    /// Width, um.
    pub width_um: f64,
    /// Height, um.
    pub height_um: f64,
    /// Pixel size of the picture.
    pub um_per_px: f64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Mosaic {
    pub(super) fn new() -> Self {
        let pixels = (SIDE * SIDE) as usize;
        Self { place: None, image: RgbImage::from_pixel(SIDE, SIDE, Rgb(GROUND)), mask: vec![0; pixels], seen: vec![false; pixels] }
    }

    /// Draws a field over what is there.
    pub(super) fn place(&mut self, centre: Position, um_per_px: f64, field: &RgbImage, mask: &Mask) {
        let length = [field.width(), field.height()].map(|side| f64::from(side) * um_per_px);
        let centre = [centre.x_um, centre.y_um];
        let own: [[f64; 2]; 2] = std::array::from_fn(|axis| [centre[axis] - length[axis] / 2.0, centre[axis] + length[axis] / 2.0]);
        if !own.iter().flatten().all(|um| um.abs() < 1e9) || length.iter().any(|&um| um <= 0.0) {
            return;
        }
        let place = self.reach(own);
        let corner: [i64; 2] = std::array::from_fn(|axis| ((own[axis][0] - place.origin[axis]) / place.um_per_px).round() as i64);
        let size = length.map(|um| ((um / place.um_per_px).round() as u32).clamp(1, SIDE));
        let small = imageops::thumbnail(field, size[0], size[1]);
        let lit = image::GrayImage::from_raw(field.width(), field.height(), mask.to_u8()).unwrap_or_default();
        let lit = imageops::thumbnail(&lit, size[0], size[1]);
        for (x, y, pixel) in small.enumerate_pixels() {
            let (at_x, at_y) = (corner[0] + i64::from(x), corner[1] + i64::from(y));
            if (0..i64::from(SIDE)).contains(&at_x) && (0..i64::from(SIDE)).contains(&at_y) {
                let (at_x, at_y) = (at_x as u32, at_y as u32);
                self.image.put_pixel(at_x, at_y, *pixel);
                let index = (at_y * SIDE + at_x) as usize;
                (self.mask[index], self.seen[index]) = (lit.get_pixel(x, y).0[0], true);
            }
        }
    }

    /// Makes the picture reach as far as `own`, by moving it and halving its resolution.
    fn reach(&mut self, own: [[f64; 2]; 2]) -> Place {
        let Some(old) = self.place else {
            let um_per_px = (own[0][1] - own[0][0]) / FIRST_PX;
            let origin = std::array::from_fn(|axis| f64::midpoint(own[axis][0], own[axis][1]) - um_per_px * f64::from(SIDE) / 2.0);
            let place = Place { origin, um_per_px, covered: own };
            self.place = Some(place);
            return place;
        };
        let covered: [[f64; 2]; 2] =
            std::array::from_fn(|axis| [old.covered[axis][0].min(own[axis][0]), old.covered[axis][1].max(own[axis][1])]);
        let fits = |place: &Place| {
            (0..2).all(|axis| {
                let end = place.origin[axis] + place.um_per_px * f64::from(SIDE);
                covered[axis][0] >= place.origin[axis] - 1e-6 && covered[axis][1] <= end + 1e-6
            })
        };
        let mut place = Place { covered, ..old };
        if !fits(&place) {
            let mut factor = 1_u32;
            let wide = covered.iter().map(|[from, to]| to - from).fold(0.0, f64::max);
            while wide > old.um_per_px * f64::from(factor) * f64::from(SIDE - 2) {
                factor *= 2;
            }
            place.um_per_px = old.um_per_px * f64::from(factor);
            // Moved by whole pixels of the coarser picture, so that nothing is resampled but by halving.
            place.origin = std::array::from_fn(|axis| {
                let middle = f64::midpoint(covered[axis][0], covered[axis][1]) - place.um_per_px * f64::from(SIDE) / 2.0;
                old.origin[axis] + ((middle - old.origin[axis]) / place.um_per_px).round() * place.um_per_px
            });
            self.redraw(&old, &place, factor);
        }
        self.place = Some(place);
        place
    }

    fn redraw(&mut self, old: &Place, new: &Place, factor: u32) {
        let before = std::mem::replace(self, Self::new());
        let shift: [i64; 2] = std::array::from_fn(|axis| ((new.origin[axis] - old.origin[axis]) / old.um_per_px).round() as i64);
        let inside = |at: i64| (0..i64::from(SIDE)).contains(&at);
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (mut sum, mut lit, mut count) = ([0_u32; 3], 0_u32, 0_u32);
                for (dx, dy) in (0..factor).flat_map(|dx| (0..factor).map(move |dy| (dx, dy))) {
                    let (at_x, at_y) = (i64::from(x * factor + dx) + shift[0], i64::from(y * factor + dy) + shift[1]);
                    if !inside(at_x) || !inside(at_y) {
                        continue;
                    }
                    let index = (at_y * i64::from(SIDE) + at_x) as usize;
                    if before.seen[index] {
                        let pixel = before.image.get_pixel(at_x as u32, at_y as u32).0;
                        (0..3).for_each(|channel| sum[channel] += u32::from(pixel[channel]));
                        lit += u32::from(before.mask[index]);
                        count += 1;
                    }
                }
                if let Some(lit) = lit.checked_div(count) {
                    self.image.put_pixel(x, y, Rgb(sum.map(|sum| (sum / count) as u8)));
                    let index = (y * SIDE + x) as usize;
                    (self.mask[index], self.seen[index]) = (lit as u8, true);
                }
            }
        }
    }

    /// First pixel and number of pixels of what is covered, in x and y.
    fn window(place: &Place) -> [[u32; 2]; 2] {
        std::array::from_fn(|axis| {
            let pixel = |um: f64| (um - place.origin[axis]) / place.um_per_px;
            let from = pixel(place.covered[axis][0]).floor().clamp(0.0, f64::from(SIDE - 1)) as u32;
            let to = pixel(place.covered[axis][1]).ceil().clamp(f64::from(from + 1), f64::from(SIDE)) as u32;
            [from, to - from]
        })
    }

    pub(super) fn view(&self) -> Option<MosaicView> {
        let place = self.place?;
        let [[_, width], [_, height]] = Self::window(&place);
        let [[x, right], [y, bottom]] = place.covered;
        Some(MosaicView { x_um: x, y_um: y, width_um: right - x, height_um: bottom - y, um_per_px: place.um_per_px, width, height })
    }

    /// What is covered, with or without the mask.
    pub(super) fn drawn(&self, with_mask: bool) -> Option<RgbImage> {
        let [[left, width], [top, height]] = Self::window(&self.place?);
        Some(RgbImage::from_fn(width, height, |x, y| {
            let (x, y) = (left + x, top + y);
            let Rgb(pixel) = *self.image.get_pixel(x, y);
            let lit = u32::from(self.mask[(y * SIDE + x) as usize]);
            // Twice as strong as in a field: a pixel here is many.
            let weight = if with_mask { 2 * TINT_WEIGHT * lit / 255 } else { 0 };
            Rgb(std::array::from_fn(|channel| mix(pixel[channel], TINT[channel], weight)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(level: u8) -> RgbImage {
        RgbImage::from_pixel(100, 100, Rgb([level; 3]))
    }

    /// Fields keep their places and colours while the picture moves and becomes coarser.
    #[test]
    fn fields_stay_where_they_are_when_the_mosaic_grows() {
        let mut mosaic = Mosaic::new();
        assert_eq!((mosaic.view(), mosaic.drawn(true)), (None, None));
        let cancer = Mask::from_pixels(100, vec![true; 10_000]);
        let none = Mask::from_pixels(100, vec![false; 10_000]);
        let columns = 40_i32;
        for column in 0..columns {
            let mask = if column == 7 { &cancer } else { &none };
            // To the left, so that the origin moves as well.
            mosaic.place(Position { x_um: f64::from(-column) * 200.0, y_um: 0.0 }, 2.0, &field(5 * column as u8 + 10), mask);
        }
        let view = mosaic.view().unwrap();
        assert_eq!((view.width_um, view.height_um, view.x_um), (8000.0, 200.0, -7900.0));
        let (plain, tinted) = (mosaic.drawn(false).unwrap(), mosaic.drawn(true).unwrap());
        assert_eq!((plain.width(), plain.height()), (view.width, view.height));
        for column in 0..columns {
            let x = ((f64::from(columns - 1 - column) + 0.5) * 200.0 / view.um_per_px) as u32;
            let y = view.height / 2;
            let level = f64::from(plain.get_pixel(x, y).0[0]);
            assert!((level - f64::from(5 * column + 10)).abs() < 3.0, "column {column}: {level}");
            assert_eq!(plain.get_pixel(x, y) != tinted.get_pixel(x, y), column == 7, "column {column}");
        }
        // What cannot be a place changes nothing.
        mosaic.place(Position { x_um: f64::NAN, y_um: 0.0 }, 2.0, &field(0), &none);
        assert_eq!(mosaic.view(), Some(view));
    }
}
