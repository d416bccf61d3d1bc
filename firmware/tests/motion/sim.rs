//! A simulated stage: pins that record their edges with the time, motors that turn, switches at positions, an encoder that can be made to slip.

use embedded_hal::digital::{ErrorKind, ErrorType, InputPin, OutputPin};
use lsr_firmware::{
    Axes, Axis, AxisConfig, AxisPins, DriverTiming, Encoder, Homing, MotionEvent, MotionShared, Outcome, PerAxis, Polarity, Side, Stage,
    StageConfig, StageState, StepExecutor, StepQueue, SwitchHoming, Ticks, Um,
};
use std::cell::RefCell;
use std::rc::Rc;

/// A step, as seen at the pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) at: Ticks,
    pub(crate) axis: Axis,
    /// +1 or -1.
    pub(crate) by: i64,
    /// Where the motor is after it, in steps from where it was at the start.
    pub(crate) motor: i64,
}

/// An axis as a physical thing.
#[derive(Debug, Clone)]
pub(crate) struct Mechanics {
    /// Steps from where the motor was at the start.
    pub(crate) motor: i64,
    /// The switches are active at or beyond these.
    pub(crate) negative_switch: i64,
    pub(crate) positive_switch: i64,
    /// A switch that never changes any more.
    pub(crate) negative_stuck: Option<bool>,
    /// While these last, the negative and the positive switch read the opposite.
    pub(crate) glitches: Vec<(Side, Ticks, Ticks)>,
    /// Steps from now on turn nothing.
    pub(crate) blocked: bool,
    /// The step pin cannot be set.
    pub(crate) broken: bool,
    pub(crate) energised: bool,
    positive: bool,
    high: bool,
    pub(crate) raised_at: Ticks,
    pub(crate) lowered_at: Ticks,
    turned_at: Ticks,
    pub(crate) energised_at: Ticks,
}

/// Everything outside the controller.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Ticks,
    pub(crate) axes: PerAxis<Mechanics>,
    pub(crate) edges: Vec<Edge>,
    timing: DriverTiming,
}

impl World {
    pub(crate) fn new(timing: DriverTiming) -> Rc<RefCell<Self>> {
        let mechanics = Mechanics {
            motor: 0,
            negative_switch: -1_000,
            positive_switch: 100_000,
            negative_stuck: None,
            glitches: Vec::new(),
            blocked: false,
            broken: false,
            energised: true,
            positive: true,
            high: false,
            raised_at: 0,
            lowered_at: 0,
            turned_at: 0,
            energised_at: 0,
        };
        let axes = PerAxis { x: mechanics.clone(), y: mechanics.clone(), z: mechanics };
        Rc::new(RefCell::new(Self { now: 1_000_000, axes, edges: Vec::new(), timing }))
    }
}

#[derive(Clone)]
pub(crate) struct Pin {
    world: Rc<RefCell<World>>,
    axis: Axis,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Step,
    Direction,
    Enable,
    Limit(Side),
}

impl ErrorType for Pin {
    type Error = ErrorKind;
}

impl Pin {
    fn set(&mut self, high: bool) -> Result<(), ErrorKind> {
        let mut world = self.world.borrow_mut();
        let (now, timing) = (world.now, world.timing);
        let axis = world.axes.get_mut(self.axis);
        match self.kind {
            Kind::Step if axis.broken => return Err(ErrorKind::Other),
            Kind::Step if high == axis.high => {}
            Kind::Step => {
                axis.high = high;
                if high {
                    assert!(now - axis.lowered_at >= timing.pulse_us.into(), "the pause between pulses");
                    assert!(now - axis.turned_at >= timing.direction_setup_us.into(), "the direction's set-up time");
                    assert!(axis.energised && now - axis.energised_at >= timing.enable_us.into(), "the motor's current");
                    axis.raised_at = now;
                    let by = if axis.positive { 1 } else { -1 };
                    if !axis.blocked {
                        axis.motor += by;
                    }
                    let motor = axis.motor;
                    world.edges.push(Edge { at: now, axis: self.axis, by, motor });
                } else {
                    assert!(now - axis.raised_at >= timing.pulse_us.into(), "the pulse's width");
                    axis.lowered_at = now;
                }
            }
            Kind::Direction => {
                assert!(!axis.high, "the direction changes between pulses only");
                if high != axis.positive {
                    axis.turned_at = now;
                }
                axis.positive = high;
            }
            Kind::Enable => {
                axis.energised = !high;
                axis.energised_at = now;
            }
            Kind::Limit(_) => panic!("an input is not set"),
        }
        Ok(())
    }
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), ErrorKind> {
        self.set(false)
    }

    fn set_high(&mut self) -> Result<(), ErrorKind> {
        self.set(true)
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, ErrorKind> {
        let world = self.world.borrow();
        let axis = world.axes.get(self.axis);
        let Kind::Limit(side) = self.kind else { panic!("an output is not read") };
        let active = match side {
            Side::Negative => axis.negative_stuck.unwrap_or(axis.motor <= axis.negative_switch),
            Side::Positive => axis.motor >= axis.positive_switch,
        };
        let glitch = axis.glitches.iter().any(|(at, from, to)| *at == side && (*from..*to).contains(&world.now));
        Ok(active != glitch)
    }

    fn is_low(&mut self) -> Result<bool, ErrorKind> {
        self.is_high().map(|high| !high)
    }
}

