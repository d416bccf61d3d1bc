//! Carries commands on: watches the executor, fills its queue, and goes from leg to leg.

use crate::motion::axis::{Axis, PerAxis};
use crate::motion::encoder::Encoder;
use crate::motion::error::MotionFault;
use crate::motion::halt::Halt;
use crate::motion::homing::{DWELL, HomeRun, Next};
use crate::motion::kinematics::HomingSteps;
use crate::motion::line::Line;
use crate::motion::profile::Rate;
use crate::motion::route::slack_after;
use crate::motion::stage::{Activity, Leg, Stage};
use crate::motion::status::{MotionEvent, Outcome};
use crate::units::{Ticks, Um};

/// Ticks from planning a leg to its start: the executor looks at its queue every millisecond at least, and the first events must be in it by then.
const LEAD: Ticks = 2_000;

/// Steps are queued at most so many ticks before they are due, so that slow ones can be stopped as well.
const AHEAD: Ticks = 20_000;

impl<E: Encoder> Stage<'_, E> {
    /// Carries on what was begun. To be called from the main loop: during a move before the queue runs empty (64 steps are 6 ms at 10,000 steps a
    /// second; slow steps are queued 20 ms ahead), and the executor afterwards, so that it sees what is new.
    #[inline(never)]
    pub fn poll(&mut self, now: Ticks) -> Option<MotionEvent> {
        self.watch_executor();
        self.watch_encoders();
        self.watch_homing(now);
        self.feed(now);
        if !self.is_quiet() {
            return None;
        }
        self.end_leg(now);
        let event = self.carry_on(now);
        self.feed(now);
        event
    }

    /// Slows the leg down along its ramp.
    pub(crate) fn slow_down(&mut self) {
        if let Some(Leg { line: Some(line), .. }) = &mut self.leg {
            line.stop();
        }
    }

    /// Lets the executor go on after a halt.
    pub(crate) fn resume(&mut self) {
        self.halt_seen = false;
        self.shared.resume();
    }

    fn watch_executor(&mut self) {
        if self.halt_seen || !self.shared.is_resumed() {
            return;
        }
        let Some(halt) = self.shared.halt() else { return };
        self.halt_seen = true;
        self.distrust();
        if let Some(leg) = &mut self.leg {
            leg.line = None;
        }
        let fault = match halt {
            Halt::Limit(axis, side) => {
                if let Activity::Home(run) = &self.activity
                    && run.expects(axis, side, self.axes.get(axis))
                {
                    self.hit = true;
                    return;
                }
                MotionFault::Limit { axis, side }
            }
            Halt::Emergency => MotionFault::EmergencyStop,
            Halt::Forbidden => MotionFault::Forbidden,
            Halt::Late(late_us) => MotionFault::Late { late_us },
            Halt::Pin(axis) => MotionFault::Pin { axis },
        };
        self.raise(fault);
    }

    /// Axes that were stopped without a ramp from a speed at which that costs steps are no longer homed.
    fn distrust(&mut self) {
        let Some(Leg { line: Some(line), .. }) = &self.leg else { return };
        for axis in Axis::ALL {
            if line.moves(axis) && self.shared.interval(axis) < self.axes.get(axis).sudden_interval {
                self.homed = self.homed.without(axis);
            }
        }
    }

    /// The first fault stands.
    #[inline(never)]
    fn raise(&mut self, fault: MotionFault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.fault_told = false;
            self.log();
        }
    }

    /// Holds what the encoders of homed axes say against the steps counted.
    fn watch_encoders(&mut self) {
        if self.fault.is_some() {
            return;
        }
        for axis in Axis::ALL {
            let Some(tolerance) = self.axes.get(axis).encoder_tolerance.filter(|_| self.homed.contains(axis)) else { continue };
            let fault = match self.encoder_ahead(axis) {
                None => MotionFault::EncoderSilent { axis },
                Some(ahead) => {
                    let found = ahead - self.encoder_offset.get(axis);
                    if found.unsigned_abs() <= u64::from(tolerance.nm().unsigned_abs()) {
                        continue;
                    }
                    MotionFault::LostSteps { axis, tolerance, found: Um::saturating_from_nm(found) }
                }
            };
            self.homed = self.homed.without(axis);
            self.stop_at_once(fault);
            return;
        }
    }

    fn stop_at_once(&mut self, fault: MotionFault) {
        self.raise(fault);
        self.own_stop = true;
        self.shared.emergency_stop();
    }

    /// Measured less counted position in nanometres.
    fn encoder_ahead(&mut self, axis: Axis) -> Option<i64> {
        let counted = self.axes.get(axis).position(*self.steps().get(axis));
        let measured = self.encoders.get_mut(axis).as_mut()?.position()?;
        Some(i64::from(measured.nm()) - i64::from(counted.nm()))
    }

    fn watch_homing(&mut self, now: Ticks) {
        if let (Activity::Home(run), None) = (&self.activity, self.fault)
            && let Some(fault) = run.timeout(now, self.axes.get(run.axis()))
        {
            self.raise(fault);
            self.slow_down();
        }
    }

    /// Fills the queue, but not far ahead: what is in it can no longer be slowed down.
    fn feed(&mut self, now: Ticks) {
        let Some(Leg { line: Some(line), .. }) = &mut self.leg else { return };
        while self.queue.has_room() && line.next_at().is_some_and(|at| at <= now + AHEAD) {
            let Some(event) = line.next() else { return };
            if self.queue.push(event).is_ok() {
                self.pushed = self.pushed.wrapping_add(1);
            }
        }
    }

    /// Whether nothing is queued and nothing is left to be.
    fn is_quiet(&self) -> bool {
        let planned = match &self.leg {
            Some(Leg { line: Some(line), .. }) => line.remaining() == 0,
            _ => true,
        };
        planned && self.shared.consumed() == self.pushed
    }

    fn end_leg(&mut self, now: Ticks) {
        let Some(leg) = self.leg.take() else { return };
        for axis in Axis::ALL {
            let moved = self.shared.count(axis).wrapping_sub(*leg.from.get(axis));
            let slack = self.slack.get_mut(axis);
            *slack = slack_after(*slack, moved, self.axes.get(axis));
        }
        if matches!(self.activity, Activity::Home(_)) {
            self.not_before = now + DWELL;
        }
    }

    /// With everything at rest: the next leg, or the end.
    fn carry_on(&mut self, now: Ticks) -> Option<MotionEvent> {
        if let Some(fault) = self.fault {
            if core::mem::replace(&mut self.fault_told, true) {
                return None;
            }
            return match self.activity {
                Activity::Idle => Some(MotionEvent::Fault(fault)),
                _ => Some(self.finish(Outcome::Failed(fault))),
            };
        }
        if matches!(self.activity, Activity::Idle) {
            return None;
        }
        if self.halt_seen {
            // A hit of the homing switch.
            self.resume();
        }
        if self.shared.is_emergency() {
            // Asked for while the last step was made: the executor's halt is on its way, and with it the outcome.
            return None;
        }
        if self.stopping {
            return Some(self.finish(Outcome::Stopped));
        }
        if !self.shared.is_resumed() || now < self.not_before {
            return None;
        }
        match self.activity {
            Activity::Idle => None,
            Activity::Move(mut route, sent) => {
                let leg = route.next_leg(&self.steps(), &self.slack, &self.axes);
                self.activity = Activity::Move(route, sent);
                if let Some(by) = leg {
                    let rates = PerAxis::from_fn(|axis| self.axes.get(axis).rate);
                    self.begin_leg(by, &rates, now);
                    return None;
                }
                for axis in Axis::ALL {
                    if let Some(position) = *sent.get(axis) {
                        *self.sent.get_mut(axis) = Some(position);
                    }
                }
                Some(self.finish(Outcome::Arrived))
            }
            Activity::Home(run) => self.carry_on_homing(run, now),
        }
    }

    fn carry_on_homing(&mut self, mut run: HomeRun, now: Ticks) -> Option<MotionEvent> {
        if run.is_between_axes() && !run.next_axis() {
            return Some(self.finish(Outcome::Homed));
        }
        let axis = run.axis();
        let kinematics = *self.axes.get(axis);
        let active = match kinematics.homing {
            HomingSteps::Switch { side, .. } => self.shared.switch_active(axis, side),
            HomingSteps::Here { .. } => false,
        };
        let next = run.advance(now, core::mem::take(&mut self.hit), active, self.retracts_for(axis), &kinematics);
        self.activity = Activity::Home(run);
        match next {
            Next::Retract => {
                let by = self.retraction().unwrap_or(0);
                self.begin_leg(PerAxis { z: by, ..PerAxis::splat(0) }, &PerAxis::splat(self.axes.z.rate), now);
            }
            Next::Leg { by, rate } => self.begin_axis_leg(axis, by, rate, now),
            Next::Zero { at, home, rate } => {
                self.set_origin(axis, at);
                self.begin_axis_leg(axis, home.wrapping_sub(at), rate, now);
            }
            Next::Here { at } => {
                self.set_origin(axis, at);
                self.set_homed(axis);
            }
            Next::Homed => self.set_homed(axis),
            Next::Fault(fault) => self.raise(fault),
        }
        None
    }

    /// The axis is at a position, wherever it was counted to be.
    fn set_origin(&mut self, axis: Axis, at: i32) {
        *self.origin.get_mut(axis) = self.shared.count(axis).wrapping_sub(at);
    }

    fn set_homed(&mut self, axis: Axis) {
        self.homed = self.homed.with(axis);
        if self.axes.get(axis).encoder_tolerance.is_some() {
            match self.encoder_ahead(axis) {
                Some(ahead) => *self.encoder_offset.get_mut(axis) = ahead,
                None => {
                    self.homed = self.homed.without(axis);
                    self.stop_at_once(MotionFault::EncoderSilent { axis });
                }
            }
        }
        self.log();
    }

    fn begin_axis_leg(&mut self, axis: Axis, by: i32, rate: Rate, now: Ticks) {
        let mut delta = PerAxis::splat(0);
        *delta.get_mut(axis) = by;
        self.begin_leg(delta, &PerAxis::splat(rate), now);
    }

    fn begin_leg(&mut self, by: PerAxis<i32>, rates: &PerAxis<Rate>, now: Ticks) {
        let mut start = now + LEAD + Ticks::from(self.timing.direction_setup_us);
        if !self.shared.is_energised() {
            self.shared.energise(true);
            // The executor does it within a millisecond, which is less than LEAD.
            start += Ticks::from(self.timing.enable_us);
        }
        let line = Line::new(by, rates, start, self.direction);
        self.direction = line.direction();
        self.leg = Some(Leg { line: Some(line), from: PerAxis::from_fn(|axis| self.shared.count(axis)) });
    }

    fn finish(&mut self, outcome: Outcome) -> MotionEvent {
        self.activity = Activity::Idle;
        self.stopping = false;
        self.log();
        MotionEvent::Finished(outcome)
    }
}
