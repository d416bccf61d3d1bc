//! The pins of one axis: a step/direction driver and its limit switches, as embedded-hal pins with their polarity.

use crate::motion::axis::Side;
use core::convert::Infallible;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin, PinState};

/// A pin could not be set or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PinFailed;

/// What the executor needs of an axis. [`AxisPins`] has it for a driver with step and direction pins; a driver of another kind implements it itself.
pub trait AxisDriver {
    /// Begins (`true`) or ends a step pulse.
    ///
    /// # Errors
    /// [`PinFailed`]
    fn pulse(&mut self, on: bool) -> Result<(), PinFailed>;

    /// Sets the direction of the next steps.
    ///
    /// # Errors
    /// [`PinFailed`]
    fn direction(&mut self, side: Side) -> Result<(), PinFailed>;

    /// Switches the motor's current on or off.
    ///
    /// # Errors
    /// [`PinFailed`]
    fn energise(&mut self, on: bool) -> Result<(), PinFailed>;

    /// Whether there is a limit switch at an end.
    fn has_switch(&self, side: Side) -> bool;

    /// Whether the limit switch at an end reads active; `false` where there is none.
    ///
    /// # Errors
    /// [`PinFailed`]
    fn switch_active(&mut self, side: Side) -> Result<bool, PinFailed>;
}

/// An axis on embedded-hal pins. Missing ones are `None` (of type [`NoPin`]).
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AxisPins<S, D, E = NoPin, N = NoPin, P = NoPin> {
    /// A rising edge is a step.
    pub step: S,
    /// Direction.
    pub direction: D,
    /// Switches the motor on.
    pub enable: Option<E>,
    /// Limit switch at the negative end.
    pub negative_limit: Option<N>,
    /// Limit switch at the positive end.
    pub positive_limit: Option<P>,
    /// What the levels mean.
    pub polarity: Polarity,
}

/// What the levels of an axis' pins mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Polarity {
    /// The direction pin is high for the positive direction.
    pub positive_is_high: bool,
    /// The motor is on while its enable pin is high. A4988 and TMC2209: `false`.
    pub enabled_is_high: bool,
    /// A switch is active while its pin is high: a normally closed switch to ground with a pull-up, which also reads active when its wire breaks.
    pub limit_is_high: bool,
}

impl Default for Polarity {
    /// A4988 or TMC2209 with normally closed switches to ground.
    fn default() -> Self {
        Self { positive_is_high: true, enabled_is_high: false, limit_is_high: true }
    }
}

fn set(pin: &mut impl OutputPin, high: bool) -> Result<(), PinFailed> {
    pin.set_state(PinState::from(high)).map_err(|_| PinFailed)
}

fn reads(pin: Option<&mut impl InputPin>, active_is_high: bool) -> Result<bool, PinFailed> {
    match pin {
        None => Ok(false),
        Some(pin) => pin.is_high().map(|high| high == active_is_high).map_err(|_| PinFailed),
    }
}

impl<S: OutputPin, D: OutputPin, E: OutputPin, N: InputPin, P: InputPin> AxisDriver for AxisPins<S, D, E, N, P> {
    fn pulse(&mut self, on: bool) -> Result<(), PinFailed> {
        set(&mut self.step, on)
    }

    fn direction(&mut self, side: Side) -> Result<(), PinFailed> {
        set(&mut self.direction, (side == Side::Positive) == self.polarity.positive_is_high)
    }

    fn energise(&mut self, on: bool) -> Result<(), PinFailed> {
        match &mut self.enable {
            None => Ok(()),
            Some(pin) => set(pin, on == self.polarity.enabled_is_high),
        }
    }

    fn has_switch(&self, side: Side) -> bool {
        match side {
            Side::Negative => self.negative_limit.is_some(),
            Side::Positive => self.positive_limit.is_some(),
        }
    }

    fn switch_active(&mut self, side: Side) -> Result<bool, PinFailed> {
        match side {
            Side::Negative => reads(self.negative_limit.as_mut(), self.polarity.limit_is_high),
            Side::Positive => reads(self.positive_limit.as_mut(), self.polarity.limit_is_high),
        }
    }
}

/// The type of a pin that is not there: it has no value.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NoPin {}

impl ErrorType for NoPin {
    type Error = Infallible;
}

impl OutputPin for NoPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        match *self {}
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        match *self {}
    }
}

impl InputPin for NoPin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        match *self {}
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        match *self {}
    }
}
