//! Figures as pixels: text comes from embedded-graphics' bitmap fonts, so that the same bytes come out on every machine.

use super::outline::Outline;
use super::scene::{Anchor, Font, Item, PAPER, Scene, Stroke};
use crate::draw_target::Pixels;
use embedded_graphics::mono_font::iso_8859_1::{FONT_9X15, FONT_9X18_BOLD};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{Drawable, Point};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{Rgb, RgbImage};

/// Draws a figure on white.
pub(super) fn draw(scene: &Scene) -> RgbImage {
    let mut canvas = Canvas { pixels: RgbImage::from_pixel(scene.size.0, scene.size.1, PAPER) };
    for item in &scene.items {
        match item {
            Item::Picture { at, pixels, scale } => canvas.picture(*at, pixels, *scale),
            Item::Box { at, size, fill } => canvas.rectangle(*at, *size, *fill),
            Item::Text { at, anchor, font, text, colour } => canvas.text(*at, *anchor, *font, text, *colour),
            Item::Curve { points, colour, dash } => canvas.curve(points, *colour, *dash),
            Item::Line { at, scale, outlines, stroke } => outlines.iter().for_each(|outline| canvas.line(*at, *scale, outline, *stroke)),
        }
    }
    canvas.pixels
}

/// An image and what can be drawn on it; what lies outside is left out.
pub(super) struct Canvas {
    pub(super) pixels: RgbImage,
}

impl Canvas {
    fn set(&mut self, x: i64, y: i64, colour: Rgb<u8>) {
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            && let Some(pixel) = self.pixels.get_pixel_mut_checked(x, y)
        {
            *pixel = colour;
        }
    }

    fn picture(&mut self, at: (u32, u32), picture: &RgbImage, scale: u32) {
        for (x, y, colour) in picture.enumerate_pixels() {
            self.rectangle((at.0 + x * scale, at.1 + y * scale), (scale, scale), *colour);
        }
    }

    fn rectangle(&mut self, at: (u32, u32), size: (u32, u32), fill: Rgb<u8>) {
        for y in at.1..(at.1.saturating_add(size.1)).min(self.pixels.height()) {
            for x in at.0..(at.0.saturating_add(size.0)).min(self.pixels.width()) {
                self.pixels.put_pixel(x, y, fill);
            }
        }
    }

