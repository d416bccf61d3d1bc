//! Light, trigger and guard: what their pins do over simulated time.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

mod guard;
mod light;
mod trigger;
