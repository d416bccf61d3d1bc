//! `dataset.toml`: what a folder of data is and where it comes from.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What `dataset.toml` says about a folder of data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCard {
    /// Pixel size in micrometres.
    pub um_per_px: Option<f64>,
    /// Licence of the images, as their publisher states it.
    pub licence: Option<String>,
    /// Who must be named.
    pub attribution: Option<String>,
    /// Where the data is from, or the command that made it.
    pub source: Option<String>,
}

/// Reads a folder's card; an empty one where there is none.
pub(super) fn read_card(folder: &Path) -> Result<DataCard> {
    let path = folder.join("dataset.toml");
    if !path.exists() {
        return Ok(DataCard::default());
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
    toml::from_str(&text).map_err(|error| Error::file(&path, error.message()))
}
