//! What each command does.

use super::convert::{light_error, motion_error, out_of_range, pulse, trigger_error};
use super::machine::{Machine, Task};
use crate::light::{LightError, MAX_RAMP_MS};
use crate::monitor::FIRMWARE_VERSION;
use crate::motion::{Axes, Axis, Encoder, MotionError, PerAxis, StageState};
use crate::scan::Scan;
use crate::trigger::MAX_TRIGGER_US;
use crate::wire::{
    Answer, AxisSettings, Command, Ending, ErrorCode, Fault, Handler, Identity, LIGHT_CHANNELS, LightLevel, LinkStatistics,
    PROTOCOL_VERSION, Part, ScanPlan, Setting, StageSettings, Status, StopSource, TriggerPulse,
};
use embedded_hal::digital::OutputPin;
use embedded_hal::pwm::SetDutyCycle;

/// Longest settling time, ms.
const MAX_SETTLE_MS: u16 = (MAX_TRIGGER_US / 1000) as u16;

impl<L, T, A, E, const LIGHTS: usize, const LABELS: usize> Handler for Machine<'_, L, T, A, E, LIGHTS, LABELS>
where
    L: SetDutyCycle,
    T: OutputPin,
    A: OutputPin,
    E: Encoder,
{
    fn identity(&self) -> Identity {
        Identity {
            protocol: PROTOCOL_VERSION,
            firmware: FIRMWARE_VERSION,
            axes: PerAxis::splat(true),
            lights: u8::try_from(LIGHTS).unwrap_or(u8::MAX),
            labels: self.monitor.as_ref().map_or(0, |monitor| monitor.labels()),
            reset_reason: self.reset_reason,
            heartbeat_ms: self.guard.timeout_ms(),
        }
    }

    fn carry_out(&mut self, command: &Command, link: &LinkStatistics, now: u64) -> Result<Answer, ErrorCode> {
        let outcome = self.obey(command, link, now);
        match command {
            // These change nothing, or come by the thousand.
            Command::Ping | Command::Status | Command::AxisSettings { .. } | Command::StageSettings | Command::Moments { .. } => {}
            Command::Field(_) | Command::FieldRow(_) => log!(debug, "{}: {}", command, outcome),
            _ => log!(info, "{}: {}", command, outcome),
        }
        outcome
    }

    fn emergency_stop(&mut self, _now: u64) {
        self.stop_at_once(StopSource::Host);
    }

    fn session_begun(&mut self, _now: u64) {
        if let Some(monitor) = &mut self.monitor {
            monitor.forget_field();
        }
    }
}

