//! The report of one training run.

use super::page::html_page;
use super::parts::{pairs_html, png_figure, svg_figure, warnings_html};
use super::plot::{LabelCurve, Series, calibration_plot, curve_plot, label_plots, loss_plot};
use crate::error::Result;
use crate::statistics::LabelCalibration;
use maud::{Markup, html};

/// An image with a mask drawn on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The image's name.
    pub name: String,
    /// What is drawn, and how good it is.
    pub caption: String,
    /// A PNG file.
    pub png: Vec<u8>,
}

/// What a run's report shows. Empty parts are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunReport {
    /// Heading.
    pub title: String,
    /// Version, commit, data, dates: name and value.
    pub provenance: Vec<(String, String)>,
    /// Settings: name and value.
    pub settings: Vec<(String, String)>,
    /// What should make the reader careful.
    pub warnings: Vec<String>,
    /// Training loss: step and value.
    pub loss: Vec<(f64, f64)>,
    /// Validation losses over steps.
    pub validation: Vec<Series>,
    /// Predicted counts of every label over steps, beside the prior.
    pub labels: Vec<LabelCurve>,
    /// Dice near the true boundary over steps.
    pub dice: Option<Series>,
    /// Learning rate over steps.
    pub learning_rate: Option<Series>,
    /// Durations and rates: name and value.
    pub timing: Vec<(String, String)>,
    /// Masks on images.
    pub overlays: Vec<Overlay>,
}

/// The report as one self-contained HTML document.
///
/// # Errors
/// [`crate::Error::Setting`] when a curve cannot be drawn.
pub fn run_report(report: &RunReport) -> Result<String> {
    let curves = curves(report)?;
    let labels = labels(report)?;
    let body = html! {
        (warnings_html(&report.warnings))
        div.columns {
            @for (heading, pairs) in [("Provenance", &report.provenance), ("Settings", &report.settings), ("Time", &report.timing)] {
                @if !pairs.is_empty() { section { h2 { (heading) } (pairs_html(pairs)) } }
            }
        }
        @if let Some(curves) = curves { h2 { "Training" } (curves) }
        @if let Some(labels) = labels { h2 { "Predicted counts and the count prior" } (labels) }
        @if !report.overlays.is_empty() {
            h2 { "Masks" }
            div.gallery {
                @for overlay in &report.overlays {
                    (png_figure(&overlay.png, &format!("mask of {} drawn on the image", overlay.name), &format!("{}: {}", overlay.name, overlay.caption)))
                }
            }
        }
    };
    Ok(html_page(&report.title, &body))
}

fn curves(report: &RunReport) -> Result<Option<Markup>> {
    let mut figures = Vec::new();
    if let Some(svg) = loss_plot(&report.loss)? {
        figures.push(svg_figure(&svg, "training loss over steps", "Training loss: each step (light) and its running mean (bold)."));
    }
    if let Some(svg) = curve_plot(&report.validation, "validation loss", None)? {
        figures.push(svg_figure(&svg, "validation loss over steps", "Loss on validation blocks, which are not trained on."));
    }
    if let Some(dice) = &report.dice
        && let Some(svg) = curve_plot(std::slice::from_ref(dice), "masked Dice", Some((0.0, 1.0)))?
    {
        figures.push(svg_figure(&svg, "masked Dice over steps", "Dice near the true boundary, which needs true masks."));
    }
    if let Some(rate) = &report.learning_rate
        && let Some(svg) = curve_plot(std::slice::from_ref(rate), "learning rate", None)?
    {
        figures.push(svg_figure(&svg, "learning rate over steps", "Learning rate."));
    }
    Ok((!figures.is_empty()).then(|| html! { @for figure in &figures { (figure) } }))
}

fn labels(report: &RunReport) -> Result<Option<Markup>> {
    let panels = label_plots(&report.labels)?;
    if panels.is_empty() {
        return Ok(None);
    }
    let last = report.labels.iter().filter_map(|curve| {
        let &(_, mean, spread) = curve.points.last()?;
        Some(LabelCalibration { z: curve.z, mean, spread, eta: curve.eta, rho: curve.rho, true_mean: None })
    });
    let calibration = calibration_plot(&last.collect::<Vec<_>>())?;
    Ok(Some(html! {
        p {
            "Each panel is a label z: the fraction of its blocks that the network calls cancer, mean and spread between blocks (blue), over training steps. "
            "The grey band is what the count prior expects, eta ± rho. Curves that all end at one height, where the bands do not, mean that the network has collapsed."
        }
        div.small { @for (z, svg) in &panels { (svg_figure(svg, &format!("predicted counts of label {z} over steps"), "")) } }
        @if let Some(svg) = &calibration {
            (svg_figure(svg, "predicted counts against the prior, by label",
                "At the end of training: predicted mean ± spread against the prior's eta ± rho, one cross a label z. On the dashed line they agree. Small counts that crowd are magnified beside."))
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> RunReport {
        let steps = || (1..=400).map(f64::from);
        RunReport {
            title: "run <1>".into(),
            provenance: vec![("data".into(), "a & b".into())],
            settings: vec![("learning rate".into(), "0.001".into())],
            warnings: vec!["prior of 2 blocks".into()],
            loss: steps().map(|x| (x, 2.0 + 50.0 / x)).collect(),
            validation: vec![Series { name: "validation".into(), points: steps().map(|x| (x, 1.0 + 1.0 / x)).collect() }],
            labels: (0..10)
                .map(|z| LabelCurve { z, eta: 0.07 * z as f64, rho: 0.05, points: steps().map(|x| (x, 0.5 - x / 1000.0, 0.1)).collect() })
                .collect(),
            dice: Some(Series { name: "masked Dice".into(), points: vec![(100.0, 0.5), (200.0, 0.6)] }),
            learning_rate: Some(Series { name: "rate".into(), points: vec![(0.0, 1e-3), (400.0, 1e-3)] }),
            timing: vec![("steps a second".into(), "3.1".into())],
            overlays: vec![Overlay { name: "img".into(), caption: "Dice 0.61".into(), png: vec![1, 2, 3] }],
        }
    }

    #[test]
    fn everything_is_on_one_page_that_fetches_nothing() {
        let page = run_report(&report()).unwrap();
        assert_eq!(page.matches("<svg").count(), 4 + 10 + 1);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        for text in [
            "<h1>run &lt;1&gt;</h1>",
            "a &amp; b",
            "prior of 2 blocks",
            "data:image/png;base64,AQID",
            "img: Dice 0.61",
            "fraction of block",
            "z = 9",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert_eq!(
            page.matches("http").count() - page.matches("http-equiv").count(),
            page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count()
        );
        assert_eq!(page, run_report(&report()).unwrap());
    }

    #[test]
    fn a_run_without_curves_still_has_a_page() {
        let page = run_report(&RunReport { title: "empty".into(), loss: vec![(1.0, f64::NAN)], ..RunReport::default() }).unwrap();
        assert!(page.contains("<h1>empty</h1>") && !page.contains("<h2>") && !page.contains("<svg") && !page.contains("NaN"));
    }
}
