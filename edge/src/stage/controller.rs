//! One call, one answer.

use super::error::StageError;
use super::line::{Line, Link};
use super::port::Port;
use lsr_firmware::Um;
use lsr_firmware::wire::{Answer, ClientTiming, Command, Ending, Event, Failure, PerAxis, SubmitError, Welcome};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// For a session, at the beginning and when it is lost. 5 s.
    pub connect: Duration,
    /// Retransmission and heartbeat.
    pub link: ClientTiming,
}

impl Default for Timing {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), link: ClientTiming::default() }
    }
}

/// A microscope's controller. Calls may come from several threads; they are carried out one after another. When the line is lost it is opened again;
/// a command whose fate is not known then is never sent again by itself ([`StageError::Unknown`]).
pub struct Controller {
    line: Line,
    timing: Timing,
    /// One exchange at a time.
    turn: Mutex<()>,
}

impl Controller {
    /// Opens a port and waits for a session.
    ///
    /// # Errors
    /// [`StageError::Open`], [`StageError::NoController`], [`StageError::Version`].
    pub fn connect(port: Port, timing: Timing) -> Result<Self, StageError> {
        let controller = Self { line: Line::open(port, timing.link)?, timing, turn: Mutex::new(()) };
        controller.welcome()?;
        Ok(controller)
    }

    /// Waits for a session, if there is none.
    ///
    /// # Errors
    /// [`StageError::Open`], [`StageError::NoController`], [`StageError::Version`].
    pub fn welcome(&self) -> Result<Welcome, StageError> {
        let until = Instant::now() + self.timing.connect;
        let found = self.line.wait(until, |state| match &state.link {
            Link::Open(welcome) => Some(Ok(*welcome)),
            Link::Refused(code) => Some(Err(*code)),
            Link::Closed(_) | Link::Greeting => None,
        });
        let port = || self.line.port().to_string();
        match found {
            Some(Ok(welcome)) => Ok(welcome),
            Some(Err(code)) => Err(StageError::Version { port: port(), code }),
            None => match &self.line.state().link {
                Link::Closed(Some(error)) => match &**error {
                    StageError::Open { source, .. } => {
                        Err(StageError::Open { port: port(), source: std::io::Error::new(source.kind(), source.to_string()) })
                    }
                    _ => Err(StageError::NoController { port: port(), seconds: self.timing.connect.as_secs_f64() }),
                },
                _ => Err(StageError::NoController { port: port(), seconds: self.timing.connect.as_secs_f64() }),
            },
        }
    }

