//! The count prior of the labels, as `lsr-train prior estimate` writes it.

use crate::digest::sha256;
use crate::error::Error;
use crate::read::read_file;
use lsr_core::{Count, CountPrior};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Files beyond this are none.
const MAX_BYTES: u64 = 1 << 20;
/// Class of cancer; class 0 is everything else.
const CANCER: usize = 1;

/// Mean and standard deviation of the count of cancer, by label; none of any label by default.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CountTable(BTreeMap<u8, Count<f64>>);

/// A row of a prior file.
#[derive(Debug, Deserialize)]
struct Row {
    z: u8,
    class: usize,
    mean: f64,
    std: f64,
}

impl CountTable {
    /// Table 1 of the paper: ten labels.
    pub fn table_1() -> Self {
        let prior = CountPrior::<f64, 10, 2>::table_1();
        let row = |label: u8| prior.target(label.into(), CANCER).ok().map(|t| (label, Count { mean: t.mean, std: t.std }));
        Self((0..10).filter_map(row).collect())
    }

    /// Reads `z,class,mean,std,...`; class 1 is cancer.
    ///
    /// # Errors
    /// [`Error::Source`] naming the line, [`Error::Read`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bad = |reason: String| Error::Source { source_name: path.display().to_string(), reason };
        let bytes = read_file(path, MAX_BYTES)?;
        let mut table = BTreeMap::new();
        for row in csv::Reader::from_reader(&bytes[..]).deserialize::<Row>() {
            let row = row.map_err(|error| bad(format!("no count prior: {error}")))?;
            let count = Count { mean: row.mean, std: row.std };
            // Checks mean and standard deviation.
            CountPrior::<f64, 1, 1>::new(&[[count]], 0.0, 0.0).map_err(|error| bad(format!("label {}: {error}", row.z)))?;
            if row.class == CANCER && table.insert(row.z, count).is_some() {
                return Err(bad(format!("label {} is there twice", row.z)));
            }
        }
        if table.is_empty() {
            return Err(bad("it has no row of class 1, cancer".to_owned()));
        }
        Ok(Self(table))
    }

    /// SHA-256 of its rows as JSON.
    pub fn sha256(&self) -> String {
        sha256(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Labels with their counts.
    pub fn labels(&self) -> impl Iterator<Item = (u8, Count<f64>)> + '_ {
        self.0.iter().map(|(&label, &count)| (label, count))
    }

    /// Whether a label has a count.
    pub fn has(&self, label: u8) -> bool {
        self.0.contains_key(&label)
    }
}
