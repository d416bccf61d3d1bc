//! The link: bytes stay as they are, no bytes do harm, and every command is carried out once.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod board;
mod frames;
mod golden;
mod line;
mod million;
mod once;
mod postcard;
mod samples;
mod session;
