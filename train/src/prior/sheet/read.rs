//! A filled-in sheet.

use super::SheetRow;
use crate::data::MAX_LABELS;
use crate::error::{Error, Result};
use crate::prior::AnnotatedBlock;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What an expert filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct FilledSheet {
    /// The blocks with a count, in the sheet's order.
    pub blocks: Vec<AnnotatedBlock>,
    /// Rows left blank: not annotated.
    pub blank: usize,
}

/// Reads a sheet. Blank cells are skipped; to leave a label out, delete its rows.
///
/// # Errors
/// With the line: a cell that is neither blank nor a number from 0 to 100, a block that is there twice, a label of [`MAX_LABELS`] or more, a row
/// that is none. A label with fewer than two blocks filled in.
pub fn read_sheet(path: &Path) -> Result<FilledSheet> {
    let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| Error::file(path, error.to_string()))?.clone();
    let mut sheet = FilledSheet { blocks: Vec::new(), blank: 0 };
    let mut seen = BTreeSet::new();
    let mut filled: BTreeMap<usize, usize> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| Error::file(path, error.to_string()))?;
        let line = line_of(text, record.position());
        let refuse = |reason: String| Error::file(path, format!("line {line}: {reason}"));
        let mut row: SheetRow = record.deserialize(Some(&headers)).map_err(|error| match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => refuse(err.to_string()),
            _ => Error::file(path, error.to_string()),
        })?;
        let cell = std::mem::take(&mut row.cancer_percent);
        let z = row.z;
        if z >= MAX_LABELS {
            return Err(refuse(format!("z: expected a label below {MAX_LABELS}, found {z}")));
        }
        if !seen.insert(row) {
            return Err(refuse("this block is in the sheet twice".to_owned()));
        }
        let count = filled.entry(z).or_default();
        if cell.is_empty() {
            sheet.blank += 1;
            continue;
        }
        let percent = cell.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
        let percent: f64 = percent.ok_or_else(|| {
            let hint = if cell.contains(',') { " (with a decimal point, not a comma)" } else { "" };
            refuse(format!("cancer_percent: expected a number from 0 to 100 or nothing{hint}, found '{cell}'"))
        })?;
        *count += 1;
        sheet.blocks.push(AnnotatedBlock::with_cancer(z, percent / 100.0));
    }
    if let Some((z, n)) = filled.iter().find(|(_, n)| **n < 2) {
        let reason = format!("z {z}: expected at least 2 blocks filled in, found {n} (to leave this label out, delete its rows)");
        return Err(Error::file(path, reason));
    }
    if filled.is_empty() {
        return Err(Error::file(path, "no block in this sheet"));
    }
    Ok(sheet)
}

/// Number of a record's line. The reader's own number is that of blank lines before the record, if there are any.
fn line_of(text: &str, position: Option<&csv::Position>) -> usize {
    let start = position.map_or(0, |position| position.byte() as usize);
    let (before, rest) = text.as_bytes().split_at_checked(start).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
    1 + before.iter().chain(blank).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FilledSheet> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.csv");
        std::fs::write(&path, text).unwrap();
        read_sheet(&path)
    }

    #[test]
    fn blank_cells_are_counted_and_percentages_become_fractions() {
        // As spreadsheets save it: byte order mark, CRLF, padding.
        let text = "\u{feff}image,x,y,width,height,z,cancer_percent\r\na,0,0,8,8,0, 0\r\n\"b,c\",0,0,8,8,0,12.5 \r\n\r\na,8,0,8,8,0,\r\n";
        let sheet = read(text).unwrap();
        assert_eq!(sheet.blank, 1);
        assert_eq!(sheet.blocks, [AnnotatedBlock::with_cancer(0, 0.0), AnnotatedBlock::with_cancer(0, 0.125)]);
    }

    #[test]
    fn what_is_no_percentage_is_refused_with_its_line() {
        for (rows, parts) in [
            ("a,0,0,8,8,0,1\n\na,8,0,8,8,0,101\n", ["line 4", "'101'"]),
            ("\r\n\r\na,0,0,8,8,0,x\r\n", ["line 4", "'x'"]),
            ("a,0,0,8,8,0,-0.5\n", ["line 2", "'-0.5'"]),
            ("a,0,0,8,8,0,NaN\n", ["line 2", "'NaN'"]),
            ("a,0,0,8,8,0,10%\n", ["line 2", "'10%'"]),
            ("a,0,0,8,8,0,\"12,5\"\n", ["decimal point", "'12,5'"]),
            ("a,0,0,8,8,0,1\na,0,0,8,8,0,2\n", ["line 3", "twice"]),
            ("a,0,0,8,8,64,1\n", ["line 2", "found 64"]),
            ("a,0,0,8,-8,1,1\n", ["line 2", "field 4: invalid digit"]),
            ("a,0,0,8,8,0,1\na,8,0,8,8,0,1\na,0,0,8,8,3,1\na,8,0,8,8,3,\n", ["z 3", "found 1"]),
            ("", ["sheet.csv", "no block"]),
        ] {
            let error = read(&format!("image,x,y,width,height,z,cancer_percent\n{rows}")).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} in: {error}");
        }
    }
}
