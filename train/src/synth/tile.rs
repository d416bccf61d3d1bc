//! One tile of an image: ground, structures, nuclei, then light. A tile depends on its place alone, so tiles can be drawn in any
//! order and on any number of threads.

use super::canvas::Canvas;
use super::cell::Population;
use super::field::{Architecture, GroundGrid};
use super::ground::Territory;
use super::noise::{fbm, noise};
use super::optics::{self, Light};
use super::slide::Slide;
use super::structure::Structure;

/// What is the same for all tiles of an image.
pub(super) struct Scene<'a> {
    pub(super) slide: &'a Slide,
    pub(super) architecture: &'a Architecture<'a>,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    pub(super) um_per_px: f32,
}

/// A finished tile of the image.
pub(super) struct Tile {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) rgb: Vec<[u8; 3]>,
    pub(super) cancer: Vec<bool>,
}

/// Side of a tile in pixels of the canvas.
const TILE: u32 = 256;
/// The coarsest canvas pixel in um: nuclei keep their shapes.
const COARSEST_UM: f32 = 1.45;
/// How far in um a nucleus outside a tile reaches into it.
const CELL_MARGIN_UM: f32 = 24.0;

impl Scene<'_> {
    /// Canvas pixels per image pixel along each axis.
    fn factor(&self) -> u32 {
        (libm::ceilf(self.um_per_px / COARSEST_UM) as u32).max(1)
    }

    /// Top left corners of all tiles.
    pub(super) fn corners(&self) -> Vec<(u32, u32)> {
        let side = self.side();
        (0..self.height_px.div_ceil(side)).flat_map(|j| (0..self.width_px.div_ceil(side)).map(move |i| (i * side, j * side))).collect()
    }

    fn side(&self) -> u32 {
        (TILE / self.factor()).max(32)
    }

    /// Draws the tile whose top left pixel is (x, y).
    pub(super) fn tile(&self, (x, y): (u32, u32)) -> Tile {
        let (width, height) = (self.side().min(self.width_px - x), self.side().min(self.height_px - y));
        let factor = self.factor();
        let pitch = self.um_per_px / factor as f32;
        let border = optics::blur_reach(&self.slide.stain, pitch) as u32;
        let first = ((x * factor) as i32 - border as i32, (y * factor) as i32 - border as i32);
        let extent = |length: u32| (length * factor + 2 * border) as usize;
        let mut canvas = Canvas::new(first, extent(width), extent(height), pitch);
        self.draw(&mut canvas);
        let light = Light::through(&canvas, &self.slide.stain);
        let mut tile = Tile { x, y, width, rgb: Vec::new(), cancer: Vec::new() };
        for row in 0..height {
            for column in 0..width {
                let (left, top) = ((column * factor + border) as usize, (row * factor + border) as usize);
                let place = (x + column, y + row);
                let relative = |at: u32, length: u32| (2 * at + 1) as f32 / length as f32 - 1.0;
                let position = (relative(place.0, self.width_px), relative(place.1, self.height_px));
                let mean = light.mean(left, top, factor as usize);
                tile.rgb.push(optics::expose(&self.slide.stain, self.slide.key ^ 0x81, mean, place, position));
                tile.cancer.push(mostly_cancer(&canvas, left, top, factor as usize));
            }
        }
        tile
    }

    fn draw(&self, canvas: &mut Canvas) {
        let slide = self.slide;
        let (low, high) = canvas.bounds(CELL_MARGIN_UM);
        let grid = GroundGrid::new(self.architecture, low, high);
        let structures = Structure::gather(slide, self.architecture, low, high);
        let population = Population { slide, grid: &grid, structures: &structures };
        let tumour = population.tumour(low, high);
        let fat = population.fat(low, high);
        Territory { slide, grid: &grid, tumour: &tumour, fat: &fat, pitch_um: canvas.pitch_um }.paint(canvas);
        for structure in &structures {
            structure.paint(canvas, slide);
        }
        for nucleus in population.stromal(low, high, &tumour) {
            nucleus.draw(canvas);
        }
        for nucleus in structures.iter().flat_map(Structure::nuclei) {
            nucleus.draw(canvas);
        }
        for site in tumour.sites.iter().filter(|site| site.taken && grid.at(site.x, site.y).necrosis < 0.0) {
            population.tumour_nucleus(site).draw(canvas);
        }
        for nucleus in population.lymphoid(low, high, &tumour, &fat) {
            nucleus.draw(canvas);
        }
        self.thicken(canvas);
    }

    /// Sections are not equally thick everywhere.
    fn thicken(&self, canvas: &mut Canvas) {
        let (key, strength) = (self.slide.key, self.slide.thickness);
        let (first, width, pitch) = (canvas.first, canvas.width, canvas.pitch_um);
        for (n, pixel) in canvas.pixels.iter_mut().enumerate() {
            let x = ((n % width) as i32 + first.0) as f32 * pitch;
            let y = ((n / width) as i32 + first.1) as f32 * pitch;
            let thickness = 1.0 + strength * fbm(key ^ 0x91, x / 150.0, y / 150.0, 2) + 0.04 * noise(key ^ 0x92, x / 3.0, y / 3.0);
            pixel.stain.haematoxylin *= thickness;
            pixel.stain.eosin *= thickness;
            pixel.stain.erythrocyte *= thickness;
        }
    }
}

/// Whether at least half of the canvas pixels under an image pixel are cancer.
fn mostly_cancer(canvas: &Canvas, left: usize, top: usize, factor: usize) -> bool {
    let count: usize = (top..top + factor)
        .map(|row| canvas.pixels[row * canvas.width + left..row * canvas.width + left + factor].iter().filter(|p| p.cancer).count())
        .sum();
    2 * count >= factor * factor
}