    /// Has a command carried out, once.
    ///
    /// # Errors
    /// [`StageError::Refused`]; [`StageError::NotSent`] and [`StageError::Unknown`] when the session ends meanwhile; those of
    /// [`welcome`](Self::welcome) when there is none.
    pub fn ask(&self, command: Command) -> Result<Answer, StageError> {
        let name = name(&command);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.welcome()?;
            match self.line.submit(command.clone()) {
                Ok(()) => break,
                // Lost between the two lines above: nothing was sent.
                Err(SubmitError::NoSession) => {}
                Err(SubmitError::Busy) => return Err(StageError::NotSent { command: name }),
            }
        }
        // The client gives up by itself; this is only a bound on a defect.
        let link = self.timing.link;
        let patience = Duration::from_micros(u64::from(link.retry_us) * u64::from(link.tries) + u64::from(link.silence_us)) * 2;
        match self.line.wait(Instant::now() + patience, |state| state.answer.take()) {
            Some(Ok(outcome)) => Ok(outcome?),
            Some(Err(Failure::NotSent)) => Err(StageError::NotSent { command: name }),
            Some(Err(Failure::Unknown)) | None => Err(StageError::Unknown { command: name }),
        }
    }

    /// Stops everything at once; does not wait for its turn, and needs no session.
    ///
    /// # Errors
    /// [`StageError::StopUnanswered`].
    pub fn emergency_stop(&self) -> Result<(), StageError> {
        self.line.emergency_stop();
        match self.line.wait(Instant::now() + self.timing.connect, |state| state.stopped.take()) {
            Some(true) => Ok(()),
            Some(false) => Err(StageError::StopUnanswered("no answer".to_owned())),
            None => Err(StageError::StopUnanswered("time is up".to_owned())),
        }
    }

    /// The next event, if one comes in time.
    pub fn event(&self, patience: Duration) -> Option<Event> {
        self.line.wait(Instant::now() + patience, |state| state.events.pop_front())
    }

    /// Events that another program has taken, or that nobody has fetched in time.
    pub fn events_missed(&self) -> u64 {
        self.line.state().events_missed
    }

    /// Waits until an operation is over; `each` sees every other event that comes meanwhile, and may end the waiting with an error. Returns where the
    /// stage stands. The line may be lost and found again meanwhile.
    ///
    /// # Errors
    /// [`StageError::Stopped`], [`StageError::Faulted`], [`StageError::TimeOut`], [`StageError::Restarted`], what `each` returns, and what
    /// [`welcome`](Self::welcome) returns when the line stays lost.
    pub fn wait(
        &self,
        what: &'static str,
        operation: u32,
        patience: Duration,
        mut each: impl FnMut(Option<&Event>) -> Result<(), StageError>,
    ) -> Result<PerAxis<Um>, StageError> {
        let boot = self.welcome()?.boot;
        let until = Instant::now() + patience;
        loop {
            let event = self.event(Duration::from_millis(50).min(until.saturating_duration_since(Instant::now())));
            match event {
                Some(Event::Finished { operation: over, ending, position }) if over == operation => {
                    return match ending {
                        Ending::Done => Ok(position),
                        Ending::Stopped => Err(StageError::Stopped),
                        Ending::Faulted(fault) => Err(StageError::Faulted(fault)),
                    };
                }
                Some(_) => {}
                None if Instant::now() >= until => return Err(StageError::TimeOut { what, seconds: patience.as_secs_f64() }),
                None if self.line.state().boot != Some(boot) => return Err(StageError::Restarted),
                None => {
                    self.welcome()?;
                }
            }
            each(event.as_ref())?;
        }
    }

    /// Ends whatever moves by its ramp, and waits until it rests. Events that come meanwhile are dropped.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask); [`StageError::TimeOut`].
    pub fn come_to_rest(&self, patience: Duration) -> Result<(), StageError> {
        self.stop()?;
        let until = Instant::now() + patience;
        while self.status()?.operation.is_some() {
            if Instant::now() >= until {
                return Err(StageError::TimeOut { what: "coming to rest", seconds: patience.as_secs_f64() });
            }
            let _ = self.event(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // Without a goodbye (the line is lost, something still moves) the controller stops by itself when it misses the heartbeat.
        if matches!(self.line.state().link, Link::Open(_)) {
            let _ = self.ask(Command::Goodbye);
        }
    }
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("port", self.line.port()).field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// A command in words.
pub(super) const fn name(command: &Command) -> &'static str {
    match command {
        Command::Ping => "ping",
        Command::Status => "status",
        Command::AxisSettings { .. } | Command::StageSettings => "settings",
        Command::ConfigureAxis { .. } | Command::ConfigureStage(_) => "configure",
        Command::SetHeartbeat { .. } => "heartbeat",
        Command::Home { .. } => "home",
        Command::MoveTo { .. } | Command::MoveBy { .. } => "move",
        Command::Stop => "stop",
        Command::EmergencyStop => "emergency stop",
        Command::AcknowledgeFault => "acknowledge",
        Command::Light { .. } => "light",
        Command::Trigger(_) => "trigger",
        Command::Scan(_) => "scan",
        Command::PauseScan => "pause",
        Command::ResumeScan => "resume",
        Command::AbortScan => "abort",
        Command::RepeatField { .. } => "repeat",
        Command::Field(_) | Command::BeginField { .. } | Command::FieldRow(_) | Command::EndField { .. } => "field",
        Command::Moments { .. } => "moments",
        Command::AcknowledgeAlarm { .. } => "acknowledge alarm",
        Command::Goodbye => "goodbye",
    }
}
