//! Curves on two linear axes, as PNG and SVG.

use super::scene::{Anchor, Font, INK, Item, Scene};
use crate::error::{Error, Result};
use image::Rgb;

const SIZE: (u32, u32) = (760, 460);
/// Room for axis labels and ticks: left, top, right, bottom.
const ROOM: (u32, u32, u32, u32) = (64, 40, 20, 56);
const AXIS: Rgb<u8> = Rgb([113, 113, 122]);
const GRID: Rgb<u8> = Rgb([228, 228, 231]);
/// Told apart by colour-blind eyes (Okabe and Ito), as in the charts of reports.
const PALETTE: [Rgb<u8>; 5] = [Rgb([29, 78, 216]), Rgb([213, 94, 0]), Rgb([0, 158, 115]), Rgb([204, 121, 167]), Rgb([86, 180, 233])];
/// Parts that an axis is divided into.
const TICKS: u32 = 5;

/// A named curve.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSeries {
    /// In the legend.
    pub name: String,
    /// In the axes' units; x ascends.
    pub points: Vec<(f64, f64)>,
    /// Whether it is a bound and no result: grey and dashed.
    pub bound: bool,
}

/// Curves and their axes.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFigure {
    /// Above the axes.
    pub title: String,
    /// Below the x axis.
    pub x_label: String,
    /// What the y axis shows, for those who cannot see it.
    pub y_label: String,
    /// From, to.
    pub x: (f64, f64),
    /// From, to.
    pub y: (f64, f64),
    /// Back to front.
    pub series: Vec<LineSeries>,
}

/// Draws the curves.
///
/// # Errors
/// [`Error::Setting`]: an axis without length, or a point that is no number.
pub fn line_figure(figure: &LineFigure) -> Result<Scene> {
    for (low, high) in [figure.x, figure.y] {
        if !(low < high && (high - low).is_finite()) {
            return Err(Error::setting("figure", "axes from a number to a larger one", format!("{low} to {high}")));
        }
    }
    if figure.series.iter().flat_map(|series| &series.points).any(|(x, y)| !(x.is_finite() && y.is_finite())) {
        return Err(Error::setting("figure", "points that are numbers", "one that is none"));
    }
    let mut scene = Scene::new(&format!("{}: {}", figure.title, figure.y_label), SIZE.0.into(), SIZE.1.into())?;
    let (left, top, width, height) = (ROOM.0, ROOM.1, SIZE.0 - ROOM.0 - ROOM.2, SIZE.1 - ROOM.1 - ROOM.3);
    let place = |x: f64, y: f64| {
        let share = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        let across = (share(x, figure.x) * f64::from(width)).round() as u32;
        let up = (share(y, figure.y) * f64::from(height)).round() as u32;
        (left + across, top + height - up)
    };
    let text = |at, anchor, font, text: String| Item::Text { at, anchor, font, text, colour: INK };
    for i in 0..=TICKS {
        let at = |(low, high): (f64, f64)| low + (high - low) * f64::from(i) / f64::from(TICKS);
        let (x, y) = place(at(figure.x), at(figure.y));
        scene.items.push(Item::Box { at: (left, y), size: (width, 1), fill: GRID });
        scene.items.push(text((left - 8, y), Anchor::Right, Font::Label, tick(at(figure.y))));
        scene.items.push(text((x, top + height + 14), Anchor::Middle, Font::Label, tick(at(figure.x))));
    }
    scene.items.push(Item::Box { at: (left, top + height), size: (width, 1), fill: AXIS });
    scene.items.push(Item::Box { at: (left, top), size: (1, height), fill: AXIS });
    scene.items.push(text((left, top / 2), Anchor::Left, Font::Title, figure.title.clone()));
    scene.items.push(text((left + width / 2, SIZE.1 - 16), Anchor::Middle, Font::Label, figure.x_label.clone()));
    let names = figure.series.iter().map(|series| Font::Label.width(&series.name)).max().unwrap_or(0).min(width / 2);
    let mut colours = PALETTE.iter().cycle().copied();
    for (number, series) in figure.series.iter().enumerate() {
        let colour = if series.bound { AXIS } else { colours.next().unwrap_or(INK) };
        let dash = if series.bound { (6, 5) } else { (0, 0) };
        scene.items.push(Item::Curve { points: series.points.iter().map(|&(x, y)| place(x, y)).collect(), colour, dash });
        // At the lower right, where all rejection curves have come to the same height.
        let y = top + height - 14 - 18 * (figure.series.len() - 1 - number) as u32;
        let start = left + width - names - 60;
        scene.items.push(Item::Curve { points: vec![(start, y), (start + 26, y)], colour, dash });
        scene.items.push(text((start + 34, y), Anchor::Left, Font::Label, series.name.clone()));
    }
    Ok(scene)
}

/// As few digits as tell ticks apart.
fn tick(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(points: Vec<(f64, f64)>) -> LineFigure {
        let series = vec![
            LineSeries { name: "a & b".to_owned(), points, bound: false },
            LineSeries { name: "bound".to_owned(), points: vec![(0.0, 0.5), (1.0, 0.5)], bound: true },
        ];
        let [x_label, y_label] = ["share", "mean"].map(str::to_owned);
        LineFigure { title: "Title".to_owned(), x_label, y_label, x: (0.0, 1.0), y: (0.0, 1.0), series }
    }

    #[test]
    fn both_outputs_show_curves_and_names() {
        let scene = line_figure(&figure(vec![(0.0, 1.0), (1.0, 0.0)])).unwrap();
        let svg = scene.svg().unwrap();
        assert!(svg.contains("a &amp; b") && svg.contains("share") && svg.contains("0.2") && svg.contains("stroke-dasharray"), "{svg}");
        let pixels = scene.pixels();
        let blue = pixels.pixels().filter(|&&pixel| pixel == PALETTE[0]).count();
        // Two wide, from corner to corner of 676 x 364 px, and its sample in the legend.
        assert!((1200..2400).contains(&blue), "{blue}");
        assert_eq!(*pixels.get_pixel(ROOM.0 + 338, ROOM.1 + 182), PALETTE[0]);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        assert!(line_figure(&figure(vec![(0.0, f64::NAN)])).is_err());
        assert!(line_figure(&LineFigure { y: (1.0, 1.0), ..figure(Vec::new()) }).is_err());
    }
}
