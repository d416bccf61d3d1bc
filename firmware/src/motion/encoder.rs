//! A position that is measured, to be held against the steps that were counted.

use crate::units::Um;

/// A linear encoder, or one whose position has been brought into micrometres of the axis. Read by the planner, in the main loop.
pub trait Encoder {
    /// The position, from any origin: the difference to the counted position is taken when the axis is homed. `None` when it cannot be read.
    fn position(&mut self) -> Option<Um>;
}

/// The type of an encoder that is not there: it has no value.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NoEncoder {}

impl Encoder for NoEncoder {
    fn position(&mut self) -> Option<Um> {
        match *self {}
    }
}
