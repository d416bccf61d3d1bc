//! Flags about what a network has learned from, of `export`, `quantize` and `rejection`.

use clap::Args;
use lsr_train::ReferenceSettings;

#[derive(Debug, Args)]
pub(crate) struct ReferenceArgs {
    /// Side of the tiles that fields are compared by [default: 128]
    #[arg(long, value_name = "PX")]
    reference_tile: Option<u16>,
    /// Share of the reference tiles, each held against the tiles of other images, that are within the limit beyond which fields are flagged [default: 0.99]
    #[arg(long, value_name = "SHARE")]
    reference_quantile: Option<f64>,
    /// Seed that chooses among more tiles than are kept [default: 0]
    #[arg(long, value_name = "N")]
    reference_seed: Option<u64>,
}

impl ReferenceArgs {
    pub(crate) fn settings(&self) -> ReferenceSettings {
        let default = ReferenceSettings::default();
        ReferenceSettings {
            tile_px: self.reference_tile.unwrap_or(default.tile_px),
            quantile: self.reference_quantile.unwrap_or(default.quantile),
            seed: self.reference_seed.unwrap_or(default.seed),
        }
    }
}
