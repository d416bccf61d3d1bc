//! The microscope behind the link: what is under way, what has gone wrong, and what the host has not been told yet.

// `inline(never)` here and in `commands`: each of these is called from several places, and the compiler copies it to all of them. That
// was 9 kB of a Cortex-M0+'s flash.

use super::Parts;
use super::convert::{motion_fault, pulse};
use crate::guard::Guard;
use crate::lamp::AlarmLamp;
use crate::light::{LightError, Lights};
use crate::monitor::FieldMonitor;
use crate::motion::{Encoder, MotionEvent, MotionShared, Outcome, PerAxis, Stage};
use crate::scan::Scan;
use crate::trigger::{Trigger, Triggered};
use crate::units::Um;
use crate::wire::{Ending, Event, Exposure, Fault, LIGHT_CHANNELS, Part, ResetReason, StopSource};
use embedded_hal::digital::OutputPin;
use embedded_hal::pwm::SetDutyCycle;
use heapless::Deque;

/// The executor calls itself every millisecond at least.
const EXECUTOR_SILENCE_US: u64 = 50_000;

/// Events that wait until the link has room.
const WAITING: usize = 16;

/// Events that one step of a scan can lead to: an exposure, and the end.
const EVENTS_OF_A_FIELD: usize = 2;

/// What was begun and has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// A move or a homing.
    Motion,
    /// A trigger by itself.
    Trigger,
    /// A scan: see `scan`.
    Scan,
}

pub(super) struct Machine<'q, L, T, A, E, const LIGHTS: usize, const LABELS: usize> {
    pub(super) stage: Stage<'q, E>,
    pub(super) shared: &'q MotionShared,
    pub(super) lights: Lights<L, LIGHTS>,
    pub(super) trigger: Trigger<T>,
    pub(super) monitor: Option<FieldMonitor<LABELS>>,
    pub(super) lamp: Option<AlarmLamp<A>>,
    pub(super) settle_ms: u16,
    pub(super) reset_reason: ResetReason,
    pub(super) guard: Guard,
    pub(super) fault: Option<Fault>,
    pub(super) pressed: bool,
    pub(super) operations: u32,
    /// The operation under way and its number.
    pub(super) task: Option<(Task, u32)>,
    pub(super) scan: Option<Scan>,
    /// How the operation ends once everything rests, if not as asked for.
    pub(super) ending: Option<Ending>,
    /// The pause has been told.
    pub(super) pause_told: bool,
    events: Deque<Event, WAITING>,
    pub(super) events_lost: u32,
    stopped_by: StopSource,
    /// How often the executor was called, and when that number last grew; watched from the first round on.
    executor: (u32, Option<u64>),
}

