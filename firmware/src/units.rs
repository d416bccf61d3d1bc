//! Lengths. The clock needs no type: times are `u64` microseconds since power-on everywhere.

use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// A length or position in micrometres, in fixed point: whole thousandths of a micrometre (nm) in an `i32`, so +-2.147 m.
///
/// ```
/// use lsr_firmware::Um;
/// let length = Um::from_nm(12_345);
/// assert_eq!(length.to_string(), "12.345 um");
/// assert_eq!(length.checked_sub(Um::from_nm(12_346)), Some(Um::from_nm(-1)));
/// assert_eq!(Um::MAX.checked_add(Um::from_nm(1)), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Um(i32);

impl Um {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The longest.
    pub const MAX: Self = Self(i32::MAX);
    /// The most negative.
    pub const MIN: Self = Self(i32::MIN);

    /// So many nanometres.
    pub const fn from_nm(nm: i32) -> Self {
        Self(nm)
    }

    /// In nanometres.
    pub const fn nm(self) -> i32 {
        self.0
    }

    /// The sum, if it fits.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nm) => Some(Self(nm)),
            None => None,
        }
    }

    /// The difference, if it fits.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nm) => Some(Self(nm)),
            None => None,
        }
    }
}

impl fmt::Display for Um {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nm = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03} um", nm / 1000, nm % 1000)
    }
}
