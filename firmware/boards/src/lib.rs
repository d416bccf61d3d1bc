//! What programs of several boards have in common.
#![no_std]

#[cfg(feature = "pico")]
pub mod host_line;
#[cfg(feature = "mps2_an386")]
pub mod mps2;
mod stage;
pub mod workload;

pub use stage::{STAGE, TIMING};
