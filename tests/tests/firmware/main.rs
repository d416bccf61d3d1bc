//! The boards' very firmware in emulated chips: what their pins do, and what they say. `pico` is the Raspberry Pi Pico (Cortex-M0+) in rp2040js, in lock
//! step with the test, or with `lsr-edge scan` at a whole microscope around it; `m4` is an MPS2 (Cortex-M4F) in QEMU, which runs by itself.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod board;
mod camera;
mod chip;
mod cycles;
mod golden;
mod link;
mod log;
mod m4;
mod m4_session;
mod microscope;
mod monitor;
mod motion;
mod pico;
mod qemu;
mod safety;
mod scan;
mod scan_program;
mod slide;
mod usb;
