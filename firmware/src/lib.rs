//! The controller's side of a label-super-resolution microscope: the host's messages, and the judgement on the spot whether the fields it sees
//! are still consistent with the count prior. Generic over embedded-hal, without allocator; a board's program brings pins and clocks.
//!
//! ```text
//! host: field ─► u8 probabilities ─► n, sum q, sum q^2, z ──┐
//!                                                           link ─► FieldMonitor (lsr-core, f32) ─► z-score, alarm ─► link ─► host
//!                                                                                                     └► AlarmLamp ─► pin
//! ```
//!
//! The messages, and the sessions that carry each of them out once, are in [`wire`].
//!
//! Nothing here panics.
//!
//! Feature `defmt`: `Format` for every public type.
#![no_std]
#![forbid(unsafe_code)]

mod lamp;
mod monitor;
mod units;
pub mod wire;

pub use lamp::AlarmLamp;
pub use monitor::{FIRMWARE_VERSION, FieldMonitor};
pub use units::Um;
