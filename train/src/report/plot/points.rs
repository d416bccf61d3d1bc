//! Points before they are drawn: finite, smoothed, few.

/// The points of which both numbers are finite.
pub(super) fn finite(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

/// At most about `most` points: the lowest and the highest of each stretch, in order, so that no spike is lost.
pub(super) fn thinned(points: Vec<(f64, f64)>, most: usize) -> Vec<(f64, f64)> {
    let stretch = (2 * points.len()).div_ceil(most.max(2));
    if stretch <= 2 {
        return points;
    }
    let ends = |part: &[(f64, f64)]| {
        let by_height = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
        let low = (0..part.len()).min_by(by_height)?;
        let high = (0..part.len()).max_by(by_height)?;
        Some([part[low.min(high)], part[low.max(high)]])
    };
    points.chunks(stretch).filter_map(ends).flatten().collect()
}

/// Mean of the latest `window` values at every point (fewer at the start).
pub(super) fn running_mean(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let window = window.max(1);
    // Summed afresh for each point: a running sum would carry the rounding of a first loss of a million through all that follow.
    let mean = |end: usize| {
        let part = &points[end.saturating_sub(window - 1)..=end];
        (points[end].0, part.iter().map(|point| point.1).sum::<f64>() / part.len() as f64)
    };
    (0..points.len()).map(mean).collect()
}

/// Smallest and largest; `None` for none.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |extent, value| {
        let (low, high) = extent.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// A range a little wider than the extent, and never empty.
pub(super) fn padded((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let pad = match high - low {
        span if span > 0.0 => span * share,
        _ if low == 0.0 => 1.0,
        _ => low.abs() * 0.1,
    };
    (low - pad, high + pad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_spikes_and_order() {
        let points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), if i == 4321 { 99.0 } else { f64::from(i % 7) })).collect();
        let thin = thinned(points.clone(), 500);
        assert!(thin.len() <= 502 && thin.contains(&(4321.0, 99.0)));
        assert!(thin.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert_eq!(thinned(points[..400].to_vec(), 500).len(), 400);
    }

    #[test]
    fn the_running_mean_looks_back_only() {
        let points: Vec<(f64, f64)> = [4.0, 2.0, 0.0, 10.0].iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
        assert_eq!(running_mean(&points, 2), [(0.0, 4.0), (1.0, 3.0), (2.0, 1.0), (3.0, 5.0)]);
        assert_eq!(running_mean(&points, 0), points);
    }

    #[test]
    fn ranges_are_never_empty() {
        assert_eq!(padded((0.0, 0.0), 0.05), (-1.0, 1.0));
        assert_eq!(padded((5.0, 5.0), 0.05), (4.5, 5.5));
        assert_eq!(padded((0.0, 2.0), 0.05), (-0.1, 2.1));
        assert_eq!((extent([3.0, 1.0].into_iter()), extent(std::iter::empty())), (Some((1.0, 3.0)), None));
        assert_eq!(finite(&[(1.0, f64::NAN), (f64::INFINITY, 1.0), (1.0, 2.0)]), [(1.0, 2.0)]);
    }
}
