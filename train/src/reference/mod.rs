//! What a network has learned from, as its file carries it: features of tiles of the training images (see [`lsr_core::reference`]), and the
//! distance beyond which a field at the microscope is flagged.
//!
//! ```text
//! images ─► chosen: at most 200 tiles ─► network ─► features ─► each against the tiles of other images ─► limit
//! ```
//!
//! No mask and no label is looked at: the block's size and the count prior are the run's own.

mod chosen;
mod make;
mod settings;

pub use make::make_reference;
pub(crate) use make::{ReferenceSource, byte_probabilities, make, mask_class};
pub use settings::ReferenceSettings;
