//! Small folders of images for tests.

/// A folder of PNG images `(name, width, height)`, each of other pixels, and an empty folder for masks.
pub(crate) fn folder(images: &[(&str, u32, u32)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    std::fs::create_dir(folder.path().join("masks")).unwrap();
    for (index, &(name, width, height)) in images.iter().enumerate() {
        let image = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 11) as u8, (y * 7 + x) as u8, (index * 40) as u8]));
        image.save(folder.path().join(format!("images/{name}.png"))).unwrap();
    }
    folder
}
