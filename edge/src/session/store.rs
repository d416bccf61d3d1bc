//! A session as it is written.

use super::record::{Artefact, FieldRecord, Kind, SessionRecord};
use super::schema::open_to_write;
use super::{DATABASE, failed};
use crate::digest::sha256;
use crate::error::Error;
use crate::output::{prepare_folder, write_whole};
use crate::stage::direction_word;
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, params};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A session that fields are added to.
#[derive(Debug)]
pub struct SessionStore {
    folder: PathBuf,
    path: PathBuf,
    connection: Connection,
    session: SessionRecord,
    tell: bool,
}

/// A moment as records have it: UTC, RFC 3339, to a millisecond.
pub fn utc_text(moment: SystemTime) -> String {
    DateTime::<Utc>::from(moment).to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl SessionStore {
    /// A name for a session that no other has.
    ///
    /// # Errors
    /// [`Error::Store`] where the system has no random numbers.
    pub fn new_id(folder: &Path) -> Result<String, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| Error::Store { path: folder.to_owned(), reason: error.to_string() })?;
        let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string())
    }

    /// Begins a session in a folder, which may hold others. With `tell`, every field waits in the [`Outbox`](super::Outbox) too.
    ///
    /// # Errors
    /// [`Error::OutputFolder`], [`Error::Store`].
    pub fn begin(folder: &Path, session: SessionRecord, tell: bool) -> Result<Self, Error> {
        prepare_folder(folder)?;
        let path = folder.join(DATABASE);
        let connection = open_to_write(&path)?;
        insert_session(&connection, &session, &path)?;
        Self::of(folder, connection, session, tell)
    }

    /// Adds more fields to a session that is there.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Write`].
    pub(super) fn again(folder: &Path, session: SessionRecord, tell: bool) -> Result<Self, Error> {
        let connection = open_to_write(&folder.join(DATABASE))?;
        Self::of(folder, connection, session, tell)
    }

    fn of(folder: &Path, connection: Connection, session: SessionRecord, tell: bool) -> Result<Self, Error> {
        let place = folder.join(&session.id);
        fs::create_dir_all(&place).map_err(|source| Error::Write { path: place, source })?;
        Ok(Self { folder: folder.to_owned(), path: folder.join(DATABASE), connection, session, tell })
    }

    /// The session.
    pub fn session(&self) -> &SessionRecord {
        &self.session
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a picture of a field through to the disk. Its row must follow; without it the picture counts for nothing.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_picture(folder: &Path, session: &str, number: u64, kind: Kind, bytes: &[u8]) -> Result<Artefact, Error> {
        let path = format!("{session}/{number:06}.{}.png", kind.name());
        write_whole(&folder.join(&path), bytes)?;
        Ok(Artefact { kind, path, sha256: sha256(bytes), bytes: bytes.len() as u64 })
    }

    /// Adds a field whose pictures are written. When this returns it is on the disk.
    ///
    /// # Errors
    /// [`Error::Store`]; nothing of the field is there then.
    pub fn add(&mut self, field: &FieldRecord) -> Result<(), Error> {
        let failed = failed(&self.path);
        let transaction = self.connection.transaction().map_err(&failed)?;
        insert(&transaction, field, &self.path)?;
        if self.tell {
            let values = params![field.session, whole(field.number)];
            transaction.execute("INSERT INTO outbox VALUES (?1, ?2)", values).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }
}

/// Adds a session's row.
pub(super) fn insert_session(connection: &Connection, session: &SessionRecord, path: &Path) -> Result<(), Error> {
    let SessionRecord { id, begun_utc, device, source, model_sha256, lsr_edge, .. } = session;
    let values = params![id, begun_utc, device, source, model_sha256, lsr_edge, json(session, path)?];
    connection.execute("INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", values).map_err(failed(path))?;
    Ok(())
}

/// Adds a field and its pictures' rows.
pub(super) fn insert(connection: &Connection, field: &FieldRecord, path: &Path) -> Result<(), Error> {
    let failed = failed(path);
    let insert = "INSERT INTO field VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
    let (x_um, y_um) = field.position.map(|position| (position.x_um, position.y_um)).unzip();
    let (z_um, trigger_id) = field.scan.as_ref().map(|scan| (scan.position_um[2], scan.trigger_id)).unzip();
    let alarm = field.alarm.map(|alarm| direction_word(alarm.into()));
    let values = params![
        field.session,
        whole(field.number),
        field.name,
        field.seen_utc,
        field.input_sha256,
        field.quality.fit,
        field.label,
        field.z_score,
        alarm,
        field.pixels,
        whole(field.sum),
        whole(field.sum_of_squares),
        whole(field.cancer.mask_pixels),
        field.um_per_px,
        x_um,
        y_um,
        z_um,
        trigger_id,
        json(field, path)?,
    ];
    connection.prepare_cached(insert).and_then(|mut statement| statement.execute(values)).map_err(&failed)?;
    for artefact in &field.artefacts {
        let values =
            params![field.session, whole(field.number), artefact.kind.name(), artefact.path, artefact.sha256, whole(artefact.bytes)];
        let insert = "INSERT INTO artefact VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        connection.prepare_cached(insert).and_then(|mut statement| statement.execute(values)).map_err(&failed)?;
    }
    Ok(())
}

/// SQLite has no unsigned integers; none of ours comes near the end of the signed ones.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn json(record: &impl Serialize, path: &Path) -> Result<String, Error> {
    serde_json::to_string(record).map_err(|error| Error::Store { path: path.to_owned(), reason: error.to_string() })
}
