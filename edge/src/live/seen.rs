//! A field that was just segmented, as it is shown.

use crate::error::Error;
use crate::mask::Mask;
use crate::output::{Region, overlay, png, regions};
use crate::session::{FieldRecord, Kind};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, RgbImage};
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// JPEG quality of frames on the page; what is kept is not compressed with loss.
const JPEG_QUALITY: u8 = 85;

/// Pixels of a field, and its pictures; what nobody asks for is not encoded.
#[derive(Debug)]
pub(super) struct Pixels {
    pub(super) image: RgbImage,
    /// `round(255 p)`.
    pub(super) probability: Vec<u8>,
    pub(super) mask: Mask,
    encoded: [OnceLock<Arc<[u8]>>; 5],
}

/// A field that is kept.
#[derive(Debug)]
pub struct Seen {
    record: FieldRecord,
    pixels: Pixels,
}

impl Pixels {
    pub(super) fn new(image: RgbImage, probability: Vec<u8>, mask: Mask) -> Self {
        Self { image, probability, mask, encoded: Default::default() }
    }

    fn size(&self) -> [u32; 2] {
        [self.image.width(), self.image.height()]
    }

    /// A picture as it is kept.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn png(&self, kind: Kind) -> Result<Arc<[u8]>, Error> {
        let encode = |pixels: &[u8], color| png(Path::new(kind.name()), pixels, self.size(), color);
        match kind {
            Kind::Mask => self.once(0, || encode(&self.mask.to_u8(), ExtendedColorType::L8)),
            Kind::Probability => self.once(1, || encode(&self.probability, ExtendedColorType::L8)),
            Kind::Frame => self.once(2, || encode(self.image.as_raw(), ExtendedColorType::Rgb8)),
            Kind::Overlay => self.once(3, || encode(overlay(self.image.clone(), &self.mask).as_raw(), ExtendedColorType::Rgb8)),
        }
    }

    /// What the camera saw, for a page.
    ///
    /// # Errors
    /// [`Error::Write`].
    fn jpeg(&self) -> Result<Arc<[u8]>, Error> {
        self.once(4, || {
            let mut bytes = Vec::new();
            let encoded = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(&self.image);
            encoded.map_err(|error| Error::Write { path: "frame.jpg".into(), source: io::Error::other(error) })?;
            Ok(bytes)
        })
    }

    fn once(&self, place: usize, encode: impl FnOnce() -> Result<Vec<u8>, Error>) -> Result<Arc<[u8]>, Error> {
        if let Some(bytes) = self.encoded[place].get() {
            return Ok(Arc::clone(bytes));
        }
        // Two at a time may both encode it; the same bytes come of it.
        let bytes: Arc<[u8]> = encode()?.into();
        Ok(Arc::clone(self.encoded[place].get_or_init(|| bytes)))
    }

    /// Memory that it holds, the encoded pictures not counted: they are smaller.
    fn bytes(&self) -> usize {
        5 * self.probability.len()
    }
}

impl Seen {
    pub(super) fn new(record: FieldRecord, pixels: Pixels) -> Self {
        Self { record, pixels }
    }

    /// What was found.
    pub fn record(&self) -> &FieldRecord {
        &self.record
    }

    /// A picture as it is kept.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn png(&self, kind: Kind) -> Result<Arc<[u8]>, Error> {
        self.pixels.png(kind)
    }

    /// The mask's regions.
    pub(crate) fn regions(&self) -> Vec<Region> {
        let Pixels { image, mask, probability, .. } = &self.pixels;
        regions(mask.pixels(), image.width() as usize, probability)
    }

    /// What the camera saw as JPEG.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn jpeg(&self) -> Result<Arc<[u8]>, Error> {
        self.pixels.jpeg()
    }

    pub(super) fn bytes(&self) -> usize {
        self.pixels.bytes()
    }
}
