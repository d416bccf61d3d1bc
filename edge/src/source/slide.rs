//! A whole slide as a virtual microscope: fields in a snake over its tissue.

use super::{Frame, Next, Pace, Picture, Position, Source};
use crate::error::Error;
use crate::field::{PixelSize, PixelSizeSource, check_size};
use crate::input::name_of;
use crate::slide::{Grid, Slide, Tissue, TissueChoice};
use std::path::Path;
use std::time::Duration;

/// How a slide is looked at.
#[derive(Debug, Clone)]
pub struct Look {
    /// Pixel size of the fields.
    pub um_per_px: f64,
    /// Side of a field in pixels.
    pub side_px: u32,
    /// Pixel size of the slide, whatever it states.
    pub slide_um_per_px: Option<f64>,
    /// Pixel size of the slide, where it states none.
    pub slide_um_per_px_if_missing: Option<f64>,
    /// What is looked at.
    pub tissue: TissueChoice,
    /// Fields a second; none for as fast as they are asked for.
    pub rate: Option<f64>,
}

/// Square fields of a slide that have tissue, row by row, every other row from right to left.
pub struct VirtualMicroscope {
    slide: Slide,
    name: String,
    finest: f64,
    um_per_px: f64,
    side: u32,
    /// Upper left corners.
    origins: Vec<[u32; 2]>,
    next: usize,
    pace: Option<Pace>,
}

impl VirtualMicroscope {
    /// Opens a slide and looks for its tissue.
    ///
    /// # Errors
    /// [`Error::Slide`], [`Error::NoPixelSize`], [`Error::Read`]; [`Error::TooLarge`] for fields of too many pixels, [`Error::Flag`] for a rate
    /// outside (0, 1000]; [`Error::Source`] where there is no tissue.
    pub fn open(path: &Path, look: &Look) -> Result<Self, Error> {
        let side = look.side_px;
        check_size("a field", side.into(), side.into())?;
        let pace = look.rate.map(Pace::new).transpose()?;
        let slide = Slide::open(path)?.ok_or_else(|| Error::Slide { reason: format!("{}: no pyramid of tiles", path.display()) })?;
        let finest = slide.pixel_size_or(look.slide_um_per_px, look.slide_um_per_px_if_missing)?.um_per_px;
        let grid = Grid::new(&slide, finest, look.um_per_px)?;
        let tissue = Tissue::find(&slide, &grid, &look.tissue)?;
        let mut origins = Vec::new();
        for (row, y) in (0..grid.size[1]).step_by(side as usize).enumerate() {
            let has_tissue = |x: &u32| tissue.any([*x, y], [side.min(grid.size[0] - x), side.min(grid.size[1] - y)]);
            let mut columns: Vec<u32> = (0..grid.size[0]).step_by(side as usize).filter(has_tissue).collect();
            if row % 2 == 1 {
                columns.reverse();
            }
            origins.extend(columns.into_iter().map(|x| [x, y]));
        }
        if origins.is_empty() {
            let reason = "no tissue was found on it; --tissue none looks at everything".to_owned();
            return Err(Error::Source { source_name: path.display().to_string(), reason });
        }
        let (name, um_per_px) = (name_of(path), look.um_per_px);
        Ok(Self { name, finest, um_per_px, side, origins, next: 0, pace, slide })
    }

    /// Fields that have tissue.
    pub fn fields(&self) -> usize {
        self.origins.len()
    }
}

impl Source for VirtualMicroscope {
    fn next(&mut self, patience: Duration) -> Result<Next, Error> {
        let Some(&[x, y]) = self.origins.get(self.next) else { return Ok(Next::End) };
        if self.pace.as_mut().is_some_and(|pace| pace.next(patience).is_none()) {
            return Ok(Next::Nothing);
        }
        self.next += 1;
        let grid = Grid::new(&self.slide, self.finest, self.um_per_px)?;
        let image = grid.region([x, y], [self.side; 2])?;
        let (row, column) = (y / self.side, x / self.side);
        let mut frame = Frame::now(format!("{}-r{row:03}-c{column:03}", self.name), Picture::Pixels(image));
        let centre = |corner: u32| (f64::from(corner) + f64::from(self.side) / 2.0) * self.um_per_px;
        frame.position = Some(Position { x_um: centre(x), y_um: centre(y) });
        let source = PixelSizeSource::VirtualMicroscope;
        frame.pixel_size = Some(PixelSize { um_per_px: self.um_per_px, source });
        Ok(Next::Frame(frame))
    }

    fn is_live(&self) -> bool {
        self.pace.is_some()
    }
}
