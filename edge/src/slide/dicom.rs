//! Slides in DICOM files (VL Whole Slide Microscopy Image, PS3.3 A.32.8): one file is one level.
//!
//! The file is held in memory as it is stored, compressed; [`Slide::resident_bytes`] counts it.

use super::codec::{Codec, Compression, Samples};
use super::{Level, MAX_TILE_PIXELS, Slide, Tiles, dicom_lengths, pixel_size, stated};
use crate::field::PixelSizeSource;
use dicom_core::Tag;
use dicom_core::value::Value;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, open_file};
use std::path::Path;

/// Files beyond this are not read.
const MAX_FILE_BYTES: u64 = 8 << 30;

/// Where frames are.
enum Frames {
    /// One after the other, each so many bytes.
    Native(Vec<u8>, usize),
    /// Each in parts that follow each other.
    Encapsulated(Vec<Vec<u8>>, Vec<std::ops::Range<usize>>),
}

struct DicomTiles {
    codec: Codec,
    columns: u32,
    /// The frame of each tile, row by row.
    frame_of: Vec<Option<u32>>,
    frames: Frames,
    bytes: u64,
}

/// Opens a file that begins like DICOM.
///
/// # Errors
/// What is wrong with it, or not supported, in words.
pub(super) fn open(path: &Path) -> Result<Slide, String> {
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(format!("{bytes} bytes, more than the {MAX_FILE_BYTES} that are read"));
    }
    dicom_lengths::check(path)?;
    let file = open_file(path).map_err(|error| crate::error::one_line(&error))?;
    let syntax = file.meta().transfer_syntax().trim_end_matches('\0').to_owned();
    let mut object = file.into_inner();
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
    let frame_of = frame_of(&object, [columns, rows], tile, count)?;
    let pixel_size = spacing(&object)?.map(|um| stated(um, PixelSizeSource::Dicom));
    let frames = frames(&mut object, &codec, count)?;
    let tiles = DicomTiles { codec, columns, frame_of, frames, bytes };
    let levels = vec![Level { size, tile }];
    Ok(Slide { kind: "DICOM slide", levels, pixel_size, dicom: Some(Box::new(object)), tiles: Box::new(tiles) })
}

impl Tiles for DicomTiles {
    fn tile(&self, _level: usize, column: u32, row: u32) -> Result<Option<Vec<u8>>, String> {
        let Some(frame) = self.frame_of[row as usize * self.columns as usize + column as usize] else { return Ok(None) };
        let frame = frame as usize;
        match &self.frames {
            Frames::Native(bytes, length) => {
                let own = bytes.get(frame * length..(frame + 1) * length).ok_or_else(|| format!("frame {frame} is not there"))?;
                self.codec.decode(own).map(Some)
            }
            Frames::Encapsulated(fragments, parts) => match &fragments[parts[frame].clone()] {
                [one] => self.codec.decode(one).map(Some),
                several => self.codec.decode(&several.concat()).map(Some),
            },
        }
    }

    fn resident_bytes(&self) -> u64 {
        // As it is read, and as it is kept.
        2 * self.bytes
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
fn frame_of(object: &InMemDicomObject, [columns, rows]: [u32; 2], tile: [u32; 2], count: u32) -> Result<Vec<Option<u32>>, String> {
    let tiles = u64::from(columns) * u64::from(rows);
    let full = dicom_text(object, tags::DIMENSION_ORGANIZATION_TYPE).is_some_and(|kind| kind == "TILED_FULL");
    if tiles > 1 << 26 {
        return Err(format!("{columns} x {rows} tiles"));
    }
    if full || object.element_opt(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).ok().flatten().is_none() {
        if u64::from(count) < tiles {
            return Err(format!("{count} frames, expected {columns} x {rows}"));
        }
        return Ok((0..tiles as u32).map(Some).collect());
    }
    let mut frame_of = vec![None; tiles as usize];
    for (frame, item) in dicom_items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).iter().enumerate().take(count as usize) {
        let position = dicom_items(item, tags::PLANE_POSITION_SLIDE_SEQUENCE);
        let place = position.first().ok_or_else(|| format!("frame {frame} without a position"))?;
        // Counted from 1.
        let [x, y] = [tags::COLUMN_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX, tags::ROW_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX]
            .map(|tag| number(place, tag).map(|position| position.wrapping_sub(1)));
        let (x, y) = (x?, y?);
        if x % tile[0] != 0 || y % tile[1] != 0 || x / tile[0] >= columns || y / tile[1] >= rows {
            return Err(format!("frame {frame} at ({x}, {y}), expected a multiple of its size"));
        }
        let slot = &mut frame_of[(y / tile[1]) as usize * columns as usize + (x / tile[0]) as usize];
        *slot = slot.or(Some(frame as u32));
    }
    Ok(frame_of)
}

/// Takes the pixels out of the object.
fn frames(object: &mut InMemDicomObject, codec: &Codec, count: u32) -> Result<Frames, String> {
    let element = object.take_element(tags::PIXEL_DATA).map_err(|_| "it has no pixels".to_owned())?;
    let count = count as usize;
    match element.into_value() {
        Value::Primitive(value) => {
            let length = codec.bytes();
            let bytes = value.to_bytes().into_owned();
            if bytes.len() < length * count {
                return Err(format!("{} bytes of pixels, expected {count} frames of {length}", bytes.len()));
            }
            Ok(Frames::Native(bytes, length))
        }
        Value::PixelSequence(sequence) => {
            let (offsets, fragments) = sequence.into_parts();
            let fragments: Vec<Vec<u8>> = fragments.into_iter().collect();
            if fragments.len() == count {
                let parts = (0..count).map(|frame| frame..frame + 1).collect();
                return Ok(Frames::Encapsulated(fragments, parts));
            }
            if offsets.len() != count {
                return Err(format!("{} fragments and {} offsets for {count} frames", fragments.len(), offsets.len()));
            }
            // Offsets count the eight bytes before each fragment.
            let mut starts = std::collections::HashMap::new();
            let mut at = 0_u64;
            for (index, fragment) in fragments.iter().enumerate() {
                starts.insert(at, index);
                at += 8 + fragment.len() as u64;
            }
            let first: Option<Vec<usize>> = offsets.iter().map(|&offset| starts.get(&u64::from(offset)).copied()).collect();
            let mut first = first.ok_or("offsets that point between fragments")?;
            first.push(fragments.len());
            if first.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err("offsets that are not in order".to_owned());
            }
            let parts = first.windows(2).map(|pair| pair[0]..pair[1]).collect();
            Ok(Frames::Encapsulated(fragments, parts))
        }
        Value::Sequence(_) => Err("its pixels are a sequence".to_owned()),
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
