//! The mask of a DICOM slide as a DICOM Segmentation (PS3.3 A.51): binary, one segment, TILED_FULL, at the model's pixel size, in the slide's own
//! frame of reference and study. UIDs follow from what the mask follows from.

use crate::error::Error;
use crate::slide::{dicom_items, dicom_text};
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use sha2::{Digest, Sha256};
use std::io::{self, BufWriter};
use std::path::Path;

use super::file::write_whole_with;

/// Longest side of a frame.
const TILE: u32 = 512;

/// Root of UIDs that are UUIDs in decimal (PS3.5 B.2).
const UUID_ROOT: &str = "2.25";

/// What the slide's file says that holds for its segmentation too: patient, study, specimen, frame of reference.
const COPIED: [Tag; 31] = [
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_AGE,
    tags::PATIENT_COMMENTS,
    tags::SPECIFIC_CHARACTER_SET,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::STUDY_ID,
    tags::STUDY_DESCRIPTION,
    tags::ACCESSION_NUMBER,
    tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::FRAME_OF_REFERENCE_UID,
    tags::POSITION_REFERENCE_INDICATOR,
    tags::IMAGE_ORIENTATION_SLIDE,
    tags::IMAGED_VOLUME_WIDTH,
    tags::IMAGED_VOLUME_HEIGHT,
    tags::IMAGED_VOLUME_DEPTH,
    tags::CONTAINER_IDENTIFIER,
    tags::ISSUER_OF_THE_CONTAINER_IDENTIFIER_SEQUENCE,
    tags::CONTAINER_TYPE_CODE_SEQUENCE,
    tags::SPECIMEN_DESCRIPTION_SEQUENCE,
    tags::LOSSY_IMAGE_COMPRESSION,
    tags::LOSSY_IMAGE_COMPRESSION_RATIO,
    tags::LOSSY_IMAGE_COMPRESSION_METHOD,
    tags::ACQUISITION_CONTEXT_SEQUENCE,
];

/// A mask in the place of its slide.
pub(crate) struct Segmentation<'a> {
    /// What the slide's file says.
    pub(crate) source: &'a InMemDicomObject,
    /// What the mask follows from: UIDs are made of it.
    pub(crate) origin: &'a str,
    pub(crate) model_sha256: &'a str,
    /// Name of the class that is drawn.
    pub(crate) class: &'a str,
    /// Pixel size of the slide, and of the mask.
    pub(crate) um_per_px: [f64; 2],
    /// Width and height of the mask.
    pub(crate) size: [u32; 2],
    /// Date and time of its making, `YYYYMMDD` and `HHMMSS`, UTC.
    pub(crate) made: [String; 2],
}

/// Bytes that it takes in memory.
pub(crate) fn dicom_seg_bytes(size: [u32; 2]) -> u64 {
    let [width, height] = size.map(|side| u64::from(side.next_multiple_of(TILE)));
    // Made and encoded.
    width * height / 8 * 2
}

/// Writes the file.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn write_dicom_seg(path: &Path, of: &Segmentation<'_>, is_in: impl Fn(usize, usize) -> bool) -> Result<(), Error> {
    let failed = |error: &dyn std::error::Error| Error::Write { path: path.to_owned(), source: io::Error::other(crate::one_line(error)) };
    let instance = of.uid("instance");
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(uids::SEGMENTATION_STORAGE)
        .media_storage_sop_instance_uid(instance.as_str());
    let file = of.object(&instance, is_in).with_meta(meta).map_err(|error| failed(&error))?;
    write_whole_with(path, |to| file.write_all(BufWriter::new(to)).map_err(|error| failed(&error)))
}

