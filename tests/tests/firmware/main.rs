//! The Raspberry Pi Pico's very firmware in an emulated chip: what its pins do, and what it says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod chip;
mod link;
mod log;
mod monitor;
mod motion;
mod pico;
mod safety;
mod scan;
mod usb;
