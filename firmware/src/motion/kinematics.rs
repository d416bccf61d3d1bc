//! A checked axis: between micrometres and steps, and its speeds as the profile wants them.

use crate::motion::axis::{Axis, Side};
use crate::motion::config::{AxisConfig, DriverTiming, Homing, SwitchHoming};
use crate::motion::config_error::{Check, ConfigError, ConfigField};
use crate::motion::profile::{MAX_INTERVAL, MAX_RAMP, Rate};
use crate::units::{TICKS_PER_SECOND, Um};

/// Positions are at most so many steps from zero, so that a way from end to end has at most 2^30 and no sum of two leaves i32.
const FARTHEST: i64 = 1 << 29;

/// A checked [`AxisConfig`] in steps. Zero steps are 0 um.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Kinematics {
    /// A step is `travel_nm / steps_per_turn` nanometres.
    travel_nm: u32,
    steps_per_turn: u32,
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
        let scale = Scale { travel_nm: config.travel_per_turn.nm().unsigned_abs(), steps_per_turn };

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
            travel_nm: scale.travel_nm,
            steps_per_turn,
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

    /// The step nearest to a position of [`Kinematics::range`]. Its approach stays within the soft limits.
    pub(crate) fn steps(&self, position: Um) -> i32 {
        let (low, high) = match self.approach {
            Side::Positive => (self.min + self.backlash, self.max),
            Side::Negative => (self.min, self.max - self.backlash),
        };
        // Never empty: the range has two steps and a nanometre, and three roundings take less than three steps of it. (clamp could panic.)
        self.scale().steps(position.nm()).max(low).min(high)
    }

    /// The position of a step, rounded to the nearest nanometre.
    pub(crate) fn position(&self, steps: i32) -> Um {
        Um::saturating_from_nm(div_round(i64::from(steps) * i64::from(self.travel_nm), i64::from(self.steps_per_turn)))
    }

    const fn scale(&self) -> Scale {
        Scale { travel_nm: self.travel_nm, steps_per_turn: self.steps_per_turn }
    }
}

/// Ticks from rest to a speed, rounded up.
fn ramp(speed: u32, acceleration: u32) -> u32 {
    let ticks = (u64::from(speed) * u64::from(TICKS_PER_SECOND)).div_ceil(u64::from(acceleration.max(1)));
    ticks.min(MAX_RAMP.into()) as u32
}

/// The length of a step as an exact fraction.
#[derive(Clone, Copy)]
struct Scale {
    travel_nm: u32,
    steps_per_turn: u32,
}

impl Scale {
    /// Lengths are below 2^32 nm and turns have up to 2^20 steps: products fit i64, and quotients i32, since a step has a nanometre or more.
    fn steps(self, nm: i32) -> i32 {
        div_round(i64::from(nm) * i64::from(self.steps_per_turn), self.travel_nm.into()) as i32
    }

    fn steps_up(self, nm: i64) -> i32 {
        -(-nm * i64::from(self.steps_per_turn)).div_euclid(self.travel_nm.into()) as i32
    }

    fn steps_down(self, nm: i64) -> i32 {
        (nm * i64::from(self.steps_per_turn)).div_euclid(self.travel_nm.into()) as i32
    }

    fn nm_down(self, steps: i64) -> i64 {
        steps * i64::from(self.travel_nm) / i64::from(self.steps_per_turn)
    }

    /// Smallest speed in um/s whose interval the profile can count.
    fn slowest(self) -> i64 {
        let um_per_s =
            u64::from(self.travel_nm) * u64::from(TICKS_PER_SECOND) / (u64::from(self.steps_per_turn) * 1_000 * u64::from(MAX_INTERVAL));
        um_per_s as i64 + 1
    }

    /// Largest speed in um/s whose interval is not shorter than so many ticks.
    fn fastest(self, interval: u32) -> i64 {
        let um_per_s =
            u64::from(self.travel_nm) * u64::from(TICKS_PER_SECOND) / (u64::from(self.steps_per_turn) * 1_000 * u64::from(interval));
        um_per_s.min(u64::from(u32::MAX)) as i64
    }

    /// Between steps at a speed, in 2^-32 ticks, rounded up. Long division: the quotient has up to 60 bits, the remainder is below 2^62.
    fn interval(self, um_per_s: u32) -> u64 {
        let ticks = u64::from(self.travel_nm) * u64::from(TICKS_PER_SECOND);
        let per_tick = u64::from(um_per_s.max(1)) * u64::from(self.steps_per_turn) * 1_000;
        let mut quotient = ticks / per_tick;
        let mut rest = ticks % per_tick;
        if quotient >= u64::from(MAX_INTERVAL) {
            return u64::from(MAX_INTERVAL) << 32;
        }
        for _ in 0..32 {
            rest <<= 1;
            quotient <<= 1;
            if rest >= per_tick {
                rest -= per_tick;
                quotient |= 1;
            }
        }
        quotient + u64::from(rest > 0)
    }
}

/// Rounded to the nearest, halves away from zero. The divisor is positive.
fn div_round(dividend: i64, divisor: i64) -> i64 {
    let half = divisor / 2;
    if dividend < 0 { (dividend - half) / divisor } else { (dividend + half) / divisor }
}
