//! Reads a whole file, if it is one and not too large.

use crate::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The bytes of a regular file of at most `max` bytes. Pipes and devices are refused: they may never end.
pub(crate) fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    // Asked before opening: opening a pipe without a writer would wait for ever.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    if metadata.len() > max {
        return Err(Error::FileTooLarge { path: path.to_owned(), bytes: metadata.len(), max });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // A file that grows meanwhile is cut at the limit.
    File::open(path).map_err(failed)?.take(max).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
