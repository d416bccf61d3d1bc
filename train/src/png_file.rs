//! PNG files, whole or not there.

use crate::error::{Error, Result};
use std::path::Path;

/// Encodes an image as PNG and writes it whole or not at all.
pub(crate) fn write_png(path: &Path, image: &image::DynamicImage) -> Result<()> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).map_err(|error| Error::file(path, error.to_string()))?;
    crate::atomic::write(path, bytes.get_ref())
}
