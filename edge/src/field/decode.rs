//! Bytes of a PNG, JPEG or TIFF file to RGB pixels.

use crate::error::Error;
use crate::guard::guarded;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use std::io::Cursor;

/// Images beyond this are refused: 16-bit RGBA, RGB and the probability map together stay below 2 GB.
pub const MAX_PIXELS: u64 = 128_000_000;

/// Decodes the first image of a file, as stored: a rotation noted in EXIF is not applied, so that a mask lies on the stored pixels.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Result<RgbImage, Error> {
    guarded(|| decode_unguarded(bytes, max_pixels)).unwrap_or_else(|reason| Err(Error::Decode { reason }))
}

fn decode_unguarded(bytes: &[u8], max_pixels: u64) -> Result<RgbImage, Error> {
    let refused = |error: image::ImageError| Error::Decode { reason: error.to_string() };
    // Guessing from memory has no way to fail other than an unknown format.
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Error::NotAnImage)?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Tiff) => {}
        Some(ImageFormat::Jpeg) if jpeg_ends(bytes) => {}
        Some(ImageFormat::Jpeg) => return Err(Error::Decode { reason: "the JPEG data end too early".to_owned() }),
        _ => return Err(Error::NotAnImage),
    }
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    check_size_within("the image", u64::from(width), u64::from(height), max_pixels)?;
    let mut limits = Limits::default();
    // 16-bit RGBA is the most that a pixel takes; the decoder's own buffers come on top.
    limits.max_alloc = Some(12 * max_pixels);
    decoder.set_limits(limits).map_err(refused)?;
    Ok(on_white(DynamicImage::from_decoder(decoder).map_err(refused)?))
}

/// Refuses more than [`MAX_PIXELS`], and nothing at all.
pub(crate) fn check_size(what: &'static str, width: u64, height: u64) -> Result<(), Error> {
    check_size_within(what, width, height, MAX_PIXELS)
}

fn check_size_within(what: &'static str, width: u64, height: u64, max_pixels: u64) -> Result<(), Error> {
    if width == 0 || height == 0 {
        return Err(Error::Decode { reason: format!("{what} has {width} x {height} px") });
    }
    if width.saturating_mul(height) > max_pixels {
        return Err(Error::TooLarge { what, width, height, max_pixels });
    }
    Ok(())
}

/// Transparent pixels lie on white, the colour of an empty slide; dropping alpha would make most of them black.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba = image.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (target, source) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, alpha] = source.0;
        target.0 = pixel_on_white([r, g, b], alpha);
    }
    rgb
}

/// A pixel of some opacity in front of white.
pub(crate) fn pixel_on_white(rgb: [u8; 3], alpha: u8) -> [u8; 3] {
    let alpha = u32::from(alpha);
    rgb.map(|level| ((u32::from(level) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

/// Whether a JPEG file has its end-of-image marker. The decoder fills what is missing with grey and reports nothing.
fn jpeg_ends(bytes: &[u8]) -> bool {
    // Walk the header segments up to the first scan, past a thumbnail with an end marker of its own.
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == 0xDA {
            // In a scan 0xFF is always followed by 0 or a marker, so these two bytes are the end and nothing else.
            return bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
        at += match marker {
            0xFF => 1,
            0x01 | 0xD0..=0xD8 => 2,
            _ => 2 + usize::from(u16::from_be_bytes([high, low])),
        };
    }
    false
}
