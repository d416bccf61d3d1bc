//! Command-line types of `lsr-edge scan`.

use crate::cli::Network;
use crate::keep_args::Keep;
use crate::label_args::{Alarm, Prior};
use crate::stage_args::Grid;
use clap::{Args, ValueEnum};
use lsr_edge::source::SourceChoice;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Controller: serial device (`/dev/ttyACM0`, `/dev/ttyUSB0@230400`), `tcp:HOST:PORT` or `unix:PATH`
    #[arg(short, long, value_name = "PORT", default_value = "/dev/ttyACM0")]
    pub(crate) stage: String,
    /// Where the camera's frames come from: `watch:FOLDER`, `camera:PIPELINE` or `rgb:WIDTHxHEIGHT` (see below)
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: SourceChoice,
    /// Folder of the store in which the scan is kept as a session; made if missing
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) grid: Grid,
    /// Light: channel and percent of full; it must be the camera's, and the only one [default: the plan's]
    #[arg(long, num_args = 2, value_names = ["N", "PERCENT"])]
    pub(crate) light: Option<Vec<f64>>,
    /// Pixel size of the frames in micrometres [default: the plan's]
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: Option<f64>,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Low-resolution class z of all fields: each is held against its prior [default: the plan's]
    #[arg(long, value_name = "Z", conflicts_with = "labels")]
    pub(crate) label: Option<u8>,
    /// The same by field: lines `FIELD,LABEL` below the line `field,label`; field = row * columns + column
    #[arg(long, value_name = "CSV")]
    pub(crate) labels: Option<PathBuf>,
    /// Who holds fields against the prior: the controller, by the prior that it was built with, or this program, by --prior
    #[arg(long, value_name = "WHO", default_value = "controller")]
    pub(crate) monitor: Monitor,
    #[command(flatten)]
    pub(crate) prior: Prior,
    #[command(flatten)]
    pub(crate) alarm: Alarm,
    /// Look once more at a field whose count lies more than so many standard deviations from its label's, and keep what is found then
    #[arg(long, value_name = "Z")]
    pub(crate) repeat_beyond: Option<f64>,
    /// Pictures that are kept of each field; `none` for the numbers alone
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', default_values = ["mask", "probability"])]
    pub(crate) keep: Vec<Keep>,
    /// Home the stage where it is not homed: at the beginning, and after a reset of the controller
    #[arg(long)]
    pub(crate) home: bool,
    /// Go on with the last scan in the store
    #[arg(long)]
    pub(crate) resume: bool,
    /// Seconds that a frame may take after its pulse
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub(crate) frame_timeout: f64,
    /// How often a field is visited again whose frame is missing or doubtful
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) repeats: u32,
    /// Seconds to wait for the controller, at the beginning and when the line is lost
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    pub(crate) connect_timeout: f64,
    /// Name of this device in the store [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Print each field that is kept as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Monitor {
    Controller,
    Host,
}

pub(crate) const SCAN_HELP: &str = "\
The controller moves, lets the stage rest and triggers; the camera takes one picture at each pulse:
  watch:FOLDER       its program writes each frame as a PNG, JPEG or TIFF file of its own, in the order of the pulses. Files that were there before are
                     left alone. A file may be written in place (PNG, JPEG) or under a hidden name or one in .tmp or .part and renamed
  camera:PIPELINE    a camera in trigger mode through GStreamer (needs the feature camera)
  rgb:WIDTHxHEIGHT   raw RGB bytes on standard input
Before the first field, after the last and after each doubt there is a pulse without light: its dark frame says that all earlier ones have come. A
field whose frame is missing, doubled, too early or dark is visited again, so no frame is ever taken for another field's.

A plan in TOML; what is not said has the value of its flag:
  um_per_px = 0.5                 [grid]             [pulse]             [light]
  label = 9                       x_um = 1000        width_us = 1000     channel = 0
  # or: labels = \"fields.csv\"      y_um = 1000        before_us = 0       percent = 40
  settle_ms = 50                  z_um = 50          after_us = 20000
                                  columns = 10
                                  rows = 10
                                  pitch_x_um = 400
                                  pitch_y_um = 300
                                  order = \"snake\"    # or \"raster\"
Of a useq-schema sequence, one grid_plan at one of the stage_positions is scanned, with fov_width and fov_height; what cannot be done is refused.

Fields are kept one by one in DIR/session.sqlite, with place, pulse and pictures: `lsr-edge session` lists, exports and merges them. After an
interruption, a fault or a crash the same command with --resume goes on with the fields that are missing. A latched fault is never acknowledged
by itself: `lsr-edge stage acknowledge` does.

Exit code: 0 all fields, 1 some or all failed, 2 wrong usage, 130 interrupted.";
