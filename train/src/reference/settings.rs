//! What can be chosen about a reference.

use crate::error::{Error, Result};
use lsr_core::reference::{MAX_TILE_PX, MIN_TILE_PX};

/// Settings of a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReferenceSettings {
    /// Side of the tiles in pixels.
    pub tile_px: u16,
    /// Share of the training tiles, each held against the tiles of other images, that lie within the limit.
    pub quantile: f64,
    /// Chooses tiles where there are more than a reference holds.
    pub seed: u64,
}

impl Default for ReferenceSettings {
    fn default() -> Self {
        Self { tile_px: 128, quantile: 0.99, seed: 0 }
    }
}

impl ReferenceSettings {
    /// Refuses values outside their intervals.
    ///
    /// # Errors
    /// The setting, by its flag.
    pub fn check(&self) -> Result<()> {
        if !(MIN_TILE_PX..=MAX_TILE_PX).contains(&self.tile_px) {
            return Err(Error::setting("--reference-tile", format!("{MIN_TILE_PX} to {MAX_TILE_PX} px"), self.tile_px));
        }
        if !(0.5..=1.0).contains(&self.quantile) {
            return Err(Error::setting("--reference-quantile", "0.5 to 1", self.quantile));
        }
        Ok(())
    }
}
