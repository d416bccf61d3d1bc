//! Names of axes and directions, and values that there is one of per axis.

use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// An axis of the stage: x and y move the sample, z focuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Axis {
    /// Across.
    X,
    /// Along.
    Y,
    /// Focus.
    Z,
}

impl Axis {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::X, Self::Y, Self::Z];

    /// Its bit in a mask: x is bit 0.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X => "x",
            Self::Y => "y",
            Self::Z => "z",
        })
    }
}

/// A set of axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Axes(u8);

impl Axes {
    /// No axis.
    pub const NONE: Self = Self(0);
    /// x, y and z.
    pub const ALL: Self = Self(7);

    /// The set of a mask: bit 0 is x, bit 2 is z, the others are ignored.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 7)
    }

    /// Its mask.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether an axis belongs to it.
    pub const fn contains(self, axis: Axis) -> bool {
        self.0 & axis.bit() != 0
    }

    /// The set and one more.
    #[must_use]
    pub const fn with(self, axis: Axis) -> Self {
        Self(self.0 | axis.bit())
    }

    /// The set without one.
    #[must_use]
    pub const fn without(self, axis: Axis) -> Self {
        Self(self.0 & !axis.bit())
    }

    /// Whether it has no axis.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One of an axis' two directions, or its end on that side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Side {
    /// Towards smaller positions.
    Negative,
    /// Towards larger positions.
    Positive,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Negative => Self::Positive,
            Self::Positive => Self::Negative,
        }
    }

    /// A distance as a displacement in this direction.
    pub(crate) const fn signed(self, distance: i32) -> i32 {
        match self {
            Self::Negative => distance.wrapping_neg(),
            Self::Positive => distance,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negative => "negative",
            Self::Positive => "positive",
        })
    }
}

/// One value per axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PerAxis<T> {
    /// That of x.
    pub x: T,
    /// That of y.
    pub y: T,
    /// That of z.
    pub z: T,
}

impl<T> PerAxis<T> {
    /// What a function gives for each axis.
    pub fn from_fn(value: impl FnMut(Axis) -> T) -> Self {
        let [x, y, z] = Axis::ALL.map(value);
        Self { x, y, z }
    }

    /// That of an axis.
    #[inline(never)]
    pub const fn get(&self, axis: Axis) -> &T {
        match axis {
            Axis::X => &self.x,
            Axis::Y => &self.y,
            Axis::Z => &self.z,
        }
    }

    /// In the order x, y, z.
    pub fn iter(&self) -> impl Iterator<Item = (Axis, &T)> {
        [(Axis::X, &self.x), (Axis::Y, &self.y), (Axis::Z, &self.z)].into_iter()
    }

    /// That of an axis, to be changed.
    pub const fn get_mut(&mut self, axis: Axis) -> &mut T {
        match axis {
            Axis::X => &mut self.x,
            Axis::Y => &mut self.y,
            Axis::Z => &mut self.z,
        }
    }
}

impl<T: Copy> PerAxis<T> {
    /// The same value for every axis.
    pub const fn splat(value: T) -> Self {
        Self { x: value, y: value, z: value }
    }

    /// In the order x, y, z.
    pub const fn to_array(self) -> [T; 3] {
        [self.x, self.y, self.z]
    }
}
