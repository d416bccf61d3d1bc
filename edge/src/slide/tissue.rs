//! Where a slide has tissue: a small picture of it, cut by its saturation, without pen marks.

use super::{Grid, Slide};
use crate::error::Error;
use crate::field::Field;
use crate::output::{Outliner, dilate};
use crate::read::read_file;
use crate::segment::MAX_FILE_BYTES;
use image::RgbImage;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::path::PathBuf;
use std::str::FromStr;

/// Most pixels of the small picture.
const MAX_PIXELS: u64 = 8_000_000;

/// Pixels of the grid to a pixel of the small picture, at least.
const LEAST_FACTOR: u32 = 4;

/// The small picture is made block by block, of about so many pixels of the slide a side.
const BLOCK_PX: f64 = 2048.0;

/// Otsu's threshold is taken within these: a slide of nothing but tissue is not to be cut at its nuclei, and dust is no tissue.
const THRESHOLDS: [u8; 2] = [13, 26];

/// Parts with fewer pixels are dust, where they are also less than a hundredth of the picture.
const DUST_PX: u64 = 12;

/// Tissue reaches so many pixels further: its borders are pale.
const MARGIN_PX: usize = 2;

/// What is looked at of a slide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TissueChoice {
    /// Everything.
    None,
    /// What is found to be tissue.
    #[default]
    Auto,
    /// What is not black in this image, which is stretched over the slide.
    Mask(PathBuf),
}

impl FromStr for TissueChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "none" => Self::None,
            "auto" => Self::Auto,
            path => Self::Mask(PathBuf::from(path)),
        })
    }
}

/// A small picture of a slide, and what of it is looked at.
pub(crate) struct Tissue {
    /// Pixels of the grid to one of the picture, in both directions.
    pub(crate) factor: u32,
    pub(crate) picture: RgbImage,
    /// Row by row, for every pixel of the picture.
    pub(crate) looked_at: Vec<bool>,
    /// Saturation of 255 from which on a pixel is tissue, where it was looked for.
    pub(crate) threshold: Option<u8>,
    /// Share of the picture that was taken for pen marks.
    pub(crate) pen: f64,
}

impl Tissue {
    /// Looks for tissue.
    ///
    /// # Errors
    /// [`Error::Slide`]; what is wrong with the mask's file.
    pub(crate) fn find(slide: &Slide, grid: &Grid<'_>, choice: &TissueChoice) -> Result<Self, Error> {
        let factor = factor(grid.size);
        let picture = picture(&small(slide, grid)?)?;
        let [width, height] = [picture.width() as usize, picture.height() as usize];
        let mut tissue = Self { factor, picture, looked_at: vec![true; width * height], threshold: None, pen: 0.0 };
        match choice {
            TissueChoice::None => {}
            TissueChoice::Auto => tissue.cut(),
            TissueChoice::Mask(path) => {
                let image = Field::decode_file(&read_file(path, MAX_FILE_BYTES)?)?;
                let at =
                    |position: usize, length: usize, own: u32| ((position as u64 * 2 + 1) * u64::from(own) / (2 * length as u64)) as u32;
                let lit = |index: usize| {
                    let (x, y) = (at(index % width, width, image.width()), at(index / width, height, image.height()));
                    image.get_pixel(x, y).0.iter().any(|&level| level > 127)
                };
                tissue.looked_at = (0..width * height).map(lit).collect();
            }
        }
        Ok(tissue)
    }

    /// Most bytes that finding it takes, and it itself.
    ///
    /// # Errors
    /// [`Error::Slide`].
    pub(crate) fn bytes(slide: &Slide, grid: &Grid<'_>, threads: u64) -> Result<u64, Error> {
        let small = small(slide, grid)?;
        // The picture twice while it is put together; masks of it.
        let own = 12 * small.size.into_iter().map(u64::from).product::<u64>();
        Ok(own + threads * small.region_bytes([block(&small); 2]))
    }

