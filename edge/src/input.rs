//! Which images to segment, and under which names.

use crate::error::Error;
use crate::slide::{begins_like_dicom, without_levels};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// File name extensions that count as images in a folder. A file that is named itself is judged by its content.
const EXTENSIONS: [&str; 16] =
    ["png", "jpg", "jpeg", "tif", "tiff", "svs", "dcm", "dicom", "ndpi", "mrxs", "vms", "vmu", "scn", "svslide", "bif", "czi"];

/// Our own outputs, which a folder may hold when it is input and output at once.
const OWN: [&str; 6] = [".mask.png", ".probability.png", ".overlay.png", ".mask.ome.tif", ".probability.ome.tif", ".seg.dcm"];

/// An image to segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its file.
    pub path: PathBuf,
    /// NAME of its outputs: the file name without its last extension.
    pub name: String,
}

/// Files as they are, folders as the images in them, sorted by name (without subfolders, hidden files and our own outputs). What has no extension is an
/// image there if it begins like a DICOM file.
///
/// A file that is reached twice is taken once, and of the DICOM files of one slide the finest level. Two files with the same NAME, such as `a.png`
/// and `a.jpg`, would write the same outputs: the first is kept, the other is a failure that names both. (The extension is not kept in NAME, so that
/// `a.mask.png` belongs to `a.jpg` as it does in data sets.)
pub fn find_inputs(given: &[PathBuf]) -> (Vec<Input>, Vec<(PathBuf, Error)>) {
    let (mut inputs, mut failures) = (Vec::<Input>::new(), Vec::new());
    let mut taken: HashMap<String, (PathBuf, PathBuf)> = HashMap::new();
    for path in given {
        let paths = if path.is_dir() { images_in(path) } else { Ok(vec![path.clone()]) };
        let paths = paths.unwrap_or_else(|error| {
            failures.push((path.clone(), error));
            Vec::new()
        });
        for path in paths {
            let name = name_of(&path);
            let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            // File systems that ignore case would take A.mask.png and a.mask.png for one file.
            match taken.get(&name.to_lowercase()) {
                Some((first, _)) if *first == real => {}
                Some((_, other)) => failures.push((path, Error::NameClash { other: other.clone(), name })),
                None => {
                    taken.insert(name.to_lowercase(), (real, path.clone()));
                    inputs.push(Input { path, name });
                }
            }
        }
    }
    (without_levels(inputs), failures)
}

/// NAME of a file's outputs.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn images_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && (is_image_name(&path) || is_nameless_dicom(&path)) {
            images.push(path);
        }
    }
    if images.is_empty() {
        return Err(Error::NoImages { path: folder.to_owned() });
    }
    images.sort();
    Ok(images)
}

/// Archives export DICOM files without extensions.
fn is_nameless_dicom(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    path.extension().is_none() && !name.starts_with(b".") && begins_like_dicom(path)
}

pub(crate) fn is_image_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    EXTENSIONS.contains(&extension) && !name.starts_with('.') && !OWN.iter().any(|own| name.ends_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_of_others_count_in_a_folder() {
        for (name, expected) in [
            ("a.png", true),
            ("b.JPEG", true),
            ("c.tif", true),
            ("d.svs", true),
            ("d.mask.ome.tif", false),
            ("notes.txt", false),
            ("png", false),
            (".hidden.png", false),
            ("a.mask.png", false),
            ("a.probability.png", false),
            ("a.overlay.png", false),
        ] {
            assert_eq!(is_image_name(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn names_that_clash_are_failures_that_name_both() {
        let given: Vec<PathBuf> = ["x/a.png", "x/a.png", "y/a.png", "x/A.jpg", "b.c.png"].map(PathBuf::from).into();
        let (inputs, failures) = find_inputs(&given);
        assert_eq!(inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["a", "b.c"]);
        assert_eq!(failures.len(), 2);
        assert_eq!(failures[0].0, PathBuf::from("y/a.png"));
        assert!(failures[0].1.to_string().contains("x/a.png"), "{}", failures[0].1);
    }
}
