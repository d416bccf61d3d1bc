//! An image to a map of cancer probabilities: cut, run, blend.

use crate::error::Error;
use crate::field::check_size;
use crate::int8::Rgb;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::threads::Threads;
use crate::tile::{Axis, TileRule};
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma, RgbImage};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

/// A cancer probability for every pixel of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbabilityMap(ImageBuffer<Luma<f32>, Vec<f32>>);

impl ProbabilityMap {
    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.0.height()
    }

    /// The probabilities, row by row.
    pub fn values(&self) -> &[f32] {
        self.0.as_raw()
    }

    /// As bytes: `round(255 p)`.
    pub fn to_u8(&self) -> Vec<u8> {
        self.values().iter().map(|p| (255.0 * p).round() as u8).collect()
    }

    /// At another size. A triangle filter has no lobes below zero, so nothing leaves [0, 1] and no rings appear at borders.
    #[must_use]
    pub fn resized(self, width: u32, height: u32) -> Self {
        if (width, height) == self.0.dimensions() { self } else { Self(resize(&self.0, width, height, FilterType::Triangle)) }
    }
}

/// How an image was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TilePlan {
    /// Left to right.
    pub(crate) columns: Axis,
    /// Top to bottom.
    pub(crate) rows: Axis,
}

impl TilePlan {
    /// Cuts an image of this size.
    pub(crate) fn new(rule: &TileRule, width: u32, height: u32) -> Self {
        Self { columns: rule.cut(width), rows: rule.cut(height) }
    }

    /// Number of tiles.
    pub(crate) fn tiles(&self) -> usize {
        self.columns.starts.len() * self.rows.starts.len()
    }
}

