//! Which low-resolution class each field has.

use super::error::ScanError;
use crate::read::read_file;
use serde_json::{Value, json};
use std::path::Path;

/// Lists beyond this are none.
const MAX_BYTES: u64 = 64 << 20;
/// First line of a list.
const HEADER: &str = "field,label";

/// Low-resolution classes z of the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// No field is held against the prior.
    None,
    /// All fields have this one.
    All(u8),
    /// By field.
    Each(Vec<Option<u8>>),
}

impl Labels {
    /// Reads a list of lines `FIELD,LABEL` below the line `field,label`. A field that is not in it has no label.
    ///
    /// # Errors
    /// [`ScanError::Labels`], with the line; what [`Error`](crate::Error) says of a file that cannot be read.
    pub fn read(path: &Path, fields: u32) -> Result<Self, ScanError> {
        let bad = |problem: String| ScanError::Labels { path: path.to_owned(), problem };
        let text = String::from_utf8(read_file(path, MAX_BYTES)?).map_err(|_| bad("it is no UTF-8 text".to_owned()))?;
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        if lines.next().is_none_or(|(_, line)| line.trim() != HEADER) {
            return Err(bad(format!("the first line: expected '{HEADER}'")));
        }
        let mut labels = vec![None; fields as usize];
        for (number, line) in lines {
            let numbers = line
                .split_once(',')
                .and_then(|(field, label)| Some((field.trim().parse::<usize>().ok()?, label.trim().parse::<u8>().ok()?)));
            let Some((field, label)) = numbers else {
                return Err(bad(format!("line {number}: expected a field and a label (0 to 255), found '{}'", line.trim())));
            };
            match labels.get_mut(field) {
                None => return Err(bad(format!("line {number}: field {field}: the plan has {fields}, counted from 0"))),
                Some(Some(_)) => return Err(bad(format!("line {number}: field {field} is there twice"))),
                Some(place) => *place = Some(label),
            }
        }
        Ok(Self::Each(labels))
    }

    /// The label of a field.
    pub fn of(&self, field: u32) -> Option<u8> {
        match self {
            Self::None => None,
            Self::All(label) => Some(*label),
            Self::Each(labels) => labels.get(field as usize).copied().flatten(),
        }
    }

    /// All labels that a field can have.
    pub(super) fn all(&self) -> impl Iterator<Item = u8> + '_ {
        let (one, each) = match self {
            Self::None => (None, &[][..]),
            Self::All(label) => (Some(*label), &[][..]),
            Self::Each(labels) => (None, labels.as_slice()),
        };
        each.iter().flatten().copied().chain(one)
    }

    /// For the session: one label, a list by field, or null.
    pub(super) fn describe(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::All(label) => json!(label),
            Self::Each(labels) => json!(labels),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_or_refused_by_its_line() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("labels.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Labels::read(&path, 3)
        };
        assert_eq!(read("field,label\n2,9\n\n 0 , 1\r\n").unwrap(), Labels::Each(vec![Some(1), None, Some(9)]));
        for (text, problem) in [
            ("", "the first line: expected 'field,label'"),
            ("0,1\n", "the first line: expected 'field,label'"),
            ("field,label\n0,256\n", "line 2: expected a field and a label (0 to 255), found '0,256'"),
            ("field,label\n0,1\n3,1\n", "line 3: field 3: the plan has 3, counted from 0"),
            ("field,label\n0,1\n0,1\n", "line 3: field 0 is there twice"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.ends_with(&format!("labels.csv: {problem}")), "{error}");
        }
    }
}
