//! Curves over training steps.

use super::chart::{Chart, EXPECTED, Layer, PALETTE, PREDICTED};
use super::points::{extent, finite, padded, running_mean, thinned};
use crate::error::Result;

const WIDE: (u32, u32) = (900, 300);
const SMALL: (u32, u32) = (260, 200);

/// Points kept of a curve: about the plot's width in pixels.
const MOST_POINTS: usize = 1600;

/// Points kept of a curve in a small panel; ten labels with two bands each add up.
const MOST_SMALL_POINTS: usize = 300;

/// A positive curve that spans more than this factor is drawn on a logarithmic axis.
const LOG_FROM: f64 = 8.0;

/// A named curve: step and value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// Step and value.
    pub points: Vec<(f64, f64)>,
}

/// A label's predicted counts over training, beside what the prior expects. Fractions of a block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelCurve {
    /// Low-resolution class.
    pub z: usize,
    /// The prior's mean.
    pub eta: f64,
    /// The prior's standard deviation.
    pub rho: f64,
    /// Step, mean and spread (standard deviation between blocks) of the predicted counts.
    pub points: Vec<(f64, f64, f64)>,
}

/// Training loss: every step light, the running mean bold; logarithmic where all values are positive and span more than a factor of eight.
///
/// # Errors
/// [`crate::Error::Setting`] when it cannot be drawn.
pub fn loss_plot(loss: &[(f64, f64)]) -> Result<Option<String>> {
    let raw = finite(loss);
    let window = (raw.len() / 50).clamp(1, 500);
    let mean = running_mean(&raw, window);
    let (Some(x), Some(y)) = (extent(raw.iter().map(|p| p.0)), extent(raw.iter().map(|p| p.1))) else { return Ok(None) };
    let (y, log) = height(y);
    let line = |points, opacity, width, name: String| Layer::Line {
        points: thinned(points, MOST_POINTS),
        colour: PREDICTED,
        opacity,
        width,
        name: Some(name),
    };
    let mut layers = vec![line(raw, 0.3, 1, "each step".to_owned())];
    if window > 1 {
        layers.push(line(mean, 1.0, 2, format!("mean of the latest {window}")));
    }
    Chart { size: WIDE, title: String::new(), x_label: "step", y_label: "training loss", x: wide(x), y, log, layers }.svg().map(Some)
}

/// Curves over steps on one linear y axis named `y_label`, whose range is `y` or follows from the values.
///
/// # Errors
/// [`crate::Error::Setting`] when it cannot be drawn.
pub fn curve_plot(series: &[Series], y_label: &str, y: Option<(f64, f64)>) -> Result<Option<String>> {
    let curves: Vec<(&str, Vec<(f64, f64)>)> =
        series.iter().map(|series| (series.name.as_str(), finite(&series.points))).filter(|(_, points)| !points.is_empty()).collect();
    let all = || curves.iter().flat_map(|(_, points)| points);
    let (Some(x), Some(extent)) = (extent(all().map(|p| p.0)), extent(all().map(|p| p.1))) else { return Ok(None) };
    let y = y.filter(|(low, high)| low < high).unwrap_or_else(|| padded(extent, 0.06));
    let named = curves.len() > 1;
    let layers = curves.into_iter().enumerate().map(|(number, (name, points))| Layer::Line {
        points: thinned(points, MOST_POINTS),
        colour: PALETTE[number % PALETTE.len()],
        opacity: 1.0,
        width: 2,
        name: named.then(|| name.to_owned()),
    });
    Chart { size: WIDE, title: String::new(), x_label: "step", y_label, x: wide(x), y, log: false, layers: layers.collect() }
        .svg()
        .map(Some)
}

/// One small plot a label, all on the same axes: predicted mean ± spread over steps on the band eta ± rho. Comes with the label's z.
///
/// # Errors
/// [`crate::Error::Setting`] when one cannot be drawn.
pub fn label_plots(labels: &[LabelCurve]) -> Result<Vec<(usize, String)>> {
    let shown: Vec<LabelCurve> = labels.iter().filter_map(drawable).collect();
    let Some(x) = extent(shown.iter().flat_map(|label| &label.points).map(|point| point.0)) else { return Ok(Vec::new()) };
    let tops = shown.iter().flat_map(|label| label.points.iter().map(|(_, mean, spread)| mean + spread).chain([label.eta + label.rho]));
    // Counts are fractions: nothing lies outside 0 to 1, whatever a mean plus its spread comes to.
    let top = (1.05 * extent(tops).map_or(1.0, |(_, high)| high)).clamp(0.1, 1.0);
    shown.iter().map(|label| label_plot(label, wide(x), top).map(|svg| (label.z, svg))).collect()
}

