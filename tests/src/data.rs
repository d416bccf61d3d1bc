//! Data sets that are not part of the repository: real tissue with masks, slides.

use crate::workspace_root;
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
    let required = env::var("LSR_REQUIRE").unwrap_or_default();
    match find(&workspace_root(), named.as_deref(), &required) {
        Ok(folder) => Some(folder),
        Err(missing) => {
            println!("skipped: {}", missing.reason);
            #[expect(clippy::panic, reason = "a test that was required to run must fail")]
            if missing.required {
                panic!("LSR_REQUIRE={required} asks for data sets, but {}", missing.reason);
            }
            None
        }
    }
}

struct Missing {
    reason: String,
    required: bool,
}

fn find(root: &Path, named: Option<&Path>, required: &str) -> Result<PathBuf, Missing> {
    let folder = root.join(named.unwrap_or(Path::new("../shared/data")));
    if folder.is_dir() {
        return Ok(folder);
    }
    let how = if named.is_some() { "named by LSR_DATA" } else { "the default; LSR_DATA names another" };
    let reason = format!("no folder of data sets at {} ({how})", folder.display());
    Err(Missing { reason, required: required.split(',').any(|name| name.trim() == "data") })
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
        assert!(find(&workspace, None, "").is_ok_and(|folder| folder.canonicalize().unwrap() == data.canonicalize().unwrap()));
        assert!(find(&workspace, Some(Path::new("mine")), "").is_ok_and(|folder| folder == workspace.join("mine")));
        assert!(find(&workspace, Some(&data), "data").is_ok_and(|folder| folder == data));
    }

    #[test]
    fn a_missing_folder_is_an_error_only_where_it_is_required() {
        let workspace = tempfile::tempdir().unwrap();
        for (require, required) in [("", false), ("firmware", false), ("data", true), ("firmware, data", true), ("database", false)] {
            let missing = find(workspace.path(), Some(Path::new("nowhere")), require).err().unwrap();
            assert_eq!(missing.required, required, "{require}");
            assert!(missing.reason.contains("nowhere"), "{}", missing.reason);
        }
    }
}
