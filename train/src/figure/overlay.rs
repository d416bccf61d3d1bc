//! A mask on its image, for reports: a light tint inside, a yellow line with a dark halo around.

use super::canvas::Canvas;
use super::outline::outlines;
use super::scene::{INK, Stroke};
use crate::error::{Error, Result};
use image::{GrayImage, ImageFormat, Rgb, RgbImage};
use std::io::Cursor;

/// Purple tissue has no yellow, and yellow is bright to colour-blind eyes too.
const YELLOW: Rgb<u8> = Rgb([255, 225, 0]);

/// Share of yellow inside the mask: enough to see which side is meant, little enough to see nuclei.
const TINT: f64 = 0.18;

/// The mask over the image, magnified by a whole `scale`.
///
/// # Errors
/// [`Error::Setting`] when the mask is not as large as the image, or the scale is not 1 to 16.
pub fn overlay(image: &RgbImage, mask: &GrayImage, scale: u32) -> Result<RgbImage> {
    same_size("overlay", image, mask)?;
    check_scale(scale, image.dimensions())?;
    let mut tinted = image.clone();
    for (pixel, mask) in tinted.pixels_mut().zip(mask.pixels()) {
        if mask[0] != 0 {
            *pixel = tint(*pixel, YELLOW, TINT);
        }
    }
    let (width, height) = (image.width() * scale, image.height() * scale);
    let pixels = if scale == 1 { tinted } else { image::imageops::resize(&tinted, width, height, image::imageops::FilterType::Nearest) };
    let mut canvas = Canvas { pixels };
    let outlines = outlines(mask);
    let line = if width.min(height) >= 400 { 2 } else { 1 };
    for (colour, width) in [(INK, line + 2), (YELLOW, line)] {
        outlines.iter().for_each(|outline| canvas.line((0, 0), scale, outline, Stroke { colour, width, dash: (0, 0) }));
    }
    Ok(canvas.pixels)
}

/// A PNG file of an image.
///
/// # Errors
/// [`Error::Setting`] when it cannot be encoded.
pub fn png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let size = || format!("{} x {} px: ", image.width(), image.height());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| Error::setting("figure", "an image that PNG can hold", size() + &error.to_string()))?;
    Ok(bytes.into_inner())
}

/// `share` of `colour` and the rest of the pixel.
pub(super) fn tint(pixel: Rgb<u8>, colour: Rgb<u8>, share: f64) -> Rgb<u8> {
    Rgb(std::array::from_fn(|i| (f64::from(pixel[i]) * (1.0 - share) + f64::from(colour[i]) * share).round() as u8))
}

/// # Errors
/// [`Error::Setting`] naming `what`, when the mask is not as large as the image.
pub(super) fn same_size(what: &str, image: &RgbImage, mask: &GrayImage) -> Result<()> {
    if image.dimensions() == mask.dimensions() && image.width() > 0 && image.height() > 0 {
        return Ok(());
    }
    let size = |(width, height): (u32, u32)| format!("{width} x {height} px");
    Err(Error::setting("mask", format!("{}, as the image ({what})", size(image.dimensions())), size(mask.dimensions())))
}

/// # Errors
/// [`Error::Setting`] for a scale that is not 1 to 16, or makes the image larger than a figure can be.
pub(super) fn check_scale(scale: u32, size: (u32, u32)) -> Result<()> {
    if !(1..=16).contains(&scale) {
        return Err(Error::setting("figure scale", "1 to 16", scale));
    }
    super::scene::Scene::new("", u64::from(size.0) * u64::from(scale), u64::from(size.1) * u64::from(scale)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    #[test]
    fn the_inside_is_tinted_and_the_edge_is_yellow_on_dark() {
        let image = RgbImage::from_pixel(20, 20, Rgb([150, 90, 160]));
        let mask = GrayImage::from_fn(20, 20, |x, _| Luma([if x >= 10 { 255 } else { 0 }]));
        let drawn = overlay(&image, &mask, 2).unwrap();
        assert_eq!(drawn.dimensions(), (40, 40));
        let at = |x: u32| *drawn.get_pixel(x, 20);
        assert_eq!((at(5), at(30)), (Rgb([150, 90, 160]), Rgb([169, 114, 131])));
        assert_eq!([at(18), at(19), at(20), at(21), at(22)], [Rgb([150, 90, 160]), INK, YELLOW, INK, Rgb([169, 114, 131])]);
        let file = image::load_from_memory(&png(&drawn).unwrap()).unwrap();
        assert_eq!(file.to_rgb8(), drawn);
    }

    #[test]
    fn sizes_and_scales_are_checked() {
        let image = RgbImage::new(4, 4);
        let error = overlay(&image, &GrayImage::new(4, 5), 1).unwrap_err();
        assert_eq!(error.to_string(), "mask: expected 4 x 4 px, as the image (overlay), found 4 x 5 px");
        assert_eq!(overlay(&image, &GrayImage::new(4, 4), 0).unwrap_err().to_string(), "figure scale: expected 1 to 16, found 0");
        assert!(overlay(&RgbImage::new(0, 0), &GrayImage::new(0, 0), 1).is_err());
    }
}
