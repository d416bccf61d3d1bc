//! A chart of layers on two axes, through plotters' SVG backend.

use crate::error::{Error, Result};
use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition, MeshStyle, SeriesLabelPosition};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, EmptyElement, PathElement, Polygon, Text};
use plotters::prelude::{Cartesian2d, IntoLogRange, SVGBackend};
use plotters::series::DashedLineSeries;
use plotters::style::{BLACK, Color, IntoFont, RGBColor, ShapeStyle, WHITE};

/// Blue: what the network says.
pub(super) const PREDICTED: RGBColor = RGBColor(29, 78, 216);
/// Grey: what is expected.
pub(super) const EXPECTED: RGBColor = RGBColor(113, 113, 122);
/// Further curves, told apart by colour-blind eyes (Okabe and Ito).
pub(super) const PALETTE: [RGBColor; 6] =
    [PREDICTED, RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(86, 180, 233), RGBColor(0, 0, 0)];

/// Something drawn in a chart. Later ones lie on top.
pub(super) enum Layer {
    /// A line through points.
    Line { points: Vec<(f64, f64)>, colour: RGBColor, opacity: f64, width: u32, name: Option<String> },
    /// A dashed line through points.
    Dashed { points: Vec<(f64, f64)>, colour: RGBColor },
    /// The area between two heights: x, low, high.
    Band { points: Vec<(f64, f64, f64)>, colour: RGBColor, opacity: f64 },
    /// A point with its deviations in both directions and a word beside it.
    Cross { at: (f64, f64), deviation: (f64, f64), colour: RGBColor, name: String },
}

/// Axes and what is drawn on them.
pub(super) struct Chart<'a> {
    /// Width and height in px.
    pub(super) size: (u32, u32),
    /// Heading; may be empty.
    pub(super) title: String,
    /// Name and unit of the x axis; may be empty.
    pub(super) x_label: &'a str,
    /// Name and unit of the y axis; may be empty.
    pub(super) y_label: &'a str,
    /// From, to.
    pub(super) x: (f64, f64),
    /// From, to.
    pub(super) y: (f64, f64),
    /// Logarithmic y axis; the range must be positive.
    pub(super) log: bool,
    /// Back to front.
    pub(super) layers: Vec<Layer>,
}

type Drawn<T> = std::result::Result<T, DrawingAreaErrorKind<std::io::Error>>;

