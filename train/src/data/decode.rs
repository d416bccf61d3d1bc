//! Image files to pixels, within limits.

use crate::error::{Error, Result};
use image::{ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::Path;

/// Largest width or height that is decoded: bigger images are slides, which are read by window.
pub(super) const MAX_SIDE_PX: u32 = 32_768;

/// Decodes a file by its content, not its extension; a file that is cut short is refused.
pub(super) fn decode(path: &Path) -> Result<image::DynamicImage> {
    let bytes = std::fs::read(path).map_err(Error::io("reading", path))?;
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(Error::io("reading", path))?;
    // The decoder fills what a truncated JPEG lacks with grey and reports nothing; scans never hold the end marker's bytes.
    if reader.format() == Some(ImageFormat::Jpeg) && !bytes.windows(2).any(|pair| pair == [0xFF, 0xD9]) {
        return Err(undecodable(path, "the JPEG data end too early"));
    }
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE_PX);
    limits.max_image_height = Some(MAX_SIDE_PX);
    limits.max_alloc = Some(4 << 30);
    reader.limits(limits);
    reader.decode().map_err(|error| undecodable(path, error))
}

pub(super) fn undecodable(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::file(path, format!("cannot be decoded: {reason}"))
}