impl Segmentation<'_> {
    fn object(&self, instance: &str, is_in: impl Fn(usize, usize) -> bool) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        for tag in COPIED {
            if let Ok(Some(element)) = self.source.element_opt(tag) {
                object.put(element.clone());
            }
        }
        // Needed, though they may be empty.
        for (tag, vr) in [
            (tags::PATIENT_NAME, VR::PN),
            (tags::PATIENT_ID, VR::LO),
            (tags::PATIENT_BIRTH_DATE, VR::DA),
            (tags::PATIENT_SEX, VR::CS),
            (tags::STUDY_DATE, VR::DA),
            (tags::STUDY_TIME, VR::TM),
            (tags::STUDY_ID, VR::SH),
            (tags::ACCESSION_NUMBER, VR::SH),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
        ] {
            if matches!(object.element_opt(tag), Ok(None)) {
                object.put(DataElement::empty(tag, vr));
            }
        }
        let [width, height] = self.size;
        let tile = self.size.map(|side| side.next_multiple_of(8).min(TILE));
        let [columns, rows] = [0, 1].map(|axis| self.size[axis].div_ceil(tile[axis]));
        let put = &mut object;
        string(put, tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY");
        string(put, tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE);
        string(put, tags::SOP_INSTANCE_UID, VR::UI, instance);
        string(put, tags::CONTENT_DATE, VR::DA, &self.made[0]);
        string(put, tags::CONTENT_TIME, VR::TM, &self.made[1]);
        string(put, tags::MODALITY, VR::CS, "SEG");
        string(put, tags::MANUFACTURER, VR::LO, "lsr");
        string(put, tags::MANUFACTURER_MODEL_NAME, VR::LO, "lsr-edge");
        string(put, tags::DEVICE_SERIAL_NUMBER, VR::LO, self.model_sha256.get(..16).unwrap_or_default());
        string(put, tags::SOFTWARE_VERSIONS, VR::LO, crate::VERSION);
        string(put, tags::SERIES_INSTANCE_UID, VR::UI, &self.uid("series"));
        string(put, tags::SERIES_NUMBER, VR::IS, "1");
        string(put, tags::SERIES_DESCRIPTION, VR::LO, "Cancer mask, research use only");
        string(put, tags::INSTANCE_NUMBER, VR::IS, "1");
        string(put, tags::CONTENT_LABEL, VR::CS, "CANCER_MASK");
        string(put, tags::CONTENT_DESCRIPTION, VR::LO, "lsr-edge: research use only");
        string(put, tags::CONTENT_CREATOR_NAME, VR::PN, "lsr-edge");
        self.put_references(put);
        let dimensions = self.uid("dimensions");
        put_sequence(
            put,
            tags::DIMENSION_ORGANIZATION_SEQUENCE,
            one(|item| string(item, tags::DIMENSION_ORGANIZATION_UID, VR::UI, &dimensions)),
        );
        put.put(DataElement::new(tags::DIMENSION_INDEX_SEQUENCE, VR::SQ, DataSetSequence::from(dimension_index(&dimensions))));
        string(put, tags::DIMENSION_ORGANIZATION_TYPE, VR::CS, "TILED_FULL");
        word(put, tags::SAMPLES_PER_PIXEL, 1);
        string(put, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        string(put, tags::NUMBER_OF_FRAMES, VR::IS, &(columns * rows).to_string());
        word(put, tags::ROWS, tile[1] as u16);
        word(put, tags::COLUMNS, tile[0] as u16);
        word(put, tags::BITS_ALLOCATED, 1);
        word(put, tags::BITS_STORED, 1);
        word(put, tags::HIGH_BIT, 0);
        word(put, tags::PIXEL_REPRESENTATION, 0);
        if matches!(put.element_opt(tags::LOSSY_IMAGE_COMPRESSION), Ok(None)) {
            string(put, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
        }
        put.put(DataElement::new(tags::TOTAL_PIXEL_MATRIX_COLUMNS, VR::UL, PrimitiveValue::from(width)));
        put.put(DataElement::new(tags::TOTAL_PIXEL_MATRIX_ROWS, VR::UL, PrimitiveValue::from(height)));
        put.put(DataElement::new(tags::TOTAL_PIXEL_MATRIX_FOCAL_PLANES, VR::UL, PrimitiveValue::from(1_u32)));
        self.put_origin(put);
        string(put, tags::SEGMENTATION_TYPE, VR::CS, "BINARY");
        string(put, tags::SEGMENTS_OVERLAP, VR::CS, "NO");
        put_sequence(put, tags::SEGMENT_SEQUENCE, self.segment());
        put_sequence(put, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, self.shared());
        put.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(packed(self.size, tile, is_in))));
        object
    }

    /// Whose mask it is.
    fn put_references(&self, object: &mut InMemDicomObject) {
        let class = dicom_text(self.source, tags::SOP_CLASS_UID).unwrap_or_default();
        let instance = dicom_text(self.source, tags::SOP_INSTANCE_UID).unwrap_or_default();
        let series = dicom_text(self.source, tags::SERIES_INSTANCE_UID).unwrap_or_default();
        let reference = || {
            one(|item| {
                string(item, tags::REFERENCED_SOP_CLASS_UID, VR::UI, &class);
                string(item, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &instance);
            })
        };
        let of_series = one(|item| {
            string(item, tags::SERIES_INSTANCE_UID, VR::UI, &series);
            put_sequence(item, tags::REFERENCED_INSTANCE_SEQUENCE, reference());
        });
        put_sequence(object, tags::REFERENCED_SERIES_SEQUENCE, of_series);
        put_sequence(object, tags::SOURCE_IMAGE_SEQUENCE, reference());
    }

    /// Where the centre of the mask's first pixel lies: half a pixel of the mask from the corner, where the slide's own is half one of its own.
    fn put_origin(&self, object: &mut InMemDicomObject) {
        let numbers = |item: &InMemDicomObject, tag: Tag| -> Vec<f64> {
            item.element_opt(tag).ok().flatten().and_then(|element| element.to_multi_float64().ok()).unwrap_or_default()
        };
        let orientation = numbers(self.source, tags::IMAGE_ORIENTATION_SLIDE);
        let further = (self.um_per_px[1] - self.um_per_px[0]) / 2000.0;
        let place = |tag: Tag, axis: usize| -> f64 {
            let own = dicom_items(self.source, tags::TOTAL_PIXEL_MATRIX_ORIGIN_SEQUENCE)
                .first()
                .and_then(|item| numbers(item, tag).first().copied());
            let along = [axis, axis + 3].iter().filter_map(|&at| orientation.get(at)).sum::<f64>();
            own.unwrap_or(0.0) + further * along
        };
        let (x, y) = (place(tags::X_OFFSET_IN_SLIDE_COORDINATE_SYSTEM, 0), place(tags::Y_OFFSET_IN_SLIDE_COORDINATE_SYSTEM, 1));
        let origin = one(|item| {
            string(item, tags::X_OFFSET_IN_SLIDE_COORDINATE_SYSTEM, VR::DS, &decimal(x));
            string(item, tags::Y_OFFSET_IN_SLIDE_COORDINATE_SYSTEM, VR::DS, &decimal(y));
        });
        put_sequence(object, tags::TOTAL_PIXEL_MATRIX_ORIGIN_SEQUENCE, origin);
    }

    fn segment(&self) -> InMemDicomObject {
        one(|item| {
            put_sequence(
                item,
                tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE,
                code("49755003", "SCT", "Morphologically Abnormal Structure"),
            );
            word(item, tags::SEGMENT_NUMBER, 1);
            string(item, tags::SEGMENT_LABEL, VR::LO, self.class);
            string(item, tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "AUTOMATIC");
            string(item, tags::SEGMENT_ALGORITHM_NAME, VR::LO, "lsr-edge");
            let algorithm = one(|item| {
                put_sequence(item, tags::ALGORITHM_FAMILY_CODE_SEQUENCE, code("123110", "DCM", "Artificial Intelligence"));
                string(item, tags::ALGORITHM_NAME, VR::LO, "lsr-edge");
                string(item, tags::ALGORITHM_VERSION, VR::LO, crate::VERSION);
                string(item, tags::ALGORITHM_PARAMETERS, VR::LT, self.origin);
            });
            put_sequence(item, tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, algorithm);
            put_sequence(item, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, code("108369006", "SCT", "Neoplasm"));
            string(item, tags::TRACKING_ID, VR::UT, self.class);
            string(item, tags::TRACKING_UID, VR::UI, &self.uid("segment"));
        })
    }

    fn shared(&self) -> InMemDicomObject {
        let of_source = dicom_items(self.source, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
        let measures = of_source.and_then(|item| dicom_items(item, tags::PIXEL_MEASURES_SEQUENCE).first());
        let thickness = measures.and_then(|item| dicom_text(item, tags::SLICE_THICKNESS)).unwrap_or_else(|| "0.001".to_owned());
        one(|item| {
            let measures = one(|item| {
                let side = decimal(self.um_per_px[1] / 1000.0);
                string(item, tags::PIXEL_SPACING, VR::DS, &format!("{side}\\{side}"));
                string(item, tags::SLICE_THICKNESS, VR::DS, &thickness);
                string(item, tags::SPACING_BETWEEN_SLICES, VR::DS, &thickness);
            });
            put_sequence(item, tags::PIXEL_MEASURES_SEQUENCE, measures);
            let segment = one(|item| word(item, tags::REFERENCED_SEGMENT_NUMBER, 1));
            put_sequence(item, tags::SEGMENT_IDENTIFICATION_SEQUENCE, segment);
        })
    }

    /// Follows from what the mask follows from, and its use.
    fn uid(&self, of: &str) -> String {
        let hash =
            Sha256::new().chain_update(crate::VERSION).chain_update([0]).chain_update(self.origin).chain_update([0]).chain_update(of);
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        format!("{UUID_ROOT}.{}", uuid::Builder::from_custom_bytes(bytes).into_uuid().as_u128())
    }
}

