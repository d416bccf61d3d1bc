//! Rejection curves: the mean quality of the fields that are kept when the farthest are rejected.

use serde::Serialize;

/// A rejection curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// What fields are sorted by.
    pub score: String,
    /// Mean quality of the nearest field, of the two nearest, and so on to all.
    pub kept: Vec<f64>,
    /// The mean of these: the area under the curve.
    pub area: f64,
    /// Where the area lies between the random order (0) and the ideal one (1); none where all fields are equally good.
    pub gain: Option<f64>,
}

/// The curves of one measure of quality.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curves {
    /// The measure.
    pub quality: String,
    /// Fields for which it is defined.
    pub fields: usize,
    /// Mean over all of them: what a random order gives, whatever is rejected.
    pub random: f64,
    /// The order of the quality itself: no score can be better.
    pub ideal: Curve,
    /// By each score.
    pub scores: Vec<Curve>,
}

impl Curves {
    /// The curves of fields with this quality, sorted by each of the named scores, the smallest first.
    pub(super) fn of<'a>(quality: &str, values: &[f64], scores: impl Iterator<Item = (&'a str, Vec<f64>)>) -> Self {
        let random = mean(values);
        let worse: Vec<f64> = values.iter().map(|value| -value).collect();
        let best = area(&kept(values, &worse));
        let curve = |name: &str, by: &[f64]| {
            let kept = kept(values, by);
            let area = area(&kept);
            let gain = (best > random + 1e-12).then(|| (area - random) / (best - random));
            Curve { score: name.to_owned(), kept, area, gain }
        };
        let ideal = curve("ideal", &worse);
        let scores = scores.map(|(name, by)| curve(name, &by)).collect();
        Self { quality: quality.to_owned(), fields: values.len(), random, ideal, scores }
    }
}

/// Mean of the first, the first two ... values in the order of `by`. Equal scores share the mean of their quality, so that no order among them helps.
fn kept(values: &[f64], by: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| by[a].total_cmp(&by[b]));
    let (mut sum, mut means) = (0.0, Vec::with_capacity(values.len()));
    for equal in order.chunk_by(|&a, &b| by[a] == by[b]) {
        let own = equal.iter().map(|&field| values[field]).sum::<f64>() / equal.len() as f64;
        for _ in equal {
            sum += own;
            means.push(sum / (means.len() + 1) as f64);
        }
    }
    means
}

fn area(kept: &[f64]) -> f64 {
    mean(kept)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_hand() {
        let values = [0.9, 0.1, 0.5];
        let scores = [("good", vec![1.0, 3.0, 2.0]), ("bad", vec![3.0, 1.0, 2.0]), ("none", vec![7.0; 3])];
        let curves = Curves::of("dice", &values, scores.into_iter());
        assert!((curves.random - 0.5).abs() < 1e-12);
        let [good, bad, none] = &curves.scores[..] else { panic!("three scores") };
        let near = |a: &[f64], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(&good.kept, [0.9, 0.7, 0.5]) && near(&bad.kept, [0.1, 0.3, 0.5]) && near(&none.kept, [0.5; 3]));
        assert_eq!(
            (good.gain.map(|g| g.round()), bad.gain.map(|g| g.round()), none.gain.map(f64::abs)),
            (Some(1.0), Some(-1.0), Some(0.0))
        );
        assert_eq!(curves.ideal.kept, good.kept);
        let equal = Curves::of("dice", &[0.4; 3], [("any", vec![1.0, 2.0, 3.0])].into_iter());
        assert_eq!(equal.scores[0].gain, None);
    }
}
