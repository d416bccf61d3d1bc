//! The half in the main loop: commands in micrometres become legs, and legs become events in the executor's queue.

use crate::motion::axis::{Axes, Axis, PerAxis};
use crate::motion::config::{AxisConfig, DriverTiming, Retraction, StageConfig, check_retraction};
use crate::motion::encoder::{Encoder, NoEncoder};
use crate::motion::error::{MotionError, MotionFault};
use crate::motion::homing::HomeRun;
use crate::motion::kinematics::Kinematics;
use crate::motion::line::Line;
use crate::motion::queue::StepSender;
use crate::motion::route::Route;
use crate::motion::shared::MotionShared;
use crate::motion::status::{StageState, StageStatus};
use crate::units::{Ticks, Um};

#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Activity {
    Idle,
    Move(Route, PerAxis<Option<Um>>),
    Home(HomeRun),
}

/// A leg under way: the rest of it, and the steps counted at its start.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Leg {
    /// `None`: cut off.
    pub(crate) line: Option<Line>,
    pub(crate) from: PerAxis<i32>,
}

/// Plans the stage's motion. Owned by the main loop.
///
/// Commands only begin something; [`Stage::poll`] carries it on and says how it ended.
///
/// ```
/// use lsr_firmware::{
///     Axes, AxisConfig, AxisPins, DriverTiming, Homing, MotionEvent, MotionShared, NoEncoder, NoPin, Outcome, PerAxis, Polarity, Side, Stage,
///     StageConfig, StepExecutor, StepQueue, Um,
/// };
/// # use embedded_hal::digital::{ErrorType, OutputPin};
/// # struct Pin;
/// # impl ErrorType for Pin { type Error = core::convert::Infallible; }
/// # impl OutputPin for Pin {
/// #     fn set_low(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// #     fn set_high(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// # }
/// static SHARED: MotionShared = MotionShared::new();
/// static QUEUE: StepQueue = StepQueue::new();
///
/// let um = |um| Um::from_um(um).unwrap();
/// let axis = AxisConfig {
///     full_steps_per_turn: 200,
///     microsteps: 16,
///     travel_per_turn: um(800), // 0.25 um a step
///     min: um(0),
///     max: um(20_000),
///     max_speed_um_per_s: 2_000,
///     acceleration_um_per_s2: 20_000,
///     sudden_stop_um_per_s: 500,
///     backlash: um(4),
///     approach: Side::Positive,
///     homing: Homing::Here { position: um(10_000) }, // no switch on this stage
///     encoder_tolerance: None,
/// };
/// let config = StageConfig { axes: PerAxis::splat(axis), retraction: None };
/// let pins = || AxisPins {
///     step: Pin,
///     direction: Pin,
///     enable: None::<NoPin>,
///     negative_limit: None::<NoPin>,
///     positive_limit: None::<NoPin>,
///     polarity: Polarity::default(),
/// };
/// let (sender, receiver) = QUEUE.split().unwrap();
/// let timing = DriverTiming::default();
/// let mut executor = StepExecutor::new(timing, &SHARED, receiver, (pins(), pins(), pins())).unwrap(); // to the timer interrupt
/// let mut stage = Stage::<NoEncoder>::new(config, timing, &SHARED, sender, PerAxis::splat(None)).unwrap(); // to the main loop
///
/// let mut now = 0; // a board's timer
/// let mut finish = |stage: &mut Stage| loop {
///     let event = stage.poll(now);
///     now = executor.on_timer(now);
///     if let Some(MotionEvent::Finished(outcome)) = event {
///         break outcome;
///     }
/// };
/// SHARED.permit(true);
/// stage.home(Axes::ALL).unwrap();
/// assert_eq!(finish(&mut stage), Outcome::Homed);
/// stage.move_to(PerAxis { x: Some(um(11_000)), y: Some(um(9_500)), z: None }).unwrap();
/// assert_eq!(finish(&mut stage), Outcome::Arrived);
/// assert_eq!(stage.status().position.to_array(), [um(11_000), um(9_500), um(10_000)]);
/// ```
pub struct Stage<'q, E = NoEncoder> {
    config: StageConfig,
    pub(crate) timing: DriverTiming,
    pub(crate) axes: PerAxis<Kinematics>,
    pub(crate) shared: &'q MotionShared,
    pub(crate) queue: StepSender<'q>,
    pub(crate) encoders: PerAxis<Option<E>>,
    /// Encoder less counted position, in nanometres, when the axis was homed.
    pub(crate) encoder_offset: PerAxis<i64>,
    /// The executor's count at position 0.
    pub(crate) origin: PerAxis<i32>,
    pub(crate) homed: Axes,
    /// Steps in the direction of approach until the play is taken up.
    pub(crate) slack: PerAxis<i32>,
    /// Where each axis was sent, if it is there: relative moves go on from it, so that their roundings do not add up.
    pub(crate) sent: PerAxis<Option<Um>>,
    pub(crate) activity: Activity,
    pub(crate) leg: Option<Leg>,
    pub(crate) not_before: Ticks,
    pub(crate) pushed: u32,
    pub(crate) direction: u8,
    pub(crate) stopping: bool,
    pub(crate) fault: Option<MotionFault>,
    pub(crate) fault_told: bool,
    /// The executor's halt has been dealt with.
    pub(crate) halt_seen: bool,
    /// The emergency stop is the stage's own: it goes with its fault.
    pub(crate) own_stop: bool,
    /// The leg ended at the switch that it was for.
    pub(crate) hit: bool,
}

