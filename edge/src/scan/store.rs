//! The results' folder: `scan.json` says what is scanned, `fields.jsonl` has a row for every field that is done.

use super::error::ScanError;
use crate::digest::sha256;
use crate::error::Error;
use crate::mask::CancerFraction;
use crate::output::{prepare_folder, write_whole};
use crate::quality::Quality;
use crate::read::read_file;
use crate::training_distance::TrainingDistance;
use lsr_core::U8Sums;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Files of ours beyond this are none.
const MAX_BYTES: u64 = 2 << 30;
/// Differences that are named.
const NAMED: usize = 8;

/// A field that is done: its pictures are in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Number of the field in its plan, `row * columns + column`.
    pub field: u32,
    /// Row, from 0 on.
    pub row: u32,
    /// Column, from 0 on.
    pub column: u32,
    /// How often it was visited; more than once where a frame was missing or doubtful.
    pub visits: u32,
    /// Number of the pulse, counted from the controller's start.
    pub trigger_id: u32,
    /// The controller's start: another number is another start.
    pub boot: u32,
    /// Beginning of the pulse, us since the controller's start.
    pub time_us: u64,
    /// Where the stage stood by its own count: x, y, z, um.
    pub position_um: [f64; 3],
    /// Light of each channel, permille.
    pub light_permille: [u16; 4],
    /// File name of the frame.
    pub frame: String,
    /// Its SHA-256.
    pub frame_sha256: String,
    /// File names of the pictures, in the same folder as this.
    pub pictures: Vec<String>,
    /// Pixels n.
    pub pixels: u32,
    /// Sum of the u8 probabilities q.
    pub sum: u64,
    /// Sum of q^2.
    pub sum_of_squares: u64,
    /// Predicted count and mask.
    pub cancer: CancerFraction,
    /// Whether it is fit to be counted; none in a row of an earlier version.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// How far it is from what the network has learned from, where the model says what that was.
    #[serde(default)]
    pub training_distance: Option<TrainingDistance>,
    /// Low-resolution class z that the field was held against.
    pub label: Option<u8>,
    /// How many standard deviations its count lies above the prior, in the controller's words; none without a label, for a field that is not fit to be
    /// counted, and where the controller's answer was lost.
    pub z_score: Option<f32>,
    /// The label's alarm at that time: `above` or `below`.
    pub alarm: Option<String>,
    /// SHA-256 of the model.
    pub model_sha256: String,
    /// Version of this program.
    pub lsr_edge: String,
    /// SHA-256 of `scan.json`, which has plan and settings.
    pub scan_sha256: String,
    /// Where the time went.
    pub times_ms: FieldTimes,
}

/// Milliseconds of a field. The stages overlap: while one field is segmented the stage is on its way to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldTimes {
    /// From asking for the field to the news of its pulse: move, rest, pulse.
    pub travel: f64,
    /// From there until its frame was there and the scan rested.
    pub frame: f64,
    /// Decoding the frame.
    pub decode: f64,
    /// In the queue, and held back until the next pulse showed that there was one frame.
    pub queue: f64,
    /// Network, resampling, mask.
    pub inference: f64,
    /// Pictures.
    pub write: f64,
    /// Asking the controller.
    pub judge: f64,
}

impl Row {
    /// Whether it counts.
    pub fn is_fit(&self) -> bool {
        self.quality.as_ref().is_none_or(|quality| quality.fit)
    }

    /// Its integer sums.
    pub fn sums(&self) -> U8Sums {
        U8Sums { pixels: self.pixels, sum: self.sum, sum_of_squares: self.sum_of_squares }
    }
}

/// The folder, and the rows that were there or have been added.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    rows_file: File,
    rows: Vec<Row>,
    scan_sha256: String,
}

