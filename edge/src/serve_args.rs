//! Command-line types of `lsr-edge serve`.

use crate::cli::Network;
use crate::keep_args::Keep;
use crate::label_args::{Alarm, Labels, Prior};
use clap::Args;
use lsr_edge::TissueChoice;
use lsr_edge::source::SourceChoice;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where fields come from (see below) [default: only those that are posted]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<SourceChoice>,
    /// Folder in which sessions are kept; made if missing
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Address and port; with any but a loopback address a token is asked for. Port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Ask for a token on a loopback address too
    #[arg(long)]
    pub(crate) require_token: bool,
    /// Make a new token and print it; the one before is worth nothing any more
    #[arg(long)]
    pub(crate) new_token: bool,
    /// Certificate chain for HTTPS, PEM
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Controller of the microscope, for the page's stage controls and the place of each field: serial device, `tcp:HOST:PORT` or `unix:PATH`
    #[arg(long, value_name = "PORT")]
    pub(crate) stage: Option<String>,
    /// Frames a second of files, which are then shown over and over, and of slides
    #[arg(long, value_name = "FPS")]
    pub(crate) rate: Option<f64>,
    /// Work on every frame, however late, instead of on the newest (sources that wait always have every frame worked on)
    #[arg(long)]
    pub(crate) every: bool,
    /// Stop when the source has ended
    #[arg(long, requires = "source")]
    pub(crate) exit_at_end: bool,
    /// Pictures that are kept of each field; `none` for the numbers alone
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', default_values = ["mask", "probability"])]
    pub(crate) keep: Vec<Keep>,
    #[command(flatten)]
    pub(crate) labels: Labels,
    #[command(flatten)]
    pub(crate) prior: Prior,
    #[command(flatten)]
    pub(crate) alarm: Alarm,
    /// Pixel size of the fields in micrometres; of a slide, the slide's
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px: Option<f64>,
    /// Pixel size of slides that state none
    #[arg(long, value_name = "X")]
    pub(crate) um_per_px_if_missing: Option<f64>,
    /// Side of a slide's fields in pixels of the model's size
    #[arg(long, value_name = "PX", default_value_t = 256)]
    pub(crate) field_px: u32,
    /// What is looked at of slides: none (everything), auto (what is found to be tissue), or an image that is not black there
    #[arg(long, value_name = "none|auto|MASK.png", default_value = "auto")]
    pub(crate) tissue: TissueChoice,
    /// Name of this device in the store [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Largest field, megapixels
    #[arg(long, value_name = "MPX", default_value_t = 24)]
    pub(crate) max_mpx: u64,
    /// Broker that fields are told to, at least once each (needs the feature mqtt); LSR_MQTT_USER and LSR_MQTT_PASSWORD where it asks for them
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) mqtt: Option<String>,
    /// Topic of the fields [default: lsr-edge/DEVICE/fields]
    #[arg(long, value_name = "TOPIC", requires = "mqtt")]
    pub(crate) mqtt_topic: Option<String>,
    /// Print each field that is kept as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) network: Network,
}

pub(crate) const SERVE_HELP: &str = "\
Sources:
  watch:FOLDER       a camera's program writes PNG, JPEG or TIFF files into it; those that are there already are none of its frames
  rgb:WIDTHxHEIGHT   raw RGB bytes on standard input, e.g. ffmpeg ... -f rawvideo -pix_fmt rgb24 - | lsr-edge serve --source rgb:512x512 ...
  camera:PIPELINE    what GStreamer shows, in the words of gst-launch-1.0: 'camera:v4l2src ! jpegdec' (needs the feature camera)
  slide:FILE         a whole slide as a virtual microscope: fields in a snake over its tissue
  PATH               an image, or a folder of them, each once; with --rate over and over, as a camera

What comes by itself (watch, rgb, --rate) is shown as it is now: a frame that waits is replaced by a newer one, and counted as dropped. What waits is worked
on in full.

Open http://ADDR:PORT in a browser; /api/v1/openapi.json describes the API, /metrics is for Prometheus. Every field is in DIR/session.sqlite before it is
shown. `lsr-edge session` reads it, also meanwhile.

A self-test comes first: with the embedded network, a processor that computes other masks than it should is not served.

Exit code: 0 stopped as asked (Ctrl-C, SIGTERM, --exit-at-end), 1 failed, 2 wrong usage.";
