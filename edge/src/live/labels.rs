//! Low-resolution classes of fields, by their names.

use crate::error::Error;
use crate::read::read_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Lists beyond this are none.
const MAX_BYTES: u64 = 64 << 20;

/// Labels of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NameLabels {
    /// Of fields that are not in the list.
    all: Option<u8>,
    /// By name.
    by_name: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    label: u8,
}

impl NameLabels {
    /// The same for all fields, or none.
    pub fn all(label: Option<u8>) -> Self {
        Self { all: label, by_name: BTreeMap::new() }
    }

    /// Reads lines `NAME,LABEL` below the line `name,label`. A field that is not in it has no label.
    ///
    /// # Errors
    /// [`Error::Source`] naming the line, [`Error::Read`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bad = |reason: String| Error::Source { source_name: path.display().to_string(), reason };
        let bytes = read_file(path, MAX_BYTES)?;
        let mut by_name = BTreeMap::new();
        for row in csv::Reader::from_reader(&bytes[..]).deserialize::<Row>() {
            let Row { name, label } = row.map_err(|error| bad(format!("no list of labels (name,label): {error}")))?;
            if let Some(other) = by_name.insert(name.clone(), label).filter(|&other| other != label) {
                return Err(bad(format!("{name} has the labels {other} and {label}")));
            }
        }
        Ok(Self { all: None, by_name })
    }

    /// The label of a field. Names of replayed files end with their number, which is not asked.
    pub fn of(&self, name: &str) -> Option<u8> {
        let known = |name: &str| self.by_name.get(name).copied();
        let without_number = || name.rsplit_once('-').filter(|(_, number)| number.parse::<u64>().is_ok()).and_then(|(name, _)| known(name));
        known(name).or_else(without_number).or(self.all)
    }

    /// All labels that a field can have.
    pub fn labels(&self) -> impl Iterator<Item = u8> + '_ {
        self.by_name.values().copied().chain(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn labels_go_by_name_with_and_without_a_replays_number() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("labels.csv");
        fs::write(&path, "name,label\nfield-1,9\nfield-1-7,2\n").unwrap();
        let labels = NameLabels::read(&path).unwrap();
        assert_eq!(["field-1", "field-1-31", "field-1-7", "field"].map(|name| labels.of(name)), [Some(9), Some(9), Some(2), None]);
        assert_eq!(NameLabels::all(Some(3)).of("any"), Some(3));
        fs::write(&path, "name,label\na,1\na,2\n").unwrap();
        assert!(NameLabels::read(&path).unwrap_err().to_string().ends_with("a has the labels 1 and 2"));
        fs::write(&path, "name,label\na,256\n").unwrap();
        assert!(NameLabels::read(&path).unwrap_err().to_string().contains("no list of labels"));
    }
}
