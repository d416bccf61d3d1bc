//! Curves as inline SVG. Values that are not finite are left out; a plot of which nothing is left is `None`.

mod calibration;
mod chart;
mod curves;
mod points;

pub use calibration::calibration_plot;
pub use curves::{LabelCurve, Series, curve_plot, label_plots, loss_plot};
