//! Writes a file whole or not at all.

use crate::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes to a temporary name in the same folder, forces it to the disk, then renames it over `path`.
///
/// # Errors
/// [`Error::Write`]; the temporary file is gone then, and `path` is as it was.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // On the file itself: tempfile adds its temporary name to errors, which helps nobody.
    write_whole_with(path, |file| file.write_all(bytes).map_err(|source| Error::Write { path: path.to_owned(), source }))
}

/// The same for what is written piece by piece.
///
/// # Errors
/// [`Error::Write`], and whatever `write` ends with.
pub(crate) fn write_whole_with(path: &Path, write: impl FnOnce(&mut File) -> Result<(), Error>) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = temporary(folder).map_err(failed)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    sync_folder(folder).map_err(failed)
}

/// Writes a file piece by piece, whole or not at all: under a temporary name, forced to the disk, renamed.
///
/// # Errors
/// [`Error::Write`], and whatever `write` ends with.
pub fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Error>) -> Result<(), Error> {
    write_whole_with(path, |file| {
        let mut buffered = io::BufWriter::new(file);
        write(&mut buffered)?;
        buffered.flush().map_err(|source| Error::Write { path: path.to_owned(), source })
    })
}

/// Makes the folder, and proves that files can be made in it.
///
/// # Errors
/// [`Error::OutputFolder`].
pub(crate) fn prepare_folder(folder: &Path) -> Result<(), Error> {
    let attempt = || {
        fs::create_dir_all(folder)?;
        temporary(folder)?.write_all(b"lsr")
    };
    attempt().map_err(|source| Error::OutputFolder { path: folder.to_owned(), source })
}

fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lsr-edge-").suffix(".tmp");
    // tempfile's default lets only the owner read, and the rename would keep that; the process's umask still applies to this.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// A rename survives a power cut once its folder is on the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all()
}

/// Other systems cannot open folders.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
