//! A call for every command, with the answer that belongs to it.

use super::controller::{Controller, name};
use super::error::StageError;
use lsr_firmware::wire::{
    Answer, Axis, AxisSettings, Command, Consistency, FieldSummary, Identity, LabelMoments, LightLevel, PerAxis, ROW_PIXELS, RowPixels,
    ScanPlan, StageSettings, Status, SummedField, TriggerPulse,
};
use lsr_firmware::{AxisConfig, Um};

impl Controller {
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
    pub fn axis_settings(&self, axis: Axis) -> Result<AxisConfig, StageError> {
        match self.ask(Command::AxisSettings { axis })? {
            Answer::AxisSettings(settings) => Ok(settings.config),
            other => Err(unexpected("axis settings", &other)),
        }
    }

    /// New settings for an axis.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn configure_axis(&self, axis: Axis, config: AxisConfig) -> Result<(), StageError> {
        self.done(Command::ConfigureAxis(AxisSettings { axis, config }))
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

    /// Halts a scan after the field that it is in; [`Event::ScanPaused`](lsr_firmware::wire::Event::ScanPaused) says when.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn pause_scan(&self) -> Result<(), StageError> {
        self.done(Command::PauseScan)
    }

    /// Goes on with a scan.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn resume_scan(&self) -> Result<(), StageError> {
        self.done(Command::ResumeScan)
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

fn unexpected(command: &'static str, answer: &Answer) -> StageError {
    StageError::UnexpectedAnswer { command, answer: format!("{answer:?}") }
}
