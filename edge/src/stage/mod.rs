//! The microscope's controller: stage, light, trigger, scan and monitor, over a serial port, TCP or a Unix socket.
//!
//! ```text
//! Port ─ open ─► bytes ─ Line (two threads: reading, and time-outs with the heartbeat) ─ lsr_firmware::wire::Client ─► Controller: one call, one answer
//! ```
//!
//! Messages and the rules that carry each of them out once are lsr-firmware's, used unchanged. While a [`Controller`] lives, the controller hears a
//! heartbeat; when it is dropped it says goodbye, and lights go off. A program that dies says nothing: then the controller stops by itself.

mod calls;
mod controller;
mod error;
mod line;
mod port;
mod view;

pub use controller::{Controller, Timing};
pub use error::StageError;
pub use lsr_firmware::{Um, wire};
pub use port::{DEFAULT_BAUD, Port};
pub use view::{EventView, StatusView};
pub(crate) use view::{direction_word, micrometres, position_um};
