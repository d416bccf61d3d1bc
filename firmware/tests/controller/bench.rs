//! A microscope: motors that turn, switches, a lamp, a camera; the controller; and a host at the other end of the line.

use embedded_hal::digital::{ErrorType, OutputPin, PinState};
use embedded_hal::pwm::SetDutyCycle;
use lsr_core::{CountPrior, MonitorConfig};
use lsr_firmware::wire::{Answer, Client, ClientTiming, Command, Ending, ErrorCode, Event, Notice, Outcome, ResetReason};
use lsr_firmware::{
    AlarmLamp, Axis, AxisConfig, AxisDriver, Channel, Controller, DriverTiming, FieldMonitor, Homing, Lights, MotionShared, NoEncoder,
    Parts, PerAxis, PinFailed, Side, Stage, StageConfig, StepExecutor, StepQueue, SwitchHoming, Trigger, Um,
};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;

/// Between two rounds of the main loop, us.
const ROUND: u64 = 200;

/// Steps from the motor's start to the switch at the negative end.
const SWITCH: i64 = -1_000;

/// What pins do, with the time.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) now: u64,
    /// Steps from where each motor was at the start.
    pub(crate) motors: PerAxis<i64>,
    /// Where each positive switch is.
    pub(crate) positive_switch: PerAxis<i64>,
    directions: PerAxis<bool>,
    /// Time of every step.
    pub(crate) steps: Vec<(u64, Axis)>,
    pub(crate) light: u16,
    /// Rises and falls of the trigger.
    pub(crate) trigger: Vec<(u64, bool)>,
    pub(crate) lamp: bool,
}

type Shared = Rc<RefCell<World>>;

pub(crate) struct Motor(Shared, Axis);

impl AxisDriver for Motor {
    fn pulse(&mut self, on: bool) -> Result<(), PinFailed> {
        if on {
            let mut world = self.0.borrow_mut();
            let by = if *world.directions.get(self.1) { 1 } else { -1 };
            *world.motors.get_mut(self.1) += by;
            let now = world.now;
            world.steps.push((now, self.1));
        }
        Ok(())
    }

    fn direction(&mut self, side: Side) -> Result<(), PinFailed> {
        *self.0.borrow_mut().directions.get_mut(self.1) = side == Side::Positive;
        Ok(())
    }

    fn energise(&mut self, _: bool) -> Result<(), PinFailed> {
        Ok(())
    }

    fn has_switch(&self, _: Side) -> bool {
        true
    }

    fn switch_active(&mut self, side: Side) -> Result<bool, PinFailed> {
        let world = self.0.borrow();
        let motor = *world.motors.get(self.1);
        Ok(match side {
            Side::Negative => motor <= SWITCH,
            Side::Positive => motor >= *world.positive_switch.get(self.1),
        })
    }
}

pub(crate) struct Pwm(Shared);

impl embedded_hal::pwm::ErrorType for Pwm {
    type Error = Infallible;
}

impl SetDutyCycle for Pwm {
    fn max_duty_cycle(&self) -> u16 {
        1000
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Infallible> {
        self.0.borrow_mut().light = duty;
        Ok(())
    }
}

/// The camera's trigger, or the alarm lamp.
pub(crate) struct Output(Shared, bool);

impl ErrorType for Output {
    type Error = Infallible;
}

impl OutputPin for Output {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false)
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true)
    }
}

impl Output {
    fn set(&mut self, high: bool) -> Result<(), Infallible> {
        let mut world = self.0.borrow_mut();
        if self.1 {
            let now = world.now;
            world.trigger.push((now, high));
        } else {
            world.lamp = high;
        }
        Ok(())
    }
}

/// 0.25 um a step; 5 mm/s after 100 ms; homed at a switch 50 um beyond the soft limit.
fn axis() -> AxisConfig {
    AxisConfig {
        full_steps_per_turn: 200,
        microsteps: 16,
        travel_per_turn: um(800),
        min: um(0),
        max: um(20_000),
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
            search: um(21_000),
            timeout_ms: 20_000,
        }),
        encoder_tolerance: None,
    }
}

pub(crate) fn um(um: i32) -> Um {
    Um::from_um(um).unwrap()
}

pub(crate) fn to(x: i32, y: i32, z: i32) -> Command {
    Command::MoveTo { target: PerAxis { x: Some(um(x)), y: Some(um(y)), z: Some(um(z)) } }
}

/// All of it, and a clock.
pub(crate) struct Bench {
    pub(crate) world: Shared,
    pub(crate) now: u64,
    pub(crate) controller: Controller<'static, Pwm, Output, Output>,
    executor: StepExecutor<'static, Motor, Motor, Motor>,
    wake: u64,
    round: u64,
    client: Client,
    nonce: u32,
    /// The host's end of the line is alive.
    pub(crate) host: bool,
    /// The timer interrupt comes.
    pub(crate) interrupts: bool,
    notices: VecDeque<Notice>,
    pub(crate) events: Vec<Event>,
}

