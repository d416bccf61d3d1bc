//! The image with its mask: a tint, and a contour that is seen on any ground.
//!
//! The contour is a light line inside the mask's border and a dark one outside it, so it stands out by brightness alone: on pale stroma, on
//! dark nuclei, in a grey print, and without colour vision. The tint says which side is meant.

use crate::mask::Mask;
use image::RgbImage;

/// Inside line: a yellow that is nearly as light as white.
const LIGHT: [u8; 3] = [255, 236, 61];
/// Outside line.
const DARK: [u8; 3] = [20, 20, 40];
/// Tint of the mask. H&E has every shade from pink to blue but no yellow; and yellow against blue is what nearly every kind of colour
/// vision tells apart (blue, which was tried first, made tumour look like lymphocytes).
pub(crate) const TINT: [u8; 3] = [255, 225, 40];
/// How much of a tinted pixel is tint, out of 256: nuclei must stay readable below it.
pub(crate) const TINT_WEIGHT: u32 = 72;

/// Draws the mask onto its image.
pub(crate) fn overlay(mut image: RgbImage, mask: &Mask) -> RgbImage {
    let width = mask.width() as usize;
    let line = line_width(image.width(), image.height());
    let outside: Vec<bool> = mask.pixels().iter().map(|cancer| !cancer).collect();
    let near_outside = dilate(&outside, width, line);
    let near_inside = dilate(mask.pixels(), width, line);
    for (index, pixel) in image.pixels_mut().enumerate() {
        match (mask.pixels()[index], near_outside[index], near_inside[index]) {
            (true, true, _) => pixel.0 = LIGHT,
            (false, _, true) => pixel.0 = DARK,
            (true, ..) => pixel.0 = std::array::from_fn(|c| mix(pixel.0[c], TINT[c], TINT_WEIGHT)),
            (false, ..) => {}
        }
    }
    image
}

/// Each line is 1 px in a field of up to 800 px, and grows with the image so that it survives being scaled to a screen.
fn line_width(width: u32, height: u32) -> usize {
    (width.max(height) as usize).div_ceil(800)
}

/// A level of the image and one of the tint, which has so much of 256.
pub(crate) fn mix(level: u8, tint: u8, weight: u32) -> u8 {
    ((u32::from(level) * (256 - weight) + u32::from(tint) * weight) / 256) as u8
}

/// Pixels with a set pixel at most `radius` rows and columns away.
pub(crate) fn dilate(set: &[bool], width: usize, radius: usize) -> Vec<bool> {
    let mut wide = vec![false; set.len()];
    for (line, target) in set.chunks_exact(width).zip(wide.chunks_exact_mut(width)) {
        spread(line.iter().copied(), radius, |x| target[x] = true);
    }
    let mut both = vec![false; set.len()];
    for x in 0..width {
        spread(wide.iter().skip(x).step_by(width).copied(), radius, |y| both[y * width + x] = true);
    }
    both
}

/// Marks every position at most `radius` from a set one, each about once.
fn spread(line: impl ExactSizeIterator<Item = bool>, radius: usize, mut mark: impl FnMut(usize)) {
    let length = line.len();
    let mut marked = 0;
    for (at, set) in line.enumerate() {
        if set {
            let end = (at + radius + 1).min(length);
            (marked.max(at.saturating_sub(radius))..end).for_each(&mut mark);
            marked = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_disc_gets_a_light_line_inside_and_a_dark_one_outside() {
        let inside = |x: u32, y: u32| (2..6).contains(&x) && (2..6).contains(&y);
        let cancer = (0..64).map(|i| inside(i % 8, i / 8)).collect();
        let drawn = overlay(RgbImage::from_pixel(8, 8, Rgb([200, 150, 180])), &Mask::from_pixels(8, cancer));
        assert_eq!(drawn.get_pixel(0, 0).0, [200, 150, 180]);
        assert_eq!(drawn.get_pixel(1, 3).0, DARK);
        assert_eq!(drawn.get_pixel(2, 3).0, LIGHT);
        assert_eq!(drawn.get_pixel(3, 3).0, [215, 171, 140]);
    }

    #[test]
    fn the_border_of_the_image_is_no_contour() {
        let drawn = overlay(RgbImage::from_pixel(3, 3, Rgb([200; 3])), &Mask::from_pixels(3, vec![true; 9]));
        assert!(drawn.pixels().all(|pixel| pixel.0 != LIGHT && pixel.0 != DARK));
    }
}
