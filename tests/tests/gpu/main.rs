//! A GPU against the processor: gradients, losses, runs that change from one to the other. `tests/gpu.sh` runs this where there is a GPU.
//!
//! `LSR_GPU_DEVICE` names the device, `cuda` unless set; `cpu` rehearses the same tests without a GPU, burn's operations standing in for it.
//! `LSR_TRAIN_BIN` is the `lsr-train` whose runs are looked at, otherwise the one beside this test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod agreement;
mod network;
mod program;
mod runs;

use lsr_train::DeviceChoice;

/// The device that is compared with the processor.
fn device() -> DeviceChoice {
    std::env::var("LSR_GPU_DEVICE").as_deref().unwrap_or("cuda").parse().unwrap()
}
