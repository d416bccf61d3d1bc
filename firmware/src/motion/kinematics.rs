//! A checked axis: between micrometres and steps, and its speeds as the profile wants them.

use crate::motion::axis::{Axis, Side};
use crate::motion::config::{AxisConfig, DriverTiming, Homing, SwitchHoming};
use crate::motion::config_error::{Check, ConfigError, ConfigField};
use crate::motion::profile::{MAX_RAMP, Rate};
use crate::motion::scale::{Scale, div_up};
use crate::units::{TICKS_PER_SECOND, Um};

/// Positions are at most so many steps from zero, so that a way from end to end has at most 2^30 and no sum of two leaves i32.
const FARTHEST: i32 = 1 << 29;

/// A metre.
const LONGEST_STEP_NM: u32 = 1_000_000_000;

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
    #[inline(never)]
    pub(crate) fn new(axis: Axis, config: &AxisConfig, timing: &DriverTiming) -> Result<Self, ConfigError> {
        let check = Check(Some(axis));
        check.natural(ConfigField::FullStepsPerTurn, config.full_steps_per_turn.into(), 1, 4_096)?;
        check.natural(ConfigField::Microsteps, config.microsteps.into(), 1, 256)?;
        if !config.microsteps.is_power_of_two() {
            return Err(ConfigError::NotAPowerOfTwo { axis, field: ConfigField::Microsteps, found: config.microsteps });
        }
        let steps_per_turn = u32::from(config.full_steps_per_turn) * u32::from(config.microsteps);
        let longest = i32::try_from(steps_per_turn.saturating_mul(LONGEST_STEP_NM)).unwrap_or(i32::MAX);
        check.range(ConfigField::TravelPerTurn, config.travel_per_turn.nm(), steps_per_turn as i32, longest)?;
        let scale = Scale::new(config.travel_per_turn.nm().unsigned_abs(), steps_per_turn);

        // None of these sums leaves i32 but where it says so: two steps are at most two metres and a nanometre, and each check bounds what follows.
        let farthest = scale.nm_down(FARTHEST).min(i32::MAX.into()) as i32;
        let two_steps = scale.nm_down(2) as i32 + 1;
        let (min, max) = (config.min.nm(), config.max.nm());
        check.range(ConfigField::Min, min, -farthest, farthest - two_steps)?;
        check.range(ConfigField::Max, max, min + two_steps, farthest)?;
        let backlash = config.backlash.nm();
        check.range(ConfigField::Backlash, backlash, 0, max.saturating_sub(min + two_steps))?;
        let (low, high) = match config.approach {
            Side::Positive => (min + backlash, max),
            Side::Negative => (min, max - backlash),
        };
        if let Some(tolerance) = config.encoder_tolerance {
            check.range(ConfigField::EncoderTolerance, tolerance.nm(), backlash.saturating_add(two_steps), i32::MAX)?;
        }

        let (slowest, fastest) = (scale.slowest(), scale.fastest(timing.shortest_interval()));
        let speed = config.max_speed_um_per_s;
        check.natural(ConfigField::MaxSpeed, speed, slowest, fastest)?;
        let acceleration = config.acceleration_um_per_s2;
        let gentlest = speed.div_ceil(MAX_RAMP / TICKS_PER_SECOND).max(1);
        check.natural(ConfigField::Acceleration, acceleration, gentlest, u32::MAX)?;
        let rate = |speed: u32| Rate::new(scale.interval(speed), ramp(speed, acceleration));
        let sudden = config.sudden_stop_um_per_s;
        check.natural(ConfigField::SuddenStop, sudden, slowest, u32::MAX)?;

        let mut kinematics = Self {
            scale,
            range: (Um::from_nm(low), Um::from_nm(high)),
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
                check.range(ConfigField::HomingPosition, position.nm(), low, high)?;
                HomingSteps::Here { position: kinematics.steps(position) }
            }
            Homing::Switch(SwitchHoming { side, switch_at, fast_um_per_s, slow_um_per_s, back_off, search, timeout_ms }) => {
                let at = switch_at.nm();
                // How far from the switch, cut to i32.
                let (nearest, farthest_off, whole_way) = match side {
                    Side::Negative => {
                        check.range(ConfigField::HomingSwitchAt, at, -farthest, min)?;
                        (low.saturating_sub(at), high.saturating_sub(at), max.saturating_sub(at))
                    }
                    Side::Positive => {
                        check.range(ConfigField::HomingSwitchAt, at, max, farthest)?;
                        (at.saturating_sub(high), at.saturating_sub(low), at.saturating_sub(min))
                    }
                };
                check.natural(ConfigField::HomingFast, fast_um_per_s, slowest, speed)?;
                check.natural(ConfigField::HomingSlow, slow_um_per_s, slowest, fast_um_per_s.min(sudden))?;
                check.range(ConfigField::HomingBackOff, back_off.nm(), nearest.max(two_steps), farthest_off)?;
                check.range(ConfigField::HomingSearch, search.nm(), whole_way, farthest)?;
                check.natural(ConfigField::HomingTimeout, timeout_ms, 1, 3_600_000)?;
                let home = Um::from_nm(at + side.opposite().signed(back_off.nm()));
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
