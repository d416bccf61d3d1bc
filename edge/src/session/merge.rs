//! The stores of several devices in one.

use super::failed;
use super::read::Sessions;
use super::record::{FieldRecord, SessionRecord};
use super::schema::open_to_write;
use super::store::{insert, insert_session};
use super::{DATABASE, database_in, picture_in};
use crate::digest::sha256_of_file;
use crate::error::Error;
use crate::output::{prepare_folder, write_whole};
use crate::read::read_file;
use rusqlite::{Connection, OptionalExtension, params};
use std::fs;
use std::path::Path;

/// Pictures beyond this are none of ours.
const MAX_PICTURE: u64 = 2 << 30;

/// What a merge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Sessions that were new.
    pub sessions: u64,
    /// Fields that were new.
    pub fields: u64,
    /// Fields that were there, with the same record.
    pub known: u64,
    /// Pictures that were copied.
    pub pictures: u64,
}

/// Copies all sessions of `from` with their pictures into the store in `into`, which is made if it is missing. What is there is left as it is, so a merge that
/// was stopped is simply done again.
///
/// # Errors
/// [`Error::Store`] for a field that both have with different records, and for a picture that is missing or not the one that was written; what was merged until
/// then stays.
pub fn merge(from: &Sessions, into: &Path) -> Result<Merged, Error> {
    prepare_folder(into)?;
    let path = into.join(DATABASE);
    if fs::canonicalize(&path).is_ok_and(|path| fs::canonicalize(database_in(from.folder())).is_ok_and(|own| own == path)) {
        return Err(Error::Store { path, reason: "a store cannot be merged into itself".to_owned() });
    }
    let mut connection = open_to_write(&path)?;
    let mut merged = Merged::default();
    for info in from.list()? {
        merged.sessions += u64::from(add_session(&connection, &info.session, &path)?);
        let id = &info.session.id;
        let place = into.join(id);
        fs::create_dir_all(&place).map_err(|source| Error::Write { path: place, source })?;
        from.each_field(id, |field| {
            if known(&connection, &field, &path)? {
                merged.known += 1;
                return Ok(());
            }
            for artefact in &field.artefacts {
                merged.pictures += u64::from(copy(from.folder(), into, &artefact.path, &artefact.sha256)?);
            }
            let transaction = connection.transaction().map_err(failed(&path))?;
            insert(&transaction, &field, &path)?;
            transaction.commit().map_err(failed(&path))?;
            merged.fields += 1;
            Ok(())
        })?;
    }
    Ok(merged)
}

/// Adds a session unless it is there, and says whether it was new.
fn add_session(connection: &Connection, session: &SessionRecord, path: &Path) -> Result<bool, Error> {
    let query = "SELECT record FROM session WHERE id = ?1";
    let there = connection.query_row(query, [&session.id], |row| row.get::<_, String>(0)).optional().map_err(failed(path))?;
    match there {
        Some(there) if serde_json::from_str(&there).ok().as_ref() == Some(session) => Ok(false),
        Some(_) => Err(Error::Store { path: path.to_owned(), reason: format!("session {} is there with another record", session.id) }),
        None => {
            insert_session(connection, session, path)?;
            Ok(true)
        }
    }
}

/// Whether a field is there with the same record.
fn known(connection: &Connection, field: &FieldRecord, path: &Path) -> Result<bool, Error> {
    let query = "SELECT record FROM field WHERE session = ?1 AND number = ?2";
    let values = params![field.session, super::store::whole(field.number)];
    let there = connection.query_row(query, values, |row| row.get::<_, String>(0)).optional().map_err(failed(path))?;
    match there {
        None => Ok(false),
        Some(there) if serde_json::from_str(&there).ok().as_ref() == Some(field) => Ok(true),
        Some(_) => {
            let reason = format!("field {} of session {} is there with another record", field.number, field.session);
            Err(Error::Store { path: path.to_owned(), reason })
        }
    }
}

/// Copies a picture unless it is there, and says whether it did.
fn copy(from: &Path, into: &Path, path: &str, sha256: &str) -> Result<bool, Error> {
    let (source, target) = (picture_in(from, path)?, into.join(path));
    if target.is_file() && sha256_of_file(&target)? == sha256 {
        return Ok(false);
    }
    let bytes = read_file(&source, MAX_PICTURE)?;
    if crate::digest::sha256(&bytes) != sha256 {
        return Err(Error::Store { path: source, reason: "it is not the picture that was written".to_owned() });
    }
    write_whole(&target, &bytes)?;
    Ok(true)
}
