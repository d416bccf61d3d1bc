//! A picture of the camera, and where it comes from.

use crate::error::Error;
use image::RgbImage;
use std::time::{Duration, Instant};

/// A picture that is complete.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its name at its source; no other frame has it.
    pub name: String,
    /// A PNG, JPEG or TIFF file.
    pub bytes: Vec<u8>,
    /// When it was seen first, not before it was there.
    pub seen: Instant,
}

/// Where a camera's frames come from, in the order of the pulses. Frames of before the scan do not come.
pub trait FrameSource {
    /// The next frame, if one comes in time.
    ///
    /// # Errors
    /// What makes it useless to wait for more.
    fn next(&mut self, patience: Duration) -> Result<Option<Frame>, Error>;
}

/// Mean of all levels of all channels, 0 to 255.
pub(super) fn brightness(image: &RgbImage) -> f64 {
    let sum: u64 = image.as_raw().iter().map(|&level| u64::from(level)).sum();
    sum as f64 / image.as_raw().len().max(1) as f64
}
