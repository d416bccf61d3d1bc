//! Several systems on the same test images: how good is each, how certain is that, and is one really better than another?
//!
//! ```text
//! counts ─► compare (bootstrap over images, interval) ─► table, export
//! pixels by class      mean, sd, 95 % interval,            Markdown, HTML, CSV, JSON
//! per image and seed   paired differences, gap closed
//! ```
//!
//! Two sources of chance are kept apart. The *standard deviation over seeds* says how much training itself scatters. The *bootstrap interval over
//! images* says how much the figure depends on which images happened to be in the test set; every system is resampled with the same images, so that
//! differences are paired. Images are taken as independent: several images of one slide are not, and make the interval too narrow.

mod bootstrap;
mod compare;
mod counts;
mod export;
mod interval;
mod table;

pub use bootstrap::Bootstrap;
pub use compare::{Comparison, Difference, Estimate, GapClosed, Roles, SeedScores, SystemSummary, compare};
pub use counts::{ImageCounts, SeedCounts, SystemCounts};
pub use export::{differences_csv, json, results_csv};
pub use interval::Interval;
pub(crate) use interval::quantile;
pub use table::{Calibration, LabelCalibration, Table, calibration_table, differences_table, gap_table, results_table};
