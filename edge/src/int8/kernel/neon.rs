//! aarch64: the dot product extension, and plain NEON for processors without it.

#![allow(unsafe_code)] // see the module `strip`

use super::strip::{Vector, kernels};
use crate::int8::pack::Clamp;
use core::arch::aarch64::*;

/// The parts that both kernels share.
macro_rules! sums {
    () => {
        #[inline(always)]
        unsafe fn zero() -> int32x4_t {
            unsafe { vdupq_n_s32(0) }
        }

        #[inline(always)]
        unsafe fn load(from: *const i32) -> int32x4_t {
            unsafe { vld1q_s32(from) }
        }

        #[inline(always)]
        unsafe fn store(sums: int32x4_t, to: *mut i32) {
            unsafe { vst1q_s32(to, sums) }
        }

        #[inline(always)]
        unsafe fn add(a: int32x4_t, b: int32x4_t) -> int32x4_t {
            unsafe { vaddq_s32(a, b) }
        }

        #[inline(always)]
        unsafe fn requantise(sums: int32x4_t, scale: *const f32, clamp: &Clamp, to: *mut u8) {
            unsafe {
                let scaled = vmulq_f32(vcvtq_f32_s32(sums), vld1q_f32(scale));
                let clamped = vminq_f32(vmaxq_f32(scaled, vdupq_n_f32(clamp.low)), vdupq_n_f32(clamp.high));
                let whole = vaddq_s32(vcvtnq_s32_f32(clamped), vdupq_n_s32(clamp.zero_point));
                let words = vqmovn_s32(whole);
                let bytes = vqmovun_s16(vcombine_s16(words, words));
                to.cast::<u32>().write_unaligned(vget_lane_u32::<0>(vreinterpret_u32_u8(bytes)));
            }
        }
    };
}

/// `sdot`: four products of s8 and s8 summed into i32. Pixels are u8, so 128 is taken from each, which the bias gives back.
pub(super) mod dot {
    use super::*;

    #[derive(Clone, Copy)]
    struct Dot;

    impl Vector for Dot {
        const LANES: usize = 4;
        const GROUP: usize = 16;
        type Sums = int32x4_t;
        type Pixel = int8x16_t;
        type Weights = int8x16_t;
        sums!();

        #[inline(always)]
        unsafe fn pixel(from: *const u8) -> int8x16_t {
            // SAFETY: see the module `strip`; so everywhere in this file.
            unsafe {
                let four = vdupq_n_u32(from.cast::<u32>().read_unaligned());
                vreinterpretq_s8_u32(veorq_u32(four, vdupq_n_u32(0x8080_8080)))
            }
        }

        #[inline(always)]
        unsafe fn weights(from: *const u8) -> int8x16_t {
            unsafe { vld1q_s8(from.cast()) }
        }

        #[inline(always)]
        unsafe fn dot(sums: int32x4_t, pixel: int8x16_t, weights: int8x16_t) -> int32x4_t {
            // The intrinsic is not stable in every compiler that this is built with.
            let mut sums = sums;
            unsafe {
                core::arch::asm!(
                    ".arch_extension dotprod",
                    "sdot {sums:v}.4s, {pixel:v}.16b, {weights:v}.16b",
                    sums = inout(vreg) sums,
                    pixel = in(vreg) pixel,
                    weights = in(vreg) weights,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            sums
        }
    }

    kernels!(
        Dot,
        "neon,dotprod",
        20,
        [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20],
        [1 2 3 4 5 6 7 8 9 10],
        2
    );
}

/// `smlal`: one product of s16 and s16 summed into i32.
pub(super) mod plain {
    use super::*;

    #[derive(Clone, Copy)]
    struct Plain;

    impl Vector for Plain {
        const LANES: usize = 4;
        const GROUP: usize = 32;
        type Sums = int32x4_t;
        type Pixel = int16x4_t;
        type Weights = [int16x4_t; 4];
        sums!();

        #[inline(always)]
        unsafe fn pixel(from: *const u8) -> int16x4_t {
            unsafe {
                let four = vcreate_u8(u64::from(from.cast::<u32>().read_unaligned()));
                vreinterpret_s16_u16(vget_low_u16(vmovl_u8(four)))
            }
        }

        #[inline(always)]
        unsafe fn weights(from: *const u8) -> [int16x4_t; 4] {
            unsafe { [0, 1, 2, 3].map(|k| vld1_s16(from.cast::<i16>().add(4 * k))) }
        }

        #[inline(always)]
        unsafe fn dot(sums: int32x4_t, pixel: int16x4_t, weights: [int16x4_t; 4]) -> int32x4_t {
            unsafe {
                let sums = vmlal_lane_s16::<0>(sums, weights[0], pixel);
                let sums = vmlal_lane_s16::<1>(sums, weights[1], pixel);
                let sums = vmlal_lane_s16::<2>(sums, weights[2], pixel);
                vmlal_lane_s16::<3>(sums, weights[3], pixel)
            }
        }
    }

    kernels!(
        Plain,
        "neon",
        12,
        [1 2 3 4 5 6 7 8 9 10 11 12],
        [1 2 3 4 5 6],
        1
    );
}