/// Runs the model over an image that has its pixel size. `progress` hears after every tile which fraction of them is done.
///
/// Memory: the map, and a tile on each thread of rayon's pool; for an integer network the map and the rows that are alive. Tiles are added in a fixed order, so that the number of threads does not
/// change a single bit.
///
/// # Errors
/// [`Error::Model`], [`Error::Interrupted`]; an image without pixels or too large is refused as when it is decoded.
pub fn predict(
    model: &Model,
    image: &RgbImage,
    rule: &TileRule,
    interrupt: &Interrupt,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<ProbabilityMap, Error> {
    check_size("the image", u64::from(image.width()), u64::from(image.height()))?;
    let plan = TilePlan::new(rule, image.width(), image.height());
    let mut map = ImageBuffer::new(image.width(), image.height());
    if model.program().is_some() {
        stream(model, image, &plan, &mut map, interrupt, progress)?;
        return Ok(ProbabilityMap(map));
    }
    let tiles: Vec<(usize, usize)> =
        (0..plan.rows.starts.len()).flat_map(|row| (0..plan.columns.starts.len()).map(move |column| (row, column))).collect();
    let run = |&(row, column): &(usize, usize)| {
        interrupt.check()?;
        let (x, y) = (plan.columns.starts[column], plan.rows.starts[row]);
        let pixels = crop(image, [x, y], [plan.columns.tile, plan.rows.tile]);
        model.probabilities(&pixels, plan.rows.tile, plan.columns.tile)
    };
    let mut done = 0;
    // A single tile stays on its thread: other images may be running on the others.
    for group in tiles.chunks(rayon::current_num_threads().max(1)) {
        let results: Vec<Vec<f32>> = match group {
            [tile] => vec![run(tile)?],
            _ => group.par_iter().map(run).collect::<Result<_, _>>()?,
        };
        for (&(row, column), tile) in group.iter().zip(&results) {
            add(&mut map, tile, |p| p, &plan, row, column);
            done += 1;
            progress(done as f64 / tiles.len() as f64);
        }
    }
    // Weights sum to 1 up to rounding; a probability must not pass 1 by it.
    map.iter_mut().for_each(|p| *p = p.min(1.0));
    Ok(ProbabilityMap(map))
}

/// Runs an integer network: its rows are spread over threads, and an image is cut only where it is wider than any camera's.
fn stream(
    model: &Model,
    image: &RgbImage,
    plan: &TilePlan,
    map: &mut ImageBuffer<Luma<f32>, Vec<f32>>,
    interrupt: &Interrupt,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), Error> {
    let size = [plan.rows.tile, plan.columns.tile].map(|side| side as usize);
    let mut bytes = vec![0; size[0] * size[1]];
    let tiles = plan.tiles() as f64;
    let mut done = 0.0;
    for row in 0..plan.rows.starts.len() {
        for column in 0..plan.columns.starts.len() {
            let origin = [plan.columns.starts[column], plan.rows.starts[row]].map(|start| start as usize);
            let window = Rgb { pixels: image.as_raw(), width: image.width() as usize, origin };
            let mut go_on = |share: f64| {
                progress((done + share) / tiles);
                !interrupt.is_set()
            };
            let through = Threads::with(|threads| model.probability_bytes(window, size, &mut bytes, threads, &mut go_on))?;
            if !through {
                return Err(Error::Interrupted);
            }
            add(map, &bytes, |byte| f32::from(byte) / 255.0, plan, row, column);
            done += 1.0;
        }
    }
    map.iter_mut().for_each(|p| *p = p.min(1.0));
    Ok(())
}

/// Probabilities as bytes, `round(255 p)`, of an image that is run in one pass.
///
/// # Errors
/// [`Error::Model`], [`Error::Interrupted`].
pub(crate) fn predict_bytes(model: &Model, image: &RgbImage, interrupt: &Interrupt) -> Result<Vec<u8>, Error> {
    interrupt.check()?;
    let step = model.metadata().alignment;
    let [width, height] = [image.width(), image.height()].map(|side| side.next_multiple_of(step));
    let whole = if model.program().is_some() {
        let mut bytes = vec![0; width as usize * height as usize];
        let window = Rgb { pixels: image.as_raw(), width: image.width() as usize, origin: [0, 0] };
        let mut go_on = |_| !interrupt.is_set();
        let size = [height as usize, width as usize];
        if !Threads::with(|threads| model.probability_bytes(window, size, &mut bytes, threads, &mut go_on))? {
            return Err(Error::Interrupted);
        }
        bytes
    } else {
        let probabilities = model.probabilities(&crop(image, [0, 0], [width, height]), height, width)?;
        probabilities.iter().map(|p| (255.0 * p).round() as u8).collect()
    };
    let rows = whole.chunks_exact(width as usize).take(image.height() as usize);
    Ok(rows.flat_map(|row| &row[..image.width() as usize]).copied().collect())
}

/// RGB bytes of a window; beyond the right and bottom borders the last pixel repeats.
fn crop(image: &RgbImage, [x, y]: [u32; 2], [width, height]: [u32; 2]) -> Vec<u8> {
    let stride = 3 * image.width() as usize;
    let rows = image.as_raw().chunks_exact(stride);
    let last_row = image.height() - 1;
    let rows: Vec<&[u8]> = rows.collect();
    let mut pixels = Vec::with_capacity(3 * width as usize * height as usize);
    for row in y..y + height {
        let row = rows[row.min(last_row) as usize];
        let inside = &row[3 * x as usize..row.len().min(3 * (x + width) as usize)];
        pixels.extend_from_slice(inside);
        let edge = [row[stride - 3], row[stride - 2], row[stride - 1]];
        let missing = width as usize - inside.len() / 3;
        pixels.extend(std::iter::repeat_n(edge, missing).flatten());
    }
    pixels
}

/// Adds a tile by its weights; `probability` reads one of its values.
fn add<T: Copy>(
    map: &mut ImageBuffer<Luma<f32>, Vec<f32>>,
    tile: &[T],
    probability: impl Fn(T) -> f32,
    plan: &TilePlan,
    row: usize,
    column: usize,
) {
    let (columns, rows) = (plan.columns.weights(column), plan.rows.weights(row));
    let (x, y) = (plan.columns.starts[column] as usize, plan.rows.starts[row] as usize);
    let width = map.width() as usize;
    let lines = map.chunks_exact_mut(width).skip(y).zip(tile.chunks_exact(plan.columns.tile as usize)).zip(&rows);
    for ((line, values), weight_y) in lines {
        for ((sum, &value), weight_x) in line[x..].iter_mut().zip(values).zip(&columns) {
            *sum += weight_x * weight_y * probability(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_window_repeats_the_last_pixel_beyond_the_border() {
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, y as u8, 9]));
        let pixels = crop(&image, [2, 1], [2, 2]);
        assert_eq!(pixels, [[2, 1, 9]; 4].concat());
        assert_eq!(crop(&image, [0, 0], [2, 1]), [0, 0, 9, 1, 0, 9]);
    }
}
