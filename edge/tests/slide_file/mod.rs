//! Makes tiled TIFF files like those of slide scanners.

#![allow(dead_code)] // each test file uses its part

use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, crop_imm, resize};
use image::{ExtendedColorType, RgbImage};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use tiff::encoder::{DirectoryEncoder, Rational, TiffEncoder, TiffKindBig};
use tiff::tags::Tag;

/// How tiles are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Plain,
    /// In literal runs: OpenSlide reads it, lsr-edge by itself does not.
    PackBits,
    Lzw,
    /// With differences along rows.
    Deflate,
    Jpeg,
}

/// What a file states.
#[derive(Debug, Clone)]
pub(crate) struct SlideFile {
    pub(crate) tile: u32,
    pub(crate) stored: Stored,
    /// The first image's description.
    pub(crate) description: String,
    /// Resolution tags.
    pub(crate) pixels_per_cm: Option<u32>,
}

impl Default for SlideFile {
    fn default() -> Self {
        Self { tile: 64, stored: Stored::Deflate, description: "Aperio test|MPP = 1.0".to_owned(), pixels_per_cm: None }
    }
}

impl SlideFile {
    /// Writes an image and smaller pictures of it, each as much smaller as its number says.
    pub(crate) fn write(&self, path: &Path, image: &RgbImage, smaller: &[u32]) {
        let mut levels = vec![image.clone()];
        levels.extend(smaller.iter().map(|factor| resize(image, image.width() / factor, image.height() / factor, FilterType::Lanczos3)));
        self.write_levels(path, &levels);
    }

    pub(crate) fn write_levels(&self, path: &Path, levels: &[RgbImage]) {
        let mut encoder = TiffEncoder::new_big(BufWriter::new(File::create(path).unwrap())).unwrap();
        for (number, level) in levels.iter().enumerate() {
            let mut directory = encoder.image_directory().unwrap();
            let [columns, rows] = [level.width(), level.height()].map(|side| side.div_ceil(self.tile));
            let tiles = (0..columns * rows).map(|index| self.bytes(level, index % columns, index / columns));
            self.directory(&mut directory, [level.width(), level.height()], tiles, number == 0);
            directory.finish().unwrap();
        }
    }

    /// A single level of the same few tiles over and over: of any size, in a small file.
    pub(crate) fn write_repeated(&self, path: &Path, size: [u32; 2], tiles: &[RgbImage], which: impl Fn(u32, u32) -> usize) {
        let mut encoder = TiffEncoder::new_big(BufWriter::new(File::create(path).unwrap())).unwrap();
        let mut directory = encoder.image_directory().unwrap();
        let places: Vec<[u64; 2]> = tiles
            .iter()
            .map(|tile| {
                let bytes = self.bytes(tile, 0, 0);
                [directory.write_data(&bytes[..]).unwrap(), bytes.len() as u64]
            })
            .collect();
        let [columns, rows] = size.map(|side| side.div_ceil(self.tile));
        let chosen: Vec<[u64; 2]> = (0..columns * rows).map(|index| places[which(index % columns, index / columns)]).collect();
        self.tags(&mut directory, size, &chosen, true);
        directory.finish().unwrap();
    }

    fn directory<W: Write + std::io::Seek>(
        &self,
        directory: &mut DirectoryEncoder<'_, W, TiffKindBig>,
        size: [u32; 2],
        tiles: impl Iterator<Item = Vec<u8>>,
        first: bool,
    ) {
        let places: Vec<[u64; 2]> = tiles.map(|bytes| [directory.write_data(&bytes[..]).unwrap(), bytes.len() as u64]).collect();
        self.tags(directory, size, &places, first);
    }

    fn tags<W: Write + std::io::Seek>(
        &self,
        directory: &mut DirectoryEncoder<'_, W, TiffKindBig>,
        [width, height]: [u32; 2],
        places: &[[u64; 2]],
        first: bool,
    ) {
        let (compression, photometric): (u16, u16) = match self.stored {
            Stored::Plain => (1, 2),
            Stored::PackBits => (32_773, 2),
            Stored::Lzw => (5, 2),
            Stored::Deflate => (8, 2),
            Stored::Jpeg => (7, 6),
        };
        directory.write_tag(Tag::ImageWidth, width).unwrap();
        directory.write_tag(Tag::ImageLength, height).unwrap();
        directory.write_tag(Tag::BitsPerSample, [8_u16; 3]).unwrap();
        directory.write_tag(Tag::Compression, compression).unwrap();
        directory.write_tag(Tag::PhotometricInterpretation, photometric).unwrap();
        directory.write_tag(Tag::SamplesPerPixel, 3_u16).unwrap();
        directory.write_tag(Tag::TileWidth, self.tile).unwrap();
        directory.write_tag(Tag::TileLength, self.tile).unwrap();
        if self.stored == Stored::Deflate {
            directory.write_tag(Tag::Predictor, 2_u16).unwrap();
        }
        let part = |at: usize| places.iter().map(|place| place[at]).collect::<Vec<u64>>();
        directory.write_tag(Tag::TileOffsets, &part(0)[..]).unwrap();
        directory.write_tag(Tag::TileByteCounts, &part(1)[..]).unwrap();
        if first && !self.description.is_empty() {
            directory.write_tag(Tag::ImageDescription, self.description.as_str()).unwrap();
        }
        if let Some(pixels) = self.pixels_per_cm.filter(|_| first) {
            directory.write_tag(Tag::XResolution, Rational { n: pixels, d: 1 }).unwrap();
            directory.write_tag(Tag::YResolution, Rational { n: pixels, d: 1 }).unwrap();
            directory.write_tag(Tag::ResolutionUnit, 3_u16).unwrap();
        }
    }

    /// A tile, filled up with black beyond the border.
    fn bytes(&self, level: &RgbImage, column: u32, row: u32) -> Vec<u8> {
        let side = self.tile;
        let mut tile = RgbImage::new(side, side);
        let [x, y] = [column * side, row * side];
        let part = crop_imm(level, x, y, side.min(level.width() - x), side.min(level.height() - y)).to_image();
        image::imageops::replace(&mut tile, &part, 0, 0);
        let pixels = tile.into_raw();
        match self.stored {
            Stored::Plain => pixels,
            Stored::PackBits => {
                // Rows are packed one by one.
                let rows = pixels.chunks(3 * side as usize);
                rows.flat_map(|row| row.chunks(128))
                    .flat_map(|run| std::iter::once(run.len() as u8 - 1).chain(run.iter().copied()))
                    .collect()
            }
            Stored::Lzw => weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(&pixels).unwrap(),
            Stored::Deflate => {
                let row = 3 * side as usize;
                let differences: Vec<u8> =
                    (0..pixels.len()).map(|at| if at % row < 3 { pixels[at] } else { pixels[at].wrapping_sub(pixels[at - 3]) }).collect();
                let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&differences).unwrap();
                encoder.finish().unwrap()
            }
            Stored::Jpeg => {
                let mut bytes = Vec::new();
                JpegEncoder::new_with_quality(&mut bytes, 90).encode(&pixels, side, side, ExtendedColorType::Rgb8).unwrap();
                bytes
            }
        }
    }
}
