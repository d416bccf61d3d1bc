//! What the tests that cross crates share: where golden values and data sets lie, and how they are read.
//!
//! | test | holds |
//! |---|---|
//! | `flow` | the whole journey, from tissue and block labels to masks at the microscope: read this first |
//! | `golden` | core and the tensor route against values of 60-digit arithmetic by an independent program |
//! | `gradients` | autodiff on tensors against the core's closed-form gradients |
//! | `queue` | a group enlarged by earlier blocks against the core's moments of the whole group |
//! | `loss_cost` | what the loss and its backward pass cost beside the network |
//! | `processes` | training in several processes against one: the same losses, and what happens when one of them is gone |
//! | `firmware` | the Raspberry Pi Pico's very firmware in an emulated chip: edges at its pins, what it says to a host, and a whole microscope (carriages, slide, camera) that `lsr-edge scan` scans |
//! | `land_cover` | four classes, learned from sixteen labels of blocks |
//! | `export` | the exported ONNX file in the edge runtime against the network in burn |
//! | `int8` | the quantised file in the edge runtime against its simulation in training, byte for byte; real fields on every instruction set |
//! | `gpu` | a GPU against the processor: gradients, losses, checkpoints that change the device (`tests/gpu.sh`; ignored without it) |
//! | `arm64` | lsr-edge for aarch64, emulated, against lsr-edge here: the same bits with every instruction set |
//!
//! Environment: `LSR_VECTORS` (a file of golden values, [`golden`]), `LSR_DATA` (the folder of data sets, [`data`]), `LSR_ARM64` (the command
//! that runs lsr-edge for aarch64, from `.ci/arm64.sh`), `LSR_MPI` (an lsr-train with MPI, from `.ci/mpi.sh`), `LSR_GPU_DEVICE` and
//! `LSR_TRAIN_BIN` (the device and the program of `gpu`), `LSR_PICO` (the Pico's firmware, from `.ci/boards.sh`), `LSR_EDGE` (the lsr-edge that scans in `firmware`; the
//! one beside the tests, as `cargo test --workspace` builds it, unless set), `LSR_REQUIRE` (a comma list of what must be there, `data`, `arm64`, `mpi` and
//! `firmware`; without
//! it, a test that lacks something says so and passes).

pub mod data;
pub mod golden;
mod observer;
mod require;

pub use observer::Silent;
pub use require::skip;

use std::path::PathBuf;

/// The workspace's root. Tests run in their package's folder, people in the root: relative paths in the environment mean the root.
pub fn workspace_root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map(PathBuf::from).unwrap_or(package)
}
