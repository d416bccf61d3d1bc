//! A run before its first step: settings, labels, prior and image sizes, all checked, so that nothing that could have been known stops the
//! training hours later.

use crate::config::{FitOptions, RunConfig};
use crate::csv_file::write_csv;
use crate::data::{Block, Dataset, Windows, check_inside, hex, read_blocks};
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::prior::Prior;
use crate::processes::{Processes, Share};
use crate::run_folder::RunFolder;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that training needs, checked.
#[derive(Debug)]
pub struct Run {
    pub(crate) folder: RunFolder,
    pub(crate) config: RunConfig,
    /// The images; their masks are closed unless the settings need them.
    pub(crate) data: Dataset,
    /// Blocks that are trained on.
    pub(crate) blocks: Arc<Vec<Block>>,
    /// Windows over these blocks, which go through the network instead of them.
    pub(crate) windows: Option<Arc<Windows>>,
    /// Blocks that are watched.
    pub(crate) validation: Arc<Vec<Block>>,
    pub(crate) prior: Prior,
    pub(crate) resume: bool,
    /// Who trains it together.
    pub(crate) processes: Processes,
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
        let (prior, blocks) = (Prior::read(&prior_file)?, read_blocks(&blocks_file)?);
        let options = if options.leaves_the_loss_open() && prior.classes() == 2 {
            options.or(FitOptions::own_labels(default_window(&data, &blocks)?))
        } else {
            options
        };
        let mut config = options.resolve(data.um_per_px()?, data.licence())?;
        let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Error::io("reading", path));
        config.data = config.data.iter().map(absolute).collect::<Result<_>>()?;
        config.cache = config.cache.as_ref().map(absolute).transpose()?;
        config.set_classes(prior.classes())?;
        check(&data, &blocks, &prior, &config, &prior_file)?;
        config.data_digest = digest(&data, &blocks, &prior, &config)?;
        let (training, validation) = split(&data, &blocks, &config)?;
        let windows = windows(&data, &training, &config)?;
        let folder = RunFolder::for_training(output, false)?;
        write_csv(&folder.path("blocks.csv"), &blocks)?;
        prior.write(&folder.path("prior.csv"))?;
        folder.write_config(&config)?;
        Ok(Self {
            folder,
            data: view(data, &config),
            config,
            blocks: training,
            windows,
            validation,
            prior,
            resume: false,
            processes: Processes::ALONE,
        })
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
        Self::existing(folder, config, true)
    }

    /// A run that the first of several processes has just made or resumed, for the others: they read what it wrote, on its file system or
    /// one like it, and write nothing.
    ///
    /// # Errors
    /// No run there, images that are not those of the first process.
    pub fn join(resume: bool, device: Option<DeviceChoice>, output: &Path) -> Result<Self> {
        let folder = RunFolder::open(output)?;
        let mut config = folder.config()?;
        config.device = device.unwrap_or(config.device);
        Self::existing(folder, config, resume)
    }

    fn existing(folder: RunFolder, config: RunConfig, resume: bool) -> Result<Self> {
        let (blocks, prior) = (read_blocks(&folder.path("blocks.csv"))?, Prior::read(&folder.path("prior.csv"))?);
        let data = Dataset::open(&config.data)?;
        check(&data, &blocks, &prior, &config, &folder.path("prior.csv"))?;
        let found = digest(&data, &blocks, &prior, &config)?;
        if found != config.data_digest {
            return Err(Error::setting("data", format!("the images that the run started with (digest {})", config.data_digest), found));
        }
        let (training, validation) = split(&data, &blocks, &config)?;
        let windows = windows(&data, &training, &config)?;
        let data = view(data, &config);
        Ok(Self { folder, data, config, blocks: training, windows, validation, prior, resume, processes: Processes::ALONE })
    }

    /// The same run, trained by several processes of which this is one: each takes a share of every batch, and a GPU of its own.
    ///
    /// # Errors
    /// More processes than blocks go through the network at once; a GPU that is not there.
    pub fn among(mut self, processes: Processes) -> Result<Self> {
        let at_once = self.config.groups_at_once * self.config.group;
        if self.windows.is_some() && processes.count > 1 {
            return Err(Error::setting("processes", "1 with --window (a loss such as --preset paper needs none)", processes.count));
        }
        if processes.count > at_once {
            return Err(Error::setting("processes", format!("at most the {at_once} blocks that go through at once"), processes.count));
        }
        self.config.device = self.config.device.among(processes)?;
        self.processes = processes;
        Ok(self)
    }

    /// This process's share of what goes through the network at once.
    pub(crate) fn share(&self) -> Share {
        Share::of(self.processes, self.config.groups_at_once * self.config.group)
    }

    /// Pixels of a block.
    pub(crate) fn block_pixels(&self) -> usize {
        self.blocks[0].width as usize * self.blocks[0].height as usize
    }

    /// What goes through the network: windows, or the blocks themselves.
    pub(crate) fn samples(&self) -> &Arc<Vec<Block>> {
        self.windows.as_ref().map_or(&self.blocks, |windows| windows.windows())
    }

    /// Columns and rows of each.
    pub(crate) fn sample_size(&self) -> (usize, usize) {
        let first = &self.samples()[0];
        (first.width as usize, first.height as usize)
    }

    /// The settings.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The prior.
    pub fn prior(&self) -> &Prior {
        &self.prior
    }

    /// Number of blocks that are trained on.
    pub fn training_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Names of the images that are watched.
    pub(crate) fn validation_images(&self) -> BTreeSet<String> {
        self.validation.iter().map(|block| block.image.clone()).collect()
    }
}

