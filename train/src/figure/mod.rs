//! Figures of masks on tissue, as PNG and as SVG: boundaries (the paper's Figure 4), a grid of masks (its Figure 3), overlays for
//! reports; and of curves.
//!
//! ```text
//! images, masks ─► boundary, mask_grid ─► scene ─► canvas (PNG)
//!                  what stands where                svg (SVG text)
//! ```
//!
//! Both outputs come from one list of drawn things, so they cannot show different masks. Masks are images of which 0 is "not cancer".

mod boundary;
mod canvas;
mod lines;
mod mask_grid;
mod outline;
mod overlay;
mod scale_bar;
mod scene;
mod svg;

pub use boundary::{BoundaryOptions, BoundaryPanel, Contour, boundary_figure};
pub use lines::{LineFigure, LineSeries, line_figure};
pub use mask_grid::{GridOptions, GridRow, MaskStyle, mask_grid};
pub use outline::{Outline, outlines, path_data};
pub use overlay::{overlay, png};
pub use scene::Scene;
