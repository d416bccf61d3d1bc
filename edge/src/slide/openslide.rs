//! Slides that OpenSlide's C library reads and Rust alone does not: NDPI, MRXS, Philips, Ventana and others.

use super::{Level, Slide, Tiles, pixel_size, stated};
use crate::field::PixelSizeSource;
use openslide_rs::{Address, OpenSlide, Region, Size};
use std::path::Path;

/// Levels are read in squares of this side.
const TILE: u32 = 512;

/// OpenSlide 3.4 keeps so much of a slide decoded.
const CACHE_BYTES: u64 = 32 << 20;

struct OpenSlideTiles {
    slide: OpenSlide,
    levels: u32,
    tiles: u64,
}

/// Opens a slide; `None` where OpenSlide does not know the format.
///
/// # Errors
/// OpenSlide's words.
pub(super) fn open(path: &Path) -> Result<Option<Slide>, String> {
    if OpenSlide::detect_vendor(path).is_err() {
        return Ok(None);
    }
    let said = |error: openslide_rs::errors::OpenSlideError| format!("OpenSlide: {}", crate::error::one_line(&error));
    let slide = OpenSlide::new(path).map_err(said)?;
    let levels: Vec<Level> = slide.all_level_dimensions().iter().map(|size| Level { size: [size.w, size.h], tile: [TILE; 2] }).collect();
    if levels.is_empty() || levels.iter().any(|level| level.size.contains(&0)) {
        return Err("OpenSlide: a slide without pixels".to_owned());
    }
    let um = |name: &str| slide.property_value(name).ok()?.parse::<f64>().ok().filter(|um| *um > 0.0);
    let sides = um("openslide.mpp-x").zip(um("openslide.mpp-y"));
    let size = sides.map(|(x, y)| pixel_size::square([x, y])).transpose()?;
    let tiles = levels.iter().map(|level| level.size.map(|side| u64::from(side.div_ceil(TILE))).iter().product::<u64>()).sum();
    let pixel_size = size.map(|um| stated(um, PixelSizeSource::OpenSlide));
    let tiles = OpenSlideTiles { slide, levels: levels.len() as u32, tiles };
    Ok(Some(Slide { kind: "slide (OpenSlide)", files: vec![path.to_owned()], levels, pixel_size, dicom: None, tiles: Box::new(tiles) }))
}

impl Tiles for OpenSlideTiles {
    fn tile(&self, level: usize, column: u32, row: u32) -> Result<Option<Vec<u8>>, String> {
        let said = |error: openslide_rs::errors::OpenSlideError| format!("OpenSlide: {}", crate::error::one_line(&error));
        let level = level as u32;
        if level >= self.levels {
            return Err(format!("OpenSlide: no level {level}"));
        }
        let downsample = self.slide.level_downsample(level).map_err(said)?;
        // Places are counted in pixels of the finest level.
        let place = |index: u32| (f64::from(index) * f64::from(TILE) * downsample).round() as u32;
        let address = Address { x: place(column), y: place(row) };
        let pixels = self.slide.read_region(&Region { address, level, size: Size { w: TILE, h: TILE } }).map_err(said)?;
        // Blue, green, red, alpha, multiplied by alpha already; what is transparent is glass.
        let words = pixels.as_chunks::<4>().0.iter().map(|bytes| u32::from_ne_bytes(*bytes));
        let rgb = words.flat_map(|word| {
            let [alpha, r, g, b] = word.to_be_bytes();
            [r, g, b].map(|level| level.saturating_add(255 - alpha))
        });
        Ok(Some(rgb.collect()))
    }

    fn resident_bytes(&self) -> u64 {
        // Its own tables of tiles are of the order of some dozens of bytes a tile.
        CACHE_BYTES + 256 * self.tiles
    }
}
