//! Slides in DICOM files (VL Whole Slide Microscopy Image, PS3.3 A.32.8): one file is one level, the files of a series are a pyramid.
//!
//! Frames are read from the file when they are asked for.

use super::codec::{Codec, Compression, Samples};
use super::dicom_series::{Member, smaller_levels};
use super::dicom_walk::{Contents, Piece, Pixels};
use super::read_at::read_at;
use super::{Level, MAX_TILE_PIXELS, Slide, Tiles, pixel_size, stated};
use crate::field::PixelSizeSource;
use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, OpenFileOptions};
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// Longest frame as it is stored.
const MAX_COMPRESSED: u64 = 256 << 20;

/// Memory that an element takes for a byte in the file; 30 were measured for small ones.
const HEADER_FACTOR: u64 = 40;

/// Where frames are.
enum Frames {
    /// One after the other, each so many bytes.
    Native { at: u64, bytes: usize },
    /// Each in parts that follow each other.
    Encapsulated { pieces: Vec<Piece>, parts: Vec<Range<usize>> },
}

/// One file.
struct Image {
    file: File,
    level: Level,
    codec: Codec,
    columns: u32,
    /// The frame of each tile, row by row.
    frame_of: Vec<Option<u32>>,
    frames: Frames,
    pixel_size: Option<f64>,
    header_bytes: u64,
}

struct DicomTiles(Vec<Image>);

/// Opens a file that begins like DICOM, with the coarser levels of its series that lie beside it.
///
/// # Errors
/// What is wrong with it, or not supported, in words.
pub(super) fn open(path: &Path) -> Result<Slide, String> {
    let (image, object) = Image::open(path)?;
    let (mut files, mut images) = (vec![path.to_owned()], vec![image]);
    let pixel_size = images[0].pixel_size.map(|um| stated(um, PixelSizeSource::Dicom));
    if let Some(own) = Member::of(path) {
        for file in smaller_levels(path, &own) {
            let (image, _) = Image::open(&file).map_err(|reason| format!("{}, a level of it: {reason}", file.display()))?;
            images.push(image);
            files.push(file);
        }
    }
    let levels = images.iter().map(|image| image.level.clone()).collect();
    Ok(Slide { kind: "DICOM slide", files, levels, pixel_size, dicom: Some(Box::new(object)), tiles: Box::new(DicomTiles(images)) })
}

