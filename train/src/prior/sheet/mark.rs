//! Numbers and frames on the pictures of a sheet.

use crate::draw_target::Pixels;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_10X20;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Drawable, Point, Size};
use embedded_graphics::primitives::{PrimitiveStyleBuilder, Rectangle, StrokeAlignment, StyledDrawable};
use embedded_graphics::text::{Baseline, Text};
use image::RgbImage;

/// Width and height of a character in pixels.
pub(super) const CHARACTER: (u32, u32) = (10, 20);

/// Black text with its upper left corner at (x, y).
pub(super) fn text(image: &mut RgbImage, text: &str, x: u32, y: u32) {
    let style = MonoTextStyle::new(&FONT_10X20, Rgb888::BLACK);
    let Ok(_) = Text::with_baseline(text, Point::new(x as i32, y as i32), style, Baseline::Top).draw(&mut Pixels(image));
}

/// A frame of `stroke` px around a rectangle, outside it.
pub(super) fn frame(image: &mut RgbImage, corner: (u32, u32), size: (u32, u32), stroke: u32, colour: Rgb888) {
    let style = PrimitiveStyleBuilder::new().stroke_color(colour).stroke_width(stroke).stroke_alignment(StrokeAlignment::Outside).build();
    let rectangle = Rectangle::new(Point::new(corner.0 as i32, corner.1 as i32), Size::new(size.0, size.1));
    let Ok(()) = rectangle.draw_styled(&style, &mut Pixels(image));
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_frame_lies_outside_its_rectangle_and_drawing_stays_inside_the_image() {
        let mut image = RgbImage::new(6, 5);
        frame(&mut image, (2, 2), (2, 1), 1, Rgb888::new(1, 2, 3));
        let drawn: Vec<(u32, u32)> = image.enumerate_pixels().filter(|(.., p)| p.0 == [1, 2, 3]).map(|(x, y, _)| (x, y)).collect();
        assert_eq!(drawn, [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (4, 2), (1, 3), (2, 3), (3, 3), (4, 3)]);
        frame(&mut image, (0, 0), (100, 100), 9, Rgb888::new(9, 9, 9));
        let mut white = RgbImage::from_pixel(30, 20, Rgb([255; 3]));
        text(&mut white, "17", 0, 0);
        let black =
            |columns: std::ops::Range<u32>| white.enumerate_pixels().filter(|(x, _, p)| columns.contains(x) && p.0 == [0; 3]).count();
        assert!(black(0..10) > 10 && black(10..20) > 10 && black(20..30) == 0);
    }
}