impl Chart<'_> {
    /// The chart as an `<svg>` element.
    ///
    /// # Errors
    /// [`Error::Setting`] when plotters refuses it.
    pub(super) fn svg(&self) -> Result<String> {
        let mut text = String::new();
        self.draw(&mut text)
            .map_err(|error| Error::setting("report", "a chart that can be drawn", format!("{}: {error}", self.y_label)))?;
        Ok(text)
    }

    fn draw(&self, text: &mut String) -> Drawn<()> {
        let root = SVGBackend::with_string(text, self.size).into_drawing_area();
        root.fill(&WHITE)?;
        let small = self.size.0 < 400;
        let mut builder = ChartBuilder::on(&root);
        builder.margin_top(8).margin_right(14).margin_left(6).margin_bottom(4);
        let areas = if small { (30, 42) } else { (46, 66) };
        builder.set_label_area_size(LabelAreaPosition::Bottom, areas.0).set_label_area_size(LabelAreaPosition::Left, areas.1);
        if !self.title.is_empty() {
            builder.caption(&self.title, ("sans-serif", 16).into_font().color(&BLACK));
        }
        let (x, y) = (self.x.0..self.x.1, self.y.0..self.y.1);
        if self.log {
            self.fill(builder.build_cartesian_2d(x, y.log_scale())?, small)?;
        } else {
            self.fill(builder.build_cartesian_2d(x, y)?, small)?;
        }
        root.present()
    }

    fn fill<'a, Y>(
        &self,
        mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<<std::ops::Range<f64> as AsRangedCoord>::CoordDescType, Y>>,
        small: bool,
    ) -> Drawn<()>
    where
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut mesh: MeshStyle<'_, '_, _, _, _> = chart.configure_mesh();
        mesh.light_line_style(BLACK.mix(0.0))
            .bold_line_style(BLACK.mix(0.10))
            .axis_style(BLACK.mix(0.6))
            .label_style(("sans-serif", if small { 13 } else { 15 }))
            .axis_desc_style(("sans-serif", 16))
            .x_labels(if small { 4 } else { 8 })
            .y_labels(6)
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| number(*value))
            .x_desc(self.x_label)
            .y_desc(self.y_label);
        mesh.draw()?;
        let mut names = false;
        for layer in &self.layers {
            match layer {
                Layer::Line { points, colour, opacity, width, name } => {
                    let style = colour.mix(*opacity).stroke_width(*width);
                    let series = chart.draw_series([PathElement::new(points.clone(), style)])?;
                    if let Some(name) = name {
                        names = true;
                        // A hair-thin pale line could not be seen in the legend.
                        let sample = colour.mix(opacity.max(0.5)).stroke_width((*width).max(2));
                        series.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], sample));
                    }
                    if let [only] = points.as_slice() {
                        chart.draw_series([Circle::new(*only, 3, colour.mix(*opacity).filled())])?;
                    }
                }
                Layer::Dashed { points, colour } => {
                    chart.draw_series(DashedLineSeries::new(points.iter().copied(), 6, 5, ShapeStyle::from(colour).stroke_width(1)))?;
                }
                Layer::Band { points, colour, opacity } => {
                    let upper = points.iter().map(|&(x, _, high)| (x, high));
                    let lower = points.iter().rev().map(|&(x, low, _)| (x, low));
                    chart.draw_series([Polygon::new(upper.chain(lower).collect::<Vec<_>>(), colour.mix(*opacity).filled())])?;
                }
                Layer::Cross { at, deviation, colour, name } => {
                    let ((x, y), (dx, dy)) = (*at, *deviation);
                    let arms = [[(x - dx, y), (x + dx, y)], [(x, y - dy), (x, y + dy)]];
                    chart.draw_series(arms.map(|arm| PathElement::new(arm.to_vec(), colour.mix(0.65).stroke_width(2))))?;
                    chart.draw_series([Circle::new((x, y), 4, colour.filled())])?;
                    chart.draw_series([
                        EmptyElement::at((x, y)) + Text::new(name.clone(), (7, -18), ("sans-serif", 15).into_font().color(&BLACK))
                    ])?;
                }
            }
        }
        if names {
            let mut labels = chart.configure_series_labels();
            labels.position(SeriesLabelPosition::UpperRight).background_style(WHITE.mix(0.85)).border_style(BLACK.mix(0.2));
            labels.label_font(("sans-serif", 15)).margin(8).legend_area_size(30).draw()?;
        }
        Ok(())
    }
}

/// Tick labels: as few digits as tell them apart, powers of ten where zeros would have to be counted.
fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0 => return "0".to_owned(),
        size if size < 1e-12 => return "0".to_owned(),
        size if !(1e-3..1e6).contains(&size) => {
            let text = format!("{value:.1e}");
            return text.replace(".0e", "e").replace('-', "−");
        }
        size if size >= 1e3 => format!("{value:.0}"),
        _ => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        let shown = [0.0, 1e-17, 0.05, 0.1 + 0.2, 20_000.0, 1e-5, 2.5e-4, -0.5, 1.5e7].map(number);
        assert_eq!(shown, ["0", "0", "0.05", "0.3", "20000", "1e−5", "2.5e−4", "−0.5", "1.5e7"]);
    }

    #[test]
    fn a_chart_has_its_axes_and_names() {
        let line =
            Layer::Line { points: vec![(0.0, 1.0), (10.0, 100.0)], colour: PREDICTED, opacity: 1.0, width: 2, name: Some("a & b".into()) };
        let mut chart = Chart {
            size: (700, 300),
            title: String::new(),
            x_label: "step",
            y_label: "loss",
            x: (0.0, 10.0),
            y: (1.0, 100.0),
            log: false,
            layers: vec![line],
        };
        let linear = chart.svg().unwrap();
        assert!(linear.starts_with("<svg") && linear.trim_end().ends_with("</svg>"));
        assert!(linear.contains("a &amp; b") && linear.contains("step") && linear.contains("loss"));
        chart.log = true;
        let log = chart.svg().unwrap();
        assert_ne!(linear, log);
        assert_eq!(log, chart.svg().unwrap());
    }
}
