//! Command-line types of `lsr-edge scan`.

use crate::cli::Network;
use crate::stage_args::Grid;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Controller: serial device (`/dev/ttyACM0`, `/dev/ttyUSB0@230400`), `tcp:HOST:PORT` or `unix:PATH`
    #[arg(short, long, value_name = "P", default_value = "/dev/ttyACM0")]
    pub(crate) port: String,
    /// Folder into which the camera's program writes a new image file for each trigger pulse
    #[arg(long, value_name = "FOLDER")]
    pub(crate) frames: PathBuf,
    /// Folder for the results; made if missing
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) grid: Grid,
    /// Light: channel and percent of full; it must be the camera's, and the only one
    #[arg(long, num_args = 2, value_names = ["N", "PERCENT"], required = true)]
    pub(crate) light: Vec<f64>,
    /// Pixel size of the frames in micrometres
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: f64,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Low-resolution class z of all fields: the controller holds each against its prior
    #[arg(long, value_name = "Z", conflicts_with = "labels")]
    pub(crate) label: Option<u8>,
    /// The same by field: lines `FIELD,LABEL` below the line `field,label`; field = row * columns + column
    #[arg(long, value_name = "CSV")]
    pub(crate) labels: Option<PathBuf>,
    /// Pictures of each field that are written
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', default_values = ["mask", "probability"])]
    pub(crate) pictures: Vec<Picture>,
    /// Home the stage where it is not homed: at the beginning, and after a reset of the controller
    #[arg(long)]
    pub(crate) home: bool,
    /// Go on with the scan in --output
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
    /// Print JSON, one object a field
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    Mask,
    Probability,
    Overlay,
}

pub(crate) const SCAN_HELP: &str = "\
The controller moves, lets the stage rest and triggers; the camera's program must write each frame as a PNG, JPEG or TIFF file of its own into
--frames, in the order of the pulses. Files that were there before are left alone. A file may be written in place (PNG, JPEG) or under a hidden name
or one in .tmp or .part and renamed. Before the first field, after the last and after each doubt there is a pulse without light: its dark frame
says that all earlier ones have come. A field whose frame is missing, doubled or dark is visited again.

For each field it writes rROW-cCOLUMN.mask.png and so on, then a line of fields.jsonl; scan.json comes first, summary.json last. After an
interruption, a fault or a crash the same command with --resume goes on with the fields that are missing. A latched fault is never acknowledged
by itself: `lsr-edge stage acknowledge` does.

Exit code: 0 all fields, 1 some or all failed, 2 wrong usage, 130 interrupted.";