impl Store {
    /// Begins a scan in a folder, or goes on with one. `scan` is what `scan.json` says.
    ///
    /// # Errors
    /// [`ScanError::Exists`], [`ScanError::NothingToResume`], [`ScanError::Differs`], [`ScanError::Record`] for what is there;
    /// [`Error::OutputFolder`], [`Error::Read`], [`Error::Write`] for what cannot be written or read.
    pub fn open(folder: &Path, scan: &Value, fields: u32, resume: bool) -> Result<Self, ScanError> {
        prepare_folder(folder)?;
        let (scan_path, rows_path) = (folder.join("scan.json"), folder.join("fields.jsonl"));
        let mut rows = Vec::new();
        if resume {
            if !scan_path.exists() {
                return Err(ScanError::NothingToResume { path: scan_path });
            }
            same_scan(&scan_path, scan)?;
            rows = read_rows(&rows_path, fields)?;
            check_pictures(folder, &rows_path, &rows)?;
        } else {
            Self::refuse_existing(folder)?;
            let text = serde_json::to_vec_pretty(scan).map_err(|error| Error::Write { path: scan_path.clone(), source: error.into() })?;
            write_whole(&scan_path, &text)?;
        }
        let scan_sha256 = sha256(&read_file(&scan_path, MAX_BYTES)?);
        if !rows_path.exists() {
            write_whole(&rows_path, b"")?;
        }
        let rows_file = OpenOptions::new().append(true).open(&rows_path).map_err(|source| Error::Write { path: rows_path, source })?;
        Ok(Self { folder: folder.to_owned(), rows_file, rows, scan_sha256 })
    }

    /// Whether another scan can be begun in a folder.
    ///
    /// # Errors
    /// [`ScanError::Exists`].
    pub fn refuse_existing(folder: &Path) -> Result<(), ScanError> {
        let there = ["scan.json", "fields.jsonl"].iter().any(|name| folder.join(name).exists());
        if there { Err(ScanError::Exists { folder: folder.to_owned() }) } else { Ok(()) }
    }

    /// What `scan.json` of a folder says, to go on with what it left open.
    ///
    /// # Errors
    /// [`ScanError::NothingToResume`], [`ScanError::Record`].
    pub fn read_scan(folder: &Path) -> Result<Value, ScanError> {
        let path = folder.join("scan.json");
        if !path.exists() {
            return Err(ScanError::NothingToResume { path });
        }
        let bytes = read_file(&path, MAX_BYTES)?;
        serde_json::from_slice(&bytes).map_err(|error| ScanError::Record { path, line: None, problem: error.to_string() })
    }

    /// The fields that are done.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// SHA-256 of `scan.json`.
    pub fn scan_sha256(&self) -> &str {
        &self.scan_sha256
    }

    /// Adds a row and forces it to the disk. Its pictures are there already.
    ///
    /// # Errors
    /// [`Error::Write`]; what was written of the row is cut off when the scan goes on.
    pub fn append(&mut self, row: Row) -> Result<&Row, Error> {
        let failed = |source| Error::Write { path: self.folder.join("fields.jsonl"), source };
        let mut line = serde_json::to_vec(&row).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.rows_file.write_all(&line).and_then(|()| self.rows_file.sync_data()).map_err(failed)?;
        self.rows.push(row);
        self.rows.last().ok_or_else(|| failed(io::Error::other("the row is gone")))
    }

    /// Writes `summary.json`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_summary(&self, summary: &impl Serialize) -> Result<(), Error> {
        let path = self.folder.join("summary.json");
        let mut text = serde_json::to_vec_pretty(summary).map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        text.push(b'\n');
        write_whole(&path, &text)
    }
}

/// Refuses to go on with another scan, and says what differs.
fn same_scan(path: &Path, scan: &Value) -> Result<(), ScanError> {
    let there: Value = serde_json::from_slice(&read_file(path, MAX_BYTES)?).map_err(|error| ScanError::Record {
        path: path.to_owned(),
        line: None,
        problem: error.to_string(),
    })?;
    // Through text, as the file's numbers went.
    let here = serde_json::to_string(scan).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut found = Vec::new();
    differences("", &there, &here, &mut found);
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(ScanError::Differs { path: path.to_owned(), differences: found.join(", ") + &more })
}

