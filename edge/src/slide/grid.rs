//! A slide at another pixel size: windows of it, as if the whole slide had been resampled.

use super::Slide;
use crate::error::Error;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

/// Pixels of a slide are read in strips of at most so many bytes.
const STRIP_BYTES: u64 = 48 << 20;

/// Widest kernel: Lanczos-3 reaches three pixels, of the coarser of the two images.
const REACH: f64 = 3.0;

/// A last pixel of which no more than this lies on the slide is left out.
const SLIVER: f64 = 0.1;

/// Most pixels of a grid: block moments count to 2^32 - 2.
const MAX_PIXELS: u64 = 4_000_000_000;

/// A slide's pixels at one pixel size, counted from its upper left corner.
pub(crate) struct Grid<'a> {
    pub(super) slide: &'a Slide,
    /// Micrometres per pixel of the slide's finest level.
    pub(crate) finest: f64,
    /// The level that is read.
    pub(crate) level: usize,
    /// Micrometres per pixel of that level.
    pub(crate) level_um_per_px: [f64; 2],
    /// Micrometres per pixel of the grid.
    pub(crate) um_per_px: f64,
    /// Pixels of the level per pixel of the grid.
    pub(super) factor: [f64; 2],
    /// Width and height; the last pixels may lie partly beyond the slide.
    pub(crate) size: [u32; 2],
}

impl<'a> Grid<'a> {
    /// - `finest`: micrometres per pixel of the slide's finest level
    /// - `um_per_px`: of the grid
    ///
    /// # Errors
    /// [`Error::Slide`] for more pixels than can be counted.
    pub(crate) fn new(slide: &'a Slide, finest: f64, um_per_px: f64) -> Result<Self, Error> {
        let level = slide.level_for(finest, um_per_px);
        let level_um_per_px = slide.um_per_px(level, finest);
        let factor = level_um_per_px.map(|um| um_per_px / um);
        let length = |axis: usize| (f64::from(slide.levels[level].size[axis]) / factor[axis] - SLIVER).ceil().max(1.0);
        let size = [length(0), length(1)];
        if size[0] * size[1] > MAX_PIXELS as f64 {
            let reason = format!("{} x {} px at {um_per_px} um/px, more than {MAX_PIXELS} in all", size[0], size[1]);
            return Err(Error::Slide { reason });
        }
        Ok(Self { slide, finest, level, level_um_per_px, um_per_px, factor, size: size.map(|side| side as u32) })
    }

    /// RGB pixels of a window.
    ///
    /// # Errors
    /// [`Error::Slide`], naming the tile.
    pub(crate) fn region(&self, origin: [u32; 2], size: [u32; 2]) -> Result<RgbImage, Error> {
        if self.factor == [1.0; 2] {
            return self.slide.window(self.level, origin.map(i64::from), size);
        }
        let mut region = Vec::with_capacity(3 * size[0] as usize * size[1] as usize);
        let (from_x, columns) = self.span(0, origin[0], size[0]);
        let mut resizer = Resizer::new();
        let rows_at_once = self.rows_at_once(size[0]);
        let mut y = origin[1];
        while y < origin[1] + size[1] {
            let rows = rows_at_once.min(origin[1] + size[1] - y);
            let (from_y, lines) = self.span(1, y, rows);
            let source = self.slide.window(self.level, [from_x, from_y], [columns, lines])?;
            let corner = [f64::from(origin[0]) * self.factor[0] - from_x as f64, f64::from(y) * self.factor[1] - from_y as f64];
            let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).crop(
                corner[0],
                corner[1],
                f64::from(size[0]) * self.factor[0],
                f64::from(rows) * self.factor[1],
            );
            let failed = |reason: String| Error::Slide { reason: format!("resampling: {reason}") };
            let source = ImageRef::new(columns, lines, source.as_raw(), PixelType::U8x3).map_err(|error| failed(error.to_string()))?;
            let mut target = Image::new(size[0], rows, PixelType::U8x3);
            resizer.resize(&source, &mut target, &options).map_err(|error| failed(error.to_string()))?;
            region.extend_from_slice(target.buffer());
            y += rows;
        }
        RgbImage::from_raw(size[0], size[1], region).ok_or_else(|| Error::Slide { reason: "resampling: a region of no size".to_owned() })
    }

    /// First pixel of the level, and how many, that so many pixels of the grid follow from.
    fn span(&self, axis: usize, first: u32, length: u32) -> (i64, u32) {
        let factor = self.factor[axis];
        let reach = REACH * factor.max(1.0) + 1.0;
        let from = (f64::from(first) * factor - reach).floor();
        let to = (f64::from(first + length) * factor + reach).ceil();
        (from as i64, (to - from) as u32)
    }

    fn rows_at_once(&self, width: u32) -> u32 {
        let columns = f64::from(self.span(0, 0, width).1);
        let lines = STRIP_BYTES as f64 / (3.0 * columns) - 2.0 * (REACH * self.factor[1].max(1.0) + 2.0);
        (lines / self.factor[1]).max(1.0) as u32
    }

    /// Most bytes that a region takes while it is made, the region itself among them.
    pub(crate) fn region_bytes(&self, size: [u32; 2]) -> u64 {
        let own = 3 * u64::from(size[0]) * u64::from(size[1]);
        let rows = self.rows_at_once(size[0]).min(size[1]);
        let [columns, lines] = [self.span(0, 0, size[0]).1, self.span(1, 0, rows).1].map(u64::from);
        // The strip, what is resampled in one direction, and the result.
        3 * columns * lines + 3 * u64::from(size[0]) * lines + 2 * own + self.slide.tile_bytes(self.level)
    }
}