/// One bit a pixel, the first in the lowest bit, frame after frame; frames are whole bytes.
fn packed([width, height]: [u32; 2], tile: [u32; 2], is_in: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    let [across, down] = tile.map(|side| side as usize);
    let frame = across * down / 8;
    let mut bytes = vec![0; width.div_ceil(across) * height.div_ceil(down) * frame];
    for y in 0..height {
        for x in (0..width).filter(|&x| is_in(x, y)) {
            let number = y / down * width.div_ceil(across) + x / across;
            let bit = y % down * across + x % across;
            bytes[number * frame + bit / 8] |= 1 << (bit % 8);
        }
    }
    // Values have an even length.
    if !bytes.len().is_multiple_of(2) {
        bytes.push(0);
    }
    bytes
}

/// What tells frames apart: in TILED_FULL their order follows from it.
fn dimension_index(organization: &str) -> Vec<InMemDicomObject> {
    let position = tags::PLANE_POSITION_SLIDE_SEQUENCE;
    let dimensions = [
        (tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment Number"),
        (tags::ROW_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX, position, "Row Position In Total Image Pixel Matrix"),
        (tags::COLUMN_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX, position, "Column Position In Total Image Pixel Matrix"),
    ];
    let dimension = |(pointer, group, label): (Tag, Tag, &str)| {
        one(|item| {
            string(item, tags::DIMENSION_ORGANIZATION_UID, VR::UI, organization);
            item.put(DataElement::new(tags::DIMENSION_INDEX_POINTER, VR::AT, PrimitiveValue::from(pointer)));
            item.put(DataElement::new(tags::FUNCTIONAL_GROUP_POINTER, VR::AT, PrimitiveValue::from(group)));
            string(item, tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label);
        })
    };
    dimensions.map(dimension).into()
}

fn code(value: &str, scheme: &str, meaning: &str) -> InMemDicomObject {
    one(|item| {
        string(item, tags::CODE_VALUE, VR::SH, value);
        string(item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme);
        string(item, tags::CODE_MEANING, VR::LO, meaning);
    })
}

/// An item of a sequence.
fn one(fill: impl FnOnce(&mut InMemDicomObject)) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    fill(&mut item);
    item
}

