//! Predicted counts against the prior's, label by label.

use super::chart::{Chart, EXPECTED, Layer, PREDICTED};
use crate::error::Result;
use crate::statistics::LabelCalibration;

const SQUARE: (u32, u32) = (500, 460);

/// Labels whose prior's mean is below this share of the axis crowd in the corner; where most labels do, they get a plot of their own.
const CROWDED: f64 = 1.0 / 3.0;

/// Predicted mean ± spread (up) against eta ± rho (across), one cross a label with its z beside it; the dashed diagonal is agreement. Where all counts
/// are small the axes end below 1; where most are (as in the paper's Table 1), a second plot magnifies those.
///
/// # Errors
/// [`crate::Error::Setting`] when it cannot be drawn.
pub fn calibration_plot(labels: &[LabelCalibration]) -> Result<Option<String>> {
    let finite = |label: &&LabelCalibration| [label.mean, label.spread, label.eta, label.rho].iter().all(|value| value.is_finite());
    let shown: Vec<&LabelCalibration> = labels.iter().filter(finite).collect();
    let Some(top) = top(&shown) else { return Ok(None) };
    let all = plot(&shown, top)?;
    let low: Vec<&LabelCalibration> = shown.iter().copied().filter(|label| label.eta < CROWDED * top).collect();
    let low_top = self::top(&low).filter(|&low_top| 2 * low.len() > shown.len() && low_top < 0.7 * top);
    let Some(low_top) = low_top else { return Ok(Some(all)) };
    let magnified = plot(&low, low_top)?.replacen("<svg ", &format!("<svg x=\"{}\" ", SQUARE.0), 1);
    let (width, height) = (2 * SQUARE.0, SQUARE.1);
    Ok(Some(format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" xmlns=\"http://www.w3.org/2000/svg\">\n{all}{magnified}</svg>\n"
    )))
}

/// Where the axes end.
fn top(labels: &[&LabelCalibration]) -> Option<f64> {
    let ends = labels.iter().flat_map(|label| [label.mean + label.spread, label.eta + label.rho]);
    ends.max_by(f64::total_cmp).map(|most| (1.1 * most).clamp(0.05, 1.0))
}

fn plot(labels: &[&LabelCalibration], top: f64) -> Result<String> {
    let crosses = labels.iter().map(|label| Layer::Cross {
        at: (label.eta.clamp(0.0, top), label.mean.clamp(0.0, top)),
        deviation: (label.rho, label.spread),
        colour: PREDICTED,
        name: label.z.to_string(),
    });
    let mut layers = vec![Layer::Dashed { points: vec![(0.0, 0.0), (top, top)], colour: EXPECTED }];
    layers.extend(crosses);
    let chart = Chart {
        size: SQUARE,
        title: String::new(),
        x_label: "prior: fraction of block that is cancer, eta ± rho",
        y_label: "predicted: fraction of block that is cancer",
        x: (0.0, top),
        y: (0.0, top),
        log: false,
        layers,
    };
    chart.svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_cross() {
        let label =
            |z: usize| LabelCalibration { z, mean: 0.08 * z as f64, spread: 0.05, eta: 0.07 * z as f64, rho: 0.05, true_mean: None };
        let labels: Vec<LabelCalibration> = (0..10).map(label).collect();
        let svg = calibration_plot(&labels).unwrap().unwrap();
        assert_eq!(svg.matches("<circle").count(), 10);
        assert!(svg.contains("eta ± rho") && svg.contains("predicted: fraction of block that is cancer"));
        assert_eq!(calibration_plot(&[LabelCalibration { mean: f64::NAN, ..label(1) }]).unwrap(), None);
        assert_eq!(calibration_plot(&[]).unwrap(), None);
    }

    #[test]
    fn crowded_labels_are_magnified_beside() {
        let label = |z: usize, eta: f64| LabelCalibration { z, mean: eta, spread: 0.01, eta, rho: 0.01, true_mean: None };
        let labels: Vec<LabelCalibration> = (0..9).map(|z| label(z, 0.02 * z as f64)).chain([label(9, 0.7)]).collect();
        let svg = calibration_plot(&labels).unwrap().unwrap();
        assert_eq!((svg.matches("<circle").count(), svg.matches("<svg").count(), svg.matches("</svg>").count()), (19, 3, 3));
        assert!(svg.starts_with("<svg width=\"1000\"") && svg.contains("<svg x=\"500\""));
    }
}
