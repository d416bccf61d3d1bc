//! The regions of a session's masks as QuPath reads them.

use super::picture_in;
use super::read::Sessions;
use super::record::{FieldRecord, Kind, SessionRecord};
use crate::error::Error;
use crate::model::mask_class_of;
use crate::output::{Origin, Region, geojson_bytes, regions, write_whole};
use crate::read::read_file;
use crate::segment::MAX_FILE_BYTES;
use serde_json::{Value, json};
use std::path::Path;

/// The regions of a field, from its mask and probabilities as files.
///
/// # Errors
/// [`Error::Decode`], and what `picture` ends with.
pub(crate) fn kept_regions<E: From<Error>>(field: &FieldRecord, picture: impl Fn(Kind) -> Result<Vec<u8>, E>) -> Result<Vec<Region>, E> {
    regions_of(field, |kind| Ok(pixels(field, kind, &picture(kind)?)?))
}

/// The same from their pixels.
fn regions_of<E>(field: &FieldRecord, pixels: impl Fn(Kind) -> Result<Vec<u8>, E>) -> Result<Vec<Region>, E> {
    let mask: Vec<bool> = pixels(Kind::Mask)?.into_iter().map(|level| level > 127).collect();
    Ok(regions(&mask, field.width as usize, &pixels(Kind::Probability)?))
}

/// The pixels of a field's picture as it is kept: red, green and blue of frames and overlays, one byte of others.
///
/// # Errors
/// [`Error::Store`] where it was not kept, [`Error::Read`] where it is gone, [`Error::Decode`].
pub(super) fn kept_pixels(folder: &Path, database: &Path, field: &FieldRecord, kind: Kind) -> Result<Vec<u8>, Error> {
    let path = field.path_of(kind).ok_or_else(|| Error::Store {
        path: database.to_owned(),
        reason: format!("the {} of field {} was not kept (--keep mask,probability)", kind.name(), field.number),
    })?;
    pixels(field, kind, &read_file(&picture_in(folder, path)?, MAX_FILE_BYTES)?)
}

fn pixels(field: &FieldRecord, kind: Kind, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let image = image::load_from_memory(bytes).map_err(|error| Error::Decode { reason: error.to_string() })?;
    if [image.width(), image.height()] != [field.width, field.height] {
        let reason = format!("the {} of field {} is {} x {} px, not the field's", kind.name(), field.number, image.width(), image.height());
        return Err(Error::Decode { reason });
    }
    Ok(match kind {
        Kind::Mask | Kind::Probability => image.into_luma8().into_raw(),
        Kind::Frame | Kind::Overlay => image.into_rgb8().into_raw(),
    })
}

/// Name of the class of a session's masks.
pub(super) fn class_of(session: &SessionRecord) -> String {
    let names = session.model.pointer("/metadata/class_names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    names.get(mask_class_of(&names)).cloned().unwrap_or_default()
}

/// A field's regions in its pixels.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn field_geojson(field: &FieldRecord, class: &str, regions: &[Region]) -> Result<Vec<u8>, Error> {
    let mut settings = json!({ "threshold": field.threshold, "session": field.session, "number": field.number });
    if let Some(scan) = &field.scan {
        settings["position_um"] = json!(scan.position_um);
    } else if let Some(position) = field.position {
        settings["position_um"] = json!([position.x_um, position.y_um]);
    }
    let origin = Origin {
        input_sha256: &field.input_sha256,
        model_sha256: &field.model_sha256,
        settings: &settings,
        class,
        um_per_px: field.um_per_px,
        scale: [1.0; 2],
        size: [field.width, field.height],
    };
    geojson_bytes(regions, origin)
}

/// Writes `field-NUMBER.geojson` for every field of a session into a folder that exists, and says for how many.
///
/// # Errors
/// [`Error::Store`] for a field whose mask or probabilities were not kept or are gone; [`Error::Decode`], [`Error::Write`].
pub fn write_geojson(sessions: &Sessions, session: &SessionRecord, folder: &Path) -> Result<u64, Error> {
    let class = class_of(session);
    let mut written = 0;
    sessions.each_field(&session.id, |field| {
        let found = regions_of(&field, |kind| kept_pixels(sessions.folder(), sessions.database(), &field, kind))?;
        write_whole(&folder.join(format!("field-{:06}.geojson", field.number)), &field_geojson(&field, &class, &found)?)?;
        written += 1;
        Ok(())
    })?;
    Ok(written)
}
