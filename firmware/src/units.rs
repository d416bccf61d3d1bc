//! Lengths and time as integers: what crosses the interface is never a float and never a step.

use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Points in time: microseconds since power-on, counted by the board's 1 MHz timer. The library never reads a clock.
pub type Ticks = u64;

/// Ticks in a second.
pub const TICKS_PER_SECOND: u32 = 1_000_000;

/// A length or a position in micrometres, in fixed point: a count of thousandths (nanometres), up to +-2.147 m.
///
/// ```
/// use lsr_firmware::Um;
/// let position = Um::from_nm(-12_345);
/// assert_eq!(position.to_string(), "-12.345 um");
/// assert_eq!(position.checked_add(Um::from_um(13).unwrap()), Some(Um::from_nm(655)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, MaxSize)]
pub struct Um(i32);

#[cfg(feature = "defmt")]
impl defmt::Format for Um {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=i32} nm", self.0);
    }
}

impl Um {
    /// No length.
    pub const ZERO: Self = Self(0);
    /// The longest: 2,147,483.647 um.
    pub const MAX: Self = Self(i32::MAX);
    /// The longest in the negative direction: -2,147,483.648 um.
    pub const MIN: Self = Self(i32::MIN);

    /// A length of so many nanometres.
    pub const fn from_nm(nm: i32) -> Self {
        Self(nm)
    }

    /// A length of so many whole micrometres; `None` beyond 2,147,483.
    pub const fn from_um(um: i32) -> Option<Self> {
        match um.checked_mul(1_000) {
            Some(nm) => Some(Self(nm)),
            None => None,
        }
    }

    /// Its nanometres.
    pub const fn nm(self) -> i32 {
        self.0
    }

    /// The sum; `None` when it is too long.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nm) => Some(Self(nm)),
            None => None,
        }
    }

    /// The difference; `None` when it is too long.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nm) => Some(Self(nm)),
            None => None,
        }
    }

    /// The opposite; `None` of [`Um::MIN`].
    pub const fn checked_neg(self) -> Option<Self> {
        match self.0.checked_neg() {
            Some(nm) => Some(Self(nm)),
            None => None,
        }
    }

    /// The distance between two positions, in nanometres. Always exact.
    pub const fn distance_nm(self, other: Self) -> u32 {
        self.0.abs_diff(other.0)
    }

    /// The nearest length to a number of nanometres: cut to the longest.
    #[inline(never)]
    pub(crate) const fn saturating_from_nm(nm: i64) -> Self {
        if nm > i32::MAX as i64 {
            Self::MAX
        } else if nm < i32::MIN as i64 {
            Self::MIN
        } else {
            Self(nm as i32)
        }
    }
}

impl fmt::Display for Um {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nm = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03} um", nm / 1_000, nm % 1_000)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn shown_with_sign_and_three_places() {
        let shown = |nm| Um::from_nm(nm).to_string();
        assert_eq!(shown(0), "0.000 um");
        assert_eq!(shown(-1), "-0.001 um");
        assert_eq!(shown(12_345), "12.345 um");
        assert_eq!(shown(i32::MIN), "-2147483.648 um");
    }

    #[test]
    fn arithmetic_is_checked_at_the_ends() {
        let nm = Um::from_nm(1);
        assert_eq!(Um::MAX.checked_add(nm), None);
        assert_eq!(Um::MIN.checked_sub(nm), None);
        assert_eq!(Um::MIN.checked_neg(), None);
        assert_eq!(Um::from_um(2_147_484), None);
        assert_eq!(Um::from_um(2_147_483), Some(Um::from_nm(2_147_483_000)));
        assert_eq!(Um::MIN.distance_nm(Um::MAX), u32::MAX);
        assert_eq!(Um::saturating_from_nm(i64::MAX), Um::MAX);
        assert_eq!(Um::saturating_from_nm(i64::MIN), Um::MIN);
        assert_eq!(Um::saturating_from_nm(-7), Um::from_nm(-7));
    }
}
