//! When each step of a move is due: a trapezoid of speed in closed form, from integers alone.
//!
//! A profile is given by two integers: the interval `I` between steps at full speed, in 2^-32 ticks, and half the ramp's duration `h`, in ticks.
//! With the speed `v = 2^32 / I` (steps a tick) the acceleration is `v / 2h`, and step `n` of the first half is due at
//!
//! ```text
//! t(n) = floor sqrt(n C)         for n <= v h,  C = 4 h I / 2^32 ticks^2   (ramp: n = t^2 / C)
//! t(n) = floor(n I / 2^32) + h   beyond                                    (full speed: the ramp's tangent)
//! ```
//!
//! The second half is the first one mirrored: `t(n) = T - t(N - n)`. With `T = floor(N I / 2^32) + 2 h` the profile is a trapezoid, with
//! `T = floor sqrt(2 N C)` a triangle. Nothing is added up, so nothing drifts: each time is within a tick of the exact curve's, whatever came before.
//!
//! # Rounding
//!
//! Let `s(n)` be the exact curve's time. In the first half `-1 < t(n) - s(n) <= 0`, in the second `-1 < t(n) - s(n) < 1`, and within one half the
//! same function is rounded down at both ends of an interval (upwards at both in the second half). So for every `m < n`
//!
//! ```text
//! s(n) - s(m) - 1  <  t(n) - t(m)  <  s(n) - s(m) + 2        (+ 4 across the step at which a stop begins)
//! ```
//!
//! The allowance is one tick for any number of steps, not one a step: `k` steps never take less than `k / v - 1` ticks, and what can be said of
//! the acceleration from step times holds after moving each interval's end by less than that. `firmware/tests/motion/profile.rs` tests both.

use crate::units::Ticks;
use lsr_core::isqrt;

/// Ticks of the longest ramp from rest to full speed: with it every product below fits 64 bits.
pub(crate) const MAX_RAMP: u32 = 100_000_000;
/// Ticks of the longest interval between steps at full speed.
pub(crate) const MAX_INTERVAL: u32 = 1 << 28;
/// Most steps of a move.
pub(crate) const MAX_STEPS: u32 = 1 << 30;

/// How fast an axis, or a leader of several, may step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rate {
    interval: u64,
    ramp: u32,
}

impl Rate {
    /// The interval between steps at full speed, in 2^-32 ticks, and the ticks that it takes to get there from rest.
    ///
    /// Both are brought into the range in which the arithmetic is exact: 2 to 2^28 ticks, and 2 to 10^8 ticks.
    pub fn new(interval: u64, ramp: u32) -> Self {
        Self { interval: interval.clamp(2 << 32, u64::from(MAX_INTERVAL) << 32), ramp: ramp.clamp(2, MAX_RAMP) }
    }

    /// Between steps at full speed, in 2^-32 ticks.
    pub const fn interval(self) -> u64 {
        self.interval
    }

    /// Ticks from rest to full speed.
    pub const fn ramp(self) -> u32 {
        self.ramp
    }
}

/// The step times of a move from rest to rest, counted from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Profile {
    /// N.
    steps: u32,
    /// Last step of the first half.
    turn: u32,
    /// T.
    end: Ticks,
    /// Whole ticks and 2^-32 ticks of I.
    interval: (u32, u32),
    /// h.
    half_ramp: u32,
    /// Last step on the ramp: floor(v h).
    ramp_steps: u32,
    /// Whole and 2^-32 square ticks of C.
    curve: (u64, u32),
}

/// Whole part and 2^-32ths.
const fn split(fixed: u64) -> (u64, u32) {
    (fixed >> 32, fixed as u32)
}

impl Profile {
    /// The profile of so many steps, 2^30 at most (more are cut).
    pub fn new(steps: u32, rate: Rate) -> Self {
        let steps = if steps > MAX_STEPS { MAX_STEPS } else { steps };
        let half_ramp = rate.ramp.div_ceil(2);
        let (whole, fraction) = split(rate.interval);
        // 4 h < 2^28 and I < 2^60: two products of less than 2^60, then C.
        let four_h = 4 * u64::from(half_ramp);
        let (carry, curve_fraction) = split(four_h * u64::from(fraction));
        // v h < 2^26, since an interval has at least two ticks.
        let ramp_steps = (u64::from(half_ramp) << 32).checked_div(rate.interval).unwrap_or(0) as u32;
        let mut profile = Self {
            steps,
            turn: steps / 2,
            end: 0,
            interval: (whole as u32, fraction),
            half_ramp,
            ramp_steps,
            curve: (four_h * whole + carry, curve_fraction),
        };
        let cruise = profile.cruise(steps);
        profile.end = if cruise >= 2 * u64::from(half_ramp) {
            cruise + 2 * u64::from(half_ramp)
        } else {
            // N < 2 v h: 2 N C < (2 * 2h)^2.
            profile.ramp(2 * steps)
        };
        profile
    }

    /// Number of steps N.
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// When the last step is due.
    pub const fn end(&self) -> Ticks {
        self.end
    }

    /// When step `n` is due, the first being 1. Steps beyond the last are due with it.
    pub fn time(&self, n: u32) -> Ticks {
        if n <= self.turn { self.first_half(n) } else { self.end - self.first_half(self.steps.saturating_sub(n)) }
    }

    /// Shortens the move so that it slows down from step `n`, which is the last one that is already on its way, along the ramp's mirror image.
    /// Nothing changes when it is already slowing down. Of the steps up to `n` the times are as they were asked for before.
    pub fn stop_after(&mut self, n: u32) {
        // From full speed floor(v h) + 1 steps are enough; on the way up, as many as were made.
        let needed = if n <= self.ramp_steps { n } else { self.ramp_steps + 1 };
        if n < self.steps && needed < self.steps - n {
            let now = self.time(n);
            self.steps = n + needed;
            self.turn = n;
            // One tick more, so that an interval across this step is not two roundings shorter either.
            self.end = now + self.first_half(needed) + 1;
        }
    }

    fn first_half(&self, n: u32) -> Ticks {
        if n <= self.ramp_steps { self.ramp(n) } else { self.cruise(n) + u64::from(self.half_ramp) }
    }

    /// floor sqrt(n C)
    fn ramp(&self, n: u32) -> Ticks {
        let (whole, fraction) = self.curve;
        isqrt(u64::from(n) * whole + ((u64::from(n) * u64::from(fraction)) >> 32)).into()
    }

    /// floor(n I / 2^32)
    fn cruise(&self, n: u32) -> Ticks {
        let (whole, fraction) = self.interval;
        u64::from(n) * u64::from(whole) + ((u64::from(n) * u64::from(fraction)) >> 32)
    }
}
