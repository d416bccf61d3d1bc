//! Bytes of a compressed tile to RGB pixels.

use crate::field::pixel_on_white;
use flate2::read::ZlibDecoder;
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
use std::io::Read;
use weezl::LzwStatus;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// How tiles of a level are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Codec {
    pub(super) compression: Compression,
    /// What the samples of a pixel are.
    pub(super) samples: Samples,
    /// Width and height of a tile.
    pub(super) tile: [u32; 2],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Compression {
    None {
        /// Each sample is the difference to that of the pixel before.
        differences: bool,
    },
    Lzw {
        differences: bool,
    },
    Deflate {
        differences: bool,
    },
    Jpeg {
        /// A JPEG stream with the tables that all tiles share; nothing where each has its own.
        tables: Vec<u8>,
    },
    Jpeg2000,
    JpegLs,
}

/// What the samples of a pixel are, eight bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    Grey,
    /// 0 is white.
    InverseGrey,
    Rgb,
    Rgba,
    YCbCr,
}

impl Samples {
    fn count(self) -> usize {
        match self {
            Self::Grey | Self::InverseGrey => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Rgba => 4,
        }
    }
}

impl Codec {
    /// Bytes of a tile that is not compressed.
    pub(super) fn bytes(&self) -> usize {
        self.samples.count() * self.tile[0] as usize * self.tile[1] as usize
    }

    /// RGB bytes of a tile.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let length = self.bytes();
        match &self.compression {
            Compression::None { differences } => self.plain(bytes.to_vec(), length, *differences),
            Compression::Lzw { differences } => {
                let out = lzw(bytes, length).map_err(|error| format!("LZW: {error}"))?;
                self.plain(out, length, *differences)
            }
            Compression::Deflate { differences } => {
                let mut out = Vec::with_capacity(length);
                ZlibDecoder::new(bytes).take(length as u64).read_to_end(&mut out).map_err(|error| format!("deflate: {error}"))?;
                self.plain(out, length, *differences)
            }
            Compression::Jpeg { tables } => self.jpeg(bytes, tables),
            Compression::Jpeg2000 => self.jpeg2000(bytes),
            Compression::JpegLs => self.jpeg_ls(bytes),
        }
    }

    fn plain(&self, mut pixels: Vec<u8>, length: usize, differences: bool) -> Result<Vec<u8>, String> {
        if pixels.len() < length {
            return Err(format!("{} bytes where {length} are needed", pixels.len()));
        }
        pixels.truncate(length);
        if differences {
            let samples = self.samples.count();
            for row in pixels.chunks_exact_mut(samples * self.tile[0] as usize) {
                (samples..row.len()).for_each(|at| row[at] = row[at].wrapping_add(row[at - samples]));
            }
        }
        Ok(self.rgb(pixels))
    }

    fn jpeg(&self, bytes: &[u8], tables: &[u8]) -> Result<Vec<u8>, String> {
        // The tables come between the tile's start of image and the rest: without their own end, and the tile without its start.
        let whole = match tables.strip_suffix(&[0xFF, 0xD9]) {
            Some(tables) => [tables, bytes.get(2..).unwrap_or(&[])].concat(),
            None => bytes.to_vec(),
        };
        let said = |error: zune_jpeg::errors::DecodeErrors| format!("JPEG: {error:?}");
        let [width, height] = self.tile.map(|side| side as usize);
        let options = DecoderOptions::default().set_max_width(width).set_max_height(height);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&whole[..]), options);
        decoder.decode_headers().map_err(said)?;
        self.same_size("JPEG", decoder.info().map(|info| [u32::from(info.width), u32::from(info.height)]).unwrap_or_default())?;
        let stored = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
        let (wanted, samples) = match (stored, self.samples) {
            (ColorSpace::Luma, _) => (ColorSpace::Luma, Samples::Grey),
            // A stream without a marker of its own passes for YCbCr, whatever the slide says of it.
            (ColorSpace::RGB | ColorSpace::YCbCr, Samples::Rgb) => (stored, Samples::Rgb),
            (ColorSpace::RGB | ColorSpace::YCbCr, _) => (ColorSpace::RGB, Samples::Rgb),
            _ => return Err(format!("JPEG: {} components in {stored:?}, expected 1 or 3", stored.num_components())),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(wanted));
        let pixels = decoder.decode().map_err(said)?;
        if pixels.len() != samples.count() * width * height {
            return Err(format!("JPEG: {} bytes of pixels", pixels.len()));
        }
        Ok(Self { samples, ..self.clone() }.rgb(pixels))
    }

    fn jpeg2000(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let said = |error: hayro_jpeg2000::DecodeError| format!("JPEG 2000: {error}");
        let image = Image::new(bytes, &DecodeSettings { strict: true, ..DecodeSettings::default() }).map_err(said)?;
        self.same_size("JPEG 2000", [image.width(), image.height()])?;
        let mut context = DecoderContext::default();
        let pixels = image.decode(&mut context).map_err(said)?.data_u8();
        let area = self.tile[0] as usize * self.tile[1] as usize;
        let samples = match (pixels.len() / area, self.samples) {
            (1, samples @ (Samples::Grey | Samples::InverseGrey)) | (3, samples @ (Samples::Rgb | Samples::YCbCr)) => samples,
            (1, _) => Samples::Grey,
            (3, _) => Samples::Rgb,
            (4, _) => Samples::Rgba,
            (count, _) => return Err(format!("JPEG 2000: {count} components, expected 1, 3 or 4")),
        };
        Ok(Self { samples, ..self.clone() }.rgb(pixels))
    }

    #[cfg(feature = "slides")]
    fn jpeg_ls(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let said = |error: charls::Error| format!("JPEG-LS: {error}");
        // By its header, before anything is allocated for what it says.
        let frame = charls::CharLS::default().get_frame_info(bytes).map_err(said)?;
        self.same_size("JPEG-LS", [frame.width, frame.height])?;
        if frame.bits_per_sample != 8 || usize::try_from(frame.component_count) != Ok(self.samples.count()) {
            return Err(format!(
                "JPEG-LS: {} samples of {} bits, expected {} of 8",
                frame.component_count,
                frame.bits_per_sample,
                self.samples.count()
            ));
        }
        let pixels = charls::CharLS::default().decode(bytes).map_err(said)?;
        self.plain(pixels, self.bytes(), false)
    }

    #[cfg(not(feature = "slides"))]
    #[expect(clippy::unused_self, reason = "it has its own with the feature")]
    fn jpeg_ls(&self, _bytes: &[u8]) -> Result<Vec<u8>, String> {
        Err("JPEG-LS is read by lsr-edge with the feature 'slides' (cargo build --features slides)".to_owned())
    }

    fn same_size(&self, what: &str, found: [u32; 2]) -> Result<(), String> {
        let [width, height] = self.tile;
        if found == self.tile { Ok(()) } else { Err(format!("{what} of {} x {} px, expected {width} x {height}", found[0], found[1])) }
    }

    fn rgb(&self, pixels: Vec<u8>) -> Vec<u8> {
        match self.samples {
            Samples::Rgb => pixels,
            Samples::Grey => pixels.into_iter().flat_map(|level| [level; 3]).collect(),
            Samples::InverseGrey => pixels.into_iter().flat_map(|level| [255 - level; 3]).collect(),
            Samples::Rgba => pixels.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, alpha]| pixel_on_white([r, g, b], alpha)).collect(),
            Samples::YCbCr => pixels.as_chunks::<3>().0.iter().flat_map(|&pixel| from_ycbcr(pixel)).collect(),
        }
    }
}

