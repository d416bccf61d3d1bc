//! What the stage says about itself.

use crate::motion::axis::{Axes, PerAxis};
use crate::motion::error::MotionFault;
use crate::units::Um;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// What the stage is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StageState {
    /// It waits for a command.
    Idle,
    /// It looks for its position.
    Homing,
    /// It is on its way.
    Moving,
    /// It slows down, because it was told to.
    Stopping,
    /// A fault is latched.
    Faulted,
}

impl core::fmt::Display for StageState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Homing => "homing",
            Self::Moving => "moving",
            Self::Stopping => "stopping",
            Self::Faulted => "faulted",
        })
    }
}

/// How the stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StageStatus {
    /// Steps taken, as positions. Meaningful for axes that are homed.
    pub position: PerAxis<Um>,
    /// Axes that know their position.
    pub homed: Axes,
    /// What it is doing.
    pub state: StageState,
    /// Whether a step may still come. Also after a fault, as long as the stage slows down.
    pub moving: bool,
    /// The fault, until it is acknowledged.
    pub fault: Option<MotionFault>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// At its target.
    Arrived,
    /// All axes asked for are homed.
    Homed,
    /// It was stopped, by the ramp; the position is true.
    Stopped,
    /// By a fault.
    Failed(MotionFault),
}

/// What [`Stage::poll`](crate::Stage::poll) has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MotionEvent {
    /// The move or the homing is over, and nothing moves.
    Finished(Outcome),
    /// A fault while no command was being carried out.
    Fault(MotionFault),
}
