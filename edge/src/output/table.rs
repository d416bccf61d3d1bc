//! All fields of a folder in one table: `fields.csv` for spreadsheets, `fields.jsonl` for programs.

use super::file::write_whole;
use crate::error::Error;
use crate::read::read_file;
use serde_json::{Map, Value};
use std::fs;
use std::io;
use std::path::Path;

/// Records beyond this are none of ours.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// Columns, and where a record has them.
const COLUMNS: [(&str, &str); 30] = [
    ("input", "/input/path"),
    ("input_sha256", "/input/sha256"),
    ("width_px", "/input/width"),
    ("height_px", "/input/height"),
    ("um_per_px", "/input/um_per_px"),
    ("um_per_px_source", "/input/um_per_px_source"),
    ("count_fraction", "/cancer/count_fraction"),
    ("count_std", "/cancer/count_std"),
    ("mask_fraction", "/cancer/mask_fraction"),
    ("mask_area_mm2", "/cancer/mask_area_mm2"),
    ("image_area_mm2", "/cancer/image_area_mm2"),
    ("label", "/low_resolution/label"),
    ("z_score", "/low_resolution/z_score"),
    ("agrees", "/low_resolution/agrees"),
    ("likeliest_label", "/low_resolution/likeliest"),
    ("regions", "/regions"),
    ("fit", "/quality/fit"),
    ("unfit", "/quality/unfit"),
    ("sharpness", "/quality/sharpness"),
    ("detail", "/quality/detail"),
    ("brightness", "/quality/brightness"),
    ("clipped", "/quality/clipped"),
    ("saturation", "/quality/saturation"),
    ("tissue", "/quality/tissue"),
    ("training_distance", "/training_distance/distance"),
    ("training_distance_limit", "/training_distance/limit"),
    ("unlike_training", "/training_distance/flagged"),
    ("threshold", "/settings/threshold"),
    ("model_sha256", "/model/sha256"),
    ("lsr_edge", "/lsr_edge"),
];

/// Writes both tables from the records in a folder, by name; other files do not matter.
///
/// Where several processes write into the folder, one may have listed it before another's last record and write after it; so everybody looks again
/// after writing, and whoever is last has seen everything.
///
/// # Errors
/// [`Error::Read`] for a folder that cannot be listed, [`Error::Write`].
pub(crate) fn write_tables(folder: &Path) -> Result<(), Error> {
    let mut written = rows(folder)?;
    loop {
        write_rows(folder, &written)?;
        let now = rows(folder)?;
        if now == written {
            return Ok(());
        }
        written = now;
    }
}

fn write_rows(folder: &Path, rows: &[Map<String, Value>]) -> Result<(), Error> {
    let csv_path = folder.join("fields.csv");
    let csv = csv(rows).map_err(|source| Error::Write { path: csv_path.clone(), source })?;
    write_whole(&csv_path, &csv)?;
    let lines: String = rows.iter().map(|row| format!("{}\n", Value::Object(row.clone()))).collect();
    write_whole(&folder.join("fields.jsonl"), lines.as_bytes())
}

/// One row a record: its name, then the columns.
fn rows(folder: &Path) -> Result<Vec<Map<String, Value>>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.to_string_lossy().strip_suffix(".json").map(str::to_owned));
    }
    names.sort();
    let mut rows = Vec::new();
    for name in names {
        // One that another run is just replacing is left out, as any other file.
        let Ok(bytes) = read_file(&folder.join(format!("{name}.json")), MAX_RECORD_BYTES) else { continue };
        let Ok(record) = serde_json::from_slice::<Value>(&bytes) else { continue };
        if ["/lsr_edge", "/input/sha256", "/model/sha256"].iter().any(|place| record.pointer(place).is_none()) {
            continue;
        }
        let mut row = Map::new();
        row.insert("name".to_owned(), name.into());
        for (column, place) in COLUMNS {
            row.insert(column.to_owned(), record.pointer(place).cloned().unwrap_or(Value::Null));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn csv(rows: &[Map<String, Value>]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = || std::iter::once("name").chain(COLUMNS.iter().map(|(column, _)| *column));
    writer.write_record(columns())?;
    for row in rows {
        writer.write_record(columns().map(|column| row.get(column).map_or(String::new(), text)))?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}
