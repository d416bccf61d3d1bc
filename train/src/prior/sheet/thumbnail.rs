//! A block as the expert sees it: with some of its surroundings, and framed.

use super::mark::frame;
use crate::data::Block;
use embedded_graphics::pixelcolor::Rgb888;
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};

/// Stands for what lies beyond the image's edge: no tissue and no glass.
const BEYOND: Rgb<u8> = Rgb([200, 200, 200]);

/// Colours of the frame, inner line first. H&E holds neither of them: the frame cannot be mistaken for tissue, on pale or on dark ground.
const FRAME: [Rgb888; 2] = [Rgb888::new(255, 230, 0), Rgb888::new(0, 0, 0)];

/// Width of each line of the frame in pixels.
const LINE_PX: u32 = 2;

/// Whole width of the frame in pixels.
const FRAME_PX: u32 = LINE_PX * FRAME.len() as u32;

/// A block with `context` pixels of its surroundings on every side, scaled so that the longer side is at most (with `enlarge`: is) about
/// `side` px. The frame lies just outside the block and covers none of it; with little context it gets the room that it needs.
pub(super) fn thumbnail(image: &RgbImage, block: &Block, context: u32, side: u32, enlarge: bool) -> RgbImage {
    let longer = f64::from(block.width.max(block.height)) + 2.0 * f64::from(context);
    let scale = f64::from(side) / longer;
    let scale = if enlarge { scale } else { scale.min(1.0) };
    let context = context.max((f64::from(FRAME_PX) / scale).ceil() as u32);
    let cut = cut_out(image, block, context);
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let (size, margin) = ((scaled(block.width), scaled(block.height)), scaled(context).max(FRAME_PX));
    let (width, height) = (size.0 + 2 * margin, size.1 + 2 * margin);
    let mut picture = if (width, height) == cut.dimensions() { cut } else { resize(&cut, width, height, FilterType::CatmullRom) };
    for (ring, colour) in (0_u32..).zip(FRAME) {
        let grown = ring * LINE_PX;
        frame(&mut picture, (margin - grown, margin - grown), (size.0 + 2 * grown, size.1 + 2 * grown), LINE_PX, colour);
    }
    picture
}

fn cut_out(image: &RgbImage, block: &Block, context: u32) -> RgbImage {
    let inside = |position: u32, start: u32| (i64::from(start) + i64::from(position) - i64::from(context)).try_into().ok();
    RgbImage::from_fn(block.width + 2 * context, block.height + 2 * context, |x, y| {
        let source = inside(x, block.x).zip(inside(y, block.y)).and_then(|(x, y)| image.get_pixel_checked(x, y));
        *source.unwrap_or(&BEYOND)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(x: u32, y: u32, width: u32, height: u32) -> Block {
        Block { image: String::new(), x, y, width, height, probability: 0.0, z: 0 }
    }

    fn image() -> RgbImage {
        RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8, y as u8, 7]))
    }

    #[test]
    fn the_block_is_shown_whole_inside_its_frame_and_beyond_the_image_is_grey() {
        let picture = thumbnail(&image(), &block(30, 0, 10, 8), 6, 100, false);
        assert_eq!(picture.dimensions(), (22, 20));
        for (x, y) in [(0, 0), (9, 0), (0, 7), (9, 7)] {
            assert_eq!(picture.get_pixel(6 + x, 6 + y).0, [30 + x as u8, y as u8, 7]);
        }
        for (x, y) in [(5, 5), (4, 10), (16, 6), (10, 14)] {
            assert_eq!(picture.get_pixel(x, y).0, [255, 230, 0], "({x}, {y})");
        }
        assert_eq!(picture.get_pixel(3, 10).0, [0, 0, 0]);
        assert_eq!(picture.get_pixel(1, 8).0, [25, 2, 7], "surroundings to the left");
        assert_eq!(*picture.get_pixel(21, 10), BEYOND);
        assert_eq!(*picture.get_pixel(10, 0), BEYOND);
    }

    #[test]
    fn large_blocks_are_reduced_small_ones_enlarged_on_request_and_the_frame_always_fits() {
        let large = thumbnail(&image(), &block(0, 0, 40, 20), 0, 20, false);
        assert_eq!(large.dimensions(), (20 + 2 * FRAME_PX, 10 + 2 * FRAME_PX));
        let small = thumbnail(&image(), &block(10, 10, 10, 10), 5, 200, true);
        assert_eq!(small.dimensions(), (200, 200));
        assert_eq!(small.get_pixel(49, 100).0, [255, 230, 0]);
        // Between the centres of its pixels, not yet at the frame: the block's own corner.
        assert_eq!(small.get_pixel(55, 55).0, [10, 10, 7]);
    }
}
