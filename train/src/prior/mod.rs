//! The count prior in files, and how it is estimated from a few annotated blocks.
//!
//! ```text
//! blocks.csv ─► choose ─┬─► counts: looked up in masks ─────────────────────┬─► estimate ─► prior.csv ◄─► text (mu, sigma)
//!                       └─► sheet: an expert fills it in by eye, read back ─┘      └─► doubt: warnings
//! ```

mod choose;
mod counts;
mod doubt;
mod estimate;
mod interval;
mod sheet;
mod text;

pub use choose::choose_blocks;
pub use counts::{AnnotatedBlock, count_in_masks};
pub use doubt::expected_labels;
pub use estimate::{ClassEstimate, Estimate, LabelEstimate};
pub use interval::Interval;
pub use sheet::{FilledSheet, MAX_SHEET_BLOCKS, read_sheet, write_sheet};
pub use text::Unit;

use crate::csv_file::{read_csv, write_csv};
use crate::data::MAX_LABELS;
use crate::error::{Error, Result};
use lsr_core::{Count, CountPrior, TABLE_1_PERCENT};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Most high-resolution classes that a file may have.
pub const MAX_CLASSES: usize = 16;

/// Class of cancer in a two-class prior; class 0 is everything else.
pub const CANCER: usize = 1;

/// Smallest standard deviation that an estimate is given: a handful of blocks can agree by chance, and 1/rho^2 is the weight of a label in
/// most losses (12 blocks without cancer would weigh infinitely). 1 % of a block is what an expert can tell by eye.
pub const RHO_FLOOR: f64 = 0.01;

/// A row of a prior file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    z: usize,
    class: usize,
    mean: f64,
    std: f64,
    n: u32,
}

/// Count statistics of the labels that have any: fractions, checked by [`lsr_core::CountPrior`].
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    rows: BTreeMap<usize, Vec<Count<f64>>>,
    annotated: BTreeMap<usize, u32>,
    classes: usize,
}

impl Prior {
    /// Table 1 of the paper; class 1 is cancer.
    pub fn table_1() -> Self {
        let fraction = |(mean, std): (f64, f64)| Count { mean: mean / 100.0, std: std / 100.0 };
        let rows = TABLE_1_PERCENT.iter().map(|row| row.iter().copied().map(fraction).collect()).enumerate().collect();
        // "10 to 12" blocks were examined for each label; the paper does not say how many for which.
        Self { rows, annotated: (0..TABLE_1_PERCENT.len()).map(|z| (z, 10)).collect(), classes: 2 }
    }

    /// Reads `z,class,mean,std,n`.
    ///
    /// # Errors
    /// A row that cannot be read, is there twice or has an impossible value; rows of a label that do not sum to 1; labels with different classes.
    pub fn read(path: &Path) -> Result<Self> {
        let mut rows: BTreeMap<usize, BTreeMap<usize, Count<f64>>> = BTreeMap::new();
        let mut annotated = BTreeMap::new();
        for (index, row) in read_csv::<Row>(path)?.into_iter().enumerate() {
            let refuse = |reason: String| Error::file(path, format!("line {}: {reason}", index + 2));
            if row.z >= MAX_LABELS || row.class >= MAX_CLASSES {
                return Err(refuse(format!(
                    "expected z below {MAX_LABELS} and class below {MAX_CLASSES}, found {} and {}",
                    row.z, row.class
                )));
            }
            let count = Count { mean: row.mean, std: row.std };
            if rows.entry(row.z).or_default().insert(row.class, count).is_some() {
                return Err(refuse(format!("z {}, class {} is there twice", row.z, row.class)));
            }
            annotated.insert(row.z, row.n);
        }
        let classes = rows.values().map(BTreeMap::len).max().unwrap_or(0);
        if classes < 2 {
            return Err(Error::file(path, format!("expected rows of at least two classes, found {classes}")));
        }
        let mut prior = Self { rows: BTreeMap::new(), annotated, classes };
        for (label, row) in rows {
            if let Some(missing) = (0..classes).find(|class| !row.contains_key(class)) {
                return Err(Error::file(path, format!("z {label}: the row of class {missing} is missing")));
            }
            let row: Vec<Count<f64>> = row.into_values().collect();
            check_row(label, &row).map_err(|error| Error::file(path, error.to_string()))?;
            prior.rows.insert(label, row);
        }
        Ok(prior)
    }

    /// Writes `z,class,mean,std,n`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let rows: Vec<Row> = self
            .rows
            .iter()
            .flat_map(|(&z, counts)| {
                let n = self.annotated.get(&z).copied().unwrap_or(0);
                counts.iter().enumerate().map(move |(class, count)| Row { z, class, mean: count.mean, std: count.std, n })
            })
            .collect();
        write_csv(path, &rows)
    }

    /// Number of high-resolution classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The labels that have a row.
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        self.rows.keys().copied()
    }

    /// The counts of a label's classes.
    pub fn counts(&self, label: usize) -> Option<&[Count<f64>]> {
        self.rows.get(&label).map(Vec::as_slice)
    }

    /// Blocks that were annotated for a label.
    pub fn annotated(&self, label: usize) -> u32 {
        self.annotated.get(&label).copied().unwrap_or(0)
    }
}

/// The core's own checks, with the row's true label in the message.
fn check_row(label: usize, row: &[Count<f64>]) -> Result<(), lsr_core::Error> {
    use lsr_core::Error::{PriorMean, PriorRowSum, PriorStd};
    CountPrior::<f64, 1, MAX_CLASSES>::new(&[row], 0.0, CountPrior::<f64, 1, MAX_CLASSES>::SUM_TOLERANCE).map(|_| ()).map_err(|error| {
        match error {
            PriorMean { class, value, .. } => PriorMean { label, class, value },
            PriorStd { class, value, .. } => PriorStd { label, class, value },
            PriorRowSum { sum, tolerance, .. } => PriorRowSum { label, sum, tolerance },
            other => other,
        }
    })
}

/// Mean and sample standard deviation (n - 1); 0 for a single value.
pub(crate) fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}
