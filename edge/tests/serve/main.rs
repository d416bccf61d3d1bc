//! `lsr-edge serve` and `lsr-edge session`, as programs and people meet them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod access;
mod fields;
mod overload;
#[path = "../program/mod.rs"]
mod program;
mod service;
#[path = "../slide_file/mod.rs"]
mod slide_file;
mod sources;
mod store;
