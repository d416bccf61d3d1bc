//! A session's fields as a table.

use super::read::Sessions;
use super::record::{FieldRecord, ScanPlace};
use crate::error::Error;
use crate::stage::direction_word;
use std::io::{self, Write};
use std::path::Path;

/// Columns of the table, and what a field has in them.
fn columns(field: &FieldRecord) -> [(&'static str, String); 33] {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let unfit: Vec<&str> = field.quality.unfit.iter().map(|unfit| unfit.words()).collect();
    let distance = field.training_distance.as_ref();
    let alarm = field.alarm.map_or("", |alarm| direction_word(alarm.into()));
    let scan = |value: fn(&ScanPlace) -> String| field.scan.as_ref().map_or(String::new(), value);
    [
        ("session", field.session.clone()),
        ("number", field.number.to_string()),
        ("name", field.name.clone()),
        ("seen_utc", field.seen_utc.clone()),
        ("input_sha256", field.input_sha256.clone()),
        ("width_px", field.width.to_string()),
        ("height_px", field.height.to_string()),
        ("um_per_px", field.um_per_px.to_string()),
        ("um_per_px_source", field.um_per_px_source.clone()),
        ("x_um", number(field.position.map(|position| position.x_um))),
        ("y_um", number(field.position.map(|position| position.y_um))),
        ("z_um", scan(|scan| scan.position_um[2].to_string())),
        ("row", scan(|scan| scan.row.to_string())),
        ("column", scan(|scan| scan.column.to_string())),
        ("trigger_id", scan(|scan| scan.trigger_id.to_string())),
        ("controller_boot", scan(|scan| scan.boot.to_string())),
        ("visits", scan(|scan| scan.visits.to_string())),
        ("threshold", field.threshold.to_string()),
        ("count_fraction", field.cancer.count_fraction.to_string()),
        ("count_std", field.cancer.count_std.to_string()),
        ("mask_fraction", field.cancer.mask_fraction.to_string()),
        ("mask_area_mm2", field.cancer.mask_area_mm2.to_string()),
        ("area_mm2", field.cancer.image_area_mm2.to_string()),
        ("fit", field.quality.fit.to_string()),
        ("unfit", unfit.join("; ")),
        ("training_distance", number(distance.and_then(|distance| distance.distance))),
        ("unlike_training", distance.map_or(String::new(), |distance| distance.flagged.to_string())),
        ("label", field.label.map_or(String::new(), |label| label.to_string())),
        ("z_score", number(field.z_score)),
        ("alarm", alarm.to_owned()),
        ("mask", field.path_of(super::Kind::Mask).unwrap_or_default().to_owned()),
        ("model_sha256", field.model_sha256.clone()),
        ("lsr_edge", field.lsr_edge.clone()),
    ]
}

/// Writes a session's fields as CSV.
///
/// # Errors
/// [`Error::Store`]; [`Error::Write`], which names `to`.
pub fn write_csv(sessions: &Sessions, session: &str, writer: &mut dyn Write, to: &Path) -> Result<(), Error> {
    let failed = |error: csv::Error| Error::Write { path: to.to_owned(), source: io::Error::other(error) };
    let mut writer = csv::Writer::from_writer(writer);
    let mut header = false;
    sessions.each_field(session, |field| {
        let columns = columns(&field);
        if !std::mem::replace(&mut header, true) {
            writer.write_record(columns.iter().map(|(name, _)| *name)).map_err(failed)?;
        }
        writer.write_record(columns.iter().map(|(_, value)| value)).map_err(failed)
    })?;
    writer.flush().map_err(|source| Error::Write { path: to.to_owned(), source })
}

/// Writes a session's fields as lines of JSON.
///
/// # Errors
/// [`Error::Store`]; [`Error::Write`], which names `to`.
pub fn write_json_lines(sessions: &Sessions, session: &str, writer: &mut dyn Write, to: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: to.to_owned(), source };
    sessions.each_field(session, |field| {
        let mut line = serde_json::to_vec(&field).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        writer.write_all(&line).map_err(failed)
    })?;
    writer.flush().map_err(failed)
}
