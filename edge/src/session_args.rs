//! Command-line types of `lsr-edge session`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Session {
    #[command(subcommand)]
    pub(crate) action: Action,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Say which sessions a store has
    List {
        /// Its folder
        store: PathBuf,
    },
    /// Say what is in a session, and its counts by label; `all` for those of all sessions together
    Show {
        /// The store's folder
        store: PathBuf,
        /// Beginning of the session's id, or `all` [default: the last session]
        session: Option<String>,
    },
    /// Write a session's fields to a file, or their outlines or one picture of them to a folder
    Export {
        /// The store's folder
        store: PathBuf,
        /// Beginning of the session's id [default: the last session]
        session: Option<String>,
        /// How
        #[arg(long, value_name = "FORMAT", default_value = "csv")]
        format: Format,
        /// The file; the folder of `geojson` and `ome-tiff`, made if missing
        #[arg(short, long, value_name = "PATH")]
        output: PathBuf,
    },
    /// Copy the sessions of several stores, with their pictures, into one; what is there stays
    Merge {
        /// Folders of the stores
        #[arg(required = true)]
        stores: Vec<PathBuf>,
        /// Folder of the store that gets them; made if missing
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One row a field
    Csv,
    /// One record a line, with everything that is known of a field
    Jsonl,
    /// The fields in their places as pyramids at their pixel size: SESSION.mask.ome.tif, .probability.ome.tif, .frame.ome.tif where frames were
    /// kept, and SESSION.geojson, the regions in pixels of these
    OmeTiff,
    /// A file `field-NUMBER.geojson` for each field: the regions of its mask in its pixels, for QuPath
    Geojson,
}
