//! Makes DICOM slides like those of slide scanners: uncompressed or JPEG, one file a level.

use dicom_core::value::{DataSetSequence, PixelFragmentSequence};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::crop_imm;
use image::{ExtendedColorType, Rgb, RgbImage};
use std::path::Path;

/// What a file states.
#[derive(Debug, Clone)]
pub(crate) struct DicomFile {
    pub(crate) tile: u32,
    /// JPEG baseline, in two fragments a frame; or plain pixels.
    pub(crate) jpeg: bool,
    pub(crate) series: String,
    /// What it is a picture of: VOLUME, LABEL, OVERVIEW.
    pub(crate) kind: &'static str,
    pub(crate) um_per_px: f64,
}

impl Default for DicomFile {
    fn default() -> Self {
        Self { tile: 64, jpeg: false, series: "1.2.3".to_owned(), kind: "VOLUME", um_per_px: 1.0 }
    }
}

impl DicomFile {
    pub(crate) fn write(&self, path: &Path, image: &RgbImage) {
        let (width, height) = image.dimensions();
        let [columns, rows] = [width, height].map(|side| side.div_ceil(self.tile));
        let frames: Vec<Vec<u8>> = (0..columns * rows).map(|index| self.frame(image, index % columns, index / columns)).collect();
        let mut object = InMemDicomObject::new_empty();
        let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| object.put(DataElement::new(tag, vr, value));
        // The same for the same slide, but one for every file.
        let instance = format!("{}.{width}.{height}", self.series);
        for (tag, vr, text) in [
            (tags::IMAGE_TYPE, VR::CS, format!("ORIGINAL\\PRIMARY\\{}\\NONE", self.kind).as_str()),
            (tags::SOP_CLASS_UID, VR::UI, uids::VL_WHOLE_SLIDE_MICROSCOPY_IMAGE_STORAGE),
            (tags::SOP_INSTANCE_UID, VR::UI, &instance),
            (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.1"),
            (tags::SERIES_INSTANCE_UID, VR::UI, &self.series),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.2"),
            (tags::DIMENSION_ORGANIZATION_TYPE, VR::CS, "TILED_FULL"),
            (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, if self.jpeg { "YBR_FULL_422" } else { "RGB" }),
            (tags::NUMBER_OF_FRAMES, VR::IS, &frames.len().to_string()),
            (tags::IMAGE_ORIENTATION_SLIDE, VR::DS, "0\\-1\\0\\-1\\0\\0"),
        ] {
            put(tag, vr, PrimitiveValue::Strs(text.split('\\').map(str::to_owned).collect::<Vec<_>>().into()));
        }
        for (tag, value) in
            [(tags::SAMPLES_PER_PIXEL, 3), (tags::PLANAR_CONFIGURATION, 0), (tags::BITS_ALLOCATED, 8), (tags::BITS_STORED, 8)]
        {
            put(tag, VR::US, PrimitiveValue::from(value as u16));
        }
        for tag in [tags::ROWS, tags::COLUMNS] {
            put(tag, VR::US, PrimitiveValue::from(self.tile as u16));
        }
        put(tags::TOTAL_PIXEL_MATRIX_COLUMNS, VR::UL, PrimitiveValue::from(width));
        put(tags::TOTAL_PIXEL_MATRIX_ROWS, VR::UL, PrimitiveValue::from(height));
        let spacing = vec![(self.um_per_px / 1000.0).to_string(); 2];
        let measures =
            with(InMemDicomObject::new_empty(), DataElement::new(tags::PIXEL_SPACING, VR::DS, PrimitiveValue::Strs(spacing.into())));
        let shared = with(InMemDicomObject::new_empty(), sequence(tags::PIXEL_MEASURES_SEQUENCE, measures));
        object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared));
        let syntax = if self.jpeg { uids::JPEG_BASELINE8_BIT } else { uids::EXPLICIT_VR_LITTLE_ENDIAN };
        if self.jpeg {
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, encapsulated(&frames)));
        } else {
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(frames.concat())));
        }
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(syntax)
            .media_storage_sop_class_uid(uids::VL_WHOLE_SLIDE_MICROSCOPY_IMAGE_STORAGE)
            .media_storage_sop_instance_uid(instance.as_str());
        object.with_meta(meta).unwrap().write_to_file(path).unwrap();
    }

    /// A frame as it is stored; white beyond the image.
    fn frame(&self, image: &RgbImage, column: u32, row: u32) -> Vec<u8> {
        let mut tile = RgbImage::from_pixel(self.tile, self.tile, Rgb([255; 3]));
        image::imageops::replace(&mut tile, &*crop_imm(image, column * self.tile, row * self.tile, self.tile, self.tile), 0, 0);
        if !self.jpeg {
            return tile.into_raw();
        }
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 100).encode(&tile, self.tile, self.tile, ExtendedColorType::Rgb8).unwrap();
        bytes
    }
}

/// Each frame in two fragments of an even length, as a table of offsets says.
fn encapsulated(frames: &[Vec<u8>]) -> PixelFragmentSequence<Vec<u8>> {
    let (mut offsets, mut fragments, mut at) = (Vec::new(), Vec::new(), 0);
    for frame in frames {
        offsets.push(at);
        let (a, b) = frame.split_at(frame.len() / 4 * 2);
        for part in [a, b] {
            let mut part = part.to_vec();
            part.resize(part.len().next_multiple_of(2), 0);
            at += 8 + part.len() as u32;
            fragments.push(part);
        }
    }
    PixelFragmentSequence::new(offsets, fragments)
}

fn with(mut object: InMemDicomObject, element: DataElement<InMemDicomObject>) -> InMemDicomObject {
    object.put(element);
    object
}

fn sequence(tag: Tag, item: InMemDicomObject) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item]))
}
