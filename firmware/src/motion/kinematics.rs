//! A checked axis: between micrometres and steps, and its speeds as the profile wants them.

use crate::motion::axis::{Axis, Side};
use crate::motion::config::{AxisConfig, DriverTiming, Homing, SwitchHoming};
use crate::motion::config_error::{Check, ConfigError, ConfigField};
use crate::motion::profile::{MAX_RAMP, Rate};
use crate::motion::scale::{Scale, div_up};
use crate::units::{TICKS_PER_SECOND, Um};

/// Positions are at most so many steps from zero, so that a way from end to end has at most 2^30 and no sum of two leaves i32.
const FARTHEST: i32 = 1 << 29;

/// A checked [`AxisConfig`] in steps. Zero steps are 0 um.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Kinematics {
    scale: Scale,
    /// Positions that can be asked for: the soft limits less the way of the approach.
    range: (Um, Um),
    /// The soft limits in whole steps, rounded inwards.
    pub(crate) min: i32,
    pub(crate) max: i32,
    pub(crate) rate: Rate,
    /// In steps, rounded up.
    pub(crate) backlash: i32,
    pub(crate) approach: Side,
    /// Ticks: an axis whose steps are at least so far apart stops at once without losing one.
    pub(crate) sudden_interval: u32,
    pub(crate) encoder_tolerance: Option<Um>,
    pub(crate) homing: HomingSteps,
}

/// A checked [`Homing`] in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum HomingSteps {
    Here {
        position: i32,
    },
    Switch {
        side: Side,
        switch_at: i32,
        fast: Rate,
        slow: Rate,
        back_off: i32,
        search: i32,
        /// Where the axis ends.
        home: i32,
        timeout_ms: u32,
    },
}