    fn text(&mut self, at: (u32, u32), anchor: Anchor, font: Font, text: &str, colour: Rgb<u8>) {
        let font: &MonoFont<'_> = match font {
            Font::Label => &FONT_9X15,
            Font::Title => &FONT_9X18_BOLD,
        };
        let alignment = match anchor {
            Anchor::Left => Alignment::Left,
            Anchor::Middle => Alignment::Center,
            Anchor::Right => Alignment::Right,
        };
        let character = MonoTextStyle::new(font, Rgb888::new(colour[0], colour[1], colour[2]));
        let style = TextStyleBuilder::new().alignment(alignment).baseline(Baseline::Middle).build();
        // The fonts have Latin-1 only.
        let text = text.replace(['−', '–'], "-");
        let at = Point::new(i32::try_from(at.0).unwrap_or(i32::MAX), i32::try_from(at.1).unwrap_or(i32::MAX));
        let Ok(_) = Text::with_text_style(&text, at, character, style).draw(&mut Pixels(&mut self.pixels));
    }

    /// Stamps squares of 2 px along straight lines from point to point. Dashes go on round corners.
    fn curve(&mut self, points: &[(u32, u32)], colour: Rgb<u8>, dash: (u32, u32)) {
        let period = u64::from(dash.0) + u64::from(dash.1);
        let mut travelled = 0_u64;
        for (from, to) in points.iter().zip(points.iter().skip(1)) {
            let ((x0, y0), (x1, y1)) = ((i64::from(from.0), i64::from(from.1)), (i64::from(to.0), i64::from(to.1)));
            let steps = (x1 - x0).abs().max((y1 - y0).abs()).max(1);
            for i in 0..=steps {
                if period == 0 || travelled % period < u64::from(dash.0) {
                    let (x, y) = (x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps);
                    (0..4).for_each(|k| self.set(x + k % 2, y + k / 2, colour));
                }
                travelled += u64::from(i < steps);
            }
        }
    }

    /// Stamps a square of the line's width at every pixel along the outline. Dashes go on round corners.
    pub(super) fn line(&mut self, at: (u32, u32), scale: u32, outline: &Outline, stroke: Stroke) {
        let width = i64::from(stroke.width);
        let period = u64::from(stroke.dash.0) + u64::from(stroke.dash.1);
        let place =
            |(x, y): (u32, u32)| (i64::from(at.0) + i64::from(x) * i64::from(scale), i64::from(at.1) + i64::from(y) * i64::from(scale));
        let mut travelled = 0_u64;
        for (from, to) in outline.runs() {
            let ((x0, y0), (x1, y1)) = (place(from), place(to));
            let (dx, dy) = ((x1 - x0).signum(), (y1 - y0).signum());
            // The end corner is the next run's first point; only the last run of an open outline has to draw its own.
            for i in 0..=(x1 - x0).abs().max((y1 - y0).abs()) {
                if period == 0 || travelled % period < u64::from(stroke.dash.0) {
                    let (x, y) = (x0 + i * dx - width / 2, y0 + i * dy - width / 2);
                    (0..width * width).for_each(|k| self.set(x + k % width, y + k / width, stroke.colour));
                }
                travelled += 1;
            }
            travelled -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outline::outlines;
    use super::super::scene::INK;
    use super::*;
    use image::{GrayImage, Luma};

    fn scene(item: Item) -> Scene {
        let mut scene = Scene::new("test", 60, 40).unwrap();
        scene.items.push(item);
        scene
    }

    fn inked(image: &RgbImage) -> Vec<(u32, u32)> {
        image.enumerate_pixels().filter(|(_, _, pixel)| **pixel == INK).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn a_line_two_wide_straddles_the_pixel_edge() {
        let mask = GrayImage::from_fn(6, 6, |x, y| Luma([u8::from((2..4).contains(&x) && (2..4).contains(&y))]));
        let stroke = Stroke { colour: INK, width: 2, dash: (0, 0) };
        let drawn = inked(&draw(&scene(Item::Line { at: (10, 10), scale: 4, outlines: outlines(&mask), stroke })));
        // The square from 18 to 26 with a border one pixel outwards and one inwards: 10 x 10 less 6 x 6.
        assert_eq!(drawn.len(), 64);
        assert!(drawn.contains(&(17, 17)) && drawn.contains(&(26, 26)) && !drawn.contains(&(19, 19)) && !drawn.contains(&(27, 20)));
    }

    #[test]
    fn dashes_leave_gaps() {
        let mask = GrayImage::from_fn(10, 2, |_, y| Luma([u8::from(y == 0)]));
        let line = |dash| {
            let stroke = Stroke { colour: INK, width: 1, dash };
            inked(&draw(&scene(Item::Line { at: (0, 0), scale: 4, outlines: outlines(&mask), stroke }))).len()
        };
        assert_eq!((line((0, 0)), line((6, 4))), (41, 25));
    }

    #[test]
    fn text_is_drawn_where_it_should_be_and_cut_at_the_border() {
        let text = |at, anchor| inked(&draw(&scene(Item::Text { at, anchor, font: Font::Title, text: "µm".to_owned(), colour: INK })));
        let left = text((20, 20), Anchor::Left);
        assert!(left.len() > 20 && left.iter().all(|&(x, y)| (20..38).contains(&x) && (10..30).contains(&y)), "{left:?}");
        assert!(text((40, 20), Anchor::Right).iter().all(|&(x, _)| (20..41).contains(&x)));
        assert!(text((59, 39), Anchor::Left).len() < left.len());
    }

    #[test]
    fn pictures_are_magnified_pixel_by_pixel() {
        let pixels = RgbImage::from_fn(2, 1, |x, _| if x == 0 { INK } else { PAPER });
        let drawn = inked(&draw(&scene(Item::Picture { at: (5, 6), pixels, scale: 3 })));
        assert_eq!(drawn, (6..9).flat_map(|y| (5..8).map(move |x| (x, y))).collect::<Vec<_>>());
    }
}
