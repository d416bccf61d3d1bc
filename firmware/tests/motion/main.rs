//! Motion: profiles against exact arithmetic, lines, configurations, and the whole stage on simulated pins.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod bounds;
mod config;
mod executor;
mod faults;
mod homing;
mod line;
mod moves;
mod plans;
mod profile;
mod sim;
