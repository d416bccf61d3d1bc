//! Masks side by side, as in the paper's Figure 3: a row an image; its tissue, the ground truth, then each system's mask.

use super::overlay::{same_size, tint};
use super::scale_bar;
use super::scene::{Anchor, Font, INK, Item, Scene};
use crate::error::{Error, Result};
use image::imageops::{FilterType, resize};
use image::{GrayImage, Rgb, RgbImage};

const GAP: u32 = 4;
const MARGIN: u32 = 12;

/// Line round each picture: white masks would run into the white page.
const FRAME: Rgb<u8> = Rgb([150, 150, 156]);

/// Longest row name that is written out.
const MOST_NAME_PX: u32 = 200;

/// Where a system has no mask.
const MISSING: Rgb<u8> = Rgb([225, 225, 228]);

/// Cancer in tinted masks: away from the purples and pinks of the stain.
const TINT: Rgb<u8> = Rgb([255, 225, 0]);

/// How masks are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaskStyle {
    /// White is cancer, black is not.
    #[default]
    WhiteOnBlack,
    /// The tissue, yellow where it is cancer and pale where it is not.
    Tinted,
}

/// One image and its masks.
#[derive(Debug, Clone, Copy)]
pub struct GridRow<'a> {
    /// Written to its left.
    pub name: &'a str,
    /// The tissue.
    pub image: &'a RgbImage,
    /// One mask a column, in their order, the ground truth first; `None` where there is none.
    pub masks: &'a [Option<&'a GrayImage>],
}

/// Sizes of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridOptions {
    /// Longest side of the largest image in the figure, in px, 16 to 4,096; the others are scaled alike.
    pub panel_px: u32,
    /// Length of an image's pixel before scaling, for a scale bar.
    pub um_per_px: Option<f64>,
    /// How masks are shown.
    pub style: MaskStyle,
}

impl Default for GridOptions {
    fn default() -> Self {
        Self { panel_px: 256, um_per_px: None, style: MaskStyle::WhiteOnBlack }
    }
}

