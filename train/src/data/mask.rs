//! Masks: which pixels are cancer (or which class), and which pixels count at all.

use super::decode::decode;
use crate::error::{Error, Result};
use image::{DynamicImage, GrayImage};
use std::path::Path;

/// Class of a pixel that nobody has labelled; never one of two classes.
pub const UNKNOWN_CLASS: u8 = 255;

/// Grey values from this one on are white.
const WHITE: u8 = 128;

/// A mask of two classes: 255 where white, 0 elsewhere.
pub(super) fn read_mask(path: &Path, size: (u32, u32)) -> Result<GrayImage> {
    let mut mask = read_grey(path, size)?;
    for pixel in mask.iter_mut() {
        *pixel = if *pixel >= WHITE { 255 } else { 0 };
    }
    Ok(mask)
}

/// A mask as it is.
pub(super) fn read_grey(path: &Path, size: (u32, u32)) -> Result<GrayImage> {
    let mask = decode(path)?.into_luma8();
    check_size(path, mask.dimensions(), size)?;
    Ok(mask)
}

/// A validity mask, 1 where a pixel counts; nothing where there is no such file.
pub(super) fn read_validity(path: &Path, size: (u32, u32)) -> Result<Option<Vec<u8>>> {
    if !path.exists() {
        return Ok(None);
    }
    let mask = read_mask(path, size)?;
    Ok(Some(mask.into_raw().into_iter().map(|grey| grey & 1).collect()))
}

/// A mask of classes. For two classes white is class 1; for more the grey value is the class, and 255 is unknown.
pub(super) fn read_classes(path: &Path, size: (u32, u32), classes: usize) -> Result<Vec<u8>> {
    if classes <= 2 {
        return Ok(read_mask(path, size)?.into_raw().into_iter().map(|grey| grey & 1).collect());
    }
    // Grey made from colours, or scaled from 16 bits, would be classes that nobody meant.
    let mask = match decode(path)? {
        DynamicImage::ImageLuma8(mask) => mask,
        other => return Err(Error::file(path, format!("expected an 8-bit grey mask of classes, found {:?}", other.color()))),
    };
    check_size(path, mask.dimensions(), size)?;
    let wrong = mask.as_raw().iter().position(|&grey| usize::from(grey) >= classes && grey != UNKNOWN_CLASS);
    match wrong {
        None => Ok(mask.into_raw()),
        Some(at) => {
            let (x, y, grey) = (at % size.0 as usize, at / size.0 as usize, mask.as_raw()[at]);
            Err(Error::file(path, format!("expected a class below {classes} (or {UNKNOWN_CLASS}: unknown), found {grey} at ({x}, {y})")))
        }
    }
}

fn check_size(path: &Path, found: (u32, u32), expected: (u32, u32)) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let reason = format!("expected a mask as large as its image, {} x {} px, found {} x {}", expected.0, expected.1, found.0, found.1);
    Err(Error::file(path, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(folder: &tempfile::TempDir, pixels: [u8; 6]) -> std::path::PathBuf {
        let path = folder.path().join("m.png");
        GrayImage::from_raw(3, 2, pixels.to_vec()).unwrap().save(&path).unwrap();
        path
    }

    #[test]
    fn two_classes_are_split_at_middle_grey_and_more_are_read_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(&folder, [0, 127, 128, 255, 1, 200]);
        assert_eq!(read_classes(&path, (3, 2), 2).unwrap(), [0, 0, 1, 1, 0, 1]);
        assert_eq!(read_validity(&path, (3, 2)).unwrap().unwrap(), [0, 0, 1, 1, 0, 1]);
        let error = read_classes(&path, (3, 2), 3).unwrap_err().to_string();
        assert!(error.contains("class below 3") && error.contains("127 at (1, 0)"), "{error}");
        let path = saved(&folder, [0, 1, 2, 255, 1, 0]);
        assert_eq!(read_classes(&path, (3, 2), 3).unwrap(), [0, 1, 2, 255, 1, 0]);
        assert!(read_classes(&path, (2, 3), 3).unwrap_err().to_string().contains("2 x 3 px, found 3 x 2"));
        assert!(read_validity(&folder.path().join("none.png"), (3, 2)).unwrap().is_none());
        image::RgbImage::new(3, 2).save(&path).unwrap();
        assert!(read_classes(&path, (3, 2), 3).unwrap_err().to_string().contains("8-bit grey"));
    }
}
