//! Boundaries of several systems on the image, as in the paper's Figure 4.

use super::outline::{Outline, outlines};
use super::overlay::{check_scale, same_size};
use super::scale_bar;
use super::scene::{Anchor, Font, INK, Item, PAPER, Scene, Stroke};
use crate::error::{Error, Result};
use image::{GrayImage, Rgb, RgbImage};

const MARGIN: u32 = 12;
const LEGEND_SAMPLE: u32 = 44;

/// How a system's boundary is drawn. The colours are the paper's; dashes and widths tell them apart where colours do not, and let lines that lie on
/// each other all be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contour {
    /// As in the legend.
    pub name: String,
    /// Colour of the line.
    pub colour: Rgb<u8>,
    /// Width beyond the figure's line width, in px.
    pub extra_width: u32,
    /// Lengths of dash and gap in line widths; `(0, 0)` is solid.
    pub dash: (u32, u32),
}

impl Contour {
    fn new(name: &str, colour: [u8; 3], extra_width: u32, dash: (u32, u32)) -> Self {
        Self { name: name.to_owned(), colour: Rgb(colour), extra_width, dash }
    }

    /// Red, solid and widest.
    pub fn ground_truth() -> Self {
        Self::new("ground truth", [225, 0, 20], 2, (0, 0))
    }

    /// Green, dotted.
    pub fn low_resolution() -> Self {
        Self::new("low-resolution model", [0, 185, 40], 0, (2, 2))
    }

    /// Cyan, short dashes.
    pub fn intra() -> Self {
        Self::new("intra", [0, 225, 255], 0, (5, 3))
    }

    /// Blue, long dashes.
    pub fn intra_inter() -> Self {
        Self::new("intra + inter", [20, 40, 255], 0, (10, 3))
    }

    /// Black, dots far apart: a network trained on true masks, which the paper does not draw.
    pub fn supervised() -> Self {
        Self::new("fully supervised", [0, 0, 0], 0, (2, 5))
    }

    fn stroke(&self, line_width: u32) -> Stroke {
        let width = line_width + self.extra_width;
        Stroke { colour: self.colour, width, dash: (self.dash.0 * width, self.dash.1 * width) }
    }
}

/// One image and its masks.
#[derive(Debug, Clone, Copy)]
pub struct BoundaryPanel<'a> {
    /// Written above it.
    pub name: &'a str,
    /// The tissue.
    pub image: &'a RgbImage,
    /// One mask a contour, in their order; `None` where a system has none for this image.
    pub masks: &'a [Option<&'a GrayImage>],
}

/// Sizes of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundaryOptions {
    /// Whole number by which images are magnified, 1 to 16.
    pub scale: u32,
    /// Width of the lines in px of the figure, 1 to 16.
    pub line_width: u32,
    /// Panels beside each other; 1 or more.
    pub columns: usize,
    /// Length of an image's pixel, for a scale bar.
    pub um_per_px: Option<f64>,
}

impl Default for BoundaryOptions {
    fn default() -> Self {
        Self { scale: 1, line_width: 2, columns: 3, um_per_px: None }
    }
}

