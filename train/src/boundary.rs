//! Distance of every pixel to the nearest true boundary, for the masked metrics.

/// Exact Euclidean distance, in pixels, from the centre of every pixel to the nearest edge between the classes of `mask` (0 or not), measured to
/// the centre of the nearest pixel of the other class less half a pixel. Infinite where the mask has only one class.
///
/// Two passes of lower envelopes of parabolas (Felzenszwalb and Huttenlocher 2012), linear in the number of pixels.
pub fn distance_to_boundary(mask: &[u8], width: usize, height: usize) -> Vec<f32> {
    let to_true = squared_distance(mask, width, height, |value| value != 0);
    let to_false = squared_distance(mask, width, height, |value| value == 0);
    // Each pixel is at distance 0 from its own class.
    to_true.iter().zip(&to_false).map(|(a, b)| (a.max(*b).sqrt() - 0.5).max(0.0) as f32).collect()
}

fn squared_distance(mask: &[u8], width: usize, height: usize, is_goal: impl Fn(u8) -> bool) -> Vec<f64> {
    let mut field: Vec<f64> = mask.iter().map(|&value| if is_goal(value) { 0.0 } else { f64::INFINITY }).collect();
    let mut column = vec![0.0; height];
    for x in 0..width {
        for y in 0..height {
            column[y] = field[y * width + x];
        }
        for (y, value) in envelope(&column).into_iter().enumerate() {
            field[y * width + x] = value;
        }
    }
    for row in field.chunks_exact_mut(width) {
        let distances = envelope(row);
        row.copy_from_slice(&distances);
    }
    field
}

/// `min_j (i - j)^2 + values[j]` for every i.
fn envelope(values: &[f64]) -> Vec<f64> {
    // Parabolas of the envelope (by their j) and where each starts to be the lowest.
    let mut lowest: Vec<(usize, f64)> = Vec::with_capacity(values.len());
    for (j, &value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let height = |k: usize| values[k] + (k * k) as f64;
        let mut from = f64::NEG_INFINITY;
        while let Some(&(k, start)) = lowest.last() {
            from = (value + (j * j) as f64 - height(k)) / (2.0 * (j as f64 - k as f64));
            if from > start {
                break;
            }
            lowest.pop();
            from = f64::NEG_INFINITY;
        }
        lowest.push((j, from));
    }
    if lowest.is_empty() {
        return vec![f64::INFINITY; values.len()];
    }
    let mut current = 0;
    (0..values.len())
        .map(|i| {
            while current + 1 < lowest.len() && lowest[current + 1].1 <= i as f64 {
                current += 1;
            }
            let j = lowest[current].0;
            (i as f64 - j as f64).powi(2) + values[j]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn agrees_with_brute_force() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for density in [0.01, 0.1, 0.5, 0.97] {
            let (width, height) = (31, 23);
            let mask: Vec<u8> = (0..width * height).map(|_| u8::from(random.random::<f64>() < density)).collect();
            let fast = distance_to_boundary(&mask, width, height);
            for i in 0..mask.len() {
                let (x, y) = ((i % width) as f64, (i / width) as f64);
                let nearest = (0..mask.len())
                    .filter(|&j| mask[j] != mask[i])
                    .map(|j| (x - (j % width) as f64).hypot(y - (j / width) as f64))
                    .fold(f64::INFINITY, f64::min);
                let expected = (nearest - 0.5).max(0.0) as f32;
                assert!((fast[i] - expected).abs() < 1e-5 || (fast[i].is_infinite() && expected.is_infinite()));
            }
        }
        assert!(distance_to_boundary(&[255; 12], 4, 3).iter().all(|d| d.is_infinite()), "one class has no boundary");
    }
}
