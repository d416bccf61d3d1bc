//! A picture of a camera, and what its source knows of it.

use crate::digest::sha256;
use crate::error::Error;
use crate::field::{Field, PixelSize};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::time::{Instant, SystemTime};
use utoipa::ToSchema;

/// A picture that is complete.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its name at its source; no other frame of the source has it.
    pub name: String,
    /// Its pixels.
    pub picture: Picture,
    /// When it was seen first, not before it was there.
    pub seen: Instant,
    /// The same moment by the wall clock.
    pub utc: SystemTime,
    /// Where it was taken, where the source knows.
    pub position: Option<Position>,
    /// Its pixel size, where the source knows.
    pub pixel_size: Option<PixelSize>,
}

/// Pixels, as they came.
#[derive(Debug, Clone)]
pub enum Picture {
    /// A PNG, JPEG or TIFF file.
    File(Vec<u8>),
    /// Pixels of a camera or a slide.
    Pixels(RgbImage),
}

/// Centre of a field: where the stage stood, or where on a slide it lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Position {
    /// Micrometres to the right.
    pub x_um: f64,
    /// Micrometres downwards.
    pub y_um: f64,
}

impl Frame {
    /// A picture that is seen now.
    pub fn now(name: String, picture: Picture) -> Self {
        Self { name, picture, seen: Instant::now(), utc: SystemTime::now(), position: None, pixel_size: None }
    }
}

impl Picture {
    /// SHA-256 of the file, or of width, height (four bytes each, the lowest first) and the RGB bytes of pixels.
    pub fn sha256(&self) -> String {
        match self {
            Self::File(bytes) => sha256(bytes),
            Self::Pixels(image) => {
                let size = [image.width().to_le_bytes(), image.height().to_le_bytes()].concat();
                sha256(&[&size, image.as_raw().as_slice()].concat())
            }
        }
    }

    /// The decoded picture, if a file has no more than `max_pixels`.
    ///
    /// # Errors
    /// As [`Field::decode`].
    pub fn field(self, pixel_size: PixelSize, max_pixels: u64) -> Result<Field, Error> {
        match self {
            Self::File(bytes) => Field::decode_within(&bytes, pixel_size, max_pixels),
            Self::Pixels(image) => Ok(Field { image, pixel_size }),
        }
    }
}
