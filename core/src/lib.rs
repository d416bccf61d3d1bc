//! Label super-resolution without an allocator: from block labels to a loss and its gradient, on anything from a GPU to a microcontroller.
//!
//! A block of pixels carries a low-resolution class z. The count prior says which fraction of such a block is cancer: N(eta, rho^2). The network's
//! probabilities predict such a fraction too. Training makes the two agree. This crate is that sentence, in the order in which the data flows:
//!
//! ```text
//! block probability ─ label ─► z ─ prior ─► target N(eta, rho^2) ─┐
//! pixel probabilities ─ moments ─► N(mu, v), N(m, S) ─────────────┴─ gaussian ─► distance ─ loss ─► value, dL/dp
//! mask, true mask ─ score ─► IoU, Dice             fields at the microscope ─ monitor ─► z-score, alarm
//! pixels, probabilities ─ reference ─► distance from what the network has learned from, flag
//! ```
//!
//! Source: Zhao et al., "Label Super Resolution with Inter-Instance Loss" (2019), which extends Malkin et al., "Label
//! super-resolution networks" (ICLR 2019). Errata stand beside the code that they concern. Counts are fractions in [0, 1] everywhere.
//!
//! `no_std`, no `alloc`, no `unsafe`. Nothing here panics: NaN, infinities, empty blocks and mismatched lengths are an [`Error`].
//!
//! Features: `serde` (checked when read), `defmt` (logging on microcontrollers).
//!
//! ```
//! use lsr_core::{BlockMoments, CountPrior, LabelBins, Preset};
//!
//! // The block classifier was 97 % sure that these blocks are cancer ...
//! let z = LabelBins::<f32, 9>::paper().label(0.97)?;
//! // ... of which an expert found 70 +- 5 % of the pixels to be cancer.
//! let target = CountPrior::<f32, 10, 2>::table_1().target(z, 1)?;
//! // What a network says about the pixels of two such blocks:
//! let blocks = [
//!     BlockMoments::from_probabilities(&[0.9, 0.4, 0.3, 0.8])?,
//!     BlockMoments::from_probabilities(&[0.7, 0.2, 0.6, 0.1])?,
//! ];
//! let loss = Preset::Paper.loss().evaluate(&blocks, target)?;
//! let gradient = loss.pixel_gradient(&blocks[0])?;
//! assert!(gradient.at(0.9).is_finite());
//! # Ok::<(), lsr_core::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

pub mod error;
pub mod gaussian;
mod integer;
pub mod label;
pub mod loss;
pub mod moments;
pub mod monitor;
pub mod preset;
pub mod prior;
pub mod reference;
pub mod scalar;
pub mod score;

pub use error::{Error, FOUND_CAPACITY};
pub use gaussian::{Distance, DistanceGradient, Predicted, Stabilisers, Target, distance, distance_gradient};
pub use integer::isqrt;
pub use label::{LabelBins, PAPER_BIN_EDGES};
pub use loss::{BatchLoss, Group, GroupLoss, Loss, PixelGradient, Scheme, Weights};
pub use moments::{BlockAccumulator, BlockMoments, GroupMoments, U8Sums, VarianceModel};
pub use monitor::{Drift, Monitor, MonitorConfig, Observation};
pub use preset::{PAPER_CODE_WEIGHT, Preset};
pub use prior::{Count, CountPrior, TABLE_1_PERCENT};
pub use reference::{FieldView, Judgement, Reference, ReferenceParts};
pub use scalar::{Dual, Real, Scalar};
pub use score::Confusion;