impl<'q, L, T, A, E, const LIGHTS: usize, const LABELS: usize> Machine<'q, L, T, A, E, LIGHTS, LABELS>
where
    L: SetDutyCycle,
    T: OutputPin,
    A: OutputPin,
    E: Encoder,
{
    pub(super) fn new(parts: Parts<'q, L, T, A, E, LIGHTS, LABELS>) -> Self {
        let Parts { stage, shared, lights, trigger, monitor, lamp, settle_ms, reset_reason } = parts;
        Self {
            stage,
            shared,
            lights,
            trigger,
            monitor,
            lamp,
            settle_ms,
            reset_reason,
            guard: Guard::default(),
            fault: None,
            pressed: false,
            operations: 0,
            task: None,
            scan: None,
            ending: None,
            pause_told: false,
            events: Deque::new(),
            events_lost: 0,
            stopped_by: StopSource::Host,
            executor: (shared.executor_calls(), None),
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    #[inline(never)]
    pub(super) fn tell(&mut self, event: Event) {
        log!(info, "{}", event);
        if self.events.push_back(event).is_err() {
            self.events_lost = self.events_lost.saturating_add(1);
        }
    }

    #[inline(never)]
    pub(super) fn position(&self) -> PerAxis<Um> {
        self.stage.status().position
    }

    /// Stops everything at once.
    #[inline(never)]
    pub(super) fn stop_at_once(&mut self, source: StopSource) {
        self.stopped_by = source;
        self.shared.emergency_stop();
        self.raise(Fault::EmergencyStop { source });
    }

    pub(super) fn button(&mut self, pressed: bool) {
        if pressed && !self.pressed {
            self.stop_at_once(StopSource::Button);
        }
        self.pressed = pressed;
    }

    /// Latches a fault: dark, no pulse, and whatever is under way ends with it.
    #[inline(never)]
    pub(super) fn raise(&mut self, fault: Fault) {
        // Whatever fails here keeps what it was told before: there is no second way to reach it.
        let _ = self.lights.off();
        let _ = self.trigger.cancel();
        self.stage.stop();
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.tell(Event::Faulted(fault));
        }
        if self.task.is_some() {
            self.ending = Some(Ending::Faulted(self.fault.unwrap_or(fault)));
        }
    }

    /// Whether the executor lives and the host is there.
    pub(super) fn watch(&mut self, now: u64, heard: Option<u64>) {
        let calls = self.shared.executor_calls();
        if calls != self.executor.0 || self.executor.1.is_none() {
            self.executor = (calls, Some(now));
        } else if self.executor_is_silent(now) && self.fault != Some(Fault::ExecutorSilent) {
            self.shared.emergency_stop();
            self.raise(Fault::ExecutorSilent);
        }
        if self.fault.is_none() && self.guard.is_lost(now, heard) {
            self.raise(Fault::HostLost { heartbeat_ms: self.guard.timeout_ms() });
        }
    }

    fn executor_is_silent(&self, now: u64) -> bool {
        self.executor.1.is_some_and(|called| now.saturating_sub(called) > EXECUTOR_SILENCE_US)
    }

    /// Whether the cause of the fault has not gone.
    pub(super) fn fault_persists(&self, now: u64) -> bool {
        self.pressed || self.executor_is_silent(now) || self.stage.is_moving() || self.task.is_some()
    }

    #[inline(never)]
    pub(super) fn poll(&mut self, now: u64, event_room: usize) {
        let mut ended = None;
        match self.stage.poll(now) {
            None => {}
            Some(MotionEvent::Fault(fault)) => self.stage_failed(fault),
            Some(MotionEvent::Finished(outcome)) => {
                if let Outcome::Failed(fault) = outcome {
                    self.stage_failed(fault);
                }
                ended = Some(outcome);
            }
        }
        match self.lights.poll(now) {
            Ok(()) => {}
            Err(LightError::Pwm { channel }) => self.raise(Fault::Pin { part: Part::Light { channel } }),
            Err(_) => self.raise(Fault::Internal),
        }
        let exposed = match self.trigger.poll(now, self.stage.is_moving()) {
            Ok(exposed) => exposed,
            Err(_) => {
                self.raise(Fault::Pin { part: Part::Trigger });
                None
            }
        };
        let Some((task, operation)) = self.task else { return };
        if let Some(exposed) = exposed {
            self.exposed(task, operation, exposed);
        }
        if self.stage.is_moving() || self.trigger.busy() {
            return;
        }
        match (task, self.ending, ended) {
            (_, Some(ending), _) => self.finish(operation, ending),
            (Task::Motion, None, Some(Outcome::Stopped)) => self.finish(operation, Ending::Stopped),
            (Task::Motion, None, Some(_)) => self.finish(operation, Ending::Done),
            // A stage that rests without an end to tell cannot be.
            (Task::Motion, None, None) => self.raise(Fault::Internal),
            (Task::Trigger, None, _) => self.finish(operation, Ending::Done),
            (Task::Scan, None, ended) => self.go_on(now, operation, ended, event_room),
        }
    }

    #[inline(never)]
    fn stage_failed(&mut self, fault: crate::motion::MotionFault) {
        let fault = motion_fault(fault, self.stopped_by, &self.position());
        self.raise(fault);
    }

    #[inline(never)]
    fn exposed(&mut self, task: Task, operation: u32, Triggered { id, at }: Triggered) {
        let levels = self.lights.levels();
        let light = core::array::from_fn::<u16, LIGHT_CHANNELS, _>(|channel| levels.get(channel).copied().unwrap_or(0));
        let exposure = Exposure { operation, trigger_id: id, time_us: at, position: self.position(), light };
        let field = self.scan.as_ref().filter(|_| task == Task::Scan).and_then(Scan::current);
        match field {
            Some(visit) => {
                self.tell(Event::FieldExposed { field: visit.field, exposure });
                if let Some(scan) = &mut self.scan {
                    scan.exposed();
                }
            }
            None => self.tell(Event::Exposed(exposure)),
        }
    }

    /// The next thing of a scan, at rest.
    #[inline(never)]
    fn go_on(&mut self, now: u64, operation: u32, ended: Option<Outcome>, event_room: usize) {
        let settle_ms = self.settle_ms;
        let Some(scan) = &mut self.scan else { return self.raise(Fault::Internal) };
        if scan.current().is_some() {
            // Arrived: a pulse, after the rest that plan and stage ask for.
            if ended.is_some() {
                let (plan, settle) = (scan.plan(), u32::from(scan.plan().settle_ms.max(settle_ms)) * 1000);
                if self.trigger.fire(now, pulse(&plan.trigger), settle, false).is_err() {
                    self.raise(Fault::Internal);
                }
            }
            return;
        }
        if scan.is_over() {
            return self.finish(operation, Ending::Done);
        }
        if scan.is_paused() {
            if !self.pause_told {
                self.pause_told = true;
                let next_visit = scan.progress().visited;
                self.tell(Event::ScanPaused { operation, next_visit });
            }
            return;
        }
        // A field is rather seen later than lost.
        if event_room < EVENTS_OF_A_FIELD || !self.events.is_empty() {
            return;
        }
        if let Some(visit) = scan.next_visit()
            && self.stage.move_to(visit.target).is_err()
        {
            self.raise(Fault::Internal);
        }
    }

    /// Ends the operation under way.
    #[inline(never)]
    fn finish(&mut self, operation: u32, ending: Ending) {
        if let Some(scan) = self.scan.take()
            && scan.plan().light.is_some()
        {
            let _ = self.lights.off();
        }
        (self.task, self.ending) = (None, None);
        let position = self.position();
        self.tell(Event::Finished { operation, ending, position });
    }
}