/// Every leaf that differs: its name, the value there, the value here.
fn differences(name: &str, there: &Value, here: &Value, found: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in names {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                differences(&inner, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{name} is {a} there and {b} here")),
    }
}

/// The rows of an earlier run. A last line without an end was torn by the run's own end: it is cut off, and its field is visited again.
fn read_rows(path: &Path, fields: u32) -> Result<Vec<Row>, ScanError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = read_file(path, MAX_BYTES)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        let cut = || {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(whole as u64)?;
            file.sync_all()
        };
        cut().map_err(|source| Error::Write { path: path.to_owned(), source })?;
    }
    let mut seen = HashSet::new();
    let lines = bytes.get(..whole).unwrap_or_default().split_inclusive(|&byte| byte == b'\n');
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let bad = |problem: String| ScanError::Record { path: path.to_owned(), line: Some(number), problem };
        let row: Row = serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        if row.field >= fields {
            return Err(bad(format!("field {}: the plan has {fields}, counted from 0", row.field)));
        }
        if !seen.insert(row.field) {
            return Err(bad(format!("field {} is there twice", row.field)));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn check_pictures(folder: &Path, path: &Path, rows: &[Row]) -> Result<(), ScanError> {
    for (number, row) in (1..).zip(rows) {
        if let Some(missing) = row.pictures.iter().find(|name| !folder.join(name).is_file()) {
            let problem =
                format!("field {} is done, but its {missing} is gone: remove the line to have the field visited again", row.field);
            return Err(ScanError::Record { path: path.to_owned(), line: Some(number), problem });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    fn row(field: u32) -> Row {
        Row {
            field,
            row: 0,
            column: field,
            visits: 1,
            trigger_id: field + 1,
            boot: 7,
            time_us: 1,
            position_um: [0.5, 0.0, 0.0],
            light_permille: [400, 0, 0, 0],
            frame: "a.png".to_owned(),
            frame_sha256: String::new(),
            pictures: Vec::new(),
            pixels: 2,
            sum: 255,
            sum_of_squares: 65_025,
            cancer: CancerFraction {
                count_fraction: 0.1,
                count_std: 0.3,
                mask_fraction: 0.5,
                mask_pixels: 1,
                mask_area_mm2: 1e-7,
                image_area_mm2: 2e-7,
            },
            quality: None,
            training_distance: None,
            label: Some(9),
            z_score: Some(-1.25),
            alarm: None,
            model_sha256: String::new(),
            lsr_edge: String::new(),
            scan_sha256: String::new(),
            times_ms: FieldTimes::default(),
        }
    }

    #[test]
    fn rows_come_back_and_a_torn_line_is_cut_off() {
        let place = tempfile::tempdir().unwrap();
        let scan = json!({ "plan": { "columns": 4 } });
        let mut store = Store::open(place.path(), &scan, 4, false).unwrap();
        for field in [2, 0] {
            store.append(row(field)).unwrap();
        }
        drop(store);
        let path = place.path().join("fields.jsonl");
        let whole = fs::read(&path).unwrap();
        for cut in [1, 40, whole.len() / 2 - 1] {
            fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
            let store = Store::open(place.path(), &scan, 4, true).unwrap();
            assert_eq!(store.rows(), [row(2), row(0)]);
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
        fs::write(&path, [&whole[..], &whole[..]].concat()).unwrap();
        let twice = Store::open(place.path(), &scan, 4, true).unwrap_err().to_string();
        assert!(twice.ends_with("fields.jsonl, line 3: field 2 is there twice"), "{twice}");
        fs::write(&path, b"{}\n").unwrap();
        assert!(matches!(Store::open(place.path(), &scan, 4, true), Err(ScanError::Record { line: Some(1), .. })));
    }

    #[test]
    fn another_scan_is_refused_by_what_differs() {
        let place = tempfile::tempdir().unwrap();
        let scan = json!({ "plan": { "columns": 4, "x_um": 0.1 }, "label": null });
        let missing = Store::open(place.path(), &scan, 4, true).unwrap_err();
        assert!(matches!(missing, ScanError::NothingToResume { .. }));
        drop(Store::open(place.path(), &scan, 4, false).unwrap());
        assert!(matches!(Store::open(place.path(), &scan, 4, false), Err(ScanError::Exists { .. })));
        assert!(Store::open(place.path(), &scan, 4, true).is_ok());
        let other = json!({ "plan": { "columns": 5, "x_um": 0.1 }, "label": 9 });
        let error = Store::open(place.path(), &other, 5, true).unwrap_err().to_string();
        assert!(error.contains("label is null there and 9 here, plan.columns is 4 there and 5 here;"), "{error}");
    }
}