    /// Whether a window of the grid has anything to be looked at.
    pub(crate) fn any(&self, origin: [u32; 2], size: [u32; 2]) -> bool {
        let width = self.picture.width() as usize;
        let range = |axis: usize| (origin[axis] / self.factor) as usize..((origin[axis] + size[axis]).div_ceil(self.factor)) as usize;
        let columns = range(0).start..range(0).end.min(width);
        let rows = range(1).start..range(1).end.min(self.picture.height() as usize);
        rows.into_iter().any(|row| self.looked_at[row * width + columns.start..row * width + columns.end].contains(&true))
    }

    /// Whether the pixels of a row of the grid are looked at.
    pub(crate) fn row(&self, y: u32) -> &[bool] {
        let width = self.picture.width() as usize;
        &self.looked_at[(y / self.factor) as usize * width..][..width]
    }

    fn cut(&mut self) {
        let width = self.picture.width() as usize;
        let pixels = self.picture.as_raw().as_chunks::<3>().0;
        let pen: Vec<bool> = pixels.iter().map(|&pixel| is_pen(pixel)).collect();
        let saturation: Vec<u8> = pixels.iter().map(|&pixel| saturation(pixel)).collect();
        let mut levels = [0_u64; 256];
        saturation.iter().zip(&pen).filter(|(_, pen)| !**pen).for_each(|(&level, _)| levels[usize::from(level)] += 1);
        let threshold = otsu(&levels).clamp(THRESHOLDS[0], THRESHOLDS[1]);
        let found: Vec<bool> = saturation.iter().zip(&pen).map(|(&level, pen)| level >= threshold && !pen).collect();
        let mut tissue = dilate(&without_dust(found, width), width, MARGIN_PX);
        // A pen's line is blurred at its sides.
        let marked = dilate(&without_dust(pen, width), width, MARGIN_PX);
        tissue.iter_mut().zip(&marked).for_each(|(tissue, marked)| *tissue &= !marked);
        self.pen = marked.iter().filter(|&&marked| marked).count() as f64 / marked.len() as f64;
        (self.looked_at, self.threshold) = (tissue, Some(threshold));
    }
}

fn factor(size: [u32; 2]) -> u32 {
    let mut factor = LEAST_FACTOR;
    while size.into_iter().map(|side| u64::from(side.div_ceil(factor))).product::<u64>() > MAX_PIXELS {
        factor *= 2;
    }
    factor
}

/// The grid of the small picture.
fn small<'a>(slide: &'a Slide, grid: &Grid<'_>) -> Result<Grid<'a>, Error> {
    let factor = factor(grid.size);
    let small = Grid::new(slide, grid.finest, f64::from(factor) * grid.um_per_px)?;
    // Every pixel of the grid lies in one of the picture, also the last.
    Ok(Grid { size: grid.size.map(|side| side.div_ceil(factor)), ..small })
}

/// Side of what is read at once of the small picture.
fn block(small: &Grid<'_>) -> u32 {
    (BLOCK_PX * small.level_um_per_px[0] / small.um_per_px).clamp(32.0, BLOCK_PX) as u32
}

/// All of it.
fn picture(grid: &Grid<'_>) -> Result<RgbImage, Error> {
    let block = block(grid);
    let [columns, rows] = grid.size.map(|side| side.div_ceil(block));
    let parts: Result<Vec<_>, Error> = (0..columns * rows)
        .into_par_iter()
        .map(|index| {
            let origin = [index % columns * block, index / columns * block];
            let size = std::array::from_fn(|axis| block.min(grid.size[axis] - origin[axis]));
            grid.region(origin, size).map(|part| (origin, part))
        })
        .collect();
    let mut picture = RgbImage::new(grid.size[0], grid.size[1]);
    for ([x, y], part) in parts? {
        image::imageops::replace(&mut picture, &part, i64::from(x), i64::from(y));
    }
    Ok(picture)
}

/// (largest - smallest channel) / largest, of 255.
fn saturation(pixel: [u8; 3]) -> u8 {
    let (most, least) = (pixel[0].max(pixel[1]).max(pixel[2]), pixel[0].min(pixel[1]).min(pixel[2]));
    if most == 0 { 0 } else { (255 * u32::from(most - least) / u32::from(most)) as u8 }
}

