//! The database's tables, and what makes them safe.

use super::failed;
use crate::error::Error;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// "lsr1": what this database is, for `file` and for us.
const APPLICATION: i32 = 0x6c73_7231;
/// Layout of the tables.
const LAYOUT: i32 = 1;
/// How long another process may hold the database.
const PATIENCE: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS session (
  id TEXT PRIMARY KEY,
  begun_utc TEXT NOT NULL,
  device TEXT NOT NULL,
  source TEXT NOT NULL,
  model_sha256 TEXT NOT NULL,
  lsr_edge TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS field (
  session TEXT NOT NULL REFERENCES session (id),
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  seen_utc TEXT NOT NULL,
  input_sha256 TEXT NOT NULL,
  fit INTEGER NOT NULL,
  label INTEGER,
  z_score REAL,
  alarm TEXT,
  pixels INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  sum_of_squares INTEGER NOT NULL,
  mask_pixels INTEGER NOT NULL,
  um_per_px REAL NOT NULL,
  x_um REAL,
  y_um REAL,
  z_um REAL,
  trigger_id INTEGER,
  record TEXT NOT NULL,
  PRIMARY KEY (session, number)
) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
  session TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (session, number),
  FOREIGN KEY (session, number) REFERENCES field (session, number)
) STRICT;
CREATE TABLE IF NOT EXISTS artefact (
  session TEXT NOT NULL,
  number INTEGER NOT NULL,
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (session, number, kind),
  FOREIGN KEY (session, number) REFERENCES field (session, number)
) STRICT;
";

/// Opens or makes a database to write to.
///
/// # Errors
/// [`Error::Store`]: a file that is none of ours, of a newer layout, damaged, or that cannot be written to.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path).map_err(failed(path))?;
    check(&connection, path, true)?;
    let made = || -> rusqlite::Result<()> {
        connection.busy_timeout(PATIENCE)?;
        // A commit is on the disk when it returns, and readers do not wait for it.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.execute_batch(&format!("BEGIN IMMEDIATE;{TABLES}COMMIT;"))?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", LAYOUT)
    };
    made().map_err(failed(path))?;
    Ok(connection)
}

/// Opens a database to read from.
///
/// # Errors
/// [`Error::Store`]; a file that does not exist is [`Error::Read`].
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    std::fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    // A log that a killed program has left behind is read too, which needs the right to write.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed(path))?;
    connection.busy_timeout(PATIENCE).map_err(failed(path))?;
    check(&connection, path, false)?;
    Ok(connection)
}

fn check(connection: &Connection, path: &Path, may_be_new: bool) -> Result<(), Error> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(failed(path));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(failed(path))?;
    let refused = |reason: String| Err(Error::Store { path: path.to_owned(), reason });
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, LAYOUT) => Ok(()),
        (APPLICATION, layout) => refused(format!("layout {layout}: expected {LAYOUT}; a newer lsr-edge may read it")),
        // What another process has just begun to make has its tables first.
        (0, 0) if may_be_new && tables == 0 => Ok(()),
        _ => refused("it is a database of another program".to_owned()),
    }
}