/// Draws the boundaries of every panel's masks, earlier contours below later ones, all on a white halo; below the panels a legend.
///
/// # Errors
/// [`Error::Setting`]: no panel; a mask that is not as large as its image; not one mask a contour; a scale, line width or figure out of bounds.
pub fn boundary_figure(contours: &[Contour], panels: &[BoundaryPanel<'_>], options: &BoundaryOptions) -> Result<Scene> {
    let cell = check(contours, panels, options)?;
    let columns = options.columns.min(panels.len());
    let rows = panels.len().div_ceil(columns);
    let title_height = Font::Title.cell().1 + 6;
    let step = (cell.0 + MARGIN, cell.1 + title_height + MARGIN);
    let entry = |contour: &Contour| LEGEND_SAMPLE + 8 + Font::Label.width(&contour.name) + 20;
    let widest_entry = contours.iter().map(entry).max().unwrap_or(0);
    let width = (columns as u64 * u64::from(step.0) + u64::from(MARGIN)).max(u64::from(widest_entry + 2 * MARGIN));

    // Legend entries flow like words.
    let mut places = Vec::with_capacity(contours.len());
    let (mut x, mut line) = (MARGIN, 0);
    for contour in contours {
        if x > MARGIN && u64::from(x + entry(contour)) > width {
            (x, line) = (MARGIN, line + 1);
        }
        places.push((x, line));
        x += entry(contour);
    }
    let legend_top = rows as u64 * u64::from(step.1) + u64::from(MARGIN);
    let height = legend_top + if contours.is_empty() { 0 } else { (line as u64 + 1) * 26 + u64::from(MARGIN) };
    let mut scene = Scene::new("Boundaries of the masks on the tissue", width, height)?;

    for (number, panel) in panels.iter().enumerate() {
        let at = (MARGIN + (number % columns) as u32 * step.0, MARGIN + (number / columns) as u32 * step.1);
        add_panel(&mut scene, contours, panel, at, title_height, options);
    }
    for (contour, (x, line)) in contours.iter().zip(places) {
        add_legend(&mut scene, contour, (x, legend_top as u32 + line * 26 + 13), options.line_width);
    }
    Ok(scene)
}

/// The size of the largest panel.
fn check(contours: &[Contour], panels: &[BoundaryPanel<'_>], options: &BoundaryOptions) -> Result<(u32, u32)> {
    for (name, value) in [("figure line width", options.line_width), ("figure columns", u32::try_from(options.columns).unwrap_or(u32::MAX))]
    {
        if value == 0 || (name == "figure line width" && value > 16) {
            return Err(Error::setting(name, if name == "figure columns" { "1 or more" } else { "1 to 16" }, value));
        }
    }
    let mut cell = (0, 0);
    for panel in panels {
        check_scale(options.scale, panel.image.dimensions())?;
        if panel.masks.len() != contours.len() {
            return Err(Error::setting("figure", format!("{} masks of {}, one a contour", contours.len(), panel.name), panel.masks.len()));
        }
        panel.masks.iter().flatten().try_for_each(|mask| same_size(panel.name, panel.image, mask))?;
        cell = (cell.0.max(panel.image.width() * options.scale), cell.1.max(panel.image.height() * options.scale));
    }
    if panels.is_empty() { Err(Error::setting("figure", "at least one image", "none")) } else { Ok(cell) }
}

fn add_panel(
    scene: &mut Scene,
    contours: &[Contour],
    panel: &BoundaryPanel<'_>,
    at: (u32, u32),
    title_height: u32,
    options: &BoundaryOptions,
) {
    let size = (panel.image.width() * options.scale, panel.image.height() * options.scale);
    let text = Font::Title.fit(panel.name, size.0);
    scene.items.push(Item::Text { at: (at.0, at.1 + title_height / 2 - 2), anchor: Anchor::Left, font: Font::Title, text, colour: INK });
    let at = (at.0, at.1 + title_height);
    scene.items.push(Item::Picture { at, pixels: panel.image.clone(), scale: options.scale });
    let lines: Vec<(Stroke, Vec<Outline>)> = contours
        .iter()
        .zip(panel.masks)
        .filter_map(|(contour, mask)| mask.map(|mask| (contour.stroke(options.line_width), outlines(mask))))
        .filter(|(_, outlines)| !outlines.is_empty())
        .collect();
    // All halos lie below all lines, or a later halo would wipe out an earlier line beside it.
    let halos = lines.iter().map(|(stroke, outlines)| (Stroke { colour: PAPER, width: stroke.width + 2, dash: (0, 0) }, outlines));
    for (stroke, outlines) in halos.chain(lines.iter().map(|(stroke, outlines)| (*stroke, outlines))) {
        scene.items.push(Item::Line { at, scale: options.scale, outlines: outlines.clone(), stroke });
    }
    if let Some(um_per_px) = options.um_per_px {
        scale_bar::add(scene, (at, size), um_per_px / f64::from(options.scale));
    }
}

fn add_legend(scene: &mut Scene, contour: &Contour, (x, middle): (u32, u32), line_width: u32) {
    let sample = Outline { points: vec![(x, middle), (x + LEGEND_SAMPLE, middle)], closed: false };
    scene.items.push(Item::Line { at: (0, 0), scale: 1, outlines: vec![sample], stroke: contour.stroke(line_width) });
    let at = (x + LEGEND_SAMPLE + 8, middle);
    scene.items.push(Item::Text { at, anchor: Anchor::Left, font: Font::Label, text: contour.name.clone(), colour: INK });
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    fn square(from: u32, to: u32) -> GrayImage {
        GrayImage::from_fn(40, 30, |x, y| Luma([if (from..to).contains(&x) && (from..to).contains(&y) { 255 } else { 0 }]))
    }

    #[test]
    fn every_system_is_seen_even_where_lines_coincide() {
        let image = RgbImage::from_pixel(40, 30, Rgb([150, 90, 160]));
        let (truth, same) = (square(5, 20), square(5, 20));
        let contours = [Contour::ground_truth(), Contour::low_resolution(), Contour::intra(), Contour::intra_inter()];
        let masks = [Some(&truth), Some(&same), None, Some(&same)];
        let panels = [BoundaryPanel { name: "one", image: &image, masks: &masks }; 4];
        let figure =
            boundary_figure(&contours, &panels, &BoundaryOptions { scale: 4, um_per_px: Some(4.2), ..BoundaryOptions::default() }).unwrap();
        let pixels = figure.pixels();
        let count = |colour: Rgb<u8>| pixels.pixels().filter(|pixel| **pixel == colour).count();
        assert!(contours.iter().all(|contour| count(contour.colour) > 30), "each in the legend");
        assert!(count(contours[3].colour) > 4 * count(contours[2].colour), "blue on four panels, cyan in the legend only");
        assert!(count(contours[0].colour) > 1000 && count(contours[1].colour) > 200, "red beside blue, green in its gaps");

        let svg = figure.svg().unwrap();
        assert_eq!(svg.matches("<path").count(), 4 * 6 + 4);
        assert_eq!(svg.matches("data:image/png;base64,").count(), 4);
        let at = format!("M{} {}H{}", 12 + 20, 12 + 24 + 20, 12 + 80);
        assert!(svg.contains(&at), "the square's corner, magnified: {at}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (image, mask, small) = (RgbImage::new(40, 30), square(5, 20), GrayImage::new(8, 8));
        let refused = |masks: &[Option<&GrayImage>], options: BoundaryOptions| {
            let panel = BoundaryPanel { name: "one", image: &image, masks };
            boundary_figure(&[Contour::ground_truth()], &[panel], &options).unwrap_err().to_string()
        };
        let options = BoundaryOptions::default();
        assert_eq!(refused(&[Some(&small)], options), "mask: expected 40 x 30 px, as the image (one), found 8 x 8 px");
        assert_eq!(refused(&[], options), "figure: expected 1 masks of one, one a contour, found 0");
        assert_eq!(refused(&[Some(&mask)], BoundaryOptions { columns: 0, ..options }), "figure columns: expected 1 or more, found 0");
        assert_eq!(refused(&[Some(&mask)], BoundaryOptions { line_width: 17, ..options }), "figure line width: expected 1 to 16, found 17");
        assert_eq!(refused(&[Some(&mask)], BoundaryOptions { scale: 17, ..options }), "figure scale: expected 1 to 16, found 17");
        assert_eq!(boundary_figure(&[], &[], &options).unwrap_err().to_string(), "figure: expected at least one image, found none");
    }
}
