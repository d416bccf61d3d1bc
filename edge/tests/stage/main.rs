//! The host's side against a controller on a real socket: every call, every way to lose the line, and the program itself.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod calls;
mod loss;
mod microscope;
mod peer;
mod place;
mod program;
mod scan;
