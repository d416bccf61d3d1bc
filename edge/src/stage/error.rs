//! What can go wrong between a program and its microscope.

use lsr_firmware::wire::{ErrorCode, Fault};
use std::io;

/// Why something was not done, or is not known to have been.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// A port that cannot be understood.
    #[error("port '{text}': {problem}; expected a serial device such as /dev/ttyACM0, tcp:HOST:PORT or unix:PATH")]
    Port {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No line to the controller.
    #[error("cannot open {port}{}", hint(source))]
    Open {
        /// The port.
        port: String,
        /// Why.
        source: io::Error,
    },
    /// A line, but nobody who answers.
    #[error("{port}: no controller answers after {seconds:.1} s (is it lsr-firmware, and the baud rate right?)")]
    NoController {
        /// The port.
        port: String,
        /// How long it was tried.
        seconds: f64,
    },
    /// Another version of the protocol, or another refusal of the session.
    #[error("{port}: {code}; update lsr-edge or the firmware")]
    Version {
        /// The port.
        port: String,
        /// Its words.
        code: ErrorCode,
    },
    /// The controller did not do it; nothing has changed.
    #[error("refused: {0}")]
    Refused(ErrorCode),
    /// The connection broke before the command left: it was not carried out.
    #[error("the connection was lost before {command} was sent; nothing was done")]
    NotSent {
        /// The command.
        command: &'static str,
    },
    /// The connection broke before the answer came.
    #[error("the connection was lost before {command} was answered: it was carried out once or not at all; ask for the status")]
    Unknown {
        /// The command.
        command: &'static str,
    },
    /// The controller has restarted: what was under way is over, and axes must be homed again.
    #[error("the controller has restarted; home it again")]
    Restarted,
    /// An operation ended by a fault.
    #[error("stopped by a fault: {0}; acknowledge it when its cause is gone")]
    Faulted(Fault),
    /// An operation was stopped by a command.
    #[error("stopped before it was done")]
    Stopped,
    /// An operation that has not ended in time.
    #[error("{what} took more than {seconds} s")]
    TimeOut {
        /// Which.
        what: &'static str,
        /// Time that was allowed.
        seconds: f64,
    },
    /// The emergency stop was not acknowledged.
    #[error("the emergency stop was NOT acknowledged ({0}): switch the controller off")]
    StopUnanswered(String),
    /// An answer to another question: a defect of the firmware.
    #[error("{command} was answered with {answer}")]
    UnexpectedAnswer {
        /// The command.
        command: &'static str,
        /// The answer.
        answer: String,
    },
    /// A length that does not fit.
    #[error("{um} um: expected a length between -2147483 and 2147483 um")]
    Length {
        /// What was given.
        um: f64,
    },
    /// The user asked to stop.
    #[error("interrupted; the stage was stopped")]
    Interrupted,
}

/// Not by `#[from]`, which would make the code the error's source too: printed with its causes it would say everything twice.
impl From<ErrorCode> for StageError {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code)
    }
}

/// What to do about the usual reasons.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => " (permission denied: on Linux, `sudo usermod -aG dialout $USER`, then log in again)",
        io::ErrorKind::NotFound => " (no such device: is the controller plugged in?)",
        io::ErrorKind::ResourceBusy => " (another program has it open)",
        io::ErrorKind::ConnectionRefused => " (nobody listens there)",
        _ => "",
    }
}
