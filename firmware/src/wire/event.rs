//! What the controller tells unasked.

use super::fault::Fault;
use super::field::Direction;
use super::scan::Exposure;
use crate::motion::PerAxis;
use crate::units::Um;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// What can happen unasked. Each arrives once and in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// An operation is over.
    Finished {
        /// Its number, as `Started` gave it.
        operation: u32,
        /// How it ended.
        ending: Ending,
        /// Where the stage stands.
        position: PerAxis<Um>,
    },
    /// The camera got the pulse of a `Trigger`.
    Exposed(Exposure),
    /// The camera got the pulse of a field of a scan.
    FieldExposed {
        /// Number of the field in its plan.
        field: u32,
        /// Where, when and in what light.
        exposure: Exposure,
    },
    /// A scan has halted, as asked for.
    ScanPaused {
        /// Its operation.
        operation: u32,
        /// Number of visits so far: the next one's place in the order.
        next_visit: u32,
    },
    /// A fault has latched.
    Faulted(Fault),
    /// The counts of a label have begun to be inconsistent with the prior.
    Alarm {
        /// Low-resolution class z.
        label: u8,
        /// The drift's direction.
        direction: Direction,
    },
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ending {
    /// As asked for.
    Done,
    /// By `Stop` or `AbortScan`.
    Stopped,
    /// By a fault.
    Faulted(Fault),
}
