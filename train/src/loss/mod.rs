//! The core's loss formulas on tensors, where autodiff differentiates the very lines that run on a microcontroller; and the cross-entropy of
//! mixed training.

mod boundary_length;
mod counts;
mod cross_entropy;
mod label;
mod scalar;
mod windows;

pub(crate) use boundary_length::boundary_length;
pub use counts::{BatchMoments, BatchTarget, PastMoments, ValidPixels, batch_loss, moments_loss};
pub(crate) use cross_entropy::binary_cross_entropy;
pub use cross_entropy::{cross_entropy, known_cross_entropy};
pub use label::{LabelTarget, label_loss};
pub use scalar::TensorScalar;
pub(crate) use windows::{valid_pixels, window_moments};
