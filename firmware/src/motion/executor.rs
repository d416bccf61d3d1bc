//! The half in the timer interrupt: turns events into edges on pins, and refuses those that must not happen. No division, no floating point, no wait.

use crate::motion::axis::{Axis, PerAxis, Side};
use crate::motion::config::DriverTiming;
use crate::motion::debounce::Debounce;
use crate::motion::driver::{AxisDriver, PinFailed};
use crate::motion::halt::Halt;
use crate::motion::queue::{StepEvent, StepReceiver};
use crate::motion::shared::{MotionShared, switch_bit};
use crate::units::Ticks;

/// Longest time between calls, so that switches are seen and the executor is known to be alive.
const IDLE: Ticks = 1_000;

/// Steps the motors. Owned by the timer interrupt; what it does depends on its queue and on [`MotionShared`] only, so link traffic cannot disturb it.
pub struct StepExecutor<'q, X, Y, Z> {
    timing: DriverTiming,
    shared: &'q MotionShared,
    events: StepReceiver<'q>,
    x: X,
    y: Y,
    z: Z,
    /// At the negative and at the positive end.
    switches: PerAxis<[Debounce; 2]>,
    head: Option<StepEvent>,
    direction: u8,
    direction_since: Ticks,
    /// Axes whose step pin is high, and until when.
    raised: u8,
    pulse_end: Ticks,
    low_since: Ticks,
    energised: bool,
    count: PerAxis<i32>,
    last_step: PerAxis<Ticks>,
    interval: PerAxis<u32>,
    consumed: u32,
    halted: bool,
    resumed: u32,
    calls: u32,
}

impl<'q, X: AxisDriver, Y: AxisDriver, Z: AxisDriver> StepExecutor<'q, X, Y, Z> {
    /// Takes over the pins: motors off, step pins low, direction negative.
    ///
    /// # Errors
    /// [`PinFailed`]
    pub fn new(timing: DriverTiming, shared: &'q MotionShared, events: StepReceiver<'q>, axes: (X, Y, Z)) -> Result<Self, PinFailed> {
        let (x, y, z) = axes;
        let mut executor = Self {
            timing,
            shared,
            events,
            x,
            y,
            z,
            switches: PerAxis::splat([Debounce::new(); 2]),
            head: None,
            direction: 0,
            direction_since: 0,
            raised: 0,
            pulse_end: 0,
            low_since: 0,
            energised: false,
            count: PerAxis::splat(0),
            last_step: PerAxis::splat(0),
            interval: PerAxis::splat(u32::MAX),
            consumed: 0,
            halted: false,
            resumed: shared.resume_request(),
            calls: 0,
        };
        let mut fitted = 0;
        for axis in Axis::ALL {
            let driver = executor.driver(axis);
            driver.energise(false)?;
            driver.pulse(false)?;
            driver.direction(Side::Negative)?;
            for side in [Side::Negative, Side::Positive] {
                fitted |= if driver.has_switch(side) { switch_bit(axis, side) } else { 0 };
            }
        }
        shared.set_fitted(fitted);
        Ok(executor)
    }

    /// Does what is due at `now` and says when it wants to be called again: at most a millisecond later. Being called earlier, or more often, does
    /// no harm. To be called as soon as possible after [`Stage::poll`](crate::Stage::poll) and after an emergency stop (a board pends the interrupt).
    pub fn on_timer(&mut self, now: Ticks) -> Ticks {
        self.calls = self.calls.wrapping_add(1);
        self.shared.set_calls(self.calls);
        let next = match self.advance(now) {
            Ok(next) => next,
            Err(halt) => {
                self.halt(halt);
                if self.raised == 0 { now + IDLE } else { self.pulse_end }
            }
        };
        next.min(now + IDLE)
    }

    /// The pins, as they stand.
    pub fn release(self) -> (X, Y, Z) {
        (self.x, self.y, self.z)
    }

    fn advance(&mut self, now: Ticks) -> Result<Ticks, Halt> {
        self.look(now)?;
        if self.raised != 0 {
            if now < self.pulse_end {
                return Ok(self.pulse_end);
            }
            self.end_pulse(now)?;
        }
        if self.halted && !self.resume() {
            return Ok(now + IDLE);
        }
        if self.shared.is_emergency() {
            return Err(Halt::Emergency);
        }
        self.energise()?;
        if self.head.is_none() {
            self.head = self.events.pop();
        }
        let Some(event) = self.head else { return Ok(now + IDLE) };
        if !self.shared.is_permitted() {
            return Err(Halt::Forbidden);
        }
        self.turn(event.direction, now)?;
        let due = event
            .at
            .max(self.direction_since + Ticks::from(self.timing.direction_setup_us))
            .max(self.low_since + Ticks::from(self.timing.pulse_us));
        if now < due {
            // A look at the switches when their window before the step opens, and one at the step.
            let opens = due.saturating_sub(self.timing.debounce_us.into());
            return Ok(if now < opens { opens } else { due });
        }
        let late = now - event.at;
        if late > self.timing.latency_us.into() {
            return Err(Halt::Late(u16::try_from(late).unwrap_or(u16::MAX)));
        }
        self.check_limits(event)?;
        self.head = None;
        self.begin_pulse(event, now)?;
        Ok(self.pulse_end)
    }

