//! Files that are either whole or not there: written under a temporary name beside their place, synced, then renamed.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

const PREFIX: &str = ".lsr-";
const SUFFIX: &str = ".tmp";

/// Writes `bytes` to `path`, replacing what was there only once all of them are on disk.
///
/// # Errors
/// [`Error::Io`]; the old file, if any, is then still there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes).map_err(Error::io("writing", path)))
}

/// Writes what `fill` puts into a file too large for memory, which takes the name `path` only when it is complete.
///
/// # Errors
/// [`Error::Io`] and whatever `fill` fails with; the old file, if any, is then still there.
pub(crate) fn write_with(path: &Path, fill: impl FnOnce(&mut std::fs::File) -> Result<()>) -> Result<()> {
    let failed = || Error::io("writing", path);
    let folder = folder_of(path);
    let mut file = temporary(0o666).tempfile_in(folder).map_err(failed())?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(path).map_err(|error| Error::io("writing", path)(error.error))?;
    sync_folder(folder)
}

/// Writes what `fill` puts into a new folder, which takes the name `path` only when it is complete.
///
/// # Errors
/// [`Error::Io`] and whatever `fill` fails with; nothing is left under `path` then.
pub(crate) fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = || Error::io("writing", path);
    let folder = folder_of(path);
    let temporary = temporary(0o777).tempdir_in(folder).map_err(failed())?;
    fill(temporary.path())?;
    for entry in std::fs::read_dir(temporary.path()).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        std::fs::File::open(entry.path()).and_then(|file| file.sync_all()).map_err(failed())?;
    }
    sync_folder(temporary.path())?;
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(failed())?;
    }
    std::fs::rename(temporary.path(), path).map_err(failed())?;
    // The folder has a new name: there is nothing left to clean up under the old one.
    let _ = temporary.keep();
    sync_folder(folder)
}

/// Removes the temporary files and folders that a killed process left in a folder which nobody else writes to.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("reading", folder))? {
        let path = entry.map_err(Error::io("reading", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(Error::io("removing", &path))?;
        }
    }
    Ok(())
}

/// Makes a folder and its parents.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io("making folder", path))
}

/// Temporary files are private by default; outputs get the permissions of any other new file or folder (`mode` less the umask).
fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_folder(folder: &Path) -> Result<()> {
    std::fs::File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io("writing", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn outputs_have_the_permissions_of_any_other_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        std::fs::write(folder.path().join("plain"), b"").unwrap();
        std::fs::create_dir(folder.path().join("plain folder")).unwrap();
        write(&folder.path().join("ours"), b"").unwrap();
        write_folder(&folder.path().join("our folder"), |_| Ok(())).unwrap();
        assert_eq!(mode("ours"), mode("plain"));
        assert_eq!(mode("our folder"), mode("plain folder"));
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("inside");
        write_folder(&target, |inside| write(&inside.join("a"), b"old")).unwrap();
        let refused = write_folder(&target, |inside| {
            write(&inside.join("a"), b"new")?;
            Err(Error::setting("x", "y", "z"))
        });
        assert!(refused.is_err());
        assert_eq!(std::fs::read(target.join("a")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&folder.path().join("b"), b"1").unwrap();
        write(&folder.path().join("b"), b"2").unwrap();
        assert_eq!(std::fs::read(folder.path().join("b")).unwrap(), b"2");
        assert!(write(&folder.path().join("missing/b"), b"1").is_err());
    }
}
