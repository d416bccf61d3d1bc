//! A folder of data at another pixel size: networks learn and see one pixel size.

use crate::atomic;
use crate::data::{DataCard, Dataset};
use crate::error::{Error, Result};
use crate::png_file::write_png;
use image::imageops::{FilterType, resize};
use image::{GrayImage, Luma};
use std::path::Path;

/// How a folder is rescaled.
#[derive(Debug, Clone, PartialEq)]
pub struct RescaleSettings {
    /// Pixel size of the images in micrometres; what dataset.toml states without one.
    pub from_um_per_px: Option<f64>,
    /// Pixel size to come.
    pub um_per_px: f64,
    /// What the images' names begin with afterwards, so that folders can be used together.
    pub prefix: String,
}

/// Writes `images/`, and `masks/` and `valid/` where there are any, at another pixel size, and a `dataset.toml` that states it. Images are filtered
/// as `lsr-edge` filters fields of another pixel size (Lanczos-3, as wide as the reduction), so that a network learns from what it will see; a pixel of
/// a mask has the class that has most of it.
///
/// # Errors
/// Nobody states the pixel size, a reduction or enlargement beyond 64 and 4, files that cannot be read or written, an output that is there already.
pub fn rescale(data: &Dataset, settings: &RescaleSettings, output: &Path, mut progress: impl FnMut(&str)) -> Result<()> {
    let from = settings.from_um_per_px.or(data.um_per_px()?);
    let from = from.ok_or_else(|| Error::setting("--from-um-per-px", "the images' pixel size, here or in dataset.toml", "neither"))?;
    for (name, value) in [("--from-um-per-px", from), ("--um-per-px", settings.um_per_px)] {
        if !(0.01..=100.0).contains(&value) {
            return Err(Error::setting(name, "0.01 to 100 um", value));
        }
    }
    let factor = from / settings.um_per_px;
    if !(1.0 / 64.0..=4.0).contains(&factor) {
        return Err(Error::setting(
            "--um-per-px",
            format!("{} to {} for images of {from} um/px", from / 4.0, from * 64.0),
            settings.um_per_px,
        ));
    }
    if settings.prefix.contains(['/', '\\']) || settings.prefix.starts_with('.') {
        return Err(Error::setting("--prefix", "the beginning of a file's name", format!("'{}'", settings.prefix)));
    }
    if output.exists() {
        return Err(Error::file(output, "there is something here already: choose another --output"));
    }
    atomic::write_folder(output, |folder| {
        for part in ["images", "masks", "valid"] {
            atomic::make_folder(&folder.join(part))?;
        }
        for name in data.names() {
            progress(name);
            let image = data.image(name)?;
            let new = |length: u32| ((f64::from(length) * factor).round() as u32).max(1);
            let size = (new(image.width()), new(image.height()));
            let file = format!("{}{name}.png", settings.prefix);
            write_png(&folder.join("images").join(&file), &resize(&image, size.0, size.1, FilterType::Lanczos3).into())?;
            if data.has_mask(name)? {
                let mask = data.grey_mask(name, image.dimensions())?;
                write_png(&folder.join("masks").join(&file), &most(&mask, size).into())?;
            }
            if let Some(valid) = data.validity(name, image.dimensions())? {
                let valid = valid.into_iter().map(|valid| if valid == 0 { 0 } else { 255 }).collect();
                let valid = GrayImage::from_raw(image.width(), image.height(), valid);
                let valid = valid.ok_or_else(|| Error::file(&folder.join(&file), "a validity mask of another size than its image"))?;
                write_png(&folder.join("valid").join(&file), &most(&valid, size).into())?;
            }
        }
        let source = format!("lsr-train {} rescale from {from} to {} um/px", env!("CARGO_PKG_VERSION"), settings.um_per_px);
        let licence = Some(data.licence()).filter(|licence| !licence.is_empty());
        let card = DataCard { um_per_px: Some(settings.um_per_px), licence, attribution: data.attribution(), source: Some(source) };
        let path = folder.join("dataset.toml");
        let text = toml::to_string(&card).map_err(|error| Error::file(&path, error.to_string()))?;
        atomic::write(&path, text.as_bytes())
    })
}

/// The grey value that has most of each new pixel.
fn most(mask: &GrayImage, size: (u32, u32)) -> GrayImage {
    let mut there = [false; 256];
    mask.as_raw().iter().for_each(|&grey| there[usize::from(grey)] = true);
    let mut best = GrayImage::new(size.0, size.1);
    let mut share = GrayImage::new(size.0, size.1);
    for grey in (0..=255_u8).filter(|&grey| there[usize::from(grey)]) {
        let plane = GrayImage::from_fn(mask.width(), mask.height(), |x, y| Luma([if mask.get_pixel(x, y).0[0] == grey { 255 } else { 0 }]));
        let plane = resize(&plane, size.0, size.1, FilterType::Triangle);
        for ((best, share), &own) in best.iter_mut().zip(share.iter_mut()).zip(plane.as_raw()) {
            // Of two classes with half each, cancer (the larger one) has it, as everywhere.
            if own > 0 && own >= *share {
                (*best, *share) = (grey, own);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_their_classes() {
        let mask = GrayImage::from_fn(8, 8, |x, y| {
            Luma([if y >= 4 {
                7
            } else if x < 4 {
                0
            } else {
                255
            }])
        });
        let half = most(&mask, (4, 4));
        for (x, y, grey) in [(0, 0, 0), (3, 0, 255), (0, 3, 7), (3, 3, 7)] {
            assert_eq!(half.get_pixel(x, y).0[0], grey, "({x}, {y})");
        }
        assert!(half.as_raw().iter().all(|grey| [0, 7, 255].contains(grey)));
        assert_eq!(most(&mask, (8, 8)), mask);
    }

    #[test]
    fn sizes_follow_from_the_pixel_sizes() {
        let folder = crate::data::tests::folder(&[("a", 40, 24)]);
        std::fs::remove_dir_all(folder.path().join("masks")).unwrap();
        let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
        let output = folder.path().join("smaller");
        let settings = RescaleSettings { from_um_per_px: Some(0.25), um_per_px: 1.0, prefix: "set-".to_owned() };
        rescale(&data, &settings, &output, |_| ()).unwrap();
        let made = Dataset::open(std::slice::from_ref(&output)).unwrap();
        assert_eq!(made.names().collect::<Vec<_>>(), ["set-a"]);
        assert_eq!((made.size("set-a").unwrap(), made.um_per_px().unwrap()), ((10, 6), Some(1.0)));
        let again = rescale(&data, &settings, &output, |_| ()).unwrap_err().to_string();
        assert!(again.contains("something here already"), "{again}");
        for (wrong, part) in [
            (RescaleSettings { from_um_per_px: None, ..settings.clone() }, "--from-um-per-px"),
            (RescaleSettings { um_per_px: 0.0, ..settings.clone() }, "0.01 to 100"),
            (RescaleSettings { um_per_px: 0.05, ..settings.clone() }, "0.0625 to 16"),
            (RescaleSettings { prefix: "a/b".to_owned(), ..settings.clone() }, "--prefix"),
        ] {
            let error = rescale(&data, &wrong, &folder.path().join("x"), |_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