/// Draws the grid. `columns` are the titles of the masks, "ground truth" first; the tissue's column is titled "image".
///
/// # Errors
/// [`Error::Setting`]: no row; a mask that is not as large as its image; not one mask a column; sizes out of bounds.
pub fn mask_grid(columns: &[String], rows: &[GridRow<'_>], options: &GridOptions) -> Result<Scene> {
    let scale = check(columns, rows, options)?;
    let shown = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let cell_width = rows.iter().map(|row| shown(row.image.width())).max().unwrap_or(1);
    let name_width = rows.iter().map(|row| Font::Label.width(row.name)).max().unwrap_or(0).min(MOST_NAME_PX);
    let titles: Vec<Vec<String>> =
        std::iter::once("image").chain(columns.iter().map(String::as_str)).map(|title| Font::Title.wrap(title, cell_width)).collect();
    let line_height = Font::Title.cell().1;
    let title_height = titles.iter().map(Vec::len).max().unwrap_or(1).max(1) as u32 * line_height + 6;
    let left = MARGIN + name_width + 10;
    let step = u64::from(cell_width + GAP);
    let width = u64::from(left) + step * titles.len() as u64 - u64::from(GAP) + u64::from(MARGIN);
    let body: u64 = rows.iter().map(|row| u64::from(shown(row.image.height()) + GAP)).sum();
    let mut scene =
        Scene::new("Masks of the test images", width, u64::from(MARGIN + title_height) + body - u64::from(GAP) + u64::from(MARGIN))?;

    let column_x = |column: usize| left + column as u32 * (cell_width + GAP);
    for (column, lines) in titles.iter().enumerate() {
        // Titles of one line stand just above the images, beside the last of two.
        let top = MARGIN + title_height - 6 - lines.len() as u32 * line_height;
        for (number, text) in lines.iter().enumerate() {
            let at = (column_x(column) + cell_width / 2, top + number as u32 * line_height + line_height / 2);
            scene.items.push(Item::Text { at, anchor: Anchor::Middle, font: Font::Title, text: text.clone(), colour: INK });
        }
    }
    let mut y = MARGIN + title_height;
    for (number, row) in rows.iter().enumerate() {
        let size = (shown(row.image.width()), shown(row.image.height()));
        let text = Font::Label.fit(row.name, name_width);
        scene.items.push(Item::Text { at: (left - 10, y + size.1 / 2), anchor: Anchor::Right, font: Font::Label, text, colour: INK });
        let indent = (cell_width - size.0) / 2;
        let tissue = scaled(row.image, size);
        for column in 0..titles.len() {
            let at = (column_x(column) + indent - 1, y - 1);
            scene.items.push(Item::Box { at, size: (size.0 + 2, size.1 + 2), fill: FRAME });
        }
        for (column, mask) in row.masks.iter().enumerate() {
            let at = (column_x(column + 1) + indent, y);
            scene.items.push(match mask {
                Some(mask) => Item::Picture { at, pixels: picture(mask, &tissue, options.style), scale: 1 },
                None => Item::Box { at, size, fill: MISSING },
            });
        }
        let at = (column_x(0) + indent, y);
        scene.items.push(Item::Picture { at, pixels: tissue, scale: 1 });
        if let (0, Some(um_per_px)) = (number, options.um_per_px) {
            scale_bar::add(&mut scene, (at, size), um_per_px / scale);
        }
        y += size.1 + GAP;
    }
    Ok(scene)
}

/// The scale of the figure.
fn check(columns: &[String], rows: &[GridRow<'_>], options: &GridOptions) -> Result<f64> {
    if !(16..=4096).contains(&options.panel_px) {
        return Err(Error::setting("figure panel", "16 to 4096 px", options.panel_px));
    }
    for row in rows {
        if row.masks.len() != columns.len() {
            return Err(Error::setting("figure", format!("{} masks of {}, one a column", columns.len(), row.name), row.masks.len()));
        }
        row.masks.iter().flatten().try_for_each(|mask| same_size(row.name, row.image, mask))?;
    }
    match rows.iter().map(|row| row.image.width().max(row.image.height())).max() {
        Some(longest) if longest > 0 => Ok(f64::from(options.panel_px) / f64::from(longest)),
        Some(_) => Err(Error::setting("figure", "images of at least one pixel", "none")),
        None => Err(Error::setting("figure", "at least one image", "none")),
    }
}

/// Smaller by averaging, larger by repeating, so that no pixel of a mask is invented.
fn scaled(image: &RgbImage, size: (u32, u32)) -> RgbImage {
    let filter = if size.0 < image.width() { FilterType::Triangle } else { FilterType::Nearest };
    resize(image, size.0, size.1, filter)
}

fn picture(mask: &GrayImage, tissue: &RgbImage, style: MaskStyle) -> RgbImage {
    let mut binary = mask.clone();
    binary.pixels_mut().for_each(|pixel| pixel[0] = if pixel[0] == 0 { 0 } else { 255 });
    let (width, height) = tissue.dimensions();
    let filter = if width < mask.width() { FilterType::Triangle } else { FilterType::Nearest };
    let cover = resize(&binary, width, height, filter);
    RgbImage::from_fn(width, height, |x, y| {
        let share = f64::from(cover.get_pixel(x, y)[0]) / 255.0;
        match style {
            MaskStyle::WhiteOnBlack => Rgb([cover.get_pixel(x, y)[0]; 3]),
            MaskStyle::Tinted => {
                let tissue = *tissue.get_pixel(x, y);
                let pale = tint(tissue, Rgb([255, 255, 255]), 0.6);
                tint(pale, tint(tissue, TINT, 0.45), share)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    #[test]
    fn masks_stand_under_their_titles() {
        let image = RgbImage::from_pixel(64, 32, Rgb([150, 90, 160]));
        let half = GrayImage::from_fn(64, 32, |x, _| Luma([u8::from(x < 32)]));
        let columns = ["ground truth".to_owned(), "intra + inter".to_owned()];
        let masks = [Some(&half), None];
        let rows = [GridRow { name: "first", image: &image, masks: &masks }; 2];
        let figure =
            mask_grid(&columns, &rows, &GridOptions { panel_px: 128, um_per_px: Some(4.2), style: MaskStyle::WhiteOnBlack }).unwrap();
        // Name 5 characters of 9 px, then three columns of 128; titles of one line.
        assert_eq!(figure.size(), (12 + 45 + 10 + 3 * 132 - 4 + 12, 12 + 24 + 2 * 68 - 4 + 12));
        let pixels = figure.pixels();
        let at = |column: u32, x: u32, y: u32| *pixels.get_pixel(67 + column * 132 + x, 36 + y);
        assert_eq!(at(0, 64, 5), Rgb([150, 90, 160]));
        assert_eq!((at(1, 5, 5), at(1, 63, 60), at(1, 64, 60), at(1, 127, 5)), (Rgb([255; 3]), Rgb([255; 3]), Rgb([0; 3]), Rgb([0; 3])));
        assert_eq!((at(2, 5, 5), at(2, 5, 68 + 5)), (MISSING, MISSING));
        assert_eq!((at(1, 128, 5), at(1, 129, 5), at(1, 5, 64)), (FRAME, Rgb([255; 3]), FRAME));
        let svg = figure.svg().unwrap();
        assert!(svg.contains(">intra + inter</text>") && svg.contains(" µm</text>") && svg.matches("<image").count() == 4);
    }

    #[test]
    fn tinted_masks_keep_the_tissue() {
        let image = RgbImage::from_fn(32, 32, |x, _| Rgb([100 + x as u8, 90, 160]));
        let mask = GrayImage::from_fn(32, 32, |_, y| Luma([if y < 16 { 255 } else { 0 }]));
        let drawn = picture(&mask, &image, MaskStyle::Tinted);
        assert!(drawn.get_pixel(20, 4)[0] > drawn.get_pixel(2, 4)[0], "the tissue's texture is still there");
        assert!(drawn.get_pixel(5, 4)[2] < 100 && drawn.get_pixel(5, 28)[2] > 200, "yellow above, pale below");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (image, mask) = (RgbImage::new(8, 8), GrayImage::new(8, 9));
        let columns = ["ground truth".to_owned()];
        let refused = |masks: &[Option<&GrayImage>], panel_px| {
            mask_grid(&columns, &[GridRow { name: "a", image: &image, masks }], &GridOptions { panel_px, ..GridOptions::default() })
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(&[Some(&mask)], 64), "mask: expected 8 x 8 px, as the image (a), found 8 x 9 px");
        assert_eq!(refused(&[], 64), "figure: expected 1 masks of a, one a column, found 0");
        assert_eq!(refused(&[None], 8), "figure panel: expected 16 to 4096 px, found 8");
        assert_eq!(
            mask_grid(&columns, &[], &GridOptions::default()).unwrap_err().to_string(),
            "figure: expected at least one image, found none"
        );
    }
}
