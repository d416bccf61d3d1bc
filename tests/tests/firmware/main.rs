//! The Raspberry Pi Pico's very firmware in an emulated chip: what its pins do, what it says to a host, and `lsr-edge scan` at a whole microscope.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod camera;
mod chip;
mod link;
mod microscope;
mod monitor;
mod motion;
mod pico;
mod safety;
mod scan;
mod scan_program;
mod slide;
