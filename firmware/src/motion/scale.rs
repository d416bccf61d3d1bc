//! The length of a step as an exact fraction, and integer division that rounds as it is told and cannot fail.

use crate::motion::profile::MAX_INTERVAL;
use crate::units::TICKS_PER_SECOND;
use core::num::{NonZeroU32, NonZeroU64};

/// A step is `travel_nm / steps_per_turn` nanometres, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Scale {
    travel_nm: NonZeroU32,
    steps_per_turn: NonZeroU32,
}

/// Towards which integer a fraction goes.
#[derive(Clone, Copy)]
enum Round {
    Down,
    /// Halves away from zero.
    Nearest,
    Up,
}

/// value * by / over. Not inlined: every conversion between lengths and steps comes here.
#[inline(never)]
fn ratio(value: i32, by: NonZeroU32, over: NonZeroU32, round: Round) -> i64 {
    let over = NonZeroU64::from(over);
    let product = u64::from(value.unsigned_abs()) * u64::from(by.get());
    let (quotient, rest) = (product / over, product % over);
    let away_from_zero = match round {
        Round::Down => value < 0 && rest > 0,
        Round::Nearest => 2 * rest >= over.get(),
        Round::Up => value > 0 && rest > 0,
    };
    let magnitude = (quotient + u64::from(away_from_zero)) as i64;
    if value < 0 { -magnitude } else { magnitude }
}

/// Rounded up. A divisor of 0 counts as 1.
pub(crate) fn div_up(dividend: u64, divisor: u64) -> u64 {
    let divisor = NonZeroU64::new(divisor).unwrap_or(NonZeroU64::MIN);
    dividend / divisor + u64::from(dividend % divisor > 0)
}

impl Scale {
    /// Of a turn; zeros count as ones.
    pub(crate) fn new(travel_nm: u32, steps_per_turn: u32) -> Self {
        let nonzero = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        Self { travel_nm: nonzero(travel_nm), steps_per_turn: nonzero(steps_per_turn) }
    }

    /// The nearest step. Fits i32 for positions that do.
    pub(crate) fn steps(self, nm: i32) -> i32 {
        ratio(nm, self.steps_per_turn, self.travel_nm, Round::Nearest) as i32
    }

    /// The next step above.
    pub(crate) fn steps_up(self, nm: i32) -> i32 {
        ratio(nm, self.steps_per_turn, self.travel_nm, Round::Up) as i32
    }

    /// The next step below.
    pub(crate) fn steps_down(self, nm: i32) -> i32 {
        ratio(nm, self.steps_per_turn, self.travel_nm, Round::Down) as i32
    }

    /// The nearest nanometre.
    pub(crate) fn nm(self, steps: i32) -> i64 {
        ratio(steps, self.travel_nm, self.steps_per_turn, Round::Nearest)
    }

    /// The next nanometre below.
    pub(crate) fn nm_down(self, steps: i32) -> i64 {
        ratio(steps, self.travel_nm, self.steps_per_turn, Round::Down)
    }

    /// Smallest speed in um/s whose interval the profile can count.
    pub(crate) fn slowest(self) -> u32 {
        self.speed(MAX_INTERVAL).saturating_add(1)
    }

    /// Largest speed in um/s whose interval is not shorter than so many ticks.
    pub(crate) fn fastest(self, interval: u32) -> u32 {
        self.speed(interval)
    }

    /// The speed of an interval, in um/s, rounded down, and cut to u32.
    #[inline(never)]
    fn speed(self, interval: u32) -> u32 {
        let nm_ticks = u64::from(self.travel_nm.get()) * u64::from(TICKS_PER_SECOND);
        let per_um = u64::from(self.steps_per_turn.get()) * 1_000 * u64::from(interval);
        u32::try_from(nm_ticks / NonZeroU64::new(per_um).unwrap_or(NonZeroU64::MIN)).unwrap_or(u32::MAX)
    }

    /// Between steps at a speed, in 2^-32 ticks, rounded up. Long division: the quotient has up to 60 bits, the remainder is below 2^62.
    pub(crate) fn interval(self, um_per_s: u32) -> u64 {
        let ticks = u64::from(self.travel_nm.get()) * u64::from(TICKS_PER_SECOND);
        let per_tick = u64::from(um_per_s) * u64::from(self.steps_per_turn.get()) * 1_000;
        let per_tick = NonZeroU64::new(per_tick).unwrap_or(NonZeroU64::MIN);
        let mut quotient = ticks / per_tick;
        let mut rest = ticks % per_tick;
        if quotient >= u64::from(MAX_INTERVAL) {
            return u64::from(MAX_INTERVAL) << 32;
        }
        for _ in 0..32 {
            rest <<= 1;
            quotient <<= 1;
            if rest >= per_tick.get() {
                rest -= per_tick.get();
                quotient |= 1;
            }
        }
        quotient + u64::from(rest > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against exact arithmetic in i128, for steps that are no whole number of nanometres.
    #[test]
    fn rounding_is_exact() {
        for (travel, per_turn) in [(800_007, 3_200), (3_200, 3_200), (i32::MAX as u32, 1 << 20), (10_000_019, 51_200)] {
            let scale = Scale::new(travel, per_turn);
            for nm in [0, 1, -1, 124, -125, 126, 250, -251, 99_999_989, -99_999_989, i32::MAX, i32::MIN] {
                let (product, over) = (i128::from(nm) * i128::from(per_turn), i128::from(travel));
                let floor = product.div_euclid(over);
                let ceil = -(-product).div_euclid(over);
                assert_eq!((i128::from(scale.steps_down(nm)), i128::from(scale.steps_up(nm))), (floor, ceil));
                let nearest = i128::from(scale.steps(nm));
                assert!(2 * (nearest * over - product).abs() <= over);
            }
            for steps in [0, 1, -1, 77_777, -1_000_003] {
                let (product, over) = (i128::from(steps) * i128::from(travel), i128::from(per_turn));
                assert_eq!(i128::from(scale.nm_down(steps)), product.div_euclid(over));
                assert!(2 * (i128::from(scale.nm(steps)) * over - product).abs() <= over);
            }
        }
    }

    /// The interval is the exact one, rounded up by less than 2^-32 of a tick; the fastest speed has no shorter one.
    #[test]
    fn intervals_are_exact() {
        for (travel, per_turn) in [(800_007, 3_200), (3_200, 3_200), (1_000_000_007, 1 << 20)] {
            let scale = Scale::new(travel, per_turn);
            for um_per_s in [1, 3, 999, 10_000, 123_457] {
                let (ticks, per) = (i128::from(travel) * 1_000_000, i128::from(um_per_s) * 1_000 * i128::from(per_turn));
                let interval = i128::from(scale.interval(um_per_s));
                assert!(interval * per >= ticks << 32 && (interval - 1) * per < ticks << 32);
            }
            let fastest = scale.fastest(24);
            assert!(scale.interval(fastest) >= 24 << 32 && scale.interval(fastest + 1) < 24 << 32);
        }
        assert_eq!(Scale::new(u32::MAX, 1).interval(1), u64::from(MAX_INTERVAL) << 32);
    }

    #[test]
    fn division_rounds_up_and_never_fails() {
        assert_eq!((div_up(0, 7), div_up(7, 7), div_up(8, 7), div_up(u64::MAX, 1), div_up(5, 0)), (0, 1, 2, u64::MAX, 5));
    }
}
