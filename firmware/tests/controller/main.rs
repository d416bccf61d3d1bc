//! The whole controller against a simulated microscope, through the link, in simulated time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod bench;
mod moves;
mod safety;
mod scan;