/// Measures the motor, with a backlash of its own and an offset of its own.
pub(crate) struct SimEncoder {
    world: Rc<RefCell<World>>,
    axis: Axis,
    pub(crate) nm_per_step: i64,
    /// The carriage follows the motor with this much play, in steps.
    play: i64,
    carriage: i64,
    pub(crate) silent: Rc<RefCell<bool>>,
}

impl Encoder for SimEncoder {
    fn position(&mut self) -> Option<Um> {
        if *self.silent.borrow() {
            return None;
        }
        let motor = self.world.borrow().axes.get(self.axis).motor;
        self.carriage = self.carriage.clamp(motor, motor + self.play);
        Some(Um::from_nm(i32::try_from(self.carriage * self.nm_per_step + 123_456).unwrap()))
    }
}

pub(crate) type Pins = AxisPins<Pin, Pin, Pin, Pin, Pin>;

/// The pins of an axis.
pub(crate) fn pins(world: &Rc<RefCell<World>>, axis: Axis) -> Pins {
    let pin = |kind| Pin { world: world.clone(), axis, kind };
    AxisPins {
        step: pin(Kind::Step),
        direction: pin(Kind::Direction),
        enable: Some(pin(Kind::Enable)),
        negative_limit: Some(pin(Kind::Limit(Side::Negative))),
        positive_limit: Some(pin(Kind::Limit(Side::Positive))),
        polarity: Polarity::default(),
    }
}

/// Controller and world, with a clock.
pub(crate) struct Rig {
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) shared: &'static MotionShared,
    pub(crate) stage: Stage<'static, SimEncoder>,
    executor: StepExecutor<'static, Pins, Pins, Pins>,
    pub(crate) now: Ticks,
    wake: Ticks,
    poll_at: Ticks,
    /// Ticks between two rounds of the main loop.
    pub(crate) poll_every: Ticks,
    /// The main loop hangs.
    pub(crate) hung: bool,
    pub(crate) silent: Rc<RefCell<bool>>,
}

/// 0.25 um a step, 3,200 steps a turn: 20,000 steps/s at full speed, which takes 100 ms to reach.
pub(crate) fn axis() -> AxisConfig {
    AxisConfig {
        full_steps_per_turn: 200,
        microsteps: 16,
        travel_per_turn: um(800),
        min: um(0),
        max: um(4_000),
        max_speed_um_per_s: 5_000,
        acceleration_um_per_s2: 50_000,
        sudden_stop_um_per_s: 500,
        backlash: Um::ZERO,
        approach: Side::Positive,
        homing: Homing::Switch(SwitchHoming {
            side: Side::Negative,
            switch_at: um(-50),
            fast_um_per_s: 2_000,
            slow_um_per_s: 100,
            back_off: um(150),
            search: um(5_000),
            timeout_ms: 20_000,
        }),
        encoder_tolerance: None,
    }
}

pub(crate) fn stage_config() -> StageConfig {
    StageConfig { axes: PerAxis::splat(axis()), retraction: None }
}

pub(crate) fn um(um: i32) -> Um {
    Um::from_um(um).unwrap()
}

pub(crate) fn to(x: i32, y: i32, z: i32) -> PerAxis<Option<Um>> {
    PerAxis { x: Some(um(x)), y: Some(um(y)), z: Some(um(z)) }
}

pub(crate) fn only(axis: Axis, position: Um) -> PerAxis<Option<Um>> {
    let mut target = PerAxis::splat(None);
    *target.get_mut(axis) = Some(position);
    target
}

/// A position with every axis homed where the motor is now: for tests of what comes after homing.
pub(crate) fn here(config: StageConfig, position: Um) -> StageConfig {
    let axes = PerAxis::from_fn(|axis| AxisConfig { homing: Homing::Here { position }, ..*config.axes.get(axis) });
    StageConfig { axes, ..config }
}

