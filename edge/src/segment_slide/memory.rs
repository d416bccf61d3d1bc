//! How much memory a slide takes at most, before anything of it is read.

use super::assemble::OVERVIEW_PX;
use super::bands::Bands;
use crate::error::Error;
use crate::model::Model;
use crate::output::{MOST_RUNS, dicom_seg_bytes, pyramid_bytes};
use crate::slide::{Grid, Slide, Tissue};

/// The program itself: its code, the model and its tables, threads' stacks, buffers of files.
const PROGRAM_BYTES: u64 = 96 << 20;

/// Of a run of a mask's pixels: itself, its sums and number, and the four corners that it adds to an outline, in a list that may have grown to
/// twice its length and in the table that finds corners a second time.
const RUN_BYTES: u64 = 250;

/// Most bytes of memory that the process takes, whatever the slide shows.
///
/// # Errors
/// [`Error::Model`] for a tile that the model cannot take.
pub(super) fn most_bytes(model: &Model, slide: &Slide, grid: &Grid<'_>, bands: &Bands) -> Result<u64, Error> {
    let threads = rayon::current_num_threads().max(1) as u64;
    let pixels = |size: [u32; 2]| size.into_iter().map(u64::from).product::<u64>();
    let [width, height] = bands.largest();
    let band = pixels([bands.size()[0], bands.rows(0).len() as u32]);
    // A window's pixels, the network, its probabilities (as floats in a float network), and what the training distance is measured on.
    let window = grid.region_bytes([width, height]) + model.image_bytes([height as usize, width as usize])? + 20 * pixels([width, height]);
    // A band, and its picture before and after compression.
    let running = threads * window + 3 * band;
    // A bit for the mask and one for the outlines' search; a band as it is read, cut and written; a small picture of the whole.
    let outlines = RUN_BYTES * MOST_RUNS.min(pixels(grid.size) / 2 + 1);
    let overview = 24 * u64::from(OVERVIEW_PX) * u64::from(OVERVIEW_PX).min(pixels(grid.size));
    let dicom = if slide.dicom.is_some() { dicom_seg_bytes(grid.size) } else { 0 };
    let assembling = pixels(grid.size) / 4 + dicom + 4 * band + pyramid_bytes(grid.size) + outlines + overview;
    // What the first of these leaves with the allocator is not always taken up by the second.
    Ok(PROGRAM_BYTES + slide.resident_bytes() + Tissue::bytes(slide, grid, threads)? + running + assembling)
}
