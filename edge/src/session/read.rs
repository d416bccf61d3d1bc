//! Sessions as they are read, also while they are written.

use super::record::{FieldRecord, SessionRecord};
use super::schema::open_to_read;
use super::store::whole;
use super::{database_in, failed};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// Fields that are fetched at a time.
const PAGE: u64 = 500;

/// A store's sessions.
#[derive(Debug)]
pub struct Sessions {
    folder: PathBuf,
    path: PathBuf,
    connection: Connection,
}

/// A session and how much is in it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SessionInfo {
    /// What it is.
    #[serde(flatten)]
    pub session: SessionRecord,
    /// How much is in it.
    #[serde(flatten)]
    pub totals: SessionTotals,
}

/// How much is in a session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct SessionTotals {
    /// Fields.
    pub fields: u64,
    /// Of these, those that are fit to be counted.
    pub fit_fields: u64,
    /// Of these, those at which their label's alarm was on.
    pub fields_with_alarm: u64,
    /// When the last one was seen.
    pub last_utc: Option<String>,
    /// Area of the mask of the fit fields, square millimetres.
    pub mask_area_mm2: f64,
    /// Area of the fit fields, square millimetres.
    pub area_mm2: f64,
}

impl Sessions {
    /// Opens a store: its folder or its database.
    ///
    /// # Errors
    /// [`Error::Read`] where there is none, [`Error::Store`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = database_in(folder);
        let connection = open_to_read(&path)?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { folder, path, connection })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its database.
    pub fn database(&self) -> &Path {
        &self.path
    }

    /// All sessions in the order of their begin.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn list(&self) -> Result<Vec<SessionInfo>, Error> {
        let failed = failed(&self.path);
        let mut statement = self.connection.prepare("SELECT record FROM session ORDER BY begun_utc, id").map_err(&failed)?;
        let records = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&failed)?;
        let mut sessions = Vec::new();
        for record in records {
            let session: SessionRecord = self.parsed(&record.map_err(&failed)?)?;
            let totals = self.totals(&session.id)?;
            sessions.push(SessionInfo { session, totals });
        }
        Ok(sessions)
    }

    /// The session whose identity begins so, or the last one.
    ///
    /// # Errors
    /// [`Error::NoSession`] for none or several, [`Error::Store`].
    pub fn find(&self, beginning: Option<&str>) -> Result<SessionInfo, Error> {
        let mut sessions = self.list()?;
        let Some(beginning) = beginning else {
            return sessions.pop().ok_or_else(|| self.none("the store is empty".to_owned()));
        };
        let found: Vec<&SessionInfo> = sessions.iter().filter(|info| info.session.id.starts_with(beginning)).collect();
        match found[..] {
            [one] => Ok(one.clone()),
            [] => Err(self.none(format!("none of its {} sessions has an id that begins with '{beginning}'", sessions.len()))),
            _ => Err(self.none(format!("{} of its sessions have an id that begins with '{beginning}'", found.len()))),
        }
    }

    fn none(&self, reason: String) -> Error {
        Error::NoSession { store: self.path.clone(), reason }
    }

    /// How much is in a session.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn totals(&self, session: &str) -> Result<SessionTotals, Error> {
        let query = "SELECT count(*), coalesce(sum(fit), 0), count(alarm), max(seen_utc), \
                     coalesce(sum(fit * mask_pixels * um_per_px * um_per_px) * 1e-6, 0.0), \
                     coalesce(sum(fit * pixels * um_per_px * um_per_px) * 1e-6, 0.0) FROM field WHERE session = ?1";
        let totals = |row: &rusqlite::Row<'_>| {
            Ok(SessionTotals {
                fields: row.get::<_, i64>(0)?.unsigned_abs(),
                fit_fields: row.get::<_, i64>(1)?.unsigned_abs(),
                fields_with_alarm: row.get::<_, i64>(2)?.unsigned_abs(),
                last_utc: row.get(3)?,
                mask_area_mm2: row.get(4)?,
                area_mm2: row.get(5)?,
            })
        };
        self.connection.query_row(query, [session], totals).map_err(failed(&self.path))
    }

    /// Fields of a session with a number above `after`, in their order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn fields(&self, session: &str, after: u64, limit: u64) -> Result<Vec<FieldRecord>, Error> {
        let failed = failed(&self.path);
        let query = "SELECT record FROM field WHERE session = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
        let mut statement = self.connection.prepare_cached(query).map_err(&failed)?;
        let values = params![session, whole(after), whole(limit)];
        let records = statement.query_map(values, |row| row.get::<_, String>(0)).map_err(&failed)?;
        records.map(|record| self.parsed(&record.map_err(&failed)?)).collect()
    }

    /// A field by its number.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn field(&self, session: &str, number: u64) -> Result<Option<FieldRecord>, Error> {
        let query = "SELECT record FROM field WHERE session = ?1 AND number = ?2";
        let found = self.connection.query_row(query, params![session, whole(number)], |row| row.get::<_, String>(0));
        found.optional().map_err(failed(&self.path))?.map(|record| self.parsed(&record)).transpose()
    }

    /// Calls `each` for every field of a session, in their order; a few are in memory at a time.
    ///
    /// # Errors
    /// [`Error::Store`], and what `each` returns.
    pub fn each_field(&self, session: &str, mut each: impl FnMut(FieldRecord) -> Result<(), Error>) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let page = self.fields(session, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            page.into_iter().try_for_each(&mut each)?;
        }
    }

    /// All fields of a session, in their order.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn all_fields(&self, session: &str) -> Result<Vec<FieldRecord>, Error> {
        let mut fields = Vec::new();
        self.each_field(session, |field| {
            fields.push(field);
            Ok(())
        })?;
        Ok(fields)
    }

    fn parsed<T: DeserializeOwned>(&self, record: &str) -> Result<T, Error> {
        serde_json::from_str(record).map_err(|error| Error::Store { path: self.path.clone(), reason: format!("a record: {error}") })
    }
}
