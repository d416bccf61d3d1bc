//! What was seen, kept: a folder with `session.sqlite` and the pictures of every field.
//!
//! | table | a row for |
//! |---|---|
//! | `session` | one run of one device: model, settings, source, begin |
//! | `field` | one field: the columns that one asks for, and `record`, the whole [`FieldRecord`] as JSON |
//! | `artefact` | one picture of a field: path below the folder, SHA-256, size |
//! | `outbox` | one field that a broker has not taken yet; it is written and removed with its field's row and the broker's word |
//!
//! A field's pictures are on the disk (written, synchronised, renamed) before its row is, and its row (SQLite with a write-ahead log, synchronised at every
//! commit) before anybody is told of it. So whatever stops the program: no row without its pictures, and no field that was reported and is not there.

mod combine;
mod export;
mod merge;
mod outbox;
mod read;
mod record;
mod regions;
mod resume;
mod schema;
mod stitch;
mod store;

pub use combine::{Combined, combine};
pub use export::{write_csv, write_json_lines};
pub use merge::{Merged, merge};
pub use outbox::Outbox;
pub use read::{SessionInfo, SessionTotals, Sessions};
pub use record::{Artefact, FieldRecord, Kind, ScanPlace, ScanTimes, SessionRecord, StageTimes, UnlikelyVisit};
pub use regions::write_geojson;
pub(crate) use regions::{field_geojson, kept_regions};
pub use stitch::{Stitched, write_stitched};
pub use store::{SessionStore, utc_text};

use crate::error::Error;
use std::path::{Component, Path, PathBuf};

/// Name of the database in its folder.
pub const DATABASE: &str = "session.sqlite";

/// A failure of the database as an error that names its file.
fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> Error + '_ {
    move |error| Error::Store { path: path.to_owned(), reason: error.to_string() }
}

/// The folder of a store, given it or its database.
fn database_in(folder: &Path) -> PathBuf {
    if folder.is_file() { folder.to_owned() } else { folder.join(DATABASE) }
}

/// The file of a picture. Its path comes from a database, which may be anybody's.
///
/// # Errors
/// [`Error::Store`] for a path that leaves the folder.
pub(crate) fn picture_in(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    if Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(folder.join(path))
    } else {
        Err(Error::Store { path: folder.to_owned(), reason: format!("a picture's path leaves the folder: {path}") })
    }
}