impl Kinematics {
    pub(crate) fn new(axis: Axis, config: &AxisConfig, timing: &DriverTiming) -> Result<Self, ConfigError> {
        let check = Check(Some(axis));
        check.range(ConfigField::FullStepsPerTurn, config.full_steps_per_turn.into(), 1, 4_096)?;
        check.range(ConfigField::Microsteps, config.microsteps.into(), 1, 256)?;
        if !config.microsteps.is_power_of_two() {
            return Err(ConfigError::NotAPowerOfTwo { axis, field: ConfigField::Microsteps, found: config.microsteps });
        }
        let steps_per_turn = u32::from(config.full_steps_per_turn) * u32::from(config.microsteps);
        check.range(ConfigField::TravelPerTurn, config.travel_per_turn.nm().into(), steps_per_turn.into(), i32::MAX.into())?;
        let scale = Scale::new(config.travel_per_turn.nm().unsigned_abs(), steps_per_turn);

        let farthest = scale.nm_down(FARTHEST).min(i32::MAX.into());
        let two_steps = scale.nm_down(2) + 1;
        let (min, max) = (i64::from(config.min.nm()), i64::from(config.max.nm()));
        check.range(ConfigField::Min, min, -farthest, farthest - two_steps)?;
        check.range(ConfigField::Max, max, min + two_steps, farthest)?;
        let backlash = i64::from(config.backlash.nm());
        check.range(ConfigField::Backlash, backlash, 0, max - min - two_steps)?;
        let (low, high) = match config.approach {
            Side::Positive => (min + backlash, max),
            Side::Negative => (min, max - backlash),
        };
        if let Some(tolerance) = config.encoder_tolerance {
            check.range(ConfigField::EncoderTolerance, tolerance.nm().into(), backlash + two_steps, i32::MAX.into())?;
        }

        let (slowest, fastest) = (scale.slowest(), scale.fastest(timing.shortest_interval()));
        let speed = config.max_speed_um_per_s;
        check.range(ConfigField::MaxSpeed, speed.into(), slowest, fastest)?;
        let acceleration = config.acceleration_um_per_s2;
        let gentlest = u64::from(speed).div_ceil(u64::from(MAX_RAMP / TICKS_PER_SECOND)).max(1) as i64;
        check.range(ConfigField::Acceleration, acceleration.into(), gentlest, u32::MAX.into())?;
        let rate = |speed: u32| Rate::new(scale.interval(speed), ramp(speed, acceleration));
        let sudden = config.sudden_stop_um_per_s;
        check.range(ConfigField::SuddenStop, sudden.into(), slowest, u32::MAX.into())?;

        let mut kinematics = Self {
            scale,
            range: (Um::saturating_from_nm(low), Um::saturating_from_nm(high)),
            min: scale.steps_up(min),
            max: scale.steps_down(max),
            rate: rate(speed),
            backlash: scale.steps_up(backlash),
            approach: config.approach,
            sudden_interval: (scale.interval(sudden) >> 32) as u32,
            encoder_tolerance: config.encoder_tolerance,
            homing: HomingSteps::Here { position: 0 },
        };
        kinematics.homing = match config.homing {
            Homing::Here { position } => {
                check.range(ConfigField::HomingPosition, position.nm().into(), low, high)?;
                HomingSteps::Here { position: kinematics.steps(position) }
            }
            Homing::Switch(SwitchHoming { side, switch_at, fast_um_per_s, slow_um_per_s, back_off, search, timeout_ms }) => {
                let at = i64::from(switch_at.nm());
                let (nearest, farthest_off, whole_way) = match side {
                    Side::Negative => {
                        check.range(ConfigField::HomingSwitchAt, at, -farthest, min)?;
                        (low - at, high - at, max - at)
                    }
                    Side::Positive => {
                        check.range(ConfigField::HomingSwitchAt, at, max, farthest)?;
                        (at - high, at - low, at - min)
                    }
                };
                check.range(ConfigField::HomingFast, fast_um_per_s.into(), slowest, speed.into())?;
                check.range(ConfigField::HomingSlow, slow_um_per_s.into(), slowest, fast_um_per_s.min(sudden).into())?;
                check.range(ConfigField::HomingBackOff, back_off.nm().into(), nearest.max(two_steps), farthest_off)?;
                check.range(ConfigField::HomingSearch, search.nm().into(), whole_way, farthest)?;
                check.range(ConfigField::HomingTimeout, timeout_ms.into(), 1, 3_600_000)?;
                let home = Um::saturating_from_nm(at + i64::from(side.opposite().signed(back_off.nm())));
                HomingSteps::Switch {
                    side,
                    switch_at: scale.steps(switch_at.nm()),
                    fast: rate(fast_um_per_s),
                    slow: rate(slow_um_per_s),
                    back_off: scale.steps(back_off.nm()),
                    search: scale.steps(search.nm()),
                    home: kinematics.steps(home),
                    timeout_ms,
                }
            }
        };
        Ok(kinematics)
    }

    /// Positions that can be asked for, ends included.
    pub(crate) const fn range(&self) -> (Um, Um) {
        self.range
    }

    /// The step nearest to a position of [`Kinematics::range`] whose approach stays within the soft limits: less than two steps from it at an end of
    /// the range, where limit and backlash are rounded to whole steps, half a step elsewhere.
    pub(crate) fn steps(&self, position: Um) -> i32 {
        let (low, high) = match self.approach {
            Side::Positive => (self.min + self.backlash, self.max),
            Side::Negative => (self.min, self.max - self.backlash),
        };
        // Never empty: the range has two steps and a nanometre, and three roundings take less than three steps of it. (clamp could panic.)
        self.scale.steps(position.nm()).max(low).min(high)
    }

    /// The position of a step, rounded to the nearest nanometre.
    pub(crate) fn position(&self, steps: i32) -> Um {
        Um::saturating_from_nm(self.scale.nm(steps))
    }
}

/// Ticks from rest to a speed, rounded up.
fn ramp(speed: u32, acceleration: u32) -> u32 {
    let ticks = div_up(u64::from(speed) * u64::from(TICKS_PER_SECOND), acceleration.into());
    ticks.min(MAX_RAMP.into()) as u32
}
