//! The structure that all SIMD kernels share.
//!
//! `unsafe`: raw pointers into slices whose lengths [`ConvRow::check`](super::ConvRow) and [`UpRow::check`](super::UpRow) have compared with
//! everything that is read and written here, and intrinsics of an instruction set that the processor has (an [`Isa`](super::Isa) other than
//! scalar is only handed out where it was detected).

#![allow(unsafe_code)]
// Indices here are registers: the loops are unrolled, and an index stands for the same place in several arrays.
#![allow(clippy::needless_range_loop, clippy::absurd_extreme_comparisons)]

use super::{ConvRow, Tap, UpRow};
use crate::int8::pack::Clamp;

/// A vector of outputs.
pub(super) trait Vector: Copy {
    /// Outputs of a vector.
    const LANES: usize;
    /// Bytes of the weights of a vector for four inputs.
    const GROUP: usize;
    /// One i32 for each output.
    type Sums: Copy;
    /// Four channels of one pixel, for every output.
    type Pixel: Copy;
    /// Four weights for every output.
    type Weights: Copy;

    unsafe fn zero() -> Self::Sums;
    unsafe fn load(from: *const i32) -> Self::Sums;
    unsafe fn store(sums: Self::Sums, to: *mut i32);
    unsafe fn add(a: Self::Sums, b: Self::Sums) -> Self::Sums;
    unsafe fn pixel(from: *const u8) -> Self::Pixel;
    unsafe fn weights(from: *const u8) -> Self::Weights;
    unsafe fn dot(sums: Self::Sums, pixel: Self::Pixel, weights: Self::Weights) -> Self::Sums;
    /// Writes `LANES` bytes.
    unsafe fn requantise(sums: Self::Sums, scale: *const f32, clamp: &Clamp, to: *mut u8);
}

/// A strip of a row: `P` pixels of `C` vectors.
pub(super) struct Strip<'a> {
    pub(super) taps: &'a [Tap<'a>],
    /// First pixel.
    pub(super) x: usize,
    pub(super) weights: *const u8,
    pub(super) bias: *const i32,
    pub(super) scale: *const f32,
    /// Null, or the sums of the first vector at pixel 0.
    pub(super) partial: *const i32,
    /// Numbers from one vector's partial sums to the next one's.
    pub(super) partial_step: usize,
    pub(super) out: *mut u8,
    pub(super) out_step: usize,
    /// Bytes that the last vector writes.
    pub(super) last_bytes: usize,
    pub(super) clamp: Clamp,
}

/// Repeats a block for `$i` below `$n`, at most 22. Loops over an array in registers must be unrolled, or it lives in memory; the compiler's own
/// unrolling stops at a size that the longest strips pass.
macro_rules! unrolled {
    ($i:ident < $n:expr, $body:block) => {
        unrolled!(@ $i, $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21)
    };
    (@ $i:ident, $n:expr, $body:block, $($index:literal)*) => {
        $(if $index < $n {
            const $i: usize = $index;
            $body
        })*
    };
}

#[inline(always)]
pub(super) unsafe fn strip<V: Vector, const P: usize, const C: usize, const K: usize>(args: &Strip<'_>) {
    // SAFETY: see the module's text.
    unsafe {
        let mut sums = [[V::zero(); C]; P];
        let partial = !args.partial.is_null();
        for c in 0..C {
            if partial {
                let partial = args.partial.add(c * args.partial_step + args.x * V::LANES);
                unrolled!(X < P, { sums[X][c] = V::load(partial.add(X * V::LANES)) });
            } else {
                let bias = V::load(args.bias.add(c * V::LANES));
                unrolled!(X < P, { sums[X][c] = bias });
            }
        }
        let mut weights = args.weights;
        for tap in args.taps {
            let step = tap.pixel;
            let mut row = tap.row.as_ptr().add(args.x * step);
            for _ in 0..step / 4 {
                let mut own = [[V::weights(weights); C]; K];
                for k in 0..K {
                    for c in 0..C {
                        own[k][c] = V::weights(weights.add((k * C + c) * V::GROUP));
                    }
                }
                unrolled!(X < P + K - 1, {
                    let pixel = V::pixel(row.wrapping_add(X * step));
                    for k in 0..K {
                        // The pixel meets tap k for the output k pixels to its left.
                        if X >= k && X - k < P {
                            for c in 0..C {
                                sums[X - k][c] = V::dot(sums[X - k][c], pixel, own[k][c]);
                            }
                        }
                    }
                });
                row = row.wrapping_add(4);
                weights = weights.wrapping_add(K * C * V::GROUP);
            }
        }
        for c in 0..C {
            let scale = args.scale.add(c * V::LANES);
            let to = args.out.add(args.x * args.out_step + c * V::LANES);
            if c + 1 < C || args.last_bytes == V::LANES {
                unrolled!(X < P, { V::requantise(sums[X][c], scale, &args.clamp, to.add(X * args.out_step)) });
            } else {
                unrolled!(X < P, {
                    let mut bytes = [0_u8; 16];
                    V::requantise(sums[X][c], scale, &args.clamp, bytes.as_mut_ptr());
                    let to = to.add(X * args.out_step);
                    // Pixels take multiples of four bytes.
                    for i in 0..args.last_bytes / 4 {
                        to.add(4 * i).cast::<u32>().write_unaligned(bytes.as_ptr().add(4 * i).cast::<u32>().read_unaligned());
                    }
                });
            }
        }
    }
}

