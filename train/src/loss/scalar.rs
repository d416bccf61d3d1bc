//! A tensor as a number of the core's formulas.

use burn::tensor::Tensor;
use lsr_core::Scalar;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A tensor as a number of the core's formulas; every operation is element by element.
#[derive(Debug, Clone)]
pub struct TensorScalar<const D: usize>(pub Tensor<D>);

macro_rules! elementwise {
    ($trait:ident, $method:ident) => {
        impl<const D: usize> $trait for TensorScalar<D> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0))
            }
        }
    };
}

elementwise!(Add, add);
elementwise!(Sub, sub);
elementwise!(Mul, mul);
elementwise!(Div, div);

impl<const D: usize> Neg for TensorScalar<D> {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.neg())
    }
}

impl<const D: usize> Scalar for TensorScalar<D> {
    type Literal = f64;
    fn plus(self, literal: f64) -> Self {
        Self(self.0.add_scalar(literal))
    }
    fn times(self, literal: f64) -> Self {
        Self(self.0.mul_scalar(literal))
    }
    fn at_least(self, literal: f64) -> Self {
        Self(self.0.clamp_min(literal))
    }
    fn ln(self) -> Self {
        Self(self.0.log())
    }
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
}
