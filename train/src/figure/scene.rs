//! A figure as a list of drawn things, from which both PNG and SVG are made.

use super::outline::Outline;
use super::{canvas, svg};
use crate::error::{Error, Result};
use image::{Rgb, RgbImage};

/// Largest side of a figure; larger ones are a mistake in the options rather than something to look at.
const MAX_SIDE_PX: u32 = 20_000;

/// Largest number of pixels of a figure: 600 MB while it is drawn.
const MAX_PIXELS: u64 = 200_000_000;

/// Nearly black.
pub(super) const INK: Rgb<u8> = Rgb([24, 24, 27]);
/// White.
pub(super) const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// A figure. Lengths are pixels of the PNG, which are also the units of the SVG.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Width and height.
    pub(super) size: (u32, u32),
    /// What it shows, for those who cannot see it.
    pub(super) title: String,
    /// Later things lie on top.
    pub(super) items: Vec<Item>,
}

/// One drawn thing.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// An image, each pixel magnified to a square of `scale`.
    Picture { at: (u32, u32), pixels: RgbImage, scale: u32 },
    /// A filled rectangle.
    Box { at: (u32, u32), size: (u32, u32), fill: Rgb<u8> },
    /// One line of text; `at` is its left, middle or right end, halfway up.
    Text { at: (u32, u32), anchor: Anchor, font: Font, text: String, colour: Rgb<u8> },
    /// The outlines of a mask.
    Line { at: (u32, u32), scale: u32, outlines: Vec<Outline>, stroke: Stroke },
    /// A curve through points, 2 px wide; lengths of dash and gap, 0, 0 is solid.
    Curve { points: Vec<(u32, u32)>, colour: Rgb<u8>, dash: (u32, u32) },
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) colour: Rgb<u8>,
    pub(super) width: u32,
    /// Lengths of dash and gap; 0, 0 is solid.
    pub(super) dash: (u32, u32),
}

/// Which end of a text its position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// Size and weight of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Font {
    /// Row names, legends, scale bars.
    Label,
    /// Column and panel titles.
    Title,
}

impl Font {
    /// Width of a character and height of a line of the PNG's font; the SVG's is narrower.
    pub(super) fn cell(self) -> (u32, u32) {
        match self {
            Self::Label => (9, 15),
            Self::Title => (9, 18),
        }
    }

    /// Width of a text.
    pub(super) fn width(self, text: &str) -> u32 {
        u32::try_from(text.chars().count()).unwrap_or(u32::MAX).saturating_mul(self.cell().0)
    }

    /// The text, ended by an ellipsis where it is wider than `width`.
    pub(super) fn fit(self, text: &str, width: u32) -> String {
        let most = (width / self.cell().0) as usize;
        match text.chars().count() > most {
            true => text.chars().take(most.saturating_sub(3)).chain("...".chars().take(most)).collect(),
            false => text.to_owned(),
        }
    }

    /// The words on as many lines of at most `width` as they need, but no more than two.
    pub(super) fn wrap(self, text: &str, width: u32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let fits = |line: &String| self.width(line) + self.width(word) + self.cell().0 <= width;
            let joins = lines.len() == 2 || lines.last().is_some_and(fits);
            match lines.last_mut() {
                Some(line) if joins => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.iter().map(|line| self.fit(line, width)).collect()
    }
}

impl Scene {
    /// An empty figure on white.
    ///
    /// # Errors
    /// [`Error::Setting`] when it would be too large to be drawn.
    pub(super) fn new(title: &str, width: u64, height: u64) -> Result<Self> {
        let side = |length: u64| u32::try_from(length).ok().filter(|&length| (1..=MAX_SIDE_PX).contains(&length));
        match (side(width), side(height)) {
            (Some(w), Some(h)) if width * height <= MAX_PIXELS => Ok(Self { size: (w, h), title: title.to_owned(), items: Vec::new() }),
            _ => Err(Error::setting(
                "figure",
                format!("sides of 1 to {MAX_SIDE_PX} px and at most {} Mpx", MAX_PIXELS / 1_000_000),
                format!("{width} x {height} px: choose fewer images or a smaller scale"),
            )),
        }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The figure as pixels.
    pub fn pixels(&self) -> RgbImage {
        canvas::draw(self)
    }

    /// The figure as a PNG file.
    ///
    /// # Errors
    /// [`Error::Setting`] when it cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>> {
        super::png(&self.pixels())
    }

    /// The figure as an SVG document of its own; images are embedded.
    ///
    /// # Errors
    /// [`Error::Setting`] when an image cannot be encoded.
    pub fn svg(&self) -> Result<String> {
        svg::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_wrapped_then_cut() {
        assert_eq!(Font::Title.wrap("intra + inter", 9 * 13), ["intra + inter"]);
        assert_eq!(Font::Title.wrap("low-resolution model", 9 * 14), ["low-resolution", "model"]);
        assert_eq!(Font::Title.wrap("one two three four five", 9 * 9), ["one two", "three ..."]);
        assert_eq!(Font::Label.fit("abcdef", 9 * 5), "ab...");
        assert_eq!(Font::Label.fit("abcdef", 9), ".");
        assert_eq!(Font::Label.fit("µm ±", 9 * 4), "µm ±");
    }

    #[test]
    fn a_figure_too_large_to_draw_is_refused() {
        assert!(Scene::new("x", 20_001, 10).unwrap_err().to_string().contains("20001 x 10 px"));
        assert!(Scene::new("x", 20_000, 20_000).is_err() && Scene::new("x", 0, 5).is_err());
        assert!(Scene::new("x", 20_000, 10_000).is_ok());
    }
}