/// Weak supervision cannot read a mask, whatever the code does.
fn view(data: Dataset, config: &RunConfig) -> Dataset {
    if config.opens_masks() { data } else { data.without_masks() }
}

/// Side of the windows where nobody chooses one: twice a block's, or as much of it as the smallest image has, in whole steps of what the deepest
/// usual network divides.
fn default_window(data: &Dataset, blocks: &[Block]) -> Result<u32> {
    const STEP_PX: u32 = 16;
    let side = blocks.iter().map(|block| block.width.max(block.height)).max().unwrap_or(0);
    let images: BTreeSet<&str> = blocks.iter().map(|block| block.image.as_str()).collect();
    let mut most = side.saturating_mul(2);
    for image in images {
        let (width, height) = data.size(image)?;
        most = most.min(width).min(height);
    }
    // Where a block does not go into whole steps, windows of its own size remain.
    let whole = most / STEP_PX * STEP_PX;
    Ok(if whole >= side { whole } else { side })
}

/// Refuses what would stop the training later; looks at the images' headers alone.
fn check(data: &Dataset, blocks: &[Block], prior: &Prior, config: &RunConfig, prior_file: &Path) -> Result<()> {
    let mut sizes = BTreeMap::new();
    let first = &blocks[0];
    let alignment = config.network.alignment() as u32;
    for block in blocks {
        if prior.counts(block.z).is_none() {
            let known: Vec<String> = prior.labels().map(|z| z.to_string()).collect();
            let reason = format!("no row for z {}, which occurs in the blocks (rows there are: z {})", block.z, known.join(", "));
            return Err(Error::file(prior_file, reason));
        }
        if config.window == 0 && (block.width, block.height) != (first.width, first.height) {
            let expected = format!("blocks of one size ({} x {} px, as the first) without --window", first.width, first.height);
            return Err(Error::setting("blocks", expected, format!("{} x {} px in '{}'", block.width, block.height, block.image)));
        }
        if !sizes.contains_key(block.image.as_str()) {
            sizes.insert(block.image.as_str(), data.size(&block.image)?);
        }
        check_inside(block, sizes[block.image.as_str()])?;
    }
    let expected = || format!("multiples of {alignment} px, for a network of depth {}", config.network.depth);
    if config.window > 0 {
        if !config.window.is_multiple_of(alignment) {
            return Err(Error::setting("window", expected(), config.window));
        }
    } else if !first.width.is_multiple_of(alignment) || !first.height.is_multiple_of(alignment) {
        return Err(Error::setting("block size", expected(), format!("{} x {} px", first.width, first.height)));
    }
    Ok(())
}

fn windows(data: &Dataset, blocks: &Blocks, config: &RunConfig) -> Result<Option<Arc<Windows>>> {
    let lay = || Windows::lay(Arc::clone(blocks), config.window, data).map(Arc::new);
    (config.window > 0).then(lay).transpose()
}

/// Blocks, shared with the threads that read them.
type Blocks = Arc<Vec<Block>>;

/// Blocks to train on and blocks to watch.
fn split(data: &Dataset, blocks: &[Block], config: &RunConfig) -> Result<(Blocks, Blocks)> {
    if config.validation.is_empty() {
        return Ok((Arc::new(blocks.to_vec()), Arc::default()));
    }
    let watched = data.clone().select(&config.validation)?;
    let watched: BTreeSet<&str> = watched.names().collect();
    let (validation, training): (Vec<Block>, Vec<Block>) = blocks.iter().cloned().partition(|block| watched.contains(block.image.as_str()));
    for (what, part) in [("no block to train on", &training), ("no block to validate on", &validation)] {
        if part.is_empty() {
            return Err(Error::setting("validation", "patterns that leave some images to train on and match some with blocks", what));
        }
    }
    Ok((Arc::new(training), Arc::new(validation)))
}

/// What a run learns from: images, labels and prior, and masks only where the settings say so.
fn digest(data: &Dataset, blocks: &[Block], prior: &Prior, config: &RunConfig) -> Result<String> {
    let names: BTreeSet<&str> = blocks.iter().map(|block| block.image.as_str()).collect();
    let mut hash = Sha256::new();
    hash.update(data.digest(names.iter().copied())?);
    if config.mask_fraction > 0.0 {
        hash.update(data.masks_digest(names.iter().copied())?);
    }
    for b in blocks {
        hash.update(format!("{},{},{},{},{},{},{}\n", b.image, b.x, b.y, b.width, b.height, b.probability, b.z));
    }
    for label in prior.labels() {
        hash.update(format!("{label} {:?}\n", prior.counts(label)));
    }
    Ok(hex(&hash.finalize()))
}
