//! Command-line types of `lsr-edge stage`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Stage {
    /// Serial device (`/dev/ttyACM0`, `/dev/ttyUSB0@115200`), `tcp:HOST:PORT` or `unix:PATH`
    #[arg(short, long, value_name = "P", global = true, default_value = "/dev/ttyACM0")]
    pub(crate) port: String,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Seconds to wait for the controller, at the beginning and when the line is lost
    #[arg(long, value_name = "S", global = true, default_value_t = 5.0)]
    pub(crate) connect_timeout: f64,
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Say where everything stands
    Status,
    /// Show position, faults and events until Ctrl-C
    Watch {
        /// Seconds between two looks
        #[arg(long, value_name = "S", default_value_t = 0.2)]
        every: f64,
        /// End after so many seconds
        #[arg(long, value_name = "S")]
        seconds: Option<f64>,
    },
    /// Find the limit switches; needed once after every start of the controller
    Home {
        /// Axes, of x, y and z
        #[arg(default_value = "xyz")]
        axes: String,
        /// Longest time, seconds
        #[arg(long, value_name = "S", default_value_t = 120.0)]
        timeout: f64,
    },
    /// Move to a position, in um; axes that are not given stay
    Move {
        /// x, um
        #[arg(long, value_name = "UM", allow_negative_numbers = true)]
        x: Option<f64>,
        /// y, um
        #[arg(long, value_name = "UM", allow_negative_numbers = true)]
        y: Option<f64>,
        /// z, um
        #[arg(long, value_name = "UM", allow_negative_numbers = true)]
        z: Option<f64>,
        /// By this way instead of to this position
        #[arg(long)]
        by: bool,
        /// Longest time, seconds
        #[arg(long, value_name = "S", default_value_t = 120.0)]
        timeout: f64,
    },
    /// End motion by its ramp
    Stop,
    /// End everything at once and latch a fault
    EmergencyStop,
    /// Say that the fault has been seen; the stage may move again
    Acknowledge,
    /// Light until Ctrl-C
    Light {
        /// Channel, from 0 on
        #[arg(long, value_name = "N", default_value_t = 0)]
        channel: u8,
        /// Percent of full
        percent: f64,
        /// Time to the new level, ms
        #[arg(long, value_name = "MS", default_value_t = 0)]
        ramp_ms: u16,
        /// End after so many seconds
        #[arg(long, value_name = "S")]
        seconds: Option<f64>,
    },
    /// One pulse for the camera
    Trigger(Pulse),
    /// Visit a grid of fields
    Scan(Scan),
    /// Hold fields against the prior on the controller
    Monitor {
        /// What to do.
        #[command(subcommand)]
        action: Monitor,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Pulse {
    /// Width of the pulse, us
    #[arg(long, value_name = "US", default_value_t = 1_000)]
    pub(crate) width_us: u32,
    /// Rest before it, us
    #[arg(long, value_name = "US", default_value_t = 0)]
    pub(crate) before_us: u32,
    /// Rest after it, us: exposure and read-out
    #[arg(long, value_name = "US", default_value_t = 20_000)]
    pub(crate) after_us: u32,
}

/// A grid of fields, and how the camera is triggered in each.
#[derive(Debug, Args)]
pub(crate) struct Grid {
    /// What is scanned: a `.toml` plan (see `lsr-edge scan --help`), or a useq-schema sequence (`.yaml`, `.json`) of one grid; instead of the flags below
    #[arg(long, value_name = "FILE", conflicts_with_all = GRID_FLAGS)]
    pub(crate) plan: Option<PathBuf>,
    /// x of the first field, um
    #[arg(long, value_name = "UM", allow_negative_numbers = true, required_unless_present = "plan")]
    pub(crate) x: Option<f64>,
    /// y of the first field, um
    #[arg(long, value_name = "UM", allow_negative_numbers = true, required_unless_present = "plan")]
    pub(crate) y: Option<f64>,
    /// z of all fields, um [default: the present one]
    #[arg(long, value_name = "UM", allow_negative_numbers = true)]
    pub(crate) z: Option<f64>,
    /// Fields in a row
    #[arg(long, value_name = "N", required_unless_present = "plan")]
    pub(crate) columns: Option<u16>,
    /// Rows
    #[arg(long, value_name = "N", required_unless_present = "plan")]
    pub(crate) rows: Option<u16>,
    /// Distance of columns, um
    #[arg(long, value_name = "UM", allow_negative_numbers = true, required_unless_present = "plan")]
    pub(crate) pitch_x: Option<f64>,
    /// Distance of rows, um
    #[arg(long, value_name = "UM", allow_negative_numbers = true, required_unless_present = "plan")]
    pub(crate) pitch_y: Option<f64>,
    /// Every row from its first column on, instead of every other one backwards
    #[arg(long)]
    pub(crate) raster: bool,
    /// Rest after each move, ms
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub(crate) settle_ms: u16,
    #[command(flatten)]
    pub(crate) pulse: Pulse,
}

/// What a plan's file says instead.
const GRID_FLAGS: [&str; 12] =
    ["x", "y", "z", "columns", "rows", "pitch_x", "pitch_y", "raster", "settle_ms", "width_us", "before_us", "after_us"];

#[derive(Debug, Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    pub(crate) grid: Grid,
    /// First field in the order of the visits, to go on with a scan
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) first: u32,
    /// Light: channel and percent of full
    #[arg(long, num_args = 2, value_names = ["N", "PERCENT"])]
    pub(crate) light: Option<Vec<f64>>,
    /// Longest time, seconds
    #[arg(long, value_name = "S", default_value_t = 3_600.0)]
    pub(crate) timeout: f64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Monitor {
    /// Judge fields by their probabilities
    Field {
        /// Low-resolution class z of the fields
        #[arg(long, value_name = "Z")]
        label: u8,
        /// Let the controller sum the pixels, too
        #[arg(long)]
        rows: bool,
        /// `NAME.probability.png` files of `lsr-edge segment`
        #[arg(value_name = "PNG", required = true)]
        images: Vec<PathBuf>,
    },
    /// The moments of all fields of a label so far
    Moments {
        /// Low-resolution class z
        #[arg(long, value_name = "Z")]
        label: u8,
    },
    /// Say that the alarm of a label has been seen
    Acknowledge {
        /// Low-resolution class z
        #[arg(long, value_name = "Z")]
        label: u8,
    },
}

pub(crate) const STAGE_HELP: &str = "\
The stage moves only after `home`, only inside its limits, and only while the host is there: without a sign of it for the heartbeat's time motion
stops, lights go off, and the controller waits for `acknowledge`. Ctrl-C stops what was started.
Exit code: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted.";
