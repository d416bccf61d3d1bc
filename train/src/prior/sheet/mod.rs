//! A sheet on which an expert estimates counts by eye, and what comes back from it.
//!
//! ```text
//! sheet.csv    image,x,y,width,height,z,cancer_percent     the last column is the expert's
//! sheet.html   the blocks with an input field each; hands out sheet.csv filled in
//! sheet.png    the blocks and their numbers, to print
//! ```
//!
//! Number k in the page and in the picture is row k of `sheet.csv`. The rows are in random order and neither page nor picture shows z: an expert
//! who knows the label estimates what the label suggests. (`sheet.csv` has z, for that is what its counts are of: fill in the page, not the table.)

mod contact;
mod mark;
mod page;
mod read;
mod thumbnail;
mod write;

pub use read::{FilledSheet, read_sheet};
pub use write::{MAX_SHEET_BLOCKS, write_sheet};

use crate::data::Block;
use serde::{Deserialize, Serialize};

/// The columns of `sheet.csv`.
const HEADER: &str = "image,x,y,width,height,z,cancer_percent";

/// A row of `sheet.csv`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SheetRow {
    image: String,
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    z: usize,
    /// Percent, as typed; blank for "not annotated".
    cancer_percent: String,
}

impl SheetRow {
    fn blank(block: &Block) -> Self {
        let &Block { ref image, x, y, width, height, z, .. } = block;
        Self { image: image.clone(), x, y, width, height, z, cancer_percent: String::new() }
    }
}
