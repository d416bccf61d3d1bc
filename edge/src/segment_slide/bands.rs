//! A slide is run in bands of rows, a band in tiles.
//!
//! A tile is seen with a margin of the network's context on every side that is not the slide's own, and its corners lie on the network's pooling
//! grid; so there is nothing to blend: every pixel is what one pass over the whole slide would have given.

use super::partial::{BandNote, Partial};
use crate::error::Error;
use crate::predict::predict_bytes;
use crate::segment::Segmenter;
use crate::slide::{Grid, Tissue};
use crate::training_distance::TrainingDistance;
use image::imageops;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::ops::Range;

/// How a grid is cut. All lengths but the grid's own are multiples of the model's alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bands {
    size: [u32; 2],
    /// Side of what is kept of a tile.
    core: u32,
    /// What is seen around it.
    margin: u32,
    alignment: u32,
}

/// What is kept of a tile, and what is seen for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tile {
    origin: [u32; 2],
    size: [u32; 2],
    seen_origin: [u32; 2],
    seen_size: [u32; 2],
}

/// A tile's result.
struct Made {
    tile: Tile,
    /// Of what is kept, row by row.
    probability: Vec<u8>,
    distance: Option<TrainingDistance>,
}

impl Bands {
    /// # Errors
    /// [`Error::TileTooSmall`] for a tile that is nothing but margin.
    pub(super) fn new(size: [u32; 2], tile: u32, alignment: u32, context_px: u32) -> Result<Self, Error> {
        let margin = context_px.next_multiple_of(alignment);
        let core = (tile / alignment * alignment).saturating_sub(2 * margin);
        if core < alignment {
            return Err(Error::TileTooSmall { tile, min: 2 * margin + alignment });
        }
        Ok(Self { size, core, margin, alignment })
    }

    /// Longest side that is run in one pass.
    pub(super) fn tile(&self) -> u32 {
        self.core + 2 * self.margin
    }

    /// Width and height of the grid.
    pub(super) fn size(&self) -> [u32; 2] {
        self.size
    }

    /// How many bands there are.
    pub(super) fn count(&self) -> u32 {
        self.size[1].div_ceil(self.core)
    }

    /// The rows of a band.
    pub(super) fn rows(&self, band: u32) -> Range<u32> {
        band * self.core..((band + 1) * self.core).min(self.size[1])
    }

    /// Width and height of the largest window that is seen.
    pub(super) fn largest(&self) -> [u32; 2] {
        self.size.map(|side| side.next_multiple_of(self.alignment).min(self.tile()))
    }

