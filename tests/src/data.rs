//! Data sets that are not part of the repository: real tissue with masks, slides.

use crate::{skip, workspace_root};
use std::env;
use std::path::{Path, PathBuf};

/// The folder of data sets: the one named by `LSR_DATA` (relative to the workspace's root), else `../shared/data` beside the workspace.
///
/// Where there is no such folder: `None`, with the reason on standard output, so that a test can pass over what it lacks.
///
/// # Panics
/// Where there is no such folder and `LSR_REQUIRE` (a comma list) contains `data`.
pub fn shared_data() -> Option<PathBuf> {
    let named = env::var_os("LSR_DATA").map(PathBuf::from);
    find(&workspace_root(), named.as_deref()).inspect_err(|missing| skip("data", missing)).ok()
}

/// The folder, or why there is none.
fn find(root: &Path, named: Option<&Path>) -> Result<PathBuf, String> {
    let folder = root.join(named.unwrap_or(Path::new("../shared/data")));
    if folder.is_dir() {
        return Ok(folder);
    }
    let how = if named.is_some() { "named by LSR_DATA" } else { "the default; LSR_DATA names another" };
    Err(format!("no folder of data sets at {} ({how})", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_by_name_or_by_default() {
        let root = tempfile::tempdir().unwrap();
        let (workspace, data) = (root.path().join("main"), root.path().join("shared/data"));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::create_dir_all(workspace.join("mine")).unwrap();
        assert!(find(&workspace, None).is_ok_and(|folder| folder.canonicalize().unwrap() == data.canonicalize().unwrap()));
        assert!(find(&workspace, Some(Path::new("mine"))).is_ok_and(|folder| folder == workspace.join("mine")));
        assert!(find(&workspace, Some(&data)).is_ok_and(|folder| folder == data));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let workspace = tempfile::tempdir().unwrap();
        let reason = find(workspace.path(), Some(Path::new("nowhere"))).unwrap_err();
        assert!(reason.contains("nowhere") && reason.contains("LSR_DATA"), "{reason}");
    }
}
