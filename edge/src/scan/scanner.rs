//! The thread that has the microscope scan: what it knows, and how it goes on after what can happen.

use super::error::ScanError;
use super::run::{ScanSettings, Told};
use super::summary::{FailedField, ThisRun};
use super::visits::Visits;
use super::worker::{Done, Job};
use crate::field::PixelSize;
use crate::interrupt::Interrupt;
use crate::source::{Frame, Next, Source};
use crate::stage::wire::{ErrorCode, LightLevel, PerAxis};
use crate::stage::{Controller, StageError, Um};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest homing.
const HOMING: Duration = Duration::from_secs(300);
/// Longest time until the stage rests.
pub(super) const REST: Duration = Duration::from_secs(10);
/// Resets and lost answers without a field in between.
const BROKEN: u32 = 5;
/// How often a wait looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Scanner<'a> {
    pub(super) controller: &'a Controller,
    pub(super) source: &'a mut dyn Source,
    pub(super) pixel_size: PixelSize,
    pub(super) interrupt: Interrupt,
    pub(super) settings: &'a ScanSettings,
    pub(super) light: LightLevel,
    /// z of all fields.
    pub(super) z: Um,
    pub(super) visits: Visits,
    /// The controller's start.
    pub(super) boot: Option<u32>,
    /// Mean level of the first dark frame.
    pub(super) dark: Option<f64>,
    /// A field with its frame, until the next pulse or mark shows that there was no second one.
    pub(super) held: Option<Job>,
    pub(super) counts: ThisRun,
    failed: Vec<FailedField>,
    handed_on: u32,
    /// Of these, those that the worker is done with.
    done: u32,
    queue: SyncSender<Job>,
    answers: Receiver<Done>,
    tell: &'a (dyn Fn(Told<'_>) + Sync),
}

/// What the scanner tells at its end.
pub(super) struct Scanned {
    pub(super) counts: ThisRun,
    pub(super) failed: Vec<FailedField>,
}