    fn driver(&mut self, axis: Axis) -> &mut dyn AxisDriver {
        match axis {
            Axis::X => &mut self.x,
            Axis::Y => &mut self.y,
            Axis::Z => &mut self.z,
        }
    }

    /// Reads the switches.
    fn look(&mut self, now: Ticks) -> Result<(), Halt> {
        let mut active = 0;
        for axis in Axis::ALL {
            for side in [Side::Negative, Side::Positive] {
                let reads = self.driver(axis).switch_active(side).map_err(|_| Halt::Pin(axis))?;
                let debounce = self.timing.debounce_us;
                let switch = self.switch(axis, side);
                switch.look(reads, now, debounce);
                active |= if switch.active() { switch_bit(axis, side) } else { 0 };
            }
        }
        self.shared.set_switches(active);
        Ok(())
    }

    fn switch(&mut self, axis: Axis, side: Side) -> &mut Debounce {
        let [negative, positive] = self.switches.get_mut(axis);
        match side {
            Side::Negative => negative,
            Side::Positive => positive,
        }
    }

    fn check_limits(&mut self, event: StepEvent) -> Result<(), Halt> {
        for axis in Axis::ALL {
            let side = if event.positive(axis) { Side::Positive } else { Side::Negative };
            if event.steps(axis) && self.switch(axis, side).confirmed() {
                return Err(Halt::Limit(axis, side));
            }
        }
        Ok(())
    }

    fn energise(&mut self) -> Result<(), Halt> {
        let on = self.shared.is_energised();
        if on != self.energised {
            self.energised = on;
            for axis in Axis::ALL {
                self.driver(axis).energise(on).map_err(|_| Halt::Pin(axis))?;
            }
        }
        Ok(())
    }

    /// Sets the direction pins of a step as soon as the step before it is over.
    fn turn(&mut self, direction: u8, now: Ticks) -> Result<(), Halt> {
        let changed = self.direction ^ direction;
        if changed == 0 {
            return Ok(());
        }
        self.direction = direction;
        self.direction_since = now;
        for axis in Axis::ALL {
            if changed & axis.bit() != 0 {
                let side = if direction & axis.bit() != 0 { Side::Positive } else { Side::Negative };
                self.driver(axis).direction(side).map_err(|_| Halt::Pin(axis))?;
            }
        }
        Ok(())
    }

    fn begin_pulse(&mut self, event: StepEvent, now: Ticks) -> Result<(), Halt> {
        self.raised = event.axes;
        self.pulse_end = now + Ticks::from(self.timing.pulse_us);
        for axis in Axis::ALL {
            if event.steps(axis) {
                self.driver(axis).pulse(true).map_err(|_| Halt::Pin(axis))?;
                let count = self.count.get_mut(axis);
                *count = count.wrapping_add(if event.positive(axis) { 1 } else { -1 });
                self.shared.set_count(axis, *count);
                *self.interval.get_mut(axis) = ticks_since(*self.last_step.get(axis), now);
                *self.last_step.get_mut(axis) = now;
            }
        }
        Ok(())
    }

    fn end_pulse(&mut self, now: Ticks) -> Result<(), Halt> {
        let raised = core::mem::take(&mut self.raised);
        self.low_since = now;
        self.consume();
        for axis in Axis::ALL {
            if raised & axis.bit() != 0 {
                self.driver(axis).pulse(false).map_err(|_| Halt::Pin(axis))?;
            }
        }
        Ok(())
    }

    fn consume(&mut self) {
        self.consumed = self.consumed.wrapping_add(1);
        self.shared.set_consumed(self.consumed);
    }

    /// The first cause stands until the planner has seen it.
    fn halt(&mut self, halt: Halt) {
        if self.halted {
            return;
        }
        self.halted = true;
        for axis in Axis::ALL {
            // Not the time since the last step: it may be long because the queue ran dry at full speed.
            self.shared.set_interval(axis, *self.interval.get(axis));
        }
        self.shared.set_halt(halt);
    }

    /// Drops what is queued, and goes on if the planner asks for it.
    fn resume(&mut self) -> bool {
        if self.head.take().is_some() {
            self.consume();
        }
        while self.events.pop().is_some() {
            self.consume();
        }
        let request = self.shared.resume_request();
        if request == self.resumed {
            return false;
        }
        self.resumed = request;
        self.halted = false;
        self.shared.set_resumed(request);
        true
    }
}

/// Cut to the longest.
fn ticks_since(then: Ticks, now: Ticks) -> u32 {
    u32::try_from(now.saturating_sub(then)).unwrap_or(u32::MAX)
}

#[cfg(feature = "defmt")]
impl<X, Y, Z> defmt::Format for StepExecutor<'_, X, Y, Z> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "StepExecutor {{ count: {}, consumed: {}, halted: {} }}", self.count, self.consumed, self.halted);
    }
}
