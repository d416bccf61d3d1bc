//! The contact sheet: all blocks of a sheet in one picture, with their numbers and a line to write on.

use super::mark::{CHARACTER, text};
use image::imageops::overlay;
use image::{Rgb, RgbImage};

/// Room for a block's picture in pixels: 300 dpi print it 2 cm wide.
pub(super) const PICTURE_PX: u32 = 240;

const GAP_PX: u32 = 14;
const CAPTION_PX: u32 = CHARACTER.1 + 4;
const HEAD_PX: u32 = 2 * CHARACTER.1 + GAP_PX;

/// Height by width of a sheet of A4.
const PAGE: f64 = std::f64::consts::SQRT_2;

/// Lays pictures of at most [`PICTURE_PX`] on a white page of about A4's proportions, numbered from 1 row by row.
pub(super) fn contact_sheet(pictures: &[RgbImage], heading: [&str; 2]) -> RgbImage {
    let cell = (PICTURE_PX + GAP_PX, CAPTION_PX + PICTURE_PX + GAP_PX);
    let count = pictures.len().max(1) as u32;
    let columns = (f64::from(count) * f64::from(cell.1) / f64::from(cell.0) / PAGE).sqrt().round().max(1.0) as u32;
    let longest = heading.iter().map(|line| line.len() as u32 * CHARACTER.0).max().unwrap_or(0);
    let width = GAP_PX + (columns * cell.0).max(longest + GAP_PX);
    let mut page = RgbImage::from_pixel(width, GAP_PX + HEAD_PX + count.div_ceil(columns) * cell.1, Rgb([255; 3]));
    for (y, line) in (GAP_PX..).step_by(CHARACTER.1 as usize).zip(heading) {
        text(&mut page, line, GAP_PX, y);
    }
    for (index, picture) in (0_u32..).zip(pictures) {
        let (x, y) = (GAP_PX + index % columns * cell.0, GAP_PX + HEAD_PX + index / columns * cell.1);
        text(&mut page, &format!("{:<4} ______ %", index + 1), x, y);
        let centre = |room: u32, size: u32| i64::from(room.saturating_sub(size) / 2);
        let (left, top) = (centre(PICTURE_PX, picture.width()), centre(PICTURE_PX, picture.height()));
        overlay(&mut page, picture, i64::from(x) + left, i64::from(y + CAPTION_PX) + top);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_on_the_page_whole_and_the_page_is_about_upright() {
        for count in [1_usize, 2, 7, 120] {
            let pictures: Vec<RgbImage> =
                (0..count).map(|i| RgbImage::from_pixel(PICTURE_PX, PICTURE_PX - (i % 2) as u32 * 40, Rgb([i as u8, 77, 1]))).collect();
            let page = contact_sheet(&pictures, ["one", "two"]);
            for (i, picture) in pictures.iter().enumerate() {
                let pixels = page.pixels().filter(|pixel| pixel.0 == [i as u8, 77, 1]).count();
                assert_eq!(pixels, (picture.width() * picture.height()) as usize, "picture {i} of {count}");
            }
            let ratio = f64::from(page.height()) / f64::from(page.width());
            assert!(count < 100 || (1.2..1.7).contains(&ratio), "{ratio}");
        }
    }
}
