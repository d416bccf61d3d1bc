//! Writes a file whole or not at all.

use crate::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes to a temporary name in the same folder, forces it to the disk, then renames it over `path`.
///
/// # Errors
/// [`Error::Write`]; the temporary file is gone then, and `path` is as it was.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    attempt(path, bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn attempt(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = temporary(folder)?;
    // On the file itself: tempfile adds its temporary name to errors, which helps nobody.
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
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
