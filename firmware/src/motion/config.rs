//! How a stage is built: per axis its mechanics, limits and homing; per board its driver's timing. Plain values, checked before use.

use crate::motion::axis::{Axis, PerAxis, Side};
use crate::motion::config_error::{Check, ConfigError, ConfigField};
use crate::motion::kinematics::Kinematics;
use crate::units::Um;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// One axis. Checked as part of a [`StageConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AxisConfig {
    /// Full steps of a turn of the motor: 200 for 1.8 degrees. 1 to 4,096.
    pub full_steps_per_turn: u16,
    /// Microsteps of a full step, as set at the driver: a power of two up to 256.
    pub microsteps: u16,
    /// How far the axis moves in a turn of the motor, gears included. A microstep is at least a nanometre and at most a metre.
    pub travel_per_turn: Um,
    /// Soft limit: smallest position. Positions are at most 2^29 microsteps from zero.
    pub min: Um,
    /// Soft limit: largest position, at least two microsteps above `min`.
    pub max: Um,
    /// Speed that is never exceeded.
    pub max_speed_um_per_s: u32,
    /// Acceleration and deceleration that are never exceeded. From rest to full speed takes at most 100 s.
    pub acceleration_um_per_s2: u32,
    /// Speed from which the motor stops at once without losing a step (its pull-in rate). After a sudden stop from more the axis is no longer homed.
    pub sudden_stop_um_per_s: u32,
    /// Play of the mechanics when the direction changes; 0 when there is none.
    pub backlash: Um,
    /// Direction of the last approach to every position, which takes up the play. Positions closer to the other soft limit than `backlash` cannot
    /// be reached. On the way back the axis goes past its target by the backlash: for z choose the side on which that leads away from the sample.
    pub approach: Side,
    /// How the axis finds its position after power-on.
    pub homing: Homing,
    /// How far the encoder may differ from the steps counted; more than the backlash. `None`: the axis has no encoder.
    pub encoder_tolerance: Option<Um>,
}

/// How an axis finds its position after power-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Homing {
    /// There is no switch: whoever homes the axis has seen to it that it is at a known place. Nothing moves.
    Here {
        /// Position of that place.
        position: Um,
    },
    /// By a limit switch.
    Switch(SwitchHoming),
}

/// Homing by a limit switch: fast to the switch, back off, slowly to the switch, back off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SwitchHoming {
    /// The end at which the switch is.
    pub side: Side,
    /// Position at which the switch trips: at the soft limit of its side or beyond.
    pub switch_at: Um,
    /// Speed of the first approach, which ends at the switch without a ramp.
    pub fast_um_per_s: u32,
    /// Speed of the second approach, which sets the position: at most `sudden_stop_um_per_s`.
    pub slow_um_per_s: u32,
    /// How far the axis goes back from the switch. It ends there, so that must be a position that can be asked for.
    pub back_off: Um,
    /// Longest way to the switch: at least from the far soft limit.
    pub search: Um,
    /// Longest duration of the whole homing of this axis, up to an hour.
    pub timeout_ms: u32,
}

/// z leaves the sample before x and y go far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Retraction {
    /// x-y moves longer than this (straight line) have z retracted first.
    pub over: Um,
    /// Where z goes: a position that can be asked for.
    pub to: Um,
    /// On which side of `to` z is far enough from the sample already.
    pub side: Side,
}

/// The whole stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StageConfig {
    /// x, y and z.
    pub axes: PerAxis<AxisConfig>,
    /// Whether, when and where z retracts.
    pub retraction: Option<Retraction>,
}

impl StageConfig {
    /// Checks every field, by name.
    ///
    /// # Errors
    /// [`ConfigError`] of the first field that is wrong.
    pub fn validate(&self, timing: &DriverTiming) -> Result<(), ConfigError> {
        self.kinematics(timing).map(|_| ())
    }

    pub(crate) fn kinematics(&self, timing: &DriverTiming) -> Result<PerAxis<Kinematics>, ConfigError> {
        timing.validate()?;
        // x stands for the others until they are known.
        let mut axes = PerAxis::splat(Kinematics::new(Axis::X, &self.axes.x, timing)?);
        for axis in [Axis::Y, Axis::Z] {
            // No `?`, which would copy it once more.
            match Kinematics::new(axis, self.axes.get(axis), timing) {
                Ok(kinematics) => *axes.get_mut(axis) = kinematics,
                Err(error) => return Err(error),
            }
        }
        check_retraction(self.retraction, &axes.z)?;
        Ok(axes)
    }
}

/// Whether z can retract so.
pub(crate) fn check_retraction(retraction: Option<Retraction>, z: &Kinematics) -> Result<(), ConfigError> {
    let Some(Retraction { over, to, .. }) = retraction else { return Ok(()) };
    let check = Check(None);
    check.range(ConfigField::RetractionOver, over.nm(), 0, i32::MAX)?;
    let (min, max) = z.range();
    check.range(ConfigField::RetractionTo, to.nm(), min.nm(), max.nm())
}

/// What the motor drivers and switches of a board need, in ticks (us). The same for all axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DriverTiming {
    /// How long a step pin is high, and at least low. 1 to 1,000.
    pub pulse_us: u32,
    /// From a change of direction to the next step. 1 to 10,000.
    pub direction_setup_us: u32,
    /// From switching the motor on to the first step. Up to 1,000,000.
    pub enable_us: u32,
    /// How long a limit switch must read active before it counts: shorter is a glitch. Up to 10,000, and with `pulse_us` shorter than the interval
    /// between steps at every axis' full speed, so that a hit is known before the next step.
    pub debounce_us: u32,
    /// How late a step may come before the motion is stopped: the longest time for which the board's interrupts are off. 1 to 10,000.
    pub latency_us: u32,
}

impl Default for DriverTiming {
    /// What A4988 and TMC2209 drivers need, with room to spare.
    fn default() -> Self {
        Self { pulse_us: 3, direction_setup_us: 20, enable_us: 2_000, debounce_us: 20, latency_us: 50 }
    }
}

impl DriverTiming {
    /// Checks every field, by name.
    ///
    /// # Errors
    /// [`ConfigError`] of the first field that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = Check(None);
        check.natural(ConfigField::Pulse, self.pulse_us, 1, 1_000)?;
        check.natural(ConfigField::DirectionSetup, self.direction_setup_us, 1, 10_000)?;
        check.natural(ConfigField::Enable, self.enable_us, 0, 1_000_000)?;
        check.natural(ConfigField::Debounce, self.debounce_us, 0, 10_000)?;
        check.natural(ConfigField::Latency, self.latency_us, 1, 10_000)
    }

    /// Shortest interval between steps: a pulse and its pause, or the window in which a switch is watched.
    pub(crate) fn shortest_interval(&self) -> u32 {
        self.pulse_us + self.pulse_us.max(self.debounce_us) + 1
    }
}