    /// Of a band, from left to right.
    fn tiles(&self, band: u32) -> impl Iterator<Item = Tile> + '_ {
        (0..self.size[0].div_ceil(self.core)).map(move |column| {
            let origin = [column * self.core, band * self.core];
            let size = std::array::from_fn(|axis| self.core.min(self.size[axis] - origin[axis]));
            // At the slide's borders the window is moved inwards rather than made smaller: windows of one size share their memory.
            let seen_origin = std::array::from_fn(|axis| {
                let last = self.size[axis].next_multiple_of(self.alignment) - self.largest()[axis];
                origin[axis].saturating_sub(self.margin).min(last)
            });
            let seen_size = std::array::from_fn(|axis| self.largest()[axis].min(self.size[axis] - seen_origin[axis]));
            Tile { origin, size, seen_origin, seen_size }
        })
    }

    /// Runs the bands that are missing, and says how many were there.
    ///
    /// # Errors
    /// [`Error::Slide`], [`Error::Model`], [`Error::Write`], [`Error::Interrupted`]; finished bands stay.
    pub(super) fn run(
        &self,
        segmenter: &Segmenter,
        grid: &Grid<'_>,
        tissue: &Tissue,
        partial: &Partial,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<u32, Error> {
        let with_tissue = |band: u32| self.tiles(band).filter(|tile| tissue.any(tile.origin, tile.size));
        let total = (0..self.count()).map(|band| with_tissue(band).count()).sum::<usize>().max(1);
        let (mut done, mut kept) = (0, 0);
        for band in 0..self.count() {
            let tiles: Vec<Tile> = with_tissue(band).collect();
            let rows = self.rows(band).len() as u32;
            if partial.has(band, [self.size[0], rows]) {
                kept += 1;
            } else {
                let mut probability = vec![0; self.size[0] as usize * rows as usize];
                let mut note = BandNote::default();
                let at_once = rayon::current_num_threads().max(1);
                for (number, group) in tiles.chunks(at_once).enumerate() {
                    let run = |tile: &Tile| self.made(segmenter, grid, *tile);
                    // A single tile stays on this thread, and its rows are spread over all.
                    let made: Vec<Made> = match group {
                        [tile] => vec![run(tile)?],
                        _ => group.par_iter().map(run).collect::<Result<_, _>>()?,
                    };
                    for Made { tile, probability: part, distance } in &made {
                        let width = tile.size[0] as usize;
                        for (y, row) in part.chunks_exact(width).enumerate() {
                            let at = y * self.size[0] as usize + tile.origin[0] as usize;
                            probability[at..at + width].copy_from_slice(row);
                        }
                        distance.iter().for_each(|distance| note.add(distance));
                    }
                    progress((done + number * at_once + group.len()) as f64 / total as f64);
                }
                partial.write(band, &probability, [self.size[0], rows], &note)?;
            }
            done += tiles.len();
            progress(done as f64 / total as f64);
        }
        Ok(kept)
    }

    fn made(&self, segmenter: &Segmenter, grid: &Grid<'_>, tile: Tile) -> Result<Made, Error> {
        segmenter.interrupt().check()?;
        let image = grid.region(tile.seen_origin, tile.seen_size)?;
        let seen = predict_bytes(segmenter.model(), &image, segmenter.interrupt())?;
        let [x, y] = std::array::from_fn(|axis| tile.origin[axis] - tile.seen_origin[axis]);
        let [width, height] = tile.size;
        let rows = seen.chunks_exact(tile.seen_size[0] as usize).skip(y as usize).take(height as usize);
        let probability: Vec<u8> = rows.flat_map(|row| &row[x as usize..(x + width) as usize]).copied().collect();
        let distance = match &segmenter.model().metadata().reference {
            Some(known) => {
                let own = imageops::crop_imm(&image, x, y, width, height).to_image();
                Some(TrainingDistance::of(known.reference(), own.as_raw(), &probability, width, height)?)
            }
            None => None,
        };
        Ok(Made { tile, probability, distance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept covers the grid once; a margin of the context is seen around it, or the grid's border; windows of a slide have one size.
    #[test]
    fn tiles_cover_the_grid_with_their_margin() {
        for size in [[1, 1], [100, 37], [1169, 2600], [3000, 1280]] {
            let bands = Bands::new(size, 320, 8, 51).unwrap();
            assert_eq!(bands.tile(), 320);
            let mut covered = vec![0_u8; size[0] as usize * size[1] as usize];
            for tile in (0..bands.count()).flat_map(|band| bands.tiles(band).collect::<Vec<_>>()) {
                for axis in [0, 1] {
                    let (from, to) = (tile.origin[axis], tile.origin[axis] + tile.size[axis]);
                    let (seen_from, seen_to) = (tile.seen_origin[axis], tile.seen_origin[axis] + tile.seen_size[axis]);
                    assert!(seen_from % 8 == 0 && (seen_from == 0 || from >= seen_from + 51), "{tile:?}");
                    assert!(seen_to == size[axis] || to + 51 <= seen_to, "{tile:?}");
                    assert_eq!(tile.seen_size[axis].next_multiple_of(8), bands.largest()[axis], "{tile:?}");
                }
                for y in tile.origin[1]..tile.origin[1] + tile.size[1] {
                    let at = y as usize * size[0] as usize + tile.origin[0] as usize;
                    covered[at..at + tile.size[0] as usize].iter_mut().for_each(|count| *count += 1);
                }
            }
            assert!(covered.iter().all(|&count| count == 1), "{size:?}");
        }
        assert!(matches!(Bands::new([9, 9], 119, 8, 51), Err(Error::TileTooSmall { min: 120, .. })));
    }
}
