//! Reports as one HTML file each: no script, nothing fetched, so that they can be mailed, archived and printed.
//!
//! ```text
//! run_report    one training run: settings, curves, calibration, overlays ─┐
//! page, parts   tables and figures of whatever else is to be shown ────────┴─► html_page
//! ```

mod page;
mod parts;
mod plot;
mod run_report;

pub use page::html_page;
pub use parts::{pairs_html, png_figure, svg_figure, table_html, warnings_html};
pub use plot::{LabelCurve, Series, calibration_plot, curve_plot, label_plots, loss_plot};
pub use run_report::{Overlay, RunReport, run_report};
