//! `vpdpbusd`: four products of u8 and s8 summed into i32 in one instruction, without saturation.

#![allow(unsafe_code)] // see the module `strip`

use super::strip::{Vector, kernels};
use super::ymm::sums;
use crate::int8::pack::Clamp;
use core::arch::x86_64::*;

/// AVX-512 VNNI on 512 bits.
pub(super) mod full {
    use super::*;

    #[derive(Clone, Copy)]
    struct Zmm;

    impl Vector for Zmm {
        const LANES: usize = 16;
        const GROUP: usize = 64;
        type Sums = __m512i;
        type Pixel = __m512i;
        type Weights = __m512i;

        #[inline(always)]
        unsafe fn zero() -> __m512i {
            // SAFETY: see the module `strip`; so everywhere in this file.
            unsafe { _mm512_setzero_si512() }
        }

        #[inline(always)]
        unsafe fn load(from: *const i32) -> __m512i {
            unsafe { _mm512_loadu_si512(from.cast()) }
        }

        #[inline(always)]
        unsafe fn store(sums: __m512i, to: *mut i32) {
            unsafe { _mm512_storeu_si512(to.cast(), sums) }
        }

        #[inline(always)]
        unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
            unsafe { _mm512_add_epi32(a, b) }
        }

        #[inline(always)]
        unsafe fn pixel(from: *const u8) -> __m512i {
            unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
        }

        #[inline(always)]
        unsafe fn weights(from: *const u8) -> __m512i {
            unsafe { _mm512_loadu_si512(from.cast()) }
        }

        #[inline(always)]
        unsafe fn dot(sums: __m512i, pixel: __m512i, weights: __m512i) -> __m512i {
            unsafe { _mm512_dpbusd_epi32(sums, pixel, weights) }
        }

        #[inline(always)]
        unsafe fn requantise(sums: __m512i, scale: *const f32, clamp: &Clamp, to: *mut u8) {
            unsafe {
                let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(scale));
                let clamped = _mm512_min_ps(_mm512_max_ps(scaled, _mm512_set1_ps(clamp.low)), _mm512_set1_ps(clamp.high));
                let whole = _mm512_add_epi32(_mm512_cvtps_epi32(clamped), _mm512_set1_epi32(clamp.zero_point));
                _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(whole));
            }
        }
    }

    kernels!(
        Zmm,
        "avx512f,avx512vnni,avx512vl,avx512bw",
        20,
        [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20],
        [1 2 3 4 5 6 7 8 9 10],
        3
    );
}

/// The parts that both kernels on 256 bits share; `$dot` is their one difference.
macro_rules! ymm {
    ($dot:ident) => {
        #[derive(Clone, Copy)]
        struct Ymm;

        impl Vector for Ymm {
            const LANES: usize = 8;
            const GROUP: usize = 32;
            type Sums = __m256i;
            type Pixel = __m256i;
            type Weights = __m256i;

            sums!();

            #[inline(always)]
            unsafe fn pixel(from: *const u8) -> __m256i {
                unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
            }

            #[inline(always)]
            unsafe fn weights(from: *const u8) -> __m256i {
                unsafe { _mm256_loadu_si256(from.cast()) }
            }

            #[inline(always)]
            unsafe fn dot(sums: __m256i, pixel: __m256i, weights: __m256i) -> __m256i {
                unsafe { $dot(sums, pixel, weights) }
            }
        }
    };
}

/// AVX-512 VNNI on 256 bits: 32 registers.
pub(super) mod half {
    use super::*;
    ymm!(_mm256_dpbusd_epi32);
    kernels!(
        Ymm,
        "avx2,avx512f,avx512vnni,avx512vl",
        20,
        [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20],
        [1 2 3 4 5 6 7 8 9 10],
        3
    );
}

/// AVX-VNNI: 16 registers.
pub(super) mod vex {
    use super::*;
    ymm!(_mm256_dpbusd_avx_epi32);
    kernels!(Ymm, "avx2,avxvnni", 12, [1 2 3 4 5 6 7 8 9 10 11 12], [1 2 3 4 5 6], 1);
}
