//! A stand-in for a controller's inside: a stage that takes its time, lights, a camera, a monitor, and a guard.

use lsr_core::{CountPrior, MonitorConfig};
use lsr_edge::stage::Um;
use lsr_edge::stage::wire::{
    Answer, Axis, Command, Ending, ErrorCode, Event, Exposure, Fault, Handler, Identity, LinkStatistics, Outcome, PROTOCOL_VERSION,
    PerAxis, ResetReason, ScanProgress, StageState, Status, StopSource,
};
use lsr_firmware::{FIRMWARE_VERSION, FieldMonitor};
use std::collections::VecDeque;

const LIMIT: Um = Um::from_nm(20_000_000);

#[derive(Debug)]
struct Running {
    operation: u32,
    ends_at: u64,
    target: PerAxis<Um>,
    homes: PerAxis<bool>,
    /// Fields of a scan that are still to come.
    fields: VecDeque<u32>,
    of: u32,
}

#[derive(Debug)]
pub(crate) struct Microscope {
    /// Commands that were carried out or refused, in order.
    pub(crate) log: Vec<Command>,
    pub(crate) stops: u32,
    pub(crate) events: VecDeque<Event>,
    pub(crate) light: [u16; 4],
    pub(crate) fault: Option<Fault>,
    pub(crate) heartbeat_ms: u16,
    /// How long a move takes, us.
    pub(crate) move_us: u64,
    pub(crate) operations: u32,
    position: PerAxis<Um>,
    homed: PerAxis<bool>,
    running: Option<Running>,
    trigger_id: u32,
    monitor: FieldMonitor<10>,
}

impl Microscope {
    pub(crate) fn new() -> Self {
        Self {
            log: Vec::new(),
            stops: 0,
            events: VecDeque::new(),
            light: [0; 4],
            fault: None,
            heartbeat_ms: 1_000,
            move_us: 30_000,
            operations: 0,
            position: PerAxis::default(),
            homed: PerAxis::default(),
            running: None,
            trigger_id: 0,
            monitor: FieldMonitor::new(&CountPrior::<f32, 10, 2>::table_1(), 1, MonitorConfig::default()).unwrap(),
        }
    }

    /// How often a command of this kind was carried out or refused.
    pub(crate) fn count(&self, kind: impl Fn(&Command) -> bool) -> usize {
        self.log.iter().filter(|command| kind(command)).count()
    }

    /// Lets time pass: the guard, then what runs.
    pub(crate) fn poll(&mut self, now: u64, last_heard: Option<u64>) {
        let silent = last_heard.is_some_and(|heard| now - heard > u64::from(self.heartbeat_ms) * 1_000);
        if silent && self.fault.is_none() {
            self.fail(Fault::HostLost { heartbeat_ms: self.heartbeat_ms });
        }
        let Some(running) = self.running.as_mut().filter(|running| now >= running.ends_at) else { return };
        if let Some(field) = running.fields.pop_front() {
            running.ends_at = now + 1_000;
            let operation = running.operation;
            let exposure = self.expose(operation, now);
            self.events.push_back(Event::FieldExposed { field, exposure });
            return;
        }
        if let Some(running) = self.running.take() {
            self.position = running.target;
            for (axis, homed) in running.homes.iter().filter(|(_, homed)| **homed) {
                *self.homed.get_mut(axis) = *homed;
            }
            self.finish(running.operation, Ending::Done);
        }
    }

    fn expose(&mut self, operation: u32, now: u64) -> Exposure {
        self.trigger_id += 1;
        Exposure { operation, trigger_id: self.trigger_id, time_us: now, position: self.position, light: self.light }
    }

    fn finish(&mut self, operation: u32, ending: Ending) {
        self.events.push_back(Event::Finished { operation, ending, position: self.position });
    }

    fn fail(&mut self, fault: Fault) {
        self.fault = Some(fault);
        self.light = [0; 4];
        self.events.push_back(Event::Faulted(fault));
        if let Some(running) = self.running.take() {
            self.finish(running.operation, Ending::Faulted(fault));
        }
    }

    fn start(&mut self, target: PerAxis<Um>, homes: PerAxis<bool>, fields: VecDeque<u32>, now: u64) -> Outcome {
        self.operations += 1;
        let (operation, of) = (self.operations, fields.len() as u32);
        self.running = Some(Running { operation, ends_at: now + self.move_us, target, homes, fields, of });
        Ok(Answer::Started { operation })
    }

    fn may_move(&self) -> Result<(), ErrorCode> {
        match (self.fault, &self.running) {
            (Some(fault), _) => Err(ErrorCode::Faulted { fault }),
            (None, Some(_)) => Err(ErrorCode::Busy { state: StageState::Moving }),
            (None, None) => Ok(()),
        }
    }