/// A curve of finite numbers only, as long as its panel can show: the mean of each stretch. The band is a spread, not an envelope of spikes.
fn drawable(label: &LabelCurve) -> Option<LabelCurve> {
    let points: Vec<(f64, f64, f64)> =
        label.points.iter().copied().filter(|(x, mean, spread)| x.is_finite() && mean.is_finite() && spread.is_finite()).collect();
    (label.eta.is_finite() && label.rho.is_finite() && !points.is_empty()).then_some(())?;
    let average = |part: &[(f64, f64, f64)]| {
        let sum = part.iter().fold((0.0, 0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1, sum.2 + point.2));
        let count = part.len() as f64;
        (sum.0 / count, sum.1 / count, sum.2 / count)
    };
    let stretch = points.len().div_ceil(MOST_SMALL_POINTS).max(1);
    Some(LabelCurve { points: points.chunks(stretch).map(average).collect(), ..*label })
}

fn label_plot(label: &LabelCurve, x: (f64, f64), top: f64) -> Result<String> {
    let inside = |value: f64| value.clamp(0.0, top);
    let (low, eta, high) = (inside(label.eta - label.rho), inside(label.eta), inside(label.eta + label.rho));
    let band = label.points.iter().map(|&(x, mean, spread)| (x, inside(mean - spread), inside(mean + spread))).collect();
    let mean = label.points.iter().map(|&(x, mean, _)| (x, inside(mean))).collect();
    let layers = vec![
        Layer::Band { points: vec![(x.0, low, high), (x.1, low, high)], colour: EXPECTED, opacity: 0.3 },
        Layer::Line { points: vec![(x.0, eta), (x.1, eta)], colour: EXPECTED, opacity: 1.0, width: 1, name: None },
        Layer::Band { points: band, colour: PREDICTED, opacity: 0.18 },
        Layer::Line { points: mean, colour: PREDICTED, opacity: 1.0, width: 2, name: None },
    ];
    Chart { size: SMALL, title: format!("z = {}", label.z), x_label: "", y_label: "", x, y: (0.0, top), log: false, layers }.svg()
}

/// Range of the x axis: a single step has a width too.
fn wide(x: (f64, f64)) -> (f64, f64) {
    if x.0 < x.1 { x } else { padded(x, 0.0) }
}

/// Range of the y axis, and whether it is logarithmic.
fn height((low, high): (f64, f64)) -> ((f64, f64), bool) {
    let log = low > 0.0 && high > LOG_FROM * low;
    (if log { (low / 1.15, high * 1.15) } else { padded((low, high), 0.06) }, log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_is_logarithmic_only_where_it_can_be_and_helps() {
        assert!(height((0.01, 5.0)).1);
        assert!(!height((1.0, 5.0)).1 && !height((-1.0, 50.0)).1 && !height((0.0, 50.0)).1);
    }

    #[test]
    fn a_long_run_is_a_small_file() {
        let long: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), 1.0 + f64::from(i % 13))).collect();
        let svg = loss_plot(&long).unwrap().unwrap();
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
        let label = LabelCurve { z: 3, eta: 0.1, rho: 0.05, points: long.iter().map(|&(x, _)| (x, 0.2, 0.1)).collect() };
        let panels = label_plots(&[label]).unwrap();
        assert!(panels[0].0 == 3 && panels[0].1.len() < 25_000, "{} bytes", panels[0].1.len());
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        assert_eq!(loss_plot(&[(1.0, f64::NAN), (2.0, f64::INFINITY)]).unwrap(), None);
        assert_eq!(curve_plot(&[Series::default()], "x", None).unwrap(), None);
        assert!(label_plots(&[LabelCurve { eta: f64::NAN, points: vec![(1.0, 0.5, 0.1)], ..LabelCurve::default() }]).unwrap().is_empty());
        let gap = LabelCurve { z: 4, eta: 0.1, rho: 0.05, points: vec![(1.0, 0.2, 0.1), (2.0, 0.2, f64::NAN), (3.0, 0.2, 0.1)] };
        let panels = label_plots(&[gap]).unwrap();
        assert!(panels.len() == 1 && !panels[0].1.contains("NaN"), "a gap does not cost the label its panel");
        let one = loss_plot(&[(1.0, f64::NAN), (2.0, 3.0)]).unwrap().unwrap();
        assert!(one.contains("<circle") && !one.contains("NaN"), "a single value is a dot");
    }
}
