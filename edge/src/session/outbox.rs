//! Fields that are still to be told to a broker, in the order in which they were kept.

use super::failed;
use super::record::FieldRecord;
use super::schema::open_to_write;
use super::store::whole;
use super::{DATABASE, SessionRecord};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};

/// What is left to be told, of all sessions of a store.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    connection: Connection,
}

impl Outbox {
    /// Of the store in a folder.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(DATABASE);
        let connection = open_to_write(&path)?;
        Ok(Self { path, connection })
    }

    /// The field that waits longest, and its session.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn next(&self) -> Result<Option<(SessionRecord, FieldRecord)>, Error> {
        let query = "SELECT session.record, field.record FROM outbox JOIN field USING (session, number) JOIN session ON session.id = outbox.session \
                     ORDER BY outbox.rowid LIMIT 1";
        let both = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
        let found = self.connection.query_row(query, [], both).optional().map_err(failed(&self.path))?;
        let bad = |error: serde_json::Error| Error::Store { path: self.path.clone(), reason: format!("a record: {error}") };
        let parsed = |(session, field): (String, String)| Ok((serde_json::from_str(&session)?, serde_json::from_str(&field)?));
        found.map(parsed).transpose().map_err(bad)
    }

    /// How many wait.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn waiting(&self) -> Result<u64, Error> {
        let count = self.connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get::<_, i64>(0));
        count.map(i64::unsigned_abs).map_err(failed(&self.path))
    }

    /// The broker has taken a field.
    ///
    /// # Errors
    /// [`Error::Store`]; it is told again then.
    pub fn taken(&self, session: &str, number: u64) -> Result<(), Error> {
        let removed = self.connection.execute("DELETE FROM outbox WHERE session = ?1 AND number = ?2", params![session, whole(number)]);
        removed.map(|_| ()).map_err(failed(&self.path))
    }
}