/// Cuts a row into strips of at most `longest(vectors side by side)` pixels, all about equally long, and runs them.
#[inline(always)]
pub(super) fn conv_row<V: Vector>(args: ConvRow<'_>, longest: impl Fn(usize) -> usize, run: impl Fn(usize, usize, &Strip<'_>)) {
    let ConvRow { taps, packed, partial, width, out, out_pixel, out_step } = args;
    for first in (0..packed.vectors).step_by(2) {
        let together = (packed.vectors - first).min(2);
        let last = first + together - 1;
        let mut strip = Strip {
            taps,
            x: 0,
            weights: packed.weights.as_slice()[first * packed.vector_bytes..].as_ptr(),
            bias: packed.bias.as_slice()[first * V::LANES..].as_ptr(),
            scale: packed.scale.as_slice()[first * V::LANES..].as_ptr(),
            partial: partial.map_or(core::ptr::null(), |sums| sums[first * width * V::LANES..].as_ptr()),
            partial_step: width * V::LANES,
            out: out[first * V::LANES..].as_mut_ptr(),
            out_step,
            last_bytes: V::LANES.min(out_pixel - last * V::LANES),
            clamp: packed.clamp,
        };
        let strips = width.div_ceil(longest(together));
        for i in 0..strips {
            strip.x = i * width / strips;
            let pixels = (i + 1) * width / strips - strip.x;
            run(pixels, together, &strip);
        }
    }
}

/// The up-sampled source of a row, `P` pixels at a time; the products of two neighbours meet in the odd column between them.
#[inline(always)]
pub(super) unsafe fn up_row<V: Vector, const P: usize>(args: UpRow<'_>) {
    let UpRow { row, pixel, width, packed, above_0, above_01, odd, even } = args;
    let all = packed.vectors * V::LANES;
    // SAFETY: see the module's text.
    unsafe {
        for vector in 0..packed.vectors {
            let weights = packed.weights.as_slice()[vector * packed.vector_bytes..].as_ptr();
            let bias = V::load(packed.bias.as_slice().as_ptr().add(vector * V::LANES));
            let border = packed.border.as_slice().as_ptr().add(vector * V::LANES);
            let at = vector * 2 * width * V::LANES;
            let [above_0, above_01, odd, even] = [&mut *above_0, &mut *above_01, &mut *odd, &mut *even].map(|sums| sums[at..].as_mut_ptr());
            // Adds the sums of the three rows of taps at a column to what the row above left there.
            let emit = |column: usize, taps: [V::Sums; 3]| {
                let at = column * V::LANES;
                V::store(V::add(V::load(above_01.add(at)), taps[2]), odd.add(at));
                V::store(V::add(V::load(above_0.add(at)), V::add(taps[1], taps[2])), even.add(at));
                let first = V::add(taps[0], bias);
                V::store(first, above_0.add(at));
                V::store(V::add(first, taps[1]), above_01.add(at));
            };
            // Of the pixel to the left, for each row of taps: tap 0, and taps 0 and 1 together.
            let mut left_0 = [V::zero(); 3];
            let mut left_01 = [V::zero(); 3];
            for ky in 0..3 {
                left_0[ky] = V::load(border.add(3 * ky * all));
            }
            let mut x = 0;
            while x < width {
                // The last strip may reach beyond the row's end: then it begins earlier, and goes over pixels a second time without effect.
                let mut sums = [[V::zero(); 9]; P];
                let count = P.min(width - x);
                let first = row.as_ptr().add((x + 1) * pixel);
                if count == P {
                    let mut weights = weights;
                    let mut from = first;
                    for _ in 0..pixel / 4 {
                        let mut pixels = [V::pixel(from); P];
                        for (p, own) in pixels.iter_mut().enumerate() {
                            *own = V::pixel(from.add(p * pixel));
                        }
                        for tap in 0..9 {
                            let weight = V::weights(weights.add(tap * V::GROUP));
                            for (sums, &pixel) in sums.iter_mut().zip(&pixels) {
                                sums[tap] = V::dot(sums[tap], pixel, weight);
                            }
                        }
                        from = from.wrapping_add(4);
                        weights = weights.wrapping_add(9 * V::GROUP);
                    }
                } else {
                    for (p, sums) in sums.iter_mut().enumerate().take(count) {
                        let mut weights = weights;
                        let mut from = first.add(p * pixel);
                        for _ in 0..pixel / 4 {
                            let own = V::pixel(from);
                            for (tap, sum) in sums.iter_mut().enumerate() {
                                *sum = V::dot(*sum, own, V::weights(weights.add(tap * V::GROUP)));
                            }
                            from = from.wrapping_add(4);
                            weights = weights.wrapping_add(9 * V::GROUP);
                        }
                    }
                }
                for (p, sums) in sums.iter().enumerate().take(count) {
                    let column = 2 * (x + p);
                    if column > 0 {
                        emit(column - 1, [0, 1, 2].map(|ky| V::add(left_01[ky], sums[3 * ky + 2])));
                    }
                    emit(column, [0, 1, 2].map(|ky| V::add(left_0[ky], V::add(sums[3 * ky + 1], sums[3 * ky + 2]))));
                    for ky in 0..3 {
                        left_0[ky] = sums[3 * ky];
                        left_01[ky] = V::add(sums[3 * ky], sums[3 * ky + 1]);
                    }
                }
                x += count;
            }
            let right = [0, 1, 2].map(|ky| V::add(left_01[ky], V::load(border.add((3 * ky + 2) * all))));
            emit(2 * width - 1, right);
        }
    }
}

