//! The axes of a stage, and one value for each of them.

use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// An axis of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Axis {
    /// Along the columns of a field.
    X,
    /// Along its rows.
    Y,
    /// Focus; positive is towards the specimen.
    Z,
}

impl Axis {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 3] = [Self::X, Self::Y, Self::Z];
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

/// One value for each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PerAxis<T> {
    /// For x.
    pub x: T,
    /// For y.
    pub y: T,
    /// For z.
    pub z: T,
}

impl<T> PerAxis<T> {
    /// The value for an axis.
    pub const fn get(&self, axis: Axis) -> &T {
        match axis {
            Axis::X => &self.x,
            Axis::Y => &self.y,
            Axis::Z => &self.z,
        }
    }

    /// The value for an axis, to be changed.
    pub const fn get_mut(&mut self, axis: Axis) -> &mut T {
        match axis {
            Axis::X => &mut self.x,
            Axis::Y => &mut self.y,
            Axis::Z => &mut self.z,
        }
    }

    /// The three values in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = (Axis, &T)> {
        [(Axis::X, &self.x), (Axis::Y, &self.y), (Axis::Z, &self.z)].into_iter()
    }
}
