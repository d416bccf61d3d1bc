//! Sizes, strides and paddings of tract's convolutions and poolings.

use tract_onnx::tract_core::ops::cnn::{PaddingSpec, PoolSpec};

/// Whether both of two axes have a value.
pub(super) fn is(values: &[usize], expected: usize) -> bool {
    values.len() == 2 && values.iter().all(|&value| value == expected)
}

/// Whether taps are neighbours.
pub(super) fn undilated(spec: &PoolSpec) -> bool {
    spec.dilations.as_deref().is_none_or(|dilations| is(dilations, 1))
}

/// Pixels of padding, where they are the same on all sides.
pub(super) fn padding(spec: &PoolSpec) -> Option<usize> {
    match &spec.padding {
        PaddingSpec::Valid => Some(0),
        PaddingSpec::Explicit(before, after) | PaddingSpec::ExplicitOnnxPool(before, after, _) => {
            let first = *before.first()?;
            (is(before, first) && is(after, first)).then_some(first)
        }
        PaddingSpec::SameUpper | PaddingSpec::SameLower => {
            let kernel = *spec.kernel_shape.first()?;
            (kernel % 2 == 1 && spec.strides.as_deref().is_none_or(|strides| is(strides, 1))).then_some(kernel / 2)
        }
    }
}