impl<'a> Scanner<'a> {
    #[expect(clippy::too_many_arguments, reason = "everything that a scan is about, each once")]
    pub(super) fn new(
        controller: &'a Controller,
        source: &'a mut dyn Source,
        pixel_size: PixelSize,
        interrupt: Interrupt,
        settings: &'a ScanSettings,
        light: LightLevel,
        visits: Visits,
        (queue, answers): (SyncSender<Job>, Receiver<Done>),
        tell: &'a (dyn Fn(Told<'_>) + Sync),
    ) -> Self {
        Self {
            controller,
            source,
            pixel_size,
            interrupt,
            settings,
            light,
            z: Um::ZERO,
            visits,
            boot: None,
            dark: None,
            held: None,
            counts: ThisRun::default(),
            failed: Vec::new(),
            handed_on: 0,
            done: 0,
            queue,
            answers,
            tell,
        }
    }

    /// Homes if need be, and finds out the fields' z.
    pub(super) fn begin(&mut self, z: Option<Um>) -> Result<Um, ScanError> {
        let begun = self.arrive().and_then(|()| Ok(z.map_or_else(|| self.controller.status().map(|status| status.position.z), Ok)?));
        self.z = begun.map_err(|error| self.stopped(error))?;
        Ok(self.z)
    }

    /// A field is kept since an earlier run.
    pub(super) fn known(&mut self, field: u32) {
        self.visits.take(field);
    }

    /// Visits every field.
    pub(super) fn scan(mut self) -> Result<Scanned, ScanError> {
        let (mut broken, mut handed_on) = (0, 0);
        loop {
            match self.step() {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    broken = if self.handed_on > handed_on { 1 } else { broken + 1 };
                    handed_on = self.handed_on;
                    self.recover(error, broken).map_err(|error| self.stopped(error))?;
                }
            }
        }
        self.counts.pulses_in_vain = self.visits.vain();
        Ok(Scanned { counts: self.counts, failed: self.failed })
    }

    /// A mark, and the fields that come next; whether there are none any more.
    fn step(&mut self) -> Result<bool, ScanError> {
        self.check()?;
        self.arrive()?;
        self.mark()?;
        self.hear();
        match self.visits.next_run() {
            Some(run) => {
                self.leg(run)?;
                Ok(false)
            }
            // A field that waits to be segmented may be one to be looked at once more.
            None => {
                self.hear_all()?;
                Ok(self.visits.next_run().is_none())
            }
        }
    }

    /// What the worker is done with.
    fn hear(&mut self) {
        while let Ok(done) = self.answers.try_recv() {
            self.heard(done);
        }
    }

    /// Waits until the worker is done with everything.
    fn hear_all(&mut self) -> Result<(), ScanError> {
        while self.done < self.handed_on {
            self.check()?;
            match self.answers.recv_timeout(LOOK) {
                Ok(done) => self.heard(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(ScanError::WorkerEnded),
            }
        }
        Ok(())
    }

    fn heard(&mut self, done: Done) {
        self.done += 1;
        if let Done::Unlikely { field, z_score } = done {
            let reason = format!("its count lies {z_score:+.1} standard deviations from its label's");
            self.note(&format!("{} is looked at once more: {reason}", self.name(field)));
            self.visits.again(field);
        }
    }

    /// Makes sure that the stage rests and is homed, after every start of the controller.
    fn arrive(&mut self) -> Result<(), ScanError> {
        let welcome = self.controller.welcome()?;
        if self.boot == Some(welcome.boot) {
            return Ok(());
        }
        let reason = welcome.identity.reset_reason;
        let first = self.boot.replace(welcome.boot).is_none();
        if !first {
            self.counts.resets += 1;
            self.note(&format!("the controller was reset ({reason})"));
        }
        let status = self.controller.status()?;
        if let Some(fault) = status.fault {
            return Err(ScanError::Faulted(fault));
        }
        if status.operation.is_some() {
            // Of a program that is gone: it would be in the way.
            self.controller.come_to_rest(REST)?;
        }
        let axes = welcome.identity.axes;
        let homed = PerAxis::from_fn(|axis| !*axes.get(axis) || *status.homed.get(axis));
        if homed == PerAxis::splat(true) {
            return Ok(());
        }
        if !self.settings.home {
            return Err(if first { ScanError::NotHomed } else { ScanError::Restarted { reason } });
        }
        self.note("homing");
        let operation = self.controller.home(axes)?;
        self.finish("homing", operation, HOMING)
    }

    /// Whether the scan can go on by itself after an error.
    fn recover(&mut self, error: ScanError, broken: u32) -> Result<(), ScanError> {
        let ScanError::Stage(error) = error else { return Err(error) };
        match error {
            StageError::Interrupted => return Err(ScanError::Interrupted),
            StageError::Faulted(fault) | StageError::Refused(ErrorCode::Faulted { fault }) => return Err(ScanError::Faulted(fault)),
            StageError::Open { .. } | StageError::NoController { .. } | StageError::Version { .. } => return Err(error.into()),
            _ if broken > BROKEN => return Err(error.into()),
            _ => {}
        }
        // A controller that was reset refuses everything that belongs to before.
        if Some(self.controller.welcome()?.boot) != self.boot {
            return Ok(());
        }
        match error {
            StageError::Restarted => Ok(()),
            StageError::Unknown { .. } | StageError::NotSent { .. } => {
                self.counts.lost_answers += 1;
                self.note(&format!("{error}; the scan goes on from where it is known to be"));
                match self.controller.come_to_rest(REST) {
                    Err(StageError::Unknown { .. } | StageError::NotSent { .. }) => Ok(()),
                    other => Ok(other?),
                }
            }
            other => Err(other.into()),
        }
    }

    /// Leaves nothing moving and no light on, as far as that can be; gives the error back.
    fn stopped(&self, error: ScanError) -> ScanError {
        let gone =
            matches!(error, ScanError::Stage(StageError::Open { .. } | StageError::NoController { .. } | StageError::Version { .. }));
        if !gone {
            let _ = self.controller.come_to_rest(REST);
            let _ = self.controller.light(LightLevel { permille: 0, ..self.light }, 0);
        }
        error
    }

    /// Whether to stop.
    pub(super) fn check(&self) -> Result<(), ScanError> {
        if self.interrupt.is_set() { Err(ScanError::Interrupted) } else { Ok(()) }
    }

    /// Waits for the end of an operation.
    pub(super) fn finish(&self, what: &'static str, operation: u32, patience: Duration) -> Result<(), ScanError> {
        if Some(self.controller.welcome()?.boot) != self.boot {
            return Err(StageError::Restarted.into());
        }
        let each = |_: Option<&_>| if self.interrupt.is_set() { Err(StageError::Interrupted) } else { Ok(()) };
        self.controller.wait(what, operation, patience, each)?;
        Ok(())
    }

    /// The next frame until a time.
    pub(super) fn next_frame(&mut self, until: Instant) -> Result<Option<Frame>, ScanError> {
        loop {
            self.check()?;
            let left = until.saturating_duration_since(Instant::now());
            let frame = self.frame_within(left.min(LOOK))?;
            if frame.is_some() || left.is_zero() {
                return Ok(frame);
            }
        }
    }

    /// The next frame, if one comes in time. A source that has ended is one that gives no frames: its fields fail one by one, by name.
    pub(super) fn frame_within(&mut self, patience: Duration) -> Result<Option<Frame>, ScanError> {
        match self.source.next(patience)? {
            Next::Frame(frame) => Ok(Some(frame)),
            Next::Nothing => Ok(None),
            Next::End => {
                sleep(patience);
                Ok(None)
            }
        }
    }

    /// Gives the field that is held back to be segmented: its frame was the only one.
    pub(super) fn hand_on(&mut self) -> Result<(), ScanError> {
        if let Some(job) = self.held.take() {
            self.handed_on += 1;
            self.queue.send(job).map_err(|_| ScanError::WorkerEnded)?;
        }
        Ok(())
    }

    /// A pulse of a field was in vain: the field is visited once more, or has failed.
    pub(super) fn doubt(&mut self, field: u32, reason: &str) {
        let failed = self.visits.doubt(field);
        let then = if failed { "given up" } else { "visited once more" };
        self.note(&format!("{} is {then}: {reason}", self.name(field)));
        if failed {
            let [row, column] = self.place(field);
            self.failed.push(FailedField { field, row, column, reason: reason.to_owned() });
        }
    }

    /// Row and column.
    fn place(&self, field: u32) -> [u32; 2] {
        let columns = u32::from(self.settings.plan.columns).max(1);
        [field / columns, field % columns]
    }

    fn name(&self, field: u32) -> String {
        let [row, column] = self.place(field);
        format!("field {field} (row {row}, column {column})")
    }

    /// The frame of the field that is held back may not be its own.
    pub(super) fn take_back(&mut self, reason: &str) {
        if let Some(job) = self.held.take() {
            self.doubt(job.field, reason);
        }
    }

    fn note(&self, text: &str) {
        (self.tell)(Told::Note(text));
    }
}