    fn go(&mut self, asked: &PerAxis<Option<Um>>, relative: bool, now: u64) -> Outcome {
        self.may_move()?;
        let mut target = self.position;
        for (axis, place) in asked.iter().filter_map(|(axis, place)| Some((axis, (*place)?))) {
            if !self.homed.get(axis) {
                return Err(ErrorCode::NotHomed { axis });
            }
            let place = if relative { place.checked_add(*self.position.get(axis)).unwrap_or(Um::MAX) } else { place };
            if place < Um::ZERO || place > LIMIT {
                return Err(ErrorCode::OutsideLimits { axis, minimum: Um::ZERO, maximum: LIMIT, asked: place });
            }
            *target.get_mut(axis) = place;
        }
        self.start(target, PerAxis::default(), VecDeque::new(), now)
    }

    fn status(&self, link: &LinkStatistics, now: u64) -> Status {
        Status {
            uptime_us: now,
            position: self.position,
            homed: self.homed,
            state: match (&self.fault, &self.running) {
                (Some(_), _) => StageState::Faulted,
                (None, Some(_)) => StageState::Moving,
                (None, None) => StageState::Idle,
            },
            fault: self.fault,
            operation: self.running.as_ref().map(|running| running.operation),
            scan: self.running.as_ref().filter(|running| running.of > 0).map(|running| ScanProgress {
                operation: running.operation,
                visited: running.of - running.fields.len() as u32,
                fields: running.of,
                paused: false,
            }),
            light: self.light,
            trigger_id: self.trigger_id,
            alarm: self.monitor.alarm(),
            heartbeat_ms: self.heartbeat_ms,
            reset_reason: ResetReason::PowerOn,
            link: *link,
        }
    }
}

impl Handler for Microscope {
    fn identity(&self) -> Identity {
        Identity {
            protocol: PROTOCOL_VERSION,
            firmware: FIRMWARE_VERSION,
            axes: PerAxis { x: true, y: true, z: true },
            lights: 4,
            labels: 10,
            reset_reason: ResetReason::PowerOn,
            heartbeat_ms: self.heartbeat_ms,
        }
    }

    fn carry_out(&mut self, command: &Command, link: &LinkStatistics, now: u64) -> Outcome {
        self.log.push(command.clone());
        if let Some(outcome) = self.monitor.carry_out(command) {
            while let Some(alarm) = self.monitor.next_event() {
                self.events.push_back(alarm);
            }
            return outcome;
        }
        match command {
            Command::Ping => Ok(Answer::Pong(self.identity())),
            Command::Status => Ok(Answer::Status(self.status(link, now))),
            Command::SetHeartbeat { heartbeat_ms } => {
                self.heartbeat_ms = *heartbeat_ms;
                Ok(Answer::Done)
            }
            Command::Home { axes } => {
                self.may_move()?;
                self.start(PerAxis::default(), *axes, VecDeque::new(), now)
            }
            Command::MoveTo { target } => self.go(target, false, now),
            Command::MoveBy { offset } => self.go(offset, true, now),
            Command::Scan(plan) => {
                self.may_move()?;
                if !self.homed.x {
                    return Err(ErrorCode::NotHomed { axis: Axis::X });
                }
                self.start(self.position, PerAxis::default(), (plan.first_visit..plan.fields()).collect(), now)
            }
            Command::Trigger(_) => {
                self.may_move()?;
                self.operations += 1;
                let operation = self.operations;
                let exposure = self.expose(operation, now);
                self.events.push_back(Event::Exposed(exposure));
                self.finish(operation, Ending::Done);
                Ok(Answer::TriggerStarted { operation, trigger_id: exposure.trigger_id })
            }
            Command::Stop => {
                if let Some(running) = self.running.take() {
                    self.finish(running.operation, Ending::Stopped);
                }
                Ok(Answer::Done)
            }
            Command::AcknowledgeFault => {
                self.fault = None;
                Ok(Answer::Done)
            }
            Command::Light { level, .. } => {
                let lights = self.light.len() as u8;
                let unknown = ErrorCode::UnknownLight { channels: lights, found: level.channel };
                *self.light.get_mut(usize::from(level.channel)).ok_or(unknown)? = level.permille;
                Ok(Answer::Done)
            }
            Command::Goodbye => {
                if self.running.is_some() {
                    return Err(ErrorCode::Busy { state: StageState::Moving });
                }
                self.light = [0; 4];
                Ok(Answer::Done)
            }
            _ => Err(ErrorCode::NotOnThisBoard),
        }
    }

    fn emergency_stop(&mut self, _: u64) {
        self.stops += 1;
        self.fail(Fault::EmergencyStop { source: StopSource::Host });
    }

    fn session_begun(&mut self, _: u64) {
        self.monitor.forget_field();
    }
}