impl<'q, E: Encoder> Stage<'q, E> {
    /// A stage that knows no position yet. `timing` is the executor's.
    ///
    /// # Errors
    /// [`MotionError::Config`], [`MotionError::NoEncoder`].
    pub fn new(
        config: StageConfig,
        timing: DriverTiming,
        shared: &'q MotionShared,
        queue: StepSender<'q>,
        encoders: PerAxis<Option<E>>,
    ) -> Result<Self, MotionError> {
        let axes = config.kinematics(&timing)?;
        for axis in Axis::ALL {
            if axes.get(axis).encoder_tolerance.is_some() && encoders.get(axis).is_none() {
                return Err(MotionError::NoEncoder { axis });
            }
        }
        let pushed = shared.consumed();
        Ok(Self {
            config,
            timing,
            axes,
            shared,
            queue,
            encoders,
            encoder_offset: PerAxis::splat(0),
            origin: PerAxis::splat(0),
            homed: Axes::NONE,
            slack: PerAxis::from_fn(|axis| axes.get(axis).backlash),
            sent: PerAxis::splat(None),
            activity: Activity::Idle,
            leg: None,
            not_before: 0,
            pushed,
            direction: 0,
            stopping: false,
            fault: None,
            fault_told: false,
            halt_seen: false,
            own_stop: false,
            hit: false,
        })
    }

    /// The configuration in force.
    pub fn config(&self) -> &StageConfig {
        &self.config
    }

    /// Replaces the configuration of an axis, which is no longer homed then. One that is refused changes nothing.
    ///
    /// # Errors
    /// [`MotionError::Busy`], [`MotionError::Config`], [`MotionError::NoEncoder`].
    pub fn configure(&mut self, axis: Axis, config: AxisConfig) -> Result<(), MotionError> {
        self.check_idle()?;
        let kinematics = Kinematics::new(axis, &config, &self.timing)?;
        if axis == Axis::Z {
            check_retraction(self.config.retraction, &kinematics)?;
        }
        if config.encoder_tolerance.is_some() && self.encoders.get(axis).is_none() {
            return Err(MotionError::NoEncoder { axis });
        }
        *self.config.axes.get_mut(axis) = config;
        *self.axes.get_mut(axis) = kinematics;
        self.forget(axis);
        self.log();
        Ok(())
    }

    /// Replaces whether, when and where z retracts. A retraction that is refused changes nothing.
    ///
    /// # Errors
    /// [`MotionError::Busy`], [`MotionError::Config`].
    pub fn set_retraction(&mut self, retraction: Option<Retraction>) -> Result<(), MotionError> {
        self.check_idle()?;
        check_retraction(retraction, &self.axes.z)?;
        self.config.retraction = retraction;
        Ok(())
    }

    /// Switches the motors off. No axis is homed then. They are switched on by the next move.
    ///
    /// # Errors
    /// [`MotionError::Busy`]
    pub fn release(&mut self) -> Result<(), MotionError> {
        self.check_idle()?;
        self.shared.energise(false);
        for axis in Axis::ALL {
            self.forget(axis);
        }
        self.log();
        Ok(())
    }

    /// How the stage stands.
    pub fn status(&self) -> StageStatus {
        let state = match (self.fault, self.activity) {
            (Some(_), _) => StageState::Faulted,
            (None, Activity::Idle) => StageState::Idle,
            (None, _) if self.stopping => StageState::Stopping,
            (None, Activity::Move(..)) => StageState::Moving,
            (None, Activity::Home(_)) => StageState::Homing,
        };
        StageStatus { position: self.position(), homed: self.homed, state, moving: self.is_moving(), fault: self.fault }
    }

    /// Whether a step may still come.
    #[inline(never)]
    pub fn is_moving(&self) -> bool {
        self.leg.is_some() || !matches!(self.activity, Activity::Idle) || self.shared.consumed() != self.pushed
    }

    /// The positions that can be asked for, ends included.
    pub fn range(&self, axis: Axis) -> (Um, Um) {
        self.axes.get(axis).range()
    }

    pub(crate) fn check_idle(&self) -> Result<(), MotionError> {
        if self.is_moving() { Err(MotionError::Busy) } else { Ok(()) }
    }

    /// The axis does not know its position, nor whether its play is taken up.
    fn forget(&mut self, axis: Axis) {
        self.homed = self.homed.without(axis);
        *self.sent.get_mut(axis) = None;
        *self.slack.get_mut(axis) = self.axes.get(axis).backlash;
    }

    /// With `defmt`, a line for every change of state.
    pub(crate) fn log(&self) {
        log!(info, "{}", self.status());
    }

    /// Steps from zero.
    pub(crate) fn steps(&self) -> PerAxis<i32> {
        PerAxis::from_fn(|axis| self.shared.count(axis).wrapping_sub(*self.origin.get(axis)))
    }

    pub(crate) fn position(&self) -> PerAxis<Um> {
        let steps = self.steps();
        PerAxis::from_fn(|axis| self.axes.get(axis).position(*steps.get(axis)))
    }
}

#[cfg(feature = "defmt")]
impl<E: Encoder> defmt::Format for Stage<'_, E> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Stage {{ {} }}", self.status());
    }
}
