//! Why the executor has stopped stepping, in 32 bits.

use crate::motion::axis::{Axis, Side};

/// Why the executor takes no more steps until it is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Halt {
    Emergency,
    Forbidden,
    /// So many ticks.
    Late(u16),
    Limit(Axis, Side),
    Pin(Axis),
}

const LATE: u8 = 0x10;
const NEGATIVE: u8 = 0x20;
const POSITIVE: u8 = 0x30;
const PIN: u8 = 0x40;

impl Halt {
    /// Never 0, which is no halt.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Emergency => 1,
            Self::Forbidden => 2,
            Self::Late(ticks) => u32::from(LATE) | u32::from(ticks) << 16,
            Self::Limit(axis, Side::Negative) => u32::from(NEGATIVE | axis.bit()),
            Self::Limit(axis, Side::Positive) => u32::from(POSITIVE | axis.bit()),
            Self::Pin(axis) => u32::from(PIN | axis.bit()),
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        let axis = match code & 0xf {
            1 => Axis::X,
            2 => Axis::Y,
            _ => Axis::Z,
        };
        match (code as u8) & 0xf0 {
            LATE => Some(Self::Late((code >> 16) as u16)),
            NEGATIVE => Some(Self::Limit(axis, Side::Negative)),
            POSITIVE => Some(Self::Limit(axis, Side::Positive)),
            PIN => Some(Self::Pin(axis)),
            _ => match code {
                0 => None,
                2 => Some(Self::Forbidden),
                _ => Some(Self::Emergency),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn every_cause_survives() {
        let mut causes = std::vec![Halt::Emergency, Halt::Forbidden, Halt::Late(0), Halt::Late(u16::MAX)];
        for axis in Axis::ALL {
            causes.extend([Halt::Limit(axis, Side::Negative), Halt::Limit(axis, Side::Positive), Halt::Pin(axis)]);
        }
        for cause in causes {
            assert_eq!(Halt::from_code(cause.code()), Some(cause));
        }
        assert_eq!(Halt::from_code(0), None);
    }
}