/// At most `length` bytes: what a damaged or hostile stream makes beyond them is not looked at.
fn lzw(bytes: &[u8], length: usize) -> Result<Vec<u8>, weezl::LzwError> {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let (mut out, mut read, mut made) = (vec![0; length], 0, 0);
    while made < length {
        let step = decoder.decode_bytes(&bytes[read..], &mut out[made..]);
        (read, made) = (read + step.consumed_in, made + step.consumed_out);
        match step.status? {
            LzwStatus::Ok => {}
            LzwStatus::Done | LzwStatus::NoProgress => break,
        }
    }
    out.truncate(made);
    Ok(out)
}

/// ITU-R BT.601 in full range, as JFIF has it.
fn from_ycbcr(pixel: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = pixel.map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|level| level.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(samples: Samples, differences: bool) -> Codec {
        Codec { compression: Compression::None { differences }, samples, tile: [2, 1] }
    }

    #[test]
    fn samples_become_rgb() {
        assert_eq!(plain(Samples::Grey, false).decode(&[7, 9]), Ok(vec![7, 7, 7, 9, 9, 9]));
        assert_eq!(plain(Samples::InverseGrey, false).decode(&[7, 9]), Ok(vec![248, 248, 248, 246, 246, 246]));
        assert_eq!(plain(Samples::Rgb, true).decode(&[1, 2, 3, 1, 255, 0]), Ok(vec![1, 2, 3, 2, 1, 3]));
        assert_eq!(plain(Samples::Rgba, false).decode(&[9, 9, 9, 0, 9, 8, 7, 255]), Ok(vec![255, 255, 255, 9, 8, 7]));
        // Grey has no chroma; pure red is (76, 85, 255).
        assert_eq!(plain(Samples::YCbCr, false).decode(&[90, 128, 128, 76, 85, 255]), Ok(vec![90, 90, 90, 254, 0, 0]));
        assert_eq!(plain(Samples::Rgb, false).decode(&[1, 2]), Err("2 bytes where 6 are needed".to_owned()));
    }
}
