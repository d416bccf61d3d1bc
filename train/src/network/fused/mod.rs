//! Training on processors: the network as one operation with a backward pass of its own, put among burn's.
//!
//! burn's operations store every tensor between them, and most of a step goes into moving those. Here only the outputs of the convolutions are
//! kept. Normalisation, ReLU, pooling, up-sampling and concatenation happen while a strip of rows, small enough for a core's cache, is read:
//! once forward, and once more backward. The convolutions multiply by vectors of output channels held in registers; no matrix is unrolled.
//!
//! The order of all sums is fixed: the same input gives the same bits with any number of threads. Networks with GroupNorm or transposed
//! convolutions run on burn's operations, and so does everything on other devices.

mod backward;
mod blocked;
mod convolve;
mod forward;
mod head;
mod normalise;
mod operation;
mod pass;
mod plan;
mod scratch;
mod simd;
mod view;
mod weight_gradient;
mod weights;

pub(super) use blocked::FeatureMemory;
pub(super) use operation::forward;

/// Name of the vectors that networks of these channels use on this machine, and how many f32 one has.
pub(super) fn vectors(channels: impl IntoIterator<Item = usize>) -> (&'static str, usize) {
    let arch = simd::arch_for(channels);
    (simd::name(arch), simd::lanes(arch))
}

#[cfg(test)]
mod tests;
