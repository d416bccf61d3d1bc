//! Which vectors the kernels use, and loops that stay in registers.

use pulp::{Arch, Simd, WithSimd};

/// The widest vectors of this processor that a network's channels fill: feature maps are stored in groups of as many channels as a vector has
/// lanes, and a network of 8 channels would leave half of a vector of 16 empty.
pub(super) fn arch_for(channels: impl IntoIterator<Item = usize>) -> Arch {
    let widest = Arch::new();
    #[cfg(target_arch = "x86_64")]
    if let Arch::V4(wide) = widest
        && channels.into_iter().any(|channels| !channels.is_multiple_of(16))
    {
        return Arch::V3(*wide);
    }
    #[cfg(not(target_arch = "x86_64"))]
    drop(channels);
    widest
}

/// Lanes of its vectors of f32.
pub(super) fn lanes(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}

/// Name of the instruction set, as people know it.
pub(super) fn name(arch: Arch) -> &'static str {
    match arch {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "NEON",
        _ => "no vector instructions",
    }
}

/// Repeats a block for `$i` below `$n`, at most 16. Loops over an array of sums must be unrolled, or it lives in memory instead of registers;
/// the compiler's own unrolling stops below the longest ones.
macro_rules! unrolled {
    ($i:ident < $n:expr, $body:block) => {
        unrolled!(@ $i, $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $i:ident, $n:expr, $body:block, $($index:literal)*) => {
        $(if $index < $n {
            const $i: usize = $index;
            $body
        })*
    };
}
pub(super) use unrolled;