impl<L, T, A, E, const LIGHTS: usize, const LABELS: usize> Machine<'_, L, T, A, E, LIGHTS, LABELS>
where
    L: SetDutyCycle,
    T: OutputPin,
    A: OutputPin,
    E: Encoder,
{
    #[inline(never)]
    fn obey(&mut self, command: &Command, link: &LinkStatistics, now: u64) -> Result<Answer, ErrorCode> {
        match command {
            Command::Ping => Ok(Answer::Pong(self.identity())),
            Command::Status => Ok(Answer::Status(self.status(link, now))),
            Command::AxisSettings { axis } => {
                Ok(Answer::AxisSettings(AxisSettings { axis: *axis, config: *self.stage.config().axes.get(*axis) }))
            }
            Command::ConfigureAxis(settings) => done(self.configure_axis(settings)),
            Command::StageSettings => {
                Ok(Answer::StageSettings(StageSettings { retraction: self.stage.config().retraction, settle_ms: self.settle_ms }))
            }
            Command::ConfigureStage(settings) => done(self.configure_stage(settings)),
            Command::SetHeartbeat { heartbeat_ms } => done(self.set_heartbeat(*heartbeat_ms)),
            Command::Home { .. } | Command::MoveTo { .. } | Command::MoveBy { .. } => self.motion(command),
            Command::Stop => {
                self.stop();
                Ok(Answer::Done)
            }
            Command::EmergencyStop => {
                self.stop_at_once(StopSource::Host);
                Ok(Answer::Done)
            }
            Command::AcknowledgeFault => done(self.acknowledge_fault(now)),
            Command::Light { level, ramp_ms } => done(self.light(*level, *ramp_ms, now)),
            Command::Trigger(asked) => self.fire(asked, now),
            Command::Scan(plan) => self.start_scan(plan, now),
            Command::PauseScan => {
                self.scan()?.pause();
                self.pause_told = false;
                Ok(Answer::Done)
            }
            Command::ResumeScan => done(self.scan()?.resume()),
            Command::AbortScan => {
                self.scan()?;
                self.stop();
                Ok(Answer::Done)
            }
            Command::RepeatField { field } => done(self.scan()?.repeat(*field)),
            Command::Goodbye => done(self.goodbye()),
            Command::Field(_)
            | Command::BeginField { .. }
            | Command::FieldRow(_)
            | Command::EndField { .. }
            | Command::Moments { .. }
            | Command::AcknowledgeAlarm { .. } => self.monitor_command(command),
        }
    }

    fn state(&self) -> StageState {
        if self.fault.is_some() { StageState::Faulted } else { self.stage.status().state }
    }

    #[inline(never)]
    fn status(&self, link: &LinkStatistics, now: u64) -> Status {
        let stage = self.stage.status();
        let levels = self.lights.levels();
        let mut link = *link;
        link.events_lost = link.events_lost.saturating_add(self.events_lost);
        Status {
            uptime_us: now,
            position: stage.position,
            homed: PerAxis::from_fn(|axis| stage.homed.contains(axis)),
            state: self.state(),
            fault: self.fault,
            operation: self.task.map(|(_, operation)| operation),
            scan: self.scan.as_ref().map(Scan::progress),
            light: core::array::from_fn::<u16, LIGHT_CHANNELS, _>(|channel| levels.get(channel).copied().unwrap_or(0)),
            trigger_id: self.trigger.last_id(),
            alarm: self.monitor.as_ref().is_some_and(|monitor| monitor.alarm()),
            heartbeat_ms: self.guard.timeout_ms(),
            reset_reason: self.reset_reason,
            link,
        }
    }

    /// Refuses what would start something while something else is under way, or after a fault.
    #[inline(never)]
    fn check_free(&self) -> Result<(), ErrorCode> {
        if let Some(fault) = self.fault {
            return Err(ErrorCode::Faulted { fault });
        }
        self.check_rest()
    }

    #[inline(never)]
    fn check_rest(&self) -> Result<(), ErrorCode> {
        match self.task {
            Some((Task::Scan, _)) => Err(ErrorCode::ScanRunning),
            Some((Task::Trigger, _)) => Err(ErrorCode::TriggerPending),
            Some((Task::Motion, _)) => Err(ErrorCode::Busy { state: self.stage.status().state }),
            None => Ok(()),
        }
    }

    #[inline(never)]
    fn refused(&self, error: MotionError) -> ErrorCode {
        motion_error(error, self.stage.status().state, self.fault)
    }

    #[inline(never)]
    fn begin(&mut self, task: Task) -> u32 {
        self.operations = self.operations.wrapping_add(1);
        self.task = Some((task, self.operations));
        self.ending = None;
        self.operations
    }

    #[inline(never)]
    fn configure_axis(&mut self, settings: &AxisSettings) -> Result<(), ErrorCode> {
        self.check_rest()?;
        self.stage.configure(settings.axis, settings.config).map_err(|error| self.refused(error))
    }

    #[inline(never)]
    fn configure_stage(&mut self, settings: &StageSettings) -> Result<(), ErrorCode> {
        self.check_rest()?;
        if settings.settle_ms > MAX_SETTLE_MS {
            return Err(out_of_range(Setting::Settle, 0, MAX_SETTLE_MS.into(), settings.settle_ms.into()));
        }
        self.stage.set_retraction(settings.retraction).map_err(|error| self.refused(error))?;
        self.settle_ms = settings.settle_ms;
        Ok(())
    }

    #[inline(never)]
    fn set_heartbeat(&mut self, heartbeat_ms: u16) -> Result<(), ErrorCode> {
        let range = crate::guard::HEARTBEAT_RANGE_MS;
        let refused = |_| out_of_range(Setting::Heartbeat, (*range.start()).into(), (*range.end()).into(), heartbeat_ms.into());
        self.guard.set_timeout(heartbeat_ms).map_err(refused)
    }

    #[inline(never)]
    fn motion(&mut self, command: &Command) -> Result<Answer, ErrorCode> {
        self.check_free()?;
        let begun = match command {
            Command::Home { axes } => {
                let mut chosen = Axes::NONE;
                for axis in Axis::ALL {
                    if *axes.get(axis) {
                        chosen = chosen.with(axis);
                    }
                }
                self.stage.home(chosen)
            }
            Command::MoveTo { target } => self.stage.move_to(*target),
            Command::MoveBy { offset } => self.stage.move_by(*offset),
            _ => return Err(ErrorCode::Internal),
        };
        begun.map_err(|error| self.refused(error))?;
        Ok(Answer::Started { operation: self.begin(Task::Motion) })
    }

    /// Ends whatever is under way: motion by its ramp, a pulse that has not begun not at all.
    #[inline(never)]
    fn stop(&mut self) {
        self.stage.stop();
        if self.task.is_some() && self.ending.is_none() {
            self.ending = Some(Ending::Stopped);
        }
        if self.trigger.cancel().is_err() {
            self.raise(Fault::Pin { part: Part::Trigger });
        }
    }

    #[inline(never)]
    fn acknowledge_fault(&mut self, now: u64) -> Result<(), ErrorCode> {
        let fault = self.fault.ok_or(ErrorCode::NoFault)?;
        if self.fault_persists(now) {
            return Err(ErrorCode::FaultPersists { fault });
        }
        match self.stage.acknowledge() {
            Ok(()) | Err(MotionError::NoFault) => {}
            Err(_) => return Err(ErrorCode::FaultPersists { fault }),
        }
        self.fault = None;
        Ok(())
    }

    #[inline(never)]
    fn light(&mut self, level: LightLevel, ramp_ms: u16, now: u64) -> Result<(), ErrorCode> {
        if let Some(fault) = self.fault.filter(|_| level.permille > 0) {
            return Err(ErrorCode::Faulted { fault });
        }
        let set = self.lights.set(now, level.channel, level.permille, ramp_ms.into());
        if let Err(LightError::Pwm { channel }) = set {
            self.raise(Fault::Pin { part: Part::Light { channel } });
        }
        set.map_err(|error| light_error(error, level.channel))
    }

    #[inline(never)]
    fn fire(&mut self, asked: &TriggerPulse, now: u64) -> Result<Answer, ErrorCode> {
        self.check_free()?;
        let settle = u32::from(self.settle_ms) * 1000;
        let fired = self.trigger.fire(now, pulse(asked), settle, self.stage.is_moving());
        let trigger_id = fired.map_err(|error| trigger_error(error, self.stage.status().state))?;
        Ok(Answer::TriggerStarted { operation: self.begin(Task::Trigger), trigger_id })
    }

    /// Begins a scan of which every field can be reached, in a light that there is.
    #[inline(never)]
    fn start_scan(&mut self, plan: &ScanPlan, now: u64) -> Result<Answer, ErrorCode> {
        self.check_free()?;
        pulse(&plan.trigger).check().map_err(|error| trigger_error(error, self.stage.status().state))?;
        if plan.settle_ms > MAX_SETTLE_MS {
            return Err(out_of_range(Setting::Settle, 0, MAX_SETTLE_MS.into(), plan.settle_ms.into()));
        }
        let scan = Scan::new(self.operations.wrapping_add(1), *plan, self.position().z)?;
        let homed = self.stage.status().homed;
        for axis in Axis::ALL {
            if !homed.contains(axis) {
                return Err(ErrorCode::NotHomed { axis });
            }
            let (minimum, maximum) = self.stage.range(axis);
            for asked in scan.ends(axis) {
                if asked < minimum || asked > maximum {
                    return Err(ErrorCode::OutsideLimits { axis, minimum, maximum, asked });
                }
            }
        }
        if let Some(level) = plan.light {
            self.light(level, 0, now)?;
        }
        let operation = self.begin(Task::Scan);
        self.scan = Some(scan);
        self.pause_told = false;
        Ok(Answer::Started { operation })
    }

    fn scan(&mut self) -> Result<&mut Scan, ErrorCode> {
        self.scan.as_mut().ok_or(ErrorCode::NoScan)
    }

    #[inline(never)]
    fn goodbye(&mut self) -> Result<(), ErrorCode> {
        self.check_rest()?;
        self.lights.off().map_err(|_| ErrorCode::Internal)
    }

    #[inline(never)]
    fn monitor_command(&mut self, command: &Command) -> Result<Answer, ErrorCode> {
        let Some(monitor) = &mut self.monitor else { return Err(ErrorCode::NotOnThisBoard) };
        let outcome = monitor.carry_out(command).unwrap_or(Err(ErrorCode::Internal));
        let alarm = monitor.alarm();
        while let Some(event) = self.monitor.as_mut().and_then(|monitor| monitor.next_event()) {
            self.tell(event);
        }
        if let Some(lamp) = &mut self.lamp
            && lamp.show(alarm).is_err()
        {
            self.raise(Fault::Pin { part: Part::Lamp });
        }
        outcome
    }
}

/// Nothing to tell but that it is so.
#[inline(never)]
fn done(result: Result<(), ErrorCode>) -> Result<Answer, ErrorCode> {
    result.map(|()| Answer::Done)
}

const _: () = assert!(MAX_RAMP_MS <= u16::MAX as u32, "every ramp of the link fits the light's");
