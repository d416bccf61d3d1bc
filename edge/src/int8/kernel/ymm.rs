//! What the kernels on 256 bits share: sums of eight outputs.

#![allow(unsafe_code)] // see the module `strip`

use crate::int8::pack::Clamp;
use core::arch::x86_64::*;

/// The operations of a [`Vector`](super::strip::Vector) that do not depend on how products are formed.
macro_rules! sums {
    () => {
        #[inline(always)]
        unsafe fn zero() -> __m256i {
            // SAFETY: see the module `strip`; so everywhere in this file.
            unsafe { _mm256_setzero_si256() }
        }

        #[inline(always)]
        unsafe fn load(from: *const i32) -> __m256i {
            unsafe { _mm256_loadu_si256(from.cast()) }
        }

        #[inline(always)]
        unsafe fn store(sums: __m256i, to: *mut i32) {
            unsafe { _mm256_storeu_si256(to.cast(), sums) }
        }

        #[inline(always)]
        unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_add_epi32(a, b) }
        }

        #[inline(always)]
        unsafe fn requantise(sums: __m256i, scale: *const f32, clamp: &Clamp, to: *mut u8) {
            unsafe { $crate::int8::kernel::ymm::requantise(sums, scale, clamp, to) }
        }
    };
}

pub(super) use sums;

/// Eight sums to eight bytes, with AVX2.
#[inline(always)]
pub(super) unsafe fn requantise(sums: __m256i, scale: *const f32, clamp: &Clamp, to: *mut u8) {
    unsafe {
        let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scale));
        let clamped = _mm256_min_ps(_mm256_max_ps(scaled, _mm256_set1_ps(clamp.low)), _mm256_set1_ps(clamp.high));
        let whole = _mm256_add_epi32(_mm256_cvtps_epi32(clamped), _mm256_set1_epi32(clamp.zero_point));
        let words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
        _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
    }
}
