//! Gaussian blur, as of a field that is slightly out of focus.

use std::ops::RangeInclusive;

/// Standard deviations that are drawn, in pixels.
pub(super) const SIGMA_PX: RangeInclusive<f64> = 0.3..=1.5;

/// Blurs an RGB image of `size` (width, height) in place; at the edges the outermost pixel goes on.
pub(super) fn blur(rgb: &mut [u8], size: (u32, u32), sigma: f64) {
    let (width, height) = (size.0 as usize, size.1 as usize);
    if width == 0 || height == 0 {
        return;
    }
    let weights = kernel(sigma);
    let (radius, row) = (weights.len() / 2, 3 * width);
    // Along the rows: each is extended by the radius on both sides, then summed shifted by whole pixels.
    let mut horizontal = vec![0.0_f32; rgb.len()];
    let mut extended = vec![0.0_f32; row + 6 * radius];
    for (source, target) in rgb.chunks_exact(row).zip(horizontal.chunks_exact_mut(row)) {
        for (i, value) in extended.iter_mut().enumerate() {
            let x = (i / 3).saturating_sub(radius).min(width - 1);
            *value = f32::from(source[3 * x + i % 3]);
        }
        for (j, &weight) in weights.iter().enumerate() {
            for (sum, value) in target.iter_mut().zip(&extended[3 * j..]) {
                *sum += weight * value;
            }
        }
    }
    let mut sums = vec![0.0_f32; row];
    for (y, target) in rgb.chunks_exact_mut(row).enumerate() {
        sums.fill(0.5);
        for (j, &weight) in weights.iter().enumerate() {
            let from = (y + j).saturating_sub(radius).min(height - 1) * row;
            for (sum, value) in sums.iter_mut().zip(&horizontal[from..from + row]) {
                *sum += weight * value;
            }
        }
        for (value, &sum) in target.iter_mut().zip(&sums) {
            *value = sum as u8;
        }
    }
}

/// A Gaussian to three standard deviations, its sum 1.
fn kernel(sigma: f64) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as i32;
    let weights: Vec<f64> = (-radius..=radius).map(|x| (-f64::from(x * x) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_a_gaussian_of_the_same_sum() {
        let mut rgb = vec![0; 3 * 21 * 15];
        rgb[3 * (7 * 21 + 10) + 1] = 255;
        blur(&mut rgb, (21, 15), 1.0);
        let at = |x: usize, y: usize| f64::from(rgb[3 * (y * 21 + x) + 1]);
        // 255 / (2 pi) at the centre; exp(-1/2) of it beside.
        assert!((at(10, 7) - 40.7).abs() < 1.0 && (at(11, 7) - 24.7).abs() < 1.0 && (at(10, 6) - 24.7).abs() < 1.0);
        assert_eq!((at(11, 7), at(10, 6)), (at(9, 7), at(10, 8)));
        let sum: f64 = rgb.iter().map(|&value| f64::from(value)).sum();
        assert!((sum - 255.0).abs() < 12.0, "{sum}");
        assert!(rgb.iter().step_by(3).all(|&red| red == 0));
    }

    #[test]
    fn an_even_image_stays_and_a_tiny_one_is_no_trouble() {
        for size in [(9, 4), (1, 1), (2, 1)] {
            let mut rgb = [10, 200, 255].repeat((size.0 * size.1) as usize);
            let before = rgb.clone();
            blur(&mut rgb, size, 1.5);
            assert_eq!(rgb, before);
        }
    }
}
