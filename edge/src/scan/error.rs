//! What ends a scan before it is done, and what to do then.

use crate::error::Error;
use crate::stage::StageError;
use crate::stage::wire::{ErrorCode, Fault, ResetReason};
use std::path::PathBuf;

/// Why a scan was not begun, or not carried to its end. What was written until then stays, and `--resume` goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The controller, or the line to it.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Model, frames or outputs.
    #[error(transparent)]
    Edge(#[from] Error),
    /// A plan that no controller would take.
    #[error("the plan of the scan: {0}")]
    Plan(ErrorCode),
    /// More fields than are kept in mind.
    #[error("the plan of the scan has {found} fields: expected at most {most}")]
    TooManyFields {
        /// Fields of the plan.
        found: u32,
        /// The limit.
        most: u32,
    },
    /// No light that could be switched off.
    #[error("the scan needs a light of the controller, brighter than 0: darkness tells which frame belongs to which pulse")]
    NoLight,
    /// A label that the controller does not know.
    #[error("label {label}: the controller's prior has {labels}, counted from 0")]
    UnknownLabel {
        /// The label.
        label: u8,
        /// Labels there are.
        labels: u8,
    },
    /// A list of labels that cannot be used.
    #[error("labels {}: {problem}", path.display())]
    Labels {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A plan's file that cannot be used.
    #[error("plan {}: {problem}", path.display())]
    PlanFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A source whose frames do not come by themselves.
    #[error(
        "a scan needs a camera that takes a picture at every pulse (watch:FOLDER, camera:PIPELINE or rgb:WIDTHxHEIGHT), not {source_name}"
    )]
    NoCamera {
        /// The source.
        source_name: String,
    },
    /// Axes that do not know where they are, at the beginning.
    #[error("the stage is not homed: `lsr-edge stage home` first, or --home")]
    NotHomed,
    /// The controller was reset, and nobody said that it may be homed.
    #[error(
        "the controller was reset ({reason}) and no longer knows where the stage is: `lsr-edge stage home`, then the same command with --resume \
         (with --home a scan homes by itself and goes on)"
    )]
    Restarted {
        /// Why, in its words.
        reason: ResetReason,
    },
    /// A fault that a person must look at.
    #[error("stopped by a fault: {0}; when its cause is gone, `lsr-edge stage acknowledge`, then the same command with --resume")]
    Faulted(Fault),
    /// Pulses without light that gave no dark frame.
    #[error("{}", camera(*pulses, *seconds, *bright))]
    NoDarkFrame {
        /// Pulses.
        pulses: u32,
        /// Time for each, s.
        seconds: f64,
        /// Mean level of the last frame that came instead.
        bright: Option<f64>,
    },
    /// The user asked to stop.
    #[error("interrupted: the stage was stopped and the light is off; the same command with --resume goes on")]
    Interrupted,
    /// The thread that segments has ended.
    #[error("internal error: the thread that segments has ended")]
    WorkerEnded,
}

fn camera(pulses: u32, seconds: f64, bright: Option<f64>) -> String {
    let found = match bright {
        None => "no frame came: does the camera's program run, and does each pulse give it a new frame?".to_owned(),
        Some(level) => format!(
            "the frames that came were not dark (mean level {level:.0} of 255): does --light name the light of the camera, is it the only one, \
             and does each pulse give its own frame at once?"
        ),
    };
    format!("{pulses} pulses without light gave no dark frame within {seconds} s each; {found}")
}
