//! The reference: plain loops, no `unsafe`, for every processor down to microcontrollers.

use super::{ConvRow, UpRow};
use crate::int8::pack::Clamp;

/// Outputs that are summed side by side.
pub(super) const LANES: usize = 8;

type Sums = [i32; LANES];

pub(super) fn conv_row(args: ConvRow<'_>) {
    let ConvRow { taps, packed, partial, width, out, out_pixel, out_step } = args;
    let group_bytes = 4 * LANES;
    for pair in (0..packed.vectors).step_by(2) {
        let together = (packed.vectors - pair).min(2);
        let weights = &packed.weights.as_slice()[pair * packed.vector_bytes..][..together * packed.vector_bytes];
        for vector in pair..pair + together {
            let bias = &packed.bias.as_slice()[vector * LANES..][..LANES];
            let scale = &packed.scale.as_slice()[vector * LANES..][..LANES];
            for x in 0..width {
                let mut sums = load(partial.map_or(bias, |partial| &partial[(vector * width + x) * LANES..][..LANES]));
                let mut groups = weights.chunks_exact(group_bytes);
                for tap in taps {
                    let window = &tap.row[x * tap.pixel..][..packed.kernel * tap.pixel];
                    for group in 0..tap.pixel / 4 {
                        for kx in 0..packed.kernel {
                            let pixel = &window[kx * tap.pixel + 4 * group..][..4];
                            for other in pair..pair + together {
                                let weights = groups.next().unwrap_or(&[]);
                                if other == vector {
                                    dot(&mut sums, pixel, weights);
                                }
                            }
                        }
                    }
                }
                let first = vector * LANES;
                let lanes = LANES.min(out_pixel - first);
                let out = &mut out[x * out_step + first..][..lanes];
                for ((out, sum), scale) in out.iter_mut().zip(sums).zip(scale) {
                    *out = requantise(sum, *scale, packed.clamp);
                }
            }
        }
    }
}

pub(super) fn up_row(args: UpRow<'_>) {
    let UpRow { row, pixel, width, packed, above_0, above_01, odd, even } = args;
    let (all, group_bytes) = (packed.vectors * LANES, 4 * LANES);
    for vector in 0..packed.vectors {
        let weights = &packed.weights.as_slice()[vector * packed.vector_bytes..][..packed.vector_bytes];
        let bias = load(&packed.bias.as_slice()[vector * LANES..][..LANES]);
        // The nine products of a pixel with its taps; beyond the border they are known.
        let products = |x: isize| -> [Sums; 9] {
            if x < 0 || x as usize >= width {
                return core::array::from_fn(|tap| load(&packed.border.as_slice()[tap * all + vector * LANES..][..LANES]));
            }
            let pixel = &row[(x as usize + 1) * pixel..][..pixel];
            let mut sums = [[0; LANES]; 9];
            for (pixel, weights) in pixel.chunks_exact(4).zip(weights.chunks_exact(9 * group_bytes)) {
                for (sums, weights) in sums.iter_mut().zip(weights.chunks_exact(group_bytes)) {
                    dot(sums, pixel, weights);
                }
            }
            sums
        };
        let (mut left, mut own) = (products(-1), products(0));
        for x in 0..width {
            let right = products(x as isize + 1);
            for (side, column) in [2 * x, 2 * x + 1].into_iter().enumerate() {
                // Of the taps of a row, the left pixel of a cell meets its neighbour once and its own cell twice.
                let row: [Sums; 3] = core::array::from_fn(|ky| {
                    let taps = [3 * ky, 3 * ky + 1, 3 * ky + 2];
                    if side == 0 {
                        add(left[taps[0]], add(own[taps[1]], own[taps[2]]))
                    } else {
                        add(add(own[taps[0]], own[taps[1]]), right[taps[2]])
                    }
                });
                let at = (vector * 2 * width + column) * LANES;
                let place = at..at + LANES;
                odd[place.clone()].copy_from_slice(&add(load(&above_01[place.clone()]), row[2]));
                even[place.clone()].copy_from_slice(&add(load(&above_0[place.clone()]), add(row[1], row[2])));
                above_0[place.clone()].copy_from_slice(&add(row[0], bias));
                above_01[place].copy_from_slice(&add(add(row[0], row[1]), bias));
            }
            (left, own) = (own, right);
        }
    }
}

fn load(from: &[i32]) -> Sums {
    let mut sums = [0; LANES];
    sums.copy_from_slice(from);
    sums
}

fn add(a: Sums, b: Sums) -> Sums {
    core::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
}

fn dot(sums: &mut Sums, pixel: &[u8], weights: &[u8]) {
    for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(4)) {
        let products = pixel.iter().zip(weights).map(|(&pixel, &weight)| i32::from(pixel) * i32::from(weight as i8));
        *sum = sum.wrapping_add(products.sum());
    }
}

/// One sum to one byte.
pub(super) fn requantise(sum: i32, scale: f32, clamp: Clamp) -> u8 {
    let scaled = (sum as f32 * scale).max(clamp.low).min(clamp.high);
    (libm::rintf(scaled) as i32 + clamp.zero_point) as u8
}
