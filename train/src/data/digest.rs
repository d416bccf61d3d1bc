//! SHA-256 of files, without holding them in memory.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Digests of the files that one process has already read: a slide is not read twice because two parts of a run ask.
#[derive(Debug, Clone, Default)]
pub(super) struct FileDigests {
    known: Arc<Mutex<BTreeMap<PathBuf, Known>>>,
}

/// A digest holds for as long as the file's length and time of change do.
#[derive(Debug, Clone, Copy)]
struct Known {
    length: u64,
    modified: Option<SystemTime>,
    digest: [u8; 32],
}

impl FileDigests {
    /// The digest of a file's content.
    pub(super) fn of(&self, path: &Path) -> Result<[u8; 32]> {
        let mut file = std::fs::File::open(path).map_err(Error::io("reading", path))?;
        let about = file.metadata().map_err(Error::io("reading", path))?;
        let (length, modified) = (about.len(), about.modified().ok());
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(path)
            && modified.is_some()
            && (known.length, known.modified) == (length, modified)
        {
            return Ok(known.digest);
        }
        let mut hash = Sha256::new();
        let mut piece = vec![0; 1 << 16];
        loop {
            let count = match file.read(&mut piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                result => result.map_err(Error::io("reading", path))?,
            };
            if count == 0 {
                break;
            }
            hash.update(&piece[..count]);
        }
        let digest = hash.finalize().into();
        lock().insert(path.to_owned(), Known { length, modified, digest });
        Ok(digest)
    }
}
