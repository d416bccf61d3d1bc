//! Slides in TIFF files: Aperio's SVS, OME-TIFF, and any other pyramid of tiles of eight bits a sample.

use super::codec::{Codec, Compression, Samples};
use super::read_at::read_at;
use super::{Level, MAX_TILE_PIXELS, Slide, Tiles, pixel_size};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use tiff::decoder::{Decoder, ifd::Value};
use tiff::tags::{IfdPointer, Tag};
use tiff::{Directory, TiffError};

/// Directories beyond this are not looked at.
const MAX_DIRECTORIES: usize = 256;

/// Largest compressed tile.
const MAX_COMPRESSED: u64 = 64 << 20;

/// Where a level's tiles lie, and how they are stored.
struct Stored {
    codec: Codec,
    columns: u32,
    offsets: Vec<u64>,
    bytes: Vec<u64>,
}

struct TiffTiles {
    file: File,
    levels: Vec<Stored>,
}

/// Opens a file that begins like a TIFF; `None` where its first image is not tiled.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn open(path: &Path) -> Result<Option<Slide>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut decoder = Decoder::new(BufReader::new(&file)).map_err(said)?;
    let mut next = decoder.ifd_pointer();
    let mut found: Vec<(Level, Stored)> = Vec::new();
    let (mut size_stated, mut aperio, mut looked_at) = (None, false, 0);
    while let Some(pointer) = next {
        let directory = decoder.read_directory(pointer).map_err(said)?;
        if looked_at == 0 {
            if !directory.contains(Tag::TileWidth) {
                return Ok(None);
            }
            let description = ascii(&mut decoder, &directory, Tag::ImageDescription)?;
            aperio = description.starts_with("Aperio");
            size_stated = pixel_size::of_tiff(&description, resolution(&mut decoder, &directory)?)?;
        }
        // An OME-TIFF has its smaller levels below the first.
        let below = numbers(&mut decoder, &directory, Tag::SubIfd)?;
        let parts = below.into_iter().take(MAX_DIRECTORIES).map(IfdPointer);
        next = directory.next();
        let mut directories = vec![directory];
        for part in parts {
            directories.push(decoder.read_directory(part).map_err(said)?);
        }
        for directory in directories.iter().filter(|directory| directory.contains(Tag::TileWidth)) {
            let level = level(&mut decoder, directory)?;
            // Anything that is no smaller picture of the first one (another plane, a macro image) is no level.
            if found.iter().all(|(other, _)| Level::is_smaller(level.0.size, other.size)) {
                found.push(level);
            }
        }
        looked_at += 1;
        if looked_at == MAX_DIRECTORIES {
            break;
        }
    }
    let (levels, stored): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    drop(decoder);
    let kind = if aperio { "Aperio SVS" } else { "tiled TIFF" };
    let tiles = Box::new(TiffTiles { file, levels: stored });
    Ok(Some(Slide { kind, files: vec![path.to_owned()], levels, pixel_size: size_stated, dicom: None, tiles }))
}

impl Tiles for TiffTiles {
    fn tile(&self, level: usize, column: u32, row: u32) -> Result<Option<Vec<u8>>, String> {
        let stored = &self.levels[level];
        let index = row as usize * stored.columns as usize + column as usize;
        let (offset, length) = (stored.offsets[index], stored.bytes[index]);
        if length == 0 {
            return Ok(None);
        }
        if length > MAX_COMPRESSED {
            return Err(format!("{length} bytes, more than {MAX_COMPRESSED}"));
        }
        let bytes = read_at(&self.file, offset, length as usize).map_err(|error| format!("{length} bytes at {offset}: {error}"))?;
        stored.codec.decode(&bytes).map(Some)
    }

    fn resident_bytes(&self) -> u64 {
        self.levels.iter().map(|level| 16 * level.offsets.len() as u64).sum()
    }
}