/// Multiplies and adds on registers alone, `rounds` times 12 vectors: what the processor can do at most. Gives the products formed.
#[inline(always)]
pub(super) unsafe fn peak<V: Vector>(rounds: u64) -> u64 {
    const CHAINS: usize = 12;
    let memory = [1_u8; 16 * CHAINS * 8];
    // SAFETY: see the module's text; the widest weights take 64 bytes.
    unsafe {
        let mut sums = [V::zero(); CHAINS];
        let mut weights = [V::weights(memory.as_ptr()); CHAINS];
        for (i, own) in weights.iter_mut().enumerate() {
            *own = V::weights(core::hint::black_box(memory.as_ptr()).add(64 * i));
        }
        for _ in 0..rounds {
            // Unknown to the compiler, or products would be formed once for all rounds.
            let pixel = V::pixel(core::hint::black_box(memory.as_ptr()));
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = V::dot(*sum, pixel, weights);
            }
        }
        core::hint::black_box(sums);
    }
    rounds * (CHAINS * V::LANES * 4) as u64
}

/// Defines `conv_row`, `up_row` and `peak` of one instruction set: `$v` its vector, `$wide` the longest strip of one vector (half of it with two),
/// `$p` the pixels of the up-sampled source at a time.
macro_rules! kernels {
    ($v:ty, $features:literal, $wide:literal, [$($one:literal)*], [$($two:literal)*], $p:literal) => {
        #[target_feature(enable = $features)]
        unsafe fn strip<const P: usize, const C: usize, const K: usize>(args: &$crate::int8::kernel::strip::Strip<'_>) {
            // SAFETY: the caller's; see the module `strip`.
            unsafe { $crate::int8::kernel::strip::strip::<$v, P, C, K>(args) }
        }

        #[target_feature(enable = $features)]
        unsafe fn up(args: $crate::int8::kernel::UpRow<'_>) {
            // SAFETY: the caller's; see the module `strip`.
            unsafe { $crate::int8::kernel::strip::up_row::<$v, $p>(args) }
        }

        #[target_feature(enable = $features)]
        unsafe fn multiply_and_add(rounds: u64) -> u64 {
            // SAFETY: the caller's; see the module `strip`.
            unsafe { $crate::int8::kernel::strip::peak::<$v>(rounds) }
        }

        pub(in crate::int8::kernel) fn peak(rounds: u64) -> u64 {
            // SAFETY: the processor has these features; see the module `strip`.
            unsafe { multiply_and_add(rounds) }
        }

        pub(in crate::int8::kernel) fn conv_row(args: $crate::int8::kernel::ConvRow<'_>) {
            let kernel = args.packed.kernel;
            $crate::int8::kernel::strip::conv_row::<$v>(args, |together| $wide / together, |pixels, together, args| {
                // SAFETY: the processor has these features, and the row was checked; see the module `strip`.
                unsafe {
                    match (kernel, together, pixels) {
                        $((1, 1, $one) => strip::<$one, 1, 1>(args),)*
                        $((1, 2, $two) => strip::<$two, 2, 1>(args),)*
                        $((3, 1, $one) => strip::<$one, 1, 3>(args),)*
                        $((3, 2, $two) => strip::<$two, 2, 3>(args),)*
                        _ => unreachable!("strips are cut to at most {} pixels", $wide),
                    }
                }
            });
        }

        pub(in crate::int8::kernel) fn up_row(args: $crate::int8::kernel::UpRow<'_>) {
            // SAFETY: the processor has these features, and the row was checked; see the module `strip`.
            unsafe { up(args) }
        }
    };
}

pub(super) use kernels;
