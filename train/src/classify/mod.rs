//! The low-resolution model: a small network that says how likely it is that a block is cancer.
//!
//! This is the first of the paper's two systems. It learns from one bit a block (cancer or not), and its calibrated probability, binned
//! into the paper's ten classes, is the label z that label super-resolution learns from.
//!
//! ```text
//! labels.csv ─► fold ─► batch ─► network ─► train ─► calibration ─► apply ─► blocks.csv, map
//! 0 or 1        images  turned,  block to   fold by  temperature,   p and z of every block
//! a block       dealt   stained  one logit  fold     reliability
//! ```
//!
//! **Cross-fitting.** A network is surer of the blocks that it has learned than of any other, and a label z of 9 would then mean one thing
//! on the images that it was trained on and another on new ones. The images are therefore dealt into folds; each fold has a network that
//! never saw it, and that network alone judges its blocks. An image of no fold is judged by the mean logit of all networks.
//!
//! **Prior.** Batches hold as many cancer blocks as others, so a network's logit is a log likelihood ratio. The log odds of the labels that
//! it learned from, `ln(n_cancer / n_other)`, are added to it (Bayes), or blocks of the rarer kind would be called too often.
//!
//! **Calibration.** Logits are divided by one temperature, found on the blocks' out-of-fold logits (Guo et al. 2017, "On calibration of
//! modern neural networks"). On a new image the mean of several networks is a little less extreme than any of them: such probabilities
//! tend to be too cautious, not too sure.

mod apply;
mod batch;
mod binary;
mod calibration;
mod fit;
mod fold;
mod folder;
mod map;
mod network;
mod score;
mod settings;

pub use apply::apply_classifier;
pub(crate) use binary::CANCER_FROM;
pub use binary::{BinaryBlock, binary_labels_from_masks, known_blocks, read_binary_blocks, write_binary_blocks};
pub use calibration::{Calibration, ReliabilityBin};
pub use fit::{ClassifierEvent, fit_classifier};
pub use map::{low_resolution_map, write_low_resolution_maps};
pub use settings::ClassifierSettings;