impl Image {
    /// Opens a file; what it says of the slide comes with it.
    fn open(path: &Path) -> Result<(Self, InMemDicomObject), String> {
        let contents = Contents::of(path)?;
        let opened = OpenFileOptions::new()
            .read_until(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)
            .open_file(path)
            .map_err(|error| crate::error::one_line(&error))?;
        let syntax = opened.meta().transfer_syntax().trim_end_matches('\0').to_owned();
        let object = opened.into_inner();
        let class = dicom_text(&object, tags::SOP_CLASS_UID).unwrap_or_default();
        if class != uids::VL_WHOLE_SLIDE_MICROSCOPY_IMAGE_STORAGE {
            return Err(format!("SOP class {class}, expected a VL whole slide microscopy image"));
        }
        let kind = dicom_text(&object, tags::IMAGE_TYPE).unwrap_or_default();
        if !kind.split('\\').any(|part| part == "VOLUME") {
            return Err(format!("image type {kind}, expected a VOLUME (no label, overview or thumbnail)"));
        }
        let size = [number(&object, tags::TOTAL_PIXEL_MATRIX_COLUMNS)?, number(&object, tags::TOTAL_PIXEL_MATRIX_ROWS)?];
        let tile = [number(&object, tags::COLUMNS)?, number(&object, tags::ROWS)?];
        if tile.iter().map(|&side| u64::from(side)).product::<u64>() > MAX_TILE_PIXELS {
            return Err(format!("frames of {} x {} px", tile[0], tile[1]));
        }
        let bits = number(&object, tags::BITS_ALLOCATED)?;
        if bits != 8 {
            return Err(format!("samples of {bits} bits, expected 8"));
        }
        let codec = codec(&object, &syntax, tile)?;
        let [columns, rows] = [0, 1].map(|axis| size[axis].div_ceil(tile[axis]));
        let count = number(&object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
        let full = dicom_text(&object, tags::DIMENSION_ORGANIZATION_TYPE).is_some_and(|kind| kind == "TILED_FULL");
        let positions = contents.positions.as_deref().filter(|_| !full);
        let frame_of = frame_of(positions, [columns, rows], tile, count)?;
        let pixel_size = spacing(&object)?;
        let header_bytes = contents.header_bytes;
        let file = File::open(path).map_err(|error| error.to_string())?;
        let frames = frames(&file, contents, &codec, count)?;
        Ok((Self { file, level: Level { size, tile }, codec, columns, frame_of, frames, pixel_size, header_bytes }, object))
    }

    /// A frame as it is stored.
    fn stored(&self, frame: usize) -> Result<Vec<u8>, String> {
        match &self.frames {
            Frames::Native { at, bytes } => self.read(at + frame as u64 * *bytes as u64, *bytes),
            Frames::Encapsulated { pieces, parts } => {
                let pieces = parts.get(frame).map(|part| &pieces[part.clone()]).ok_or_else(|| format!("frame {frame} is not there"))?;
                let bytes: u64 = pieces.iter().map(|piece| u64::from(piece.bytes)).sum();
                if bytes > MAX_COMPRESSED {
                    return Err(format!("{bytes} bytes, more than {MAX_COMPRESSED}"));
                }
                let read = pieces.iter().map(|piece| self.read(piece.at, piece.bytes as usize));
                read.collect::<Result<Vec<_>, _>>().map(|parts| parts.concat())
            }
        }
    }

    fn read(&self, at: u64, bytes: usize) -> Result<Vec<u8>, String> {
        read_at(&self.file, at, bytes).map_err(|error| format!("{bytes} bytes at {at}: {error}"))
    }

    fn resident_bytes(&self) -> u64 {
        let frames = match &self.frames {
            Frames::Native { .. } => 0,
            Frames::Encapsulated { pieces, parts } => size_of_val(&pieces[..]) + size_of_val(&parts[..]),
        };
        // A place for each frame while it is opened.
        (2 * size_of_val(&self.frame_of[..]) + frames) as u64 + HEADER_FACTOR * self.header_bytes
    }
}

impl Tiles for DicomTiles {
    fn tile(&self, level: usize, column: u32, row: u32) -> Result<Option<Vec<u8>>, String> {
        let image = &self.0[level];
        let frame = image.frame_of[row as usize * image.columns as usize + column as usize];
        frame.map(|frame| image.codec.decode(&image.stored(frame as usize)?)).transpose()
    }

