//! One call, one answer.

use super::error::StageError;
use super::line::{Line, Link};
use super::port::Port;
use lsr_firmware::Um;
use lsr_firmware::wire::{
    Answer, Axis, AxisSettings, ClientTiming, Command, Consistency, Ending, Event, Failure, FieldSummary, Identity, LabelMoments,
    LightLevel, PerAxis, ROW_PIXELS, RowPixels, ScanPlan, StageSettings, Status, SubmitError, SummedField, TriggerPulse, Welcome,
};
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

    /// Who is there.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask); so for all that follow.
    pub fn ping(&self) -> Result<Identity, StageError> {
        match self.ask(Command::Ping)? {
            Answer::Pong(identity) => Ok(identity),
            other => Err(unexpected("ping", &other)),
        }
    }

    /// Where everything stands.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn status(&self) -> Result<Status, StageError> {
        match self.ask(Command::Status)? {
            Answer::Status(status) => Ok(status),
            other => Err(unexpected("status", &other)),
        }
    }

    /// The settings of an axis.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn axis_settings(&self, axis: Axis) -> Result<AxisSettings, StageError> {
        match self.ask(Command::AxisSettings { axis })? {
            Answer::AxisSettings(settings) => Ok(settings),
            other => Err(unexpected("axis settings", &other)),
        }
    }

    /// New settings for an axis.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn configure_axis(&self, settings: AxisSettings) -> Result<(), StageError> {
        self.done(Command::ConfigureAxis(settings))
    }

    /// New settings for the stage.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn configure_stage(&self, settings: StageSettings) -> Result<(), StageError> {
        self.done(Command::ConfigureStage(settings))
    }

    /// Starts homing; returns its operation.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn home(&self, axes: PerAxis<bool>) -> Result<u32, StageError> {
        self.started(Command::Home { axes })
    }

    /// Starts a straight line to a position; returns its operation.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn move_to(&self, target: PerAxis<Option<Um>>) -> Result<u32, StageError> {
        self.started(Command::MoveTo { target })
    }

    /// Starts a straight line by a way; returns its operation.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn move_by(&self, offset: PerAxis<Option<Um>>) -> Result<u32, StageError> {
        self.started(Command::MoveBy { offset })
    }

    /// Ends motion by its ramp.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn stop(&self) -> Result<(), StageError> {
        self.done(Command::Stop)
    }

    /// A person has seen the fault.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn acknowledge_fault(&self) -> Result<(), StageError> {
        self.done(Command::AcknowledgeFault)
    }

    /// Sets a light. It goes off when the controller's host does.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn light(&self, level: LightLevel, ramp_ms: u16) -> Result<(), StageError> {
        self.done(Command::Light { level, ramp_ms })
    }

    /// Starts a pulse for the camera; returns its operation and its number.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn trigger(&self, pulse: TriggerPulse) -> Result<(u32, u32), StageError> {
        match self.ask(Command::Trigger(pulse))? {
            Answer::TriggerStarted { operation, trigger_id } => Ok((operation, trigger_id)),
            other => Err(unexpected("trigger", &other)),
        }
    }

    /// Starts a scan; returns its operation.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn scan(&self, plan: ScanPlan) -> Result<u32, StageError> {
        self.started(Command::Scan(plan))
    }

    /// Whether a field agrees with the prior.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn field(&self, summary: FieldSummary) -> Result<Consistency, StageError> {
        match self.ask(Command::Field(summary))? {
            Answer::Consistency(consistency) => Ok(consistency),
            other => Err(unexpected("field", &other)),
        }
    }

    /// Has the controller sum a field's u8 probabilities and judge them. Not to be mixed with another thread's.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn field_pixels(&self, label: u8, pixels: &[u8]) -> Result<SummedField, StageError> {
        self.done(Command::BeginField { label })?;
        for row in pixels.chunks(ROW_PIXELS) {
            if let Some(row) = RowPixels::new(row) {
                self.ask(Command::FieldRow(row))?;
            }
        }
        match self.ask(Command::EndField { pixels: u32::try_from(pixels.len()).unwrap_or(u32::MAX) })? {
            Answer::Summed(field) => Ok(field),
            other => Err(unexpected("field", &other)),
        }
    }

    /// The moments of all fields of a label so far.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn moments(&self, label: u8) -> Result<LabelMoments, StageError> {
        match self.ask(Command::Moments { label })? {
            Answer::Moments(moments) => Ok(moments),
            other => Err(unexpected("moments", &other)),
        }
    }

    /// A person has seen the alarm of a label.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn acknowledge_alarm(&self, label: u8) -> Result<(), StageError> {
        self.done(Command::AcknowledgeAlarm { label })
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

    fn done(&self, command: Command) -> Result<(), StageError> {
        let name = name(&command);
        match self.ask(command)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(name, &other)),
        }
    }

    fn started(&self, command: Command) -> Result<u32, StageError> {
        let name = name(&command);
        match self.ask(command)? {
            Answer::Started { operation } => Ok(operation),
            other => Err(unexpected(name, &other)),
        }
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

fn unexpected(command: &'static str, answer: &Answer) -> StageError {
    StageError::UnexpectedAnswer { command, answer: format!("{answer:?}") }
}

/// A command in words.
const fn name(command: &Command) -> &'static str {
    match command {
        Command::Ping => "ping",
        Command::Status => "status",
        Command::AxisSettings { .. } | Command::StageSettings => "settings",
        Command::ConfigureAxis(_) | Command::ConfigureStage(_) => "configure",
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