fn level<R: Read + Seek>(decoder: &mut Decoder<R>, directory: &Directory) -> Result<(Level, Stored), String> {
    let mut one = |tag: Tag| -> Result<u64, String> { numbers(decoder, directory, tag).map(|values| values.first().copied().unwrap_or(0)) };
    let size = [one(Tag::ImageWidth)?, one(Tag::ImageLength)?];
    let tile = [one(Tag::TileWidth)?, one(Tag::TileLength)?];
    let (compression, photometric) = (one(Tag::Compression)?, one(Tag::PhotometricInterpretation)?);
    let (samples, differences, planar) = (one(Tag::SamplesPerPixel)?.max(1), one(Tag::Predictor)?, one(Tag::PlanarConfiguration)?);
    let in_range = |side: u64| (1..=u64::from(u32::MAX / 4)).contains(&side);
    if !size.iter().chain(&tile).all(|&side| in_range(side)) || tile[0].saturating_mul(tile[1]) > MAX_TILE_PIXELS {
        let ([width, height], [tile_width, tile_height]) = (size, tile);
        return Err(format!("an image of {width} x {height} px in tiles of {tile_width} x {tile_height} px"));
    }
    let bits = numbers(decoder, directory, Tag::BitsPerSample)?;
    if bits.iter().any(|&bits| bits != 8) || bits.is_empty() {
        return Err(format!("samples of {bits:?} bits, expected 8"));
    }
    if planar == 2 && samples > 1 {
        return Err("colours in planes of their own, expected them pixel by pixel".to_owned());
    }
    let samples = match (photometric, samples) {
        (0, 1) => Samples::InverseGrey,
        (1, 1) => Samples::Grey,
        (2, 3) => Samples::Rgb,
        (2, 4) => Samples::Rgba,
        (6, 3) => Samples::YCbCr,
        _ => return Err(format!("{samples} samples a pixel with photometric interpretation {photometric}, expected grey, RGB or YCbCr")),
    };
    let differences = match differences {
        0 | 1 => false,
        2 => true,
        other => return Err(format!("predictor {other}, expected 1 or 2")),
    };
    let (compression, samples) = match compression {
        1 => (Compression::None { differences }, samples),
        5 => (Compression::Lzw { differences }, samples),
        8 | 32_946 => (Compression::Deflate { differences }, samples),
        7 => (Compression::Jpeg { tables: bytes(decoder, directory, Tag::JPEGTables)? }, samples),
        // Aperio's two: what the samples are is in the number, not in the photometric interpretation.
        33_003 => (Compression::Jpeg2000, Samples::YCbCr),
        33_005 => (Compression::Jpeg2000, Samples::Rgb),
        34_712 => (Compression::Jpeg2000, samples),
        other => return Err(format!("compression {other}, expected none, LZW, deflate, JPEG or JPEG 2000")),
    };
    let (offsets, lengths) = (numbers(decoder, directory, Tag::TileOffsets)?, numbers(decoder, directory, Tag::TileByteCounts)?);
    let [columns, rows] = [0, 1].map(|axis| size[axis].div_ceil(tile[axis]));
    if offsets.len() as u64 != columns * rows || offsets.len() != lengths.len() {
        return Err(format!("{} tiles and {} lengths, expected {columns} x {rows}", offsets.len(), lengths.len()));
    }
    let (size, tile) = (size.map(|side| side as u32), tile.map(|side| side as u32));
    let codec = Codec { compression, samples, tile };
    Ok((Level { size, tile }, Stored { codec, columns: columns as u32, offsets, bytes: lengths }))
}

/// A tag's whole numbers; none where it is missing.
fn numbers<R: Read + Seek>(decoder: &mut Decoder<R>, directory: &Directory, tag: Tag) -> Result<Vec<u64>, String> {
    let mut tags = decoder.read_directory_tags(directory);
    Ok(tags.find_tag_unsigned_vec(tag).map_err(said)?.unwrap_or_default())
}

fn bytes<R: Read + Seek>(decoder: &mut Decoder<R>, directory: &Directory, tag: Tag) -> Result<Vec<u8>, String> {
    match decoder.read_directory_tags(directory).find_tag(tag).map_err(said)? {
        Some(value) => value.into_u8_vec().map_err(said),
        None => Ok(Vec::new()),
    }
}

/// A tag's text; what is no UTF-8 is replaced. Nothing where it is missing or no text.
fn ascii<R: Read + Seek>(decoder: &mut Decoder<R>, directory: &Directory, tag: Tag) -> Result<String, String> {
    let found = decoder.read_directory_tags(directory).find_tag(tag).map_err(said)?;
    Ok(match found {
        Some(Value::Ascii(text)) => text,
        Some(other) => other.into_u8_vec().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default(),
        None => String::new(),
    })
}

/// Pixels per unit, and the unit.
fn resolution<R: Read + Seek>(decoder: &mut Decoder<R>, directory: &Directory) -> Result<Option<([f64; 2], u16)>, String> {
    let unit = numbers(decoder, directory, Tag::ResolutionUnit)?.first().map_or(2, |&unit| unit as u16);
    let mut of = |tag: Tag| -> Result<Option<f64>, String> {
        let value = decoder.read_directory_tags(directory).find_tag(tag).map_err(said)?;
        Ok(value.and_then(|value| match value {
            Value::Rational(a, b) if b > 0 => Some(f64::from(a) / f64::from(b)),
            other => other.into_f64().ok(),
        }))
    };
    Ok(match (of(Tag::XResolution)?, of(Tag::YResolution)?) {
        (Some(x), Some(y)) if x > 0.0 && y > 0.0 => Some(([x, y], unit)),
        _ => None,
    })
}

fn said(error: TiffError) -> String {
    error.to_string()
}
