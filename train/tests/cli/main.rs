//! The real `lsr-train` binary: bad input, interruption and resumption, collapse.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod bench;
mod classify;
mod collapse;
mod doctor;
mod faults;
mod prior;
mod program;
mod quantize;
mod recipe;
mod rejection;
mod reproduce;
mod resume;
mod training;
mod windows;