    fn resident_bytes(&self) -> u64 {
        self.0.iter().map(Image::resident_bytes).sum()
    }
}

fn codec(object: &InMemDicomObject, syntax: &str, tile: [u32; 2]) -> Result<Codec, String> {
    let photometric = dicom_text(object, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    let samples = match photometric.as_str() {
        "MONOCHROME1" => Samples::InverseGrey,
        "MONOCHROME2" => Samples::Grey,
        // JPEG 2000 undoes its own colour transforms.
        "RGB" | "YBR_RCT" | "YBR_ICT" => Samples::Rgb,
        "YBR_FULL" | "YBR_FULL_422" => Samples::YCbCr,
        other => return Err(format!("photometric interpretation {other}, expected grey, RGB or YBR")),
    };
    let native = [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN];
    let compression = match syntax {
        syntax if native.contains(&syntax) => {
            let planes = number(object, tags::PLANAR_CONFIGURATION).unwrap_or(0);
            if planes != 0 || photometric == "YBR_FULL_422" {
                return Err(format!("{photometric} with planar configuration {planes}, expected whole pixels one after the other"));
            }
            Compression::None { differences: false }
        }
        uids::JPEG_BASELINE8_BIT => Compression::Jpeg { tables: Vec::new() },
        uids::JPEG2000 | uids::JPEG2000_LOSSLESS => Compression::Jpeg2000,
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => Compression::JpegLs,
        other => return Err(format!("transfer syntax {other}, expected uncompressed, JPEG baseline, JPEG 2000 or JPEG-LS")),
    };
    Ok(Codec { compression, samples, tile })
}

/// The first frame of every tile: other focal planes and optical paths come later.
///
/// - `positions`: of every frame; none where they follow each other row by row
fn frame_of(positions: Option<&[[u32; 2]]>, [columns, rows]: [u32; 2], tile: [u32; 2], count: u32) -> Result<Vec<Option<u32>>, String> {
    let tiles = u64::from(columns) * u64::from(rows);
    if tiles > 1 << 26 {
        return Err(format!("{columns} x {rows} tiles"));
    }
    let Some(positions) = positions else {
        if u64::from(count) < tiles {
            return Err(format!("{count} frames, expected {columns} x {rows}"));
        }
        return Ok((0..tiles as u32).map(Some).collect());
    };
    let mut frame_of = vec![None; tiles as usize];
    for (frame, position) in (0..count).zip(positions) {
        // Counted from 1.
        if position.contains(&0) {
            return Err(format!("frame {frame} without a position"));
        }
        let [x, y] = position.map(|place| place - 1);
        if x % tile[0] != 0 || y % tile[1] != 0 || x / tile[0] >= columns || y / tile[1] >= rows {
            return Err(format!("frame {frame} at ({x}, {y}), expected a multiple of its size"));
        }
        let slot = &mut frame_of[(y / tile[1]) as usize * columns as usize + (x / tile[0]) as usize];
        *slot = slot.or(Some(frame));
    }
    Ok(frame_of)
}

/// Where each frame is.
///
/// # Errors
/// In words.
fn frames(file: &File, contents: Contents, codec: &Codec, count: u32) -> Result<Frames, String> {
    let count = count as usize;
    match contents.pixels.ok_or("it has no pixels")? {
        Pixels::Native(piece) => {
            let bytes = codec.bytes();
            if u64::from(piece.bytes) < bytes as u64 * count as u64 {
                return Err(format!("{} bytes of pixels, expected {count} frames of {bytes}", piece.bytes));
            }
            Ok(Frames::Native { at: piece.at, bytes })
        }
        Pixels::Encapsulated(mut pieces) => {
            if pieces.is_empty() {
                return Err("pixels without a table of offsets".to_owned());
            }
            let table = pieces.remove(0);
            if pieces.len() == count {
                let parts = (0..count).map(|frame| frame..frame + 1).collect();
                return Ok(Frames::Encapsulated { pieces, parts });
            }
            if table.bytes as usize != 4 * count {
                return Err(format!("{} fragments and {} offsets for {count} frames", pieces.len(), table.bytes / 4));
            }
            let offsets = read_at(file, table.at, table.bytes as usize).map_err(|error| format!("the table of offsets: {error}"))?;
            // Offsets count from the first fragment's tag, eight bytes before its own.
            let from = pieces.first().map_or(0, |piece| piece.at);
            let starts: HashMap<u64, usize> = pieces.iter().enumerate().map(|(index, piece)| (piece.at - from, index)).collect();
            let offsets = offsets.as_chunks::<4>().0.iter().map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
            let first: Option<Vec<usize>> = offsets.map(|offset| starts.get(&offset).copied()).collect();
            let mut first = first.ok_or("offsets that point between fragments")?;
            first.push(pieces.len());
            if first.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err("offsets that are not in order".to_owned());
            }
            let parts = first.windows(2).map(|pair| pair[0]..pair[1]).collect();
            Ok(Frames::Encapsulated { pieces, parts })
        }
    }
}

/// Micrometres per pixel: the file has millimetres, rows first.
fn spacing(object: &InMemDicomObject) -> Result<Option<f64>, String> {
    let shared = dicom_items(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let measures = shared.first().map(|item| dicom_items(item, tags::PIXEL_MEASURES_SEQUENCE)).unwrap_or_default();
    let spacing = measures.first().and_then(|item| item.element_opt(tags::PIXEL_SPACING).ok().flatten());
    let sides = spacing.and_then(|element| element.to_multi_float64().ok()).unwrap_or_default();
    match sides[..] {
        [y, x] if x > 0.0 && y > 0.0 => pixel_size::square([1000.0 * x, 1000.0 * y]).map(Some),
        _ => Ok(None),
    }
}

/// Items of a sequence; none where it is missing.
pub(crate) fn dicom_items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object.element_opt(tag).ok().flatten().and_then(|element| element.items()).unwrap_or(&[])
}

/// A text without its padding.
pub(crate) fn dicom_text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let element = object.element_opt(tag).ok().flatten()?;
    element.to_str().ok().map(|text| text.trim_end_matches(['\0', ' ']).to_owned())
}

fn number(object: &InMemDicomObject, tag: Tag) -> Result<u32, String> {
    let element = object.element_opt(tag).ok().flatten().ok_or_else(|| format!("{tag} is missing"))?;
    let value: u32 = element.to_int().map_err(|_| format!("{tag} is no number"))?;
    if value == 0 && tag != tags::PLANAR_CONFIGURATION { Err(format!("{tag} is 0")) } else { Ok(value) }
}