impl Bench {
    /// Connected, not homed.
    pub(crate) fn new() -> Self {
        let now = 1_000_000;
        let far = PerAxis::splat(1_000_000);
        let world = Rc::new(RefCell::new(World { now, positive_switch: far, ..World::default() }));
        let shared: &'static MotionShared = Box::leak(Box::new(MotionShared::new()));
        let queue: &'static StepQueue = Box::leak(Box::new(StepQueue::new()));
        let (sender, receiver) = queue.split().unwrap();
        let timing = DriverTiming::default();
        let motor = |axis| Motor(world.clone(), axis);
        let executor = StepExecutor::new(timing, shared, receiver, (motor(Axis::X), motor(Axis::Y), motor(Axis::Z))).unwrap();
        let config = StageConfig { axes: PerAxis::splat(axis()), retraction: None };
        let stage: Stage<'static, NoEncoder> = Stage::new(config, timing, shared, sender, PerAxis { x: None, y: None, z: None }).unwrap();
        let prior = CountPrior::<f32, 10, 2>::table_1();
        let controller = Controller::new(Parts {
            stage,
            shared,
            lights: Lights::new([Channel::new(Pwm(world.clone()), 800).unwrap()]),
            trigger: Trigger::new(Output(world.clone(), true), PinState::High).unwrap(),
            monitor: Some(FieldMonitor::new(&prior, 1, MonitorConfig::default()).unwrap()),
            lamp: Some(AlarmLamp::new(Output(world.clone(), false), PinState::High).unwrap()),
            settle_ms: 20,
            reset_reason: ResetReason::PowerOn,
        });
        let client = Client::new(ClientTiming::default());
        let mut bench = Self {
            world,
            now,
            controller,
            executor,
            wake: now,
            round: now,
            client,
            nonce: 0,
            host: true,
            interrupts: true,
            notices: VecDeque::new(),
            events: Vec::new(),
        };
        bench.connect();
        bench
    }

    /// Connected and homed.
    pub(crate) fn homed() -> Self {
        let mut bench = Self::new();
        let operation = bench.start(Command::Home { axes: PerAxis::splat(true) });
        assert_eq!(bench.ending(operation), Ending::Done);
        bench.world.borrow_mut().steps.clear();
        bench
    }

    pub(crate) fn connect(&mut self) {
        self.host = true;
        self.nonce += 1;
        self.client.connect(self.nonce, self.now);
        self.run(100_000);
        assert!(self.client.is_connected());
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, microseconds: u64) {
        let end = self.now + microseconds;
        while self.now < end {
            let next = if self.interrupts { self.wake.min(self.round) } else { self.round };
            self.now = next.max(self.now).min(end);
            self.world.borrow_mut().now = self.now;
            if self.round <= self.now {
                self.round = self.now + ROUND;
                self.main_loop();
                if self.interrupts {
                    self.wake = self.now;
                }
            }
            if self.interrupts && self.wake <= self.now {
                self.wake = self.executor.on_timer(self.now);
            }
        }
    }

    fn main_loop(&mut self) {
        if self.host {
            while !self.client.transmit(self.now).is_empty() {
                let bytes = self.client.transmit(self.now).to_vec();
                self.client.transmitted(bytes.len());
                bytes.into_iter().for_each(|byte| self.controller.receive(byte, self.now));
            }
            self.client.poll(self.now);
        }
        self.controller.poll(self.now);
        while !self.controller.transmit(self.now).is_empty() {
            let bytes = self.controller.transmit(self.now).to_vec();
            self.controller.transmitted(bytes.len());
            if self.host {
                bytes.into_iter().for_each(|byte| self.client.receive(byte, self.now));
            }
        }
        while let Some(notice) = self.client.notice() {
            match notice {
                Notice::Event(event) => self.events.push(event),
                other => self.notices.push_back(other),
            }
        }
    }

    /// What a command gives.
    pub(crate) fn ask(&mut self, command: Command) -> Outcome {
        self.client.submit(command.clone(), self.now).unwrap();
        for _ in 0..10_000 {
            self.run(ROUND);
            while let Some(notice) = self.notices.pop_front() {
                match notice {
                    Notice::Answered(outcome) => return outcome,
                    Notice::Connected { .. } => {}
                    other => panic!("{command:?}: {other:?}"),
                }
            }
        }
        panic!("{command:?} was not answered");
    }

    pub(crate) fn refused(&mut self, command: Command) -> ErrorCode {
        self.ask(command).unwrap_err()
    }

    /// Begins something; gives its operation.
    pub(crate) fn start(&mut self, command: Command) -> u32 {
        match self.ask(command) {
            Ok(Answer::Started { operation } | Answer::TriggerStarted { operation, .. }) => operation,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the end of an operation.
    pub(crate) fn ending(&mut self, operation: u32) -> Ending {
        for _ in 0..100_000 {
            let ended = self.events.iter().find_map(|event| match event {
                Event::Finished { operation: of, ending, .. } if *of == operation => Some(*ending),
                _ => None,
            });
            if let Some(ending) = ended {
                return ending;
            }
            self.run(1_000);
        }
        panic!("operation {operation} does not end: {:?}", self.status());
    }

    pub(crate) fn go(&mut self, command: Command) -> Ending {
        let operation = self.start(command);
        self.ending(operation)
    }

    pub(crate) fn status(&mut self) -> lsr_firmware::wire::Status {
        match self.ask(Command::Status) {
            Ok(Answer::Status(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Where the carriage of an axis is, from its motor: the switch is at -50 um.
    pub(crate) fn carriage(&self, axis: Axis) -> Um {
        let steps = *self.world.borrow().motors.get(axis) - SWITCH;
        Um::from_nm(i32::try_from(steps * 250 - 50_000).unwrap())
    }

    pub(crate) fn steps(&self) -> usize {
        self.world.borrow().steps.len()
    }
}