impl Rig {
    pub(crate) fn new(config: StageConfig, timing: DriverTiming) -> Self {
        let world = World::new(timing);
        let now = world.borrow().now;
        let shared: &'static MotionShared = Box::leak(Box::new(MotionShared::new()));
        let queue: &'static StepQueue = Box::leak(Box::new(StepQueue::new()));
        let (producer, consumer) = queue.split().unwrap();
        let axes = (pins(&world, Axis::X), pins(&world, Axis::Y), pins(&world, Axis::Z));
        let executor = StepExecutor::new(timing, shared, consumer, axes).unwrap();
        let silent = Rc::new(RefCell::new(false));
        let encoders = PerAxis::from_fn(|axis| {
            let config = config.axes.get(axis);
            let nm_per_step =
                i64::from(config.travel_per_turn.nm()) / (i64::from(config.full_steps_per_turn) * i64::from(config.microsteps));
            let play = i64::from(config.backlash.nm()) / nm_per_step.max(1);
            config.encoder_tolerance.map(|_| SimEncoder {
                world: world.clone(),
                axis,
                nm_per_step,
                play,
                carriage: 0,
                silent: silent.clone(),
            })
        });
        let stage = Stage::new(config, timing, shared, producer, encoders).unwrap();
        shared.permit(true);
        Self { world, shared, stage, executor, now, wake: now, poll_at: now, poll_every: 700, hung: false, silent }
    }

    /// Homed where it stands, at `position`.
    pub(crate) fn at(config: StageConfig, position: Um) -> Self {
        let mut rig = Self::new(here(config, position), DriverTiming::default());
        for axis in Axis::ALL {
            rig.change(axis, |axis| (axis.negative_switch, axis.positive_switch) = (-100_000, 100_000));
        }
        rig.stage.home(Axes::ALL).unwrap();
        assert_eq!(rig.finish(), Outcome::Homed);
        rig
    }

    /// Until the clock shows `until`, or something is to be told.
    pub(crate) fn run_until(&mut self, until: Ticks) -> Option<MotionEvent> {
        loop {
            let next = if self.hung { self.wake } else { self.wake.min(self.poll_at.max(self.now)) };
            if next > until {
                self.set_clock(until);
                return None;
            }
            self.set_clock(next);
            let event = if self.poll_at <= self.now && !self.hung {
                self.poll_at = self.now + self.poll_every;
                self.stage.poll(self.now)
            } else {
                None
            };
            self.wake = self.executor.on_timer(self.now);
            assert!(self.wake > self.now, "time goes on");
            if event.is_some() {
                return event;
            }
        }
    }

    pub(crate) fn run_for(&mut self, ticks: Ticks) -> Option<MotionEvent> {
        self.run_until(self.now + ticks)
    }

    /// Lets the interrupt come at once, as a board does after an emergency stop.
    pub(crate) fn interrupt(&mut self) {
        self.wake = self.executor.on_timer(self.now);
    }

    fn set_clock(&mut self, now: Ticks) {
        self.now = now;
        self.world.borrow_mut().now = now;
    }

    /// How the command ends, and that nothing moves after it.
    pub(crate) fn finish(&mut self) -> Outcome {
        match self.run_for(2_000_000_000) {
            Some(MotionEvent::Finished(outcome)) => {
                let edges = self.world.borrow().edges.len();
                assert!(!self.stage.status().moving);
                assert_eq!(self.run_for(50_000), None);
                assert_eq!(self.world.borrow().edges.len(), edges, "a step after the end");
                outcome
            }
            other => panic!("{other:?} in state {:?}", self.stage.status()),
        }
    }

    pub(crate) fn go(&mut self, target: PerAxis<Option<Um>>) -> Outcome {
        self.stage.move_to(target).unwrap();
        self.finish()
    }

    /// Acknowledges a fault as soon as it can be.
    pub(crate) fn acknowledge(&mut self) {
        self.run_for(5_000);
        self.stage.acknowledge().unwrap();
        assert_eq!(self.run_for(5_000), None);
        assert_eq!(self.stage.status().state, StageState::Idle);
    }

    /// The steps since, and forgets them.
    pub(crate) fn take_edges(&mut self) -> Vec<Edge> {
        std::mem::take(&mut self.world.borrow_mut().edges)
    }

    pub(crate) fn motor(&self, axis: Axis) -> i64 {
        self.world.borrow().axes.get(axis).motor
    }

    pub(crate) fn change(&mut self, axis: Axis, change: impl FnOnce(&mut Mechanics)) {
        change(self.world.borrow_mut().axes.get_mut(axis));
    }
}
