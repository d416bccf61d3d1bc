//! CSV files with a header row.

use crate::error::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// Reads a CSV file with a header row into records; errors carry the line number.
pub(crate) fn read_csv<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let file = std::fs::File::open(path).map_err(Error::io("reading", path))?;
    csv::Reader::from_reader(file).deserialize().map(|row| row.map_err(|error| Error::file(path, error.to_string()))).collect()
}

/// Writes records as CSV with a header row.
pub(crate) fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| Error::file(path, error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::file(path, error.to_string()))?;
    crate::atomic::write(path, &bytes)
}
