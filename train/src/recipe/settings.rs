//! A recipe's file.

use crate::config::{FitOptions, FolderWeights};
use crate::error::{Error, Result};
use crate::quantize::QuantizeSettings;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a network is made of, and what it is judged by: a TOML file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Pixel size that the network sees, in micrometres.
    pub um_per_px: f64,
    /// Side of a label block in these pixels, unless its source says another.
    pub block_px: u32,
    /// Distance between blocks in these pixels, likewise.
    pub stride_px: u32,
    /// Masked scores count pixels within this many of these pixels of a true boundary; a block's side if it is not said.
    pub band_px: Option<u32>,
    /// Annotated blocks of each label, for the count prior.
    pub annotated: usize,
    /// Seed of everything that is drawn.
    #[serde(default)]
    pub seed: u64,
    /// What is learned from.
    pub source: Vec<Source>,
    /// What the network is judged by.
    #[serde(default)]
    pub judge: Vec<Source>,
    /// Settings of the training, as in a file for `fit --config`.
    #[serde(default)]
    pub fit: FitOptions,
    /// Settings of the quantisation.
    #[serde(default)]
    pub quantize: QuantizeChoice,
    /// The file.
    #[serde(skip)]
    pub(super) text: String,
}

/// Images: of a folder, or synthetic.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Folder with images/ and masks/, inside the folder of data.
    pub folder: Option<PathBuf>,
    /// Synthetic tissue instead.
    pub synthetic: Option<Synthetic>,
    /// Pixel size of the folder's images in micrometres.
    pub um_per_px: Option<f64>,
    /// Patterns of the images that are used; all without any.
    #[serde(default)]
    pub images: Vec<String>,
    /// Side of its label blocks.
    pub block_px: Option<u32>,
    /// Distance between them.
    pub stride_px: Option<u32>,
    /// How often it is drawn, against the others.
    #[serde(default = "one")]
    pub weight: f64,
    /// Weight of the length of the boundaries that are drawn in it; that of `fit` if it is not said.
    pub boundary_weight: Option<f64>,
    /// The images are also learned from this many times as large, so that the network does not depend on a pixel size that is not quite so.
    #[serde(default = "only_one")]
    pub stretch: Vec<f64>,
    /// Licence of the images.
    pub licence: Option<String>,
    /// Who must be named.
    pub attribution: Option<String>,
}

/// Tissue of `lsr-train synth`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Images.
    pub images: u64,
    /// Side of an image in pixels.
    pub size_px: u32,
    /// Pixel size in micrometres.
    pub um_per_px: f32,
    /// Names the series.
    pub seed: u64,
}

/// Settings of the quantisation; each as `lsr-train quantize` has it by default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuantizeChoice {
    /// Most tiles that calibrate.
    pub count: Option<usize>,
    /// Steps of quantisation-aware fine-tuning.
    pub fine_tune: Option<usize>,
}

impl QuantizeChoice {
    pub(super) fn settings(&self, seed: u64) -> QuantizeSettings {
        let default = QuantizeSettings::default();
        QuantizeSettings {
            count: self.count.unwrap_or(default.count),
            fine_tune: self.fine_tune.unwrap_or(default.fine_tune),
            seed,
            ..default
        }
    }
}

fn one() -> f64 {
    1.0
}

fn only_one() -> Vec<f64> {
    vec![1.0]
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// A file that cannot be read; a key that does not exist; a value that cannot be, by name.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
        let mut recipe: Self = toml::from_str(&text).map_err(|error| Error::file(path, error.to_string()))?;
        recipe.text = text;
        recipe.check().map_err(|error| Error::file(path, error.to_string()))?;
        Ok(recipe)
    }

    /// The recipe without some of its sources, which are judged as a whole instead.
    ///
    /// # Errors
    /// A name that no source has; nothing left.
    pub(super) fn without(mut self, names: &[String]) -> Result<Self> {
        for name in names {
            let place = self.source.iter().position(|source| source.name == *name);
            let known = || self.source.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ");
            let place = place.ok_or_else(|| Error::setting("--without", format!("a source of the recipe ({})", known()), name))?;
            let left_out = self.source.remove(place);
            self.judge.retain(|judge| judge.name != left_out.name);
            self.judge.push(Source { images: Vec::new(), stretch: only_one(), ..left_out });
        }
        if self.source.is_empty() {
            return Err(Error::setting("--without", "at least one source that is left", "none"));
        }
        Ok(self)
    }

    /// Width of the band around true boundaries in which masked scores are counted, in pixels.
    pub(super) fn band_px(&self) -> u32 {
        self.band_px.unwrap_or(self.block_px)
    }

    /// The sources' licences, with who must be named.
    pub(super) fn licences(&self) -> String {
        let said = self.source.iter().filter_map(|source| {
            let licence = source.licence.as_deref()?;
            let named = source.attribution.as_ref().map_or(String::new(), |name| format!(", {name}"));
            Some(format!("{licence} ({}{named})", source.name))
        });
        said.collect::<Vec<_>>().join("; ")
    }

    fn check(&self) -> Result<()> {
        if !(0.01..=100.0).contains(&self.um_per_px) {
            return Err(Error::setting("um_per_px", "0.01 to 100 um", self.um_per_px));
        }
        check_px(&[("block_px", Some(self.block_px)), ("stride_px", Some(self.stride_px)), ("band_px", self.band_px)])?;
        if self.source.is_empty() {
            return Err(Error::setting("source", "at least one", "none"));
        }
        for list in [&self.source, &self.judge] {
            for (index, source) in list.iter().enumerate() {
                source.check()?;
                if list[..index].iter().any(|other| other.name == source.name) {
                    return Err(Error::setting("name", "another one for each source", format!("'{}' twice", source.name)));
                }
            }
        }
        let fit = &self.fit;
        if !fit.data.is_empty() || fit.blocks.is_some() || fit.prior.is_some() || fit.sampling.is_some() || fit.um_per_px.is_some() {
            return Err(Error::setting("fit", "settings other than data, blocks, prior, sampling, um_per_px", "one of these"));
        }
        if let Some(FolderWeights::Each(weights)) = &fit.boundary_weight {
            return Err(Error::setting("fit", "one boundary_weight (a source may have its own)", weights));
        }
        Ok(())
    }
}

