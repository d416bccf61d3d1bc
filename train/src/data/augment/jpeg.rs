//! JPEG compression, as scanners and slide formats do it.

use crate::error::{Error, Result};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use std::ops::RangeInclusive;

/// Qualities that are drawn.
pub(super) const QUALITY: RangeInclusive<u8> = 40..=95;

/// Replaces an RGB image of `size` (width, height) by what is left of it after compression.
pub(super) fn compress(rgb: &mut Vec<u8>, size: (u32, u32), quality: u8) -> Result<()> {
    let failed = |error: image::ImageError| Error::setting("jpeg", "a block that can be compressed", error);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode(rgb, size.0, size.1, ExtendedColorType::Rgb8).map_err(failed)?;
    *rgb = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).map_err(failed)?.into_rgb8().into_raw();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_quality_changes_more() {
        let image: Vec<u8> = (0..32 * 24_u32).flat_map(|i| [(i * i % 97) as u8 + 100, (i % 50) as u8 * 3, 128]).collect();
        let difference = |quality| {
            let mut rgb = image.clone();
            compress(&mut rgb, (32, 24), quality).unwrap();
            assert_eq!(rgb.len(), image.len());
            rgb.iter().zip(&image).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum::<u64>()
        };
        assert!(difference(40) > difference(95) && difference(95) > 0);
    }
}
