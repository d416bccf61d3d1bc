//! A folder of synthetic tissue in the layout that every other command reads.

use crate::data::DataCard;
use crate::error::{Error, Result};
use crate::png_file::write_png;
use crate::synth::{SynthConfig, generate};
use rayon::prelude::*;
use std::path::Path;

/// Writes `images/NNNN.png`, `masks/NNNN.png` and `dataset.toml`. Existing files of the same names are replaced.
///
/// # Errors
/// Settings that the generator refuses; a folder that cannot be written.
pub fn write_synthetic(folder: &Path, images: u64, size_px: u32, um_per_px: f32, seed: u64, progress: impl Fn(u64) + Sync) -> Result<()> {
    if images == 0 || images > 1_000_000 {
        return Err(Error::setting("--images", "1 to 1000000", images));
    }
    let config = SynthConfig::new(size_px, um_per_px, seed)?;
    for name in ["images", "masks"] {
        crate::atomic::make_folder(&folder.join(name))?;
    }
    (0..images).into_par_iter().try_for_each(|index| {
        let made = generate(&config, index)?;
        let name = format!("{index:04}.png");
        write_png(&folder.join("masks").join(&name), &made.mask.into())?;
        write_png(&folder.join("images").join(&name), &made.image.into())?;
        progress(index);
        Ok::<(), Error>(())
    })?;
    let card = DataCard {
        um_per_px: Some((f64::from(um_per_px) * 1e6).round() / 1e6),
        licence: Some("MIT OR Apache-2.0".to_owned()),
        attribution: None,
        source: Some(format!(
            "lsr-train {} synth --images {images} --size {size_px} --um-per-px {um_per_px} --seed {seed}",
            env!("CARGO_PKG_VERSION")
        )),
    };
    let path = folder.join("dataset.toml");
    let text = toml::to_string(&card).map_err(|error| Error::file(&path, error.to_string()))?;
    crate::atomic::write(&path, text.as_bytes())
}
