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
    switches: Debounce,
    head: Option<StepEvent>,
    direction: u8,
    direction_since: Ticks,
    /// Axes whose step pin is high, and until when.
    raised: u8,
    pulse_end: Ticks,
    low_since: Ticks,
    energised: bool,
    made: PerAxis<Made>,
    consumed: u32,
    halted: bool,
    resumed: u32,
    calls: u32,
}

/// Steps that an axis has made, and when it made the last two.
#[derive(Debug, Clone, Copy)]
struct Made {
    count: i32,
    last: Ticks,
    before: Ticks,
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
            switches: Debounce::new(),
            head: None,
            direction: 0,
            direction_since: 0,
            raised: 0,
            pulse_end: 0,
            low_since: 0,
            energised: false,
            made: PerAxis::splat(Made { count: 0, last: 0, before: 0 }),
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
        if self.raised != 0 {
            if now < self.pulse_end {
                return Ok(self.pulse_end);
            }
            // The next step is at least a pulse away: the switches are looked at then.
            self.end_pulse(now)?;
        } else {
            self.look(now)?;
        }
        self.energise()?;
        if self.halted && !self.resume() {
            return Ok(now + IDLE);
        }
        if self.shared.is_emergency() {
            return Err(Halt::Emergency);
        }
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

    /// For what is rare. Steps and switches go to each driver directly.
    fn driver(&mut self, axis: Axis) -> &mut dyn AxisDriver {
        match axis {
            Axis::X => &mut self.x,
            Axis::Y => &mut self.y,
            Axis::Z => &mut self.z,
        }
    }

    /// Reads the switches.
    fn look(&mut self, now: Ticks) -> Result<(), Halt> {
        let reads = read(&mut self.x, Axis::X)? | read(&mut self.y, Axis::Y)? | read(&mut self.z, Axis::Z)?;
        self.switches.look(reads, now, self.timing.debounce_us);
        self.shared.set_switches(self.switches.active());
        Ok(())
    }

    fn check_limits(&self, event: StepEvent) -> Result<(), Halt> {
        let confirmed = self.switches.confirmed();
        if confirmed != 0 {
            for axis in Axis::ALL {
                let side = if event.positive(axis) { Side::Positive } else { Side::Negative };
                if event.steps(axis) && confirmed & switch_bit(axis, side) != 0 {
                    return Err(Halt::Limit(axis, side));
                }
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
        step(&mut self.x, &mut self.made.x, Axis::X, event, now, self.shared)?;
        step(&mut self.y, &mut self.made.y, Axis::Y, event, now, self.shared)?;
        step(&mut self.z, &mut self.made.z, Axis::Z, event, now, self.shared)
    }

    fn end_pulse(&mut self, now: Ticks) -> Result<(), Halt> {
        let raised = core::mem::take(&mut self.raised);
        self.low_since = now;
        self.consume();
        // All of them, before one that failed is told of.
        let x = lower(&mut self.x, Axis::X, raised);
        let y = lower(&mut self.y, Axis::Y, raised);
        let z = lower(&mut self.z, Axis::Z, raised);
        x.and(y).and(z)
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
            let made = self.made.get(axis);
            self.shared.set_interval(axis, u32::try_from(made.last - made.before).unwrap_or(u32::MAX));
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

/// The switches of an axis that read active.
fn read(driver: &mut impl AxisDriver, axis: Axis) -> Result<u8, Halt> {
    let mut active = 0;
    for side in [Side::Negative, Side::Positive] {
        if driver.switch_active(side).map_err(|_| Halt::Pin(axis))? {
            active |= switch_bit(axis, side);
        }
    }
    Ok(active)
}

/// Raises the step pin of an axis, if it steps, and counts.
fn step(
    driver: &mut impl AxisDriver,
    made: &mut Made,
    axis: Axis,
    event: StepEvent,
    now: Ticks,
    shared: &MotionShared,
) -> Result<(), Halt> {
    if event.steps(axis) {
        driver.pulse(true).map_err(|_| Halt::Pin(axis))?;
        made.count = made.count.wrapping_add(if event.positive(axis) { 1 } else { -1 });
        made.before = core::mem::replace(&mut made.last, now);
        shared.set_count(axis, made.count);
    }
    Ok(())
}

/// Lowers the step pin of an axis, if it was raised.
fn lower(driver: &mut impl AxisDriver, axis: Axis, raised: u8) -> Result<(), Halt> {
    if raised & axis.bit() != 0 { driver.pulse(false).map_err(|_| Halt::Pin(axis)) } else { Ok(()) }
}

#[cfg(feature = "defmt")]
impl<X, Y, Z> defmt::Format for StepExecutor<'_, X, Y, Z> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "StepExecutor {{ consumed: {}, halted: {} }}", self.consumed, self.halted);
    }
}
