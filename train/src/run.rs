//! A run before its first step: settings, labels, prior and images, all checked, so that nothing stops the training hours later.

use crate::checkpoint::RunFolder;
use crate::config::{FitOptions, RunConfig};
use crate::csv_file::write_csv;
use crate::data::{Block, Dataset, check_inside, hex, read_blocks};
use crate::error::{Error, Result};
use crate::prior::Prior;
use image::RgbImage;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything that training needs, checked.
#[derive(Debug)]
pub struct Run {
    pub(crate) folder: RunFolder,
    pub(crate) config: RunConfig,
    pub(crate) blocks: Vec<Block>,
    pub(crate) prior: Prior,
    pub(crate) images: BTreeMap<String, RgbImage>,
    pub(crate) resume: bool,
}

impl Run {
    /// A new run in a folder that holds none yet.
    ///
    /// # Errors
    /// Anything that would stop the training later: missing or bad files, blocks outside their image, labels without a prior, block sizes
    /// that differ or that the network's depth does not divide.
    pub fn create(options: FitOptions, output: &Path) -> Result<Self> {
        let needed = |name: &'static str, value: &Option<PathBuf>| {
            value.clone().ok_or_else(|| Error::setting(name, "a file (see lsr-train fit --help)", "nothing"))
        };
        let (blocks_file, prior_file) = (needed("--blocks", &options.blocks)?, needed("--prior", &options.prior)?);
        if options.data.is_empty() {
            return Err(Error::setting("--data", "at least one folder of images", "nothing"));
        }
        let data = Dataset::open(&options.data)?;
        let mut config = options.resolve(data.um_per_px()?, data.licence())?;
        config.data = config.data.iter().map(std::path::absolute).collect::<Result<_, _>>().map_err(Error::io("reading", output))?;
        let prior = Prior::read(&prior_file)?;
        if prior.classes() > 2 {
            config.classes = (0..prior.classes()).map(|class| format!("class {class}")).collect();
        }
        let blocks = read_blocks(&blocks_file)?;
        let images = checked_images(&data, &blocks, &prior, &config, &prior_file)?;
        config.data_digest = digest(&data, &images, &blocks, &prior)?;
        let folder = RunFolder::for_training(output, false)?;
        write_csv(&folder.path("blocks.csv"), &blocks)?;
        prior.write(&folder.path("prior.csv"))?;
        folder.write_config(&config)?;
        Ok(Self { folder, config, blocks, prior, images, resume: false })
    }

    /// A run to go on with. `steps` may be raised and the device may be another; everything else is as it was.
    ///
    /// # Errors
    /// No run there, settings that contradict it, images that changed since.
    pub fn resume(options: FitOptions, output: &Path) -> Result<Self> {
        let folder = RunFolder::for_training(output, true)?;
        let mut config = folder.config()?;
        let allowed = FitOptions { steps: options.steps, device: options.device, ..FitOptions::default() };
        if options != allowed {
            return Err(Error::setting(
                "--resume",
                "no other settings than --steps and --device: the rest is in config.toml",
                "more flags",
            ));
        }
        if let Some(steps) = options.steps
            && steps != config.steps
        {
            config.steps = steps;
            folder.write_config(&config)?;
        }
        config.device = options.device.unwrap_or(config.device);
        let (blocks, prior) = (read_blocks(&folder.path("blocks.csv"))?, Prior::read(&folder.path("prior.csv"))?);
        let data = Dataset::open(&config.data)?;
        let images = checked_images(&data, &blocks, &prior, &config, &folder.path("prior.csv"))?;
        let found = digest(&data, &images, &blocks, &prior)?;
        if found != config.data_digest {
            return Err(Error::setting("data", format!("the images that the run started with (digest {})", config.data_digest), found));
        }
        Ok(Self { folder, config, blocks, prior, images, resume: true })
    }

    /// The settings.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The prior.
    pub fn prior(&self) -> &Prior {
        &self.prior
    }
}

/// Reads the blocks' images, and refuses what would stop the training later.
fn checked_images(
    data: &Dataset,
    blocks: &[Block],
    prior: &Prior,
    config: &RunConfig,
    prior_file: &Path,
) -> Result<BTreeMap<String, RgbImage>> {
    let mut images = BTreeMap::new();
    let first = &blocks[0];
    let alignment = config.network().alignment() as u32;
    for block in blocks {
        if prior.counts(block.z).is_none() {
            let known: Vec<String> = prior.labels().map(|z| z.to_string()).collect();
            let reason = format!("no row for z {}, which occurs in the blocks (rows there are: z {})", block.z, known.join(", "));
            return Err(Error::file(prior_file, reason));
        }
        if (block.width, block.height) != (first.width, first.height) {
            let expected = format!("blocks of one size ({} x {} px, as the first)", first.width, first.height);
            return Err(Error::setting("blocks", expected, format!("{} x {} px in '{}'", block.width, block.height, block.image)));
        }
        if !images.contains_key(&block.image) {
            images.insert(block.image.clone(), data.image(&block.image)?);
        }
        check_inside(block, images[&block.image].dimensions())?;
    }
    if !first.width.is_multiple_of(alignment) || !first.height.is_multiple_of(alignment) {
        let expected = format!("multiples of {alignment} px, for a network of depth {}", config.depth);
        return Err(Error::setting("block size", expected, format!("{} x {} px", first.width, first.height)));
    }
    Ok(images)
}

/// What a run learns from: images, labels and prior, and nothing else.
fn digest(data: &Dataset, images: &BTreeMap<String, RgbImage>, blocks: &[Block], prior: &Prior) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(data.digest(images.keys().map(String::as_str))?);
    for b in blocks {
        hash.update(format!("{},{},{},{},{},{},{}\n", b.image, b.x, b.y, b.width, b.height, b.probability, b.z));
    }
    for label in prior.labels() {
        hash.update(format!("{label} {:?}\n", prior.counts(label)));
    }
    Ok(hex(&hash.finalize()))
}