/// Green, cyan and blue inks (in H&E green is the least of all channels, never red), black and red ones.
fn is_pen(pixel: [u8; 3]) -> bool {
    let [r, g, b] = pixel.map(i32::from);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let saturation = i32::from(saturation(pixel));
    let cold = g >= r + 12 && saturation > 50;
    let black = most < 80 && most - least < 40;
    let red = r > 150 && saturation > 190;
    cold || black || red
}

/// The level that parts a histogram into two groups which are as even as can be in themselves (Otsu, 1979): those below it, and the others.
fn otsu(levels: &[u64; 256]) -> u8 {
    let total: u64 = levels.iter().sum();
    let sum: f64 = levels.iter().enumerate().map(|(level, &count)| level as f64 * count as f64).sum();
    let (mut below, mut sum_below, mut best) = (0_u64, 0.0, (0, -1.0));
    for (level, &count) in levels.iter().enumerate() {
        below += count;
        sum_below += level as f64 * count as f64;
        if below == 0 || below == total {
            continue;
        }
        let (a, b) = (below as f64, (total - below) as f64);
        let between = a * b * (sum_below / a - (sum - sum_below) / b).powi(2);
        if between > best.1 {
            best = (level + 1, between);
        }
    }
    best.0.min(255) as u8
}

fn without_dust(mut set: Vec<bool>, width: usize) -> Vec<bool> {
    let mut outliner = Outliner::new();
    set.chunks_exact(width).for_each(|row| outliner.push(row, &[]));
    let (rows, sums) = outliner.labelled();
    let dust = DUST_PX.min(set.len() as u64 / 100);
    for (y, row) in rows.iter().enumerate() {
        for run in row.iter().filter(|run| sums[run.region as usize][0] < dust) {
            set[y * width + run.columns.start as usize..y * width + run.columns.end as usize].fill(false);
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otsu_parts_two_groups() {
        let mut levels = [0; 256];
        levels[3..10].fill(50);
        levels[60..90].fill(9);
        assert!((10..=60).contains(&otsu(&levels)), "{}", otsu(&levels));
        assert_eq!(otsu(&[0; 256]), 0);
    }

    #[test]
    fn inks_are_no_tissue() {
        for (pixel, ink) in [
            ([40, 70, 160], true),
            ([60, 150, 90], true),
            ([30, 30, 36], true),
            ([210, 30, 40], true),
            // Haematoxylin, eosin, red cells, glass.
            ([95, 70, 140], false),
            ([225, 150, 190], false),
            ([190, 70, 90], false),
            ([243, 243, 245], false),
        ] {
            assert_eq!(is_pen(pixel), ink, "{pixel:?}");
        }
    }

    #[test]
    fn dust_and_pen_are_cut_and_tissue_keeps_its_margin() {
        let mut picture = RgbImage::from_pixel(60, 40, image::Rgb([242, 242, 243]));
        let mut paint = |columns: std::ops::Range<u32>, rows: std::ops::Range<u32>, colour| {
            for y in rows {
                columns.clone().for_each(|x| picture.put_pixel(x, y, image::Rgb(colour)));
            }
        };
        paint(5..20, 5..20, [210, 150, 190]);
        paint(40..42, 30..32, [210, 150, 190]);
        paint(30..50, 10..12, [40, 70, 160]);
        let mut tissue = Tissue { factor: 4, picture, looked_at: Vec::new(), threshold: None, pen: 0.0 };
        tissue.cut();
        assert_eq!(tissue.looked_at.iter().filter(|&&tissue| tissue).count(), 19 * 19);
        assert!(tissue.any([12, 12], [4, 4]) && !tissue.any([0, 0], [12, 12]) && !tissue.any([120, 40], [80, 8]));
        assert!(tissue.row(40)[3] && !tissue.row(40)[2]);
        assert!((tissue.pen - 24.0 * 6.0 / 2400.0).abs() < 1e-12, "{}", tissue.pen);
    }
}
