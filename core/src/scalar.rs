//! The numbers that formulas are written over.
//!
//! Every formula of this crate stands once, over [`Scalar`]: f32 and f64 here, [`Dual`] for derivatives, and a newtype around a
//! tensor in the training crate, so that the line which runs on a microcontroller is the line that autodiff differentiates on a GPU.
//! Reductions (sums over pixels and blocks) are not part of the trait.

use crate::integer::{ratio_f32, sqrt_f32};
use core::ops::{Add, Div, Mul, Neg, Sub};

/// What a formula needs: ring operations, division, `ln`, `sqrt`, and operations with literals. By value, since tensors are not `Copy`.
pub trait Scalar: Clone + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self> {
    /// The plain number that parameters and constants have beside this scalar (no derivative flows into it).
    type Literal: Real;

    /// `self + literal`.
    fn plus(self, literal: Self::Literal) -> Self;
    /// `self * literal`.
    fn times(self, literal: Self::Literal) -> Self;
    /// `max(self, literal)`; the derivative is 0 where the literal wins.
    fn at_least(self, literal: Self::Literal) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;

    /// `self * self`.
    fn square(self) -> Self {
        self.clone() * self
    }
}

/// A scalar that can be looked at: compared, checked and made from counts. f32, f64 and [`Dual`] over them, not tensors.
pub trait Real: Scalar + Copy + PartialOrd + core::fmt::Debug {
    /// The nearest number to a constant.
    fn from_f64(value: f64) -> Self;
    /// The plain number as a scalar of zero derivative.
    fn from_literal(value: Self::Literal) -> Self;
    /// The plain number without derivative.
    fn literal(self) -> Self::Literal;
    /// The value as f64, for messages and comparisons.
    fn to_f64(self) -> f64;
    /// A count as a number.
    fn from_count(count: u32) -> Self;
    /// `numerator / denominator`, rounded once; in f64 while both are below 2^53.
    fn from_ratio(numerator: u64, denominator: u64) -> Self;
    /// Neither NaN nor infinite, derivative included.
    fn is_finite(self) -> bool;
}

macro_rules! impl_real {
    ($type:ident, $ln:path, $sqrt:path, $ratio:expr) => {
        impl Scalar for $type {
            type Literal = $type;
            #[inline]
            fn plus(self, literal: $type) -> Self {
                self + literal
            }
            #[inline]
            fn times(self, literal: $type) -> Self {
                self * literal
            }
            #[inline]
            fn at_least(self, literal: $type) -> Self {
                if self > literal { self } else { literal }
            }
            #[inline]
            fn ln(self) -> Self {
                $ln(self)
            }
            #[inline]
            fn sqrt(self) -> Self {
                $sqrt(self)
            }
        }

        impl Real for $type {
            #[inline]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline]
            fn from_literal(value: $type) -> Self {
                value
            }
            #[inline]
            fn literal(self) -> $type {
                self
            }
            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn from_count(count: u32) -> Self {
                count as $type
            }
            #[inline]
            fn from_ratio(numerator: u64, denominator: u64) -> Self {
                $ratio(numerator, denominator)
            }
            #[inline]
            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
            }
        }
    };
}

impl_real!(f32, libm::logf, sqrt_f32, ratio_f32);
impl_real!(f64, libm::log, libm::sqrt, |numerator, denominator| numerator as f64 / denominator as f64);

/// A dual number `value + derivative * e` with `e * e = 0`: carries the derivative by one chosen variable through any formula.
///
/// ```
/// use lsr_core::{Dual, Scalar};
/// // d/dx x^2 ln x at x = 2 is 2 x ln x + x
/// let x = Dual::variable(2.0_f64);
/// let y = x * x * x.ln();
/// assert!((y.derivative - (4.0 * 2.0_f64.ln() + 2.0)).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dual<R> {
    /// The value.
    pub value: R,
    /// Its derivative by the chosen variable.
    pub derivative: R,
}

impl<R: Real> Dual<R> {
    /// The chosen variable itself: derivative 1.
    pub fn variable(value: R) -> Self {
        Self { value, derivative: R::from_f64(1.0) }
    }

    /// A number that does not depend on the chosen variable.
    pub fn constant(value: R) -> Self {
        Self { value, derivative: R::from_f64(0.0) }
    }
}

impl<R: Real> Add for Dual<R> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, derivative: self.derivative + other.derivative }
    }
}

impl<R: Real> Sub for Dual<R> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, derivative: self.derivative - other.derivative }
    }
}

impl<R: Real> Mul for Dual<R> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, derivative: self.derivative * other.value + self.value * other.derivative }
    }
}

impl<R: Real> Div for Dual<R> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, derivative: (self.derivative - value * other.derivative) / other.value }
    }
}

impl<R: Real> Neg for Dual<R> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, derivative: -self.derivative }
    }
}

/// By value alone.
impl<R: Real> PartialOrd for Dual<R> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<R: Real> Scalar for Dual<R> {
    type Literal = R::Literal;
    fn plus(self, literal: R::Literal) -> Self {
        Self { value: self.value.plus(literal), derivative: self.derivative }
    }
    fn times(self, literal: R::Literal) -> Self {
        Self { value: self.value.times(literal), derivative: self.derivative.times(literal) }
    }
    fn at_least(self, literal: R::Literal) -> Self {
        let floor = R::from_literal(literal);
        if self.value > floor { self } else { Self::constant(floor) }
    }
    fn ln(self) -> Self {
        Self { value: self.value.ln(), derivative: self.derivative / self.value }
    }
    fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        Self { value, derivative: self.derivative / (value + value) }
    }
}

impl<R: Real> Real for Dual<R> {
    fn from_f64(value: f64) -> Self {
        Self::constant(R::from_f64(value))
    }
    fn from_literal(value: R::Literal) -> Self {
        Self::constant(R::from_literal(value))
    }
    fn literal(self) -> R::Literal {
        self.value.literal()
    }
    fn to_f64(self) -> f64 {
        self.value.to_f64()
    }
    fn from_count(count: u32) -> Self {
        Self::constant(R::from_count(count))
    }
    fn from_ratio(numerator: u64, denominator: u64) -> Self {
        Self::constant(R::from_ratio(numerator, denominator))
    }
    fn is_finite(self) -> bool {
        self.value.is_finite() && self.derivative.is_finite()
    }
}