fn put_sequence(object: &mut InMemDicomObject, tag: Tag, item: InMemDicomObject) {
    object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item])));
}

fn string(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    let parts: Vec<String> = value.split('\\').map(str::to_owned).collect();
    let value = match vr {
        // A backslash is an ordinary letter in long texts.
        VR::LT | VR::UT => PrimitiveValue::from(value),
        _ => PrimitiveValue::Strs(parts.into()),
    };
    object.put(DataElement::new(tag, vr, value));
}

fn word(object: &mut InMemDicomObject, tag: Tag, value: u16) {
    object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
}

/// A decimal string: at most sixteen letters.
fn decimal(value: f64) -> String {
    let text = format!("{value}");
    if text.len() <= 16 { text } else { format!("{value:.10}").chars().take(16).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_lie_frame_by_frame_from_the_lowest() {
        let bytes = packed([10, 3], [8, 8], |x, y| (x, y) == (1, 0) || (x, y) == (9, 2));
        assert_eq!(bytes.len(), 16);
        assert_eq!((bytes[0], bytes[10]), (0b10, 0b10));
        assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 2);
    }

    #[test]
    fn numbers_fit_a_decimal_string() {
        for (value, expected) in
            [(0.002, "0.002"), (-23.449_873, "-23.449873"), (1.0 / 3.0, "0.3333333333"), (-1_234.567_890_123_456_7, "-1234.5678901235")]
        {
            assert_eq!(decimal(value), expected);
        }
    }
}
