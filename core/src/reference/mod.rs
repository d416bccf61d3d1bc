//! Does the network know fields like this one? Features of tiles, and their distance from those of the training images.
//!
//! ```text
//! RGB, probabilities ─ view ─► tiles ─ features ─► stain, texture, entropy, counts ─ distance ─► nearest training tile ─► flagged or not
//! ```
//!
//! No label and no mask is needed, neither for the reference nor for a field.

mod density;
mod distance;
mod features;
#[cfg(feature = "serde")]
mod file;
mod metric;
mod view;

pub use distance::{
    Judgement, MAX_TARGETS, MAX_TILE_PX, MAX_TILES, MIN_BLOCK_PX, MIN_TILE_PX, MIN_TILES, Nearest, Reference, ReferenceParts,
};
pub use features::{APPEARANCE, COUNTS_AT, CountRule, ENTROPY_AT, FEATURE_NAMES, FEATURES, Features, LEAST_TISSUE, TileFeatures};
pub use view::{FieldView, Tile, tiles};
