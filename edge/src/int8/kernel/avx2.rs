//! AVX2 without VNNI: pixels and weights as 16 bits, `vpmaddwd` and an addition. `vpmaddubsw` would be shorter, but it saturates
//! (255 x 127 x 2 > 32767).

#![allow(unsafe_code)] // see the module `strip`

use super::strip::{Vector, kernels};
use super::ymm::sums;
use crate::int8::pack::Clamp;
use core::arch::x86_64::*;

#[derive(Clone, Copy)]
struct Ymm;

impl Vector for Ymm {
    const LANES: usize = 8;
    const GROUP: usize = 64;
    type Sums = __m256i;
    /// Channels 0 and 2, and channels 1 and 3.
    type Pixel = [__m256i; 2];
    /// As the pixel.
    type Weights = [__m256i; 2];

    sums!();

    #[inline(always)]
    unsafe fn pixel(from: *const u8) -> [__m256i; 2] {
        unsafe {
            let four = _mm256_set1_epi32(from.cast::<i32>().read_unaligned());
            [_mm256_and_si256(four, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16(four, 8)]
        }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> [__m256i; 2] {
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }

    #[inline(always)]
    unsafe fn dot(sums: __m256i, pixel: [__m256i; 2], weights: [__m256i; 2]) -> __m256i {
        unsafe {
            let even = _mm256_madd_epi16(pixel[0], weights[0]);
            let odd = _mm256_madd_epi16(pixel[1], weights[1]);
            _mm256_add_epi32(_mm256_add_epi32(sums, even), odd)
        }
    }
}

kernels!(Ymm, "avx2", 12, [1 2 3 4 5 6 7 8 9 10 11 12], [1 2 3 4 5 6], 1);