impl Source {
    fn check(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(Error::setting("name", "letters, digits, '-' and '_'", format!("'{}'", self.name)));
        }
        if self.folder.is_some() == self.synthetic.is_some() {
            return Err(Error::setting("source", "either folder or synthetic", format!("both or none in '{}'", self.name)));
        }
        if self.folder.is_some() != self.um_per_px.is_some() {
            return Err(Error::setting(
                "um_per_px",
                "the pixel size of a folder's images",
                format!("none, or one too many, in '{}'", self.name),
            ));
        }
        check_px(&[("block_px", self.block_px), ("stride_px", self.stride_px)])?;
        for (name, weight) in [("weight", self.weight), ("boundary_weight", self.boundary_weight.unwrap_or(0.0))] {
            if !(0.0..=1e6).contains(&weight) {
                return Err(Error::setting(name, "0 to 1000000", weight));
            }
        }
        if self.stretch.is_empty() || !self.stretch.iter().all(|stretch| (0.25..=4.0).contains(stretch)) {
            return Err(Error::setting("stretch", "factors of 0.25 to 4", format!("{:?}", self.stretch)));
        }
        Ok(())
    }
}

fn check_px(lengths: &[(&'static str, Option<u32>)]) -> Result<()> {
    for &(name, length) in lengths {
        if let Some(length) = length.filter(|length| !(1..=65_536).contains(length)) {
            return Err(Error::setting(name, "1 to 65536 px", length));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
        um_per_px = 2.0
        block_px = 64
        stride_px = 32
        annotated = 12
        [[source]]
        name = "a"
        folder = "a"
        um_per_px = 0.5
        licence = "CC0"
        [[source]]
        name = "b"
        synthetic = { images = 2, size_px = 64, um_per_px = 1.0, seed = 3 }
        licence = "MIT"
        attribution = "somebody"
        [[judge]]
        name = "a"
        folder = "a"
        um_per_px = 0.5
        images = ["x*"]
    "#;

    fn parsed(text: &str) -> Result<Recipe> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, text).unwrap();
        Recipe::read(&path)
    }

    #[test]
    fn sources_that_are_left_out_are_judged_whole() {
        let recipe = parsed(TWO).unwrap();
        assert_eq!(recipe.licences(), "CC0 (a); MIT (b, somebody)");
        let left = recipe.clone().without(&["a".to_owned()]).unwrap();
        assert_eq!((left.source.len(), left.judge.len()), (1, 1));
        assert!(left.judge[0].images.is_empty());
        assert!(recipe.clone().without(&["c".to_owned()]).unwrap_err().to_string().contains("a, b"));
        assert!(recipe.without(&["a".to_owned(), "b".to_owned()]).is_err());
    }

    #[test]
    fn recipes_that_cannot_be_are_refused_by_name() {
        for (from, to, part) in [
            ("um_per_px = 2.0", "um_per_px = 0.0", "um_per_px"),
            ("stride_px = 32", "stride_px = 0", "stride_px"),
            ("stride_px = 32", "stride_px = 32\n        band_px = 0", "band_px"),
            ("name = \"b\"", "name = \"../b\"", "name"),
            ("name = \"b\"", "name = \"a\"", "twice"),
            ("folder = \"a\"\n        um_per_px = 0.5", "folder = \"a\"", "pixel size"),
            ("seed = 3 }", "seed = 3, colour = 1 }", "colour"),
            ("licence = \"MIT\"", "stretch = [5.0]", "stretch"),
            ("licence = \"MIT\"", "block_px = 65537", "block_px"),
            ("annotated = 12", "annotated = 12\n        fit = { blocks = \"x\" }", "fit"),
            ("annotated = 12", "annotated = 12\n        fit = { boundary_weight = \"0:1\" }", "boundary_weight"),
            ("licence = \"MIT\"", "boundary_weight = -1.0", "boundary_weight"),
        ] {
            let error = parsed(&TWO.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("recipe.toml"), "{to}: {error}");
        }
    }
}
