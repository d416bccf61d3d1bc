//! What the tests that cross crates share: where golden values and data sets lie, and how they are read.
//!
//! | test | holds |
//! |---|---|
//! | `flow` | the whole journey, from tissue and block labels to masks at the microscope: read this first |
//! | `golden` | core, the tensor route and the monitor against values of 60-digit arithmetic by independent programs |
//! | `gradients` | autodiff on tensors against the core's closed-form gradients |
//! | `queue` | a group enlarged by earlier blocks against the core's moments of the whole group |
//! | `loss_cost` | what the loss and its backward pass cost beside the network |
//! | `processes` | training in several processes against one: the same losses, and what happens when one of them is gone |
//! | `firmware` | the boards' very firmware in emulated chips (Cortex-M0+ and M4F): edges at their pins, what they say to a host, and a whole microscope (carriages, slide, camera) that `lsr-edge scan` scans |
//! | `land_cover` | four classes, learned from sixteen labels of blocks |
//! | `export` | the exported ONNX file in the edge runtime against the network in burn |
//! | `int8` | the quantised file in the edge runtime against its simulation in training, byte for byte; real fields on every instruction set |
//! | `shipped` | the network inside lsr-edge on fields that it has not seen, as its card says |
//! | `gpu` | a GPU against the processor: gradients, losses, checkpoints that change the device (`tests/gpu.sh`; ignored without it) |
//! | `readers` | what lsr-edge writes, opened by programs of others: shapely, tifffile, OpenSlide, highdicom (`.ci/readers.sh`) |
//! | `service` | `lsr-edge serve`: its page in Chromium (`.ci/browser.sh`), its API by schemathesis (`.ci/readers.sh`), cameras by GStreamer and fields told to mosquitto (`.ci/features.sh`) |
//! | `slide_scale` | a slide of 50,000 x 50,000 px within the memory that was said before |
//! | `arm64` | lsr-edge for aarch64, emulated, against lsr-edge here: the same bits with every instruction set |
//!
//! Environment: `LSR_VECTORS` (a file of golden values, [`golden`]), `LSR_DATA` (the folder of data sets, [`data`]), `LSR_ARM64` (the command
//! that runs lsr-edge for aarch64, from `.ci/arm64.sh`), `LSR_MPI` (an lsr-train with MPI, from `.ci/mpi.sh`), `LSR_GPU_DEVICE` and
//! `LSR_TRAIN_BIN` (the device and the program of `gpu`), `LSR_PICO`, `LSR_PICO_LOG`, `LSR_DEFMT_PRINT` and `LSR_MPS2_AN386` (the boards' firmware, one with
//! a log, and what reads it: `.ci/boards.sh` writes them to `target/boards/env`), `LSR_FEATURES` (an lsr-edge with all its features, from `.ci/features.sh`), `LSR_BROWSER` (a Chromium, from `.ci/browser.sh`), `LSR_REQUIRE` (a comma list of what must be there, `data`, `arm64`, `mpi`, `firmware`, `readers`, `features` and `browser`; without it, a test
//! that lacks something says so and passes).

mod allowed;
pub mod data;
pub mod golden;
pub mod monitor_cases;
mod observer;
mod require;

pub use allowed::share_of_allowed;
pub use observer::Silent;
pub use require::skip;

use std::path::PathBuf;

/// The workspace's root. Tests run in their package's folder, people in the root: relative paths in the environment mean the root.
pub fn workspace_root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map(PathBuf::from).unwrap_or(package)
}
