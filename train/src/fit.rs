//! Training: block labels and images in, a network out. The loop is [`train`].

use crate::atomic;
use crate::checkpoint::RunFolder;
use crate::collapse::{LabelStatistics, LabelTracker, collapse};
use crate::config::{FitOptions, RunConfig};
use crate::data::{Block, Dataset, check_inside, hex, read_blocks};
use crate::error::{Error, Result};
use crate::loss::{BatchLoss, BatchTarget, batch_loss};
use crate::model::{UNet, input_from_rgb8, probabilities};
use crate::optimizer::RmsProp;
use crate::prior::{CANCER, Prior};
use crate::sampler::{SampledGroup, Sampler};
use burn::optim::GradientsParams;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use image::RgbImage;
use lsr_core::Loss;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A step, as `metrics.jsonl` has it. Without times, so that the same seed gives the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps done.
    pub step: usize,
    /// The batch's loss before the step.
    pub loss: f64,
    /// Predicted mean and spread of each group against the prior.
    pub groups: Vec<LabelStatistics>,
}

/// How a run ended: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps done.
    pub steps: usize,
    /// Loss of the last step, if there was one.
    pub loss: Option<f64>,
    /// Predicted mean and spread of every label over its latest groups.
    pub labels: Vec<LabelStatistics>,
    /// Why the network counts as collapsed, if it does.
    pub collapsed: Option<String>,
    /// Version of lsr-train.
    pub version: String,
}

/// Who is told what happens.
pub trait Observer {
    /// Training starts at a step that is 0 or restored.
    fn start(&mut self, config: &RunConfig, step: usize);
    /// A step is done.
    fn step(&mut self, report: &StepReport);
    /// The labels' statistics, before every checkpoint and at the end.
    fn labels(&mut self, step: usize, statistics: &[LabelStatistics]);
    /// Something is not as it should be.
    fn warn(&mut self, text: &str);
}

/// Everything that training needs, checked.
#[derive(Debug)]
pub struct Run {
    folder: RunFolder,
    config: RunConfig,
    blocks: Vec<Block>,
    prior: Prior,
    images: BTreeMap<String, RgbImage>,
    resume: bool,
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
        crate::data::write_csv(&folder.path("blocks.csv"), &blocks)?;
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

/// Trains until the last step, an error or `stop`. A checkpoint is written every `checkpoint_every` steps, at the end, and when stopped.
///
/// # Errors
/// [`Error::Interrupted`] when `stop` was set, [`Error::Training`] when the loss is no number, a failing device or disk.
pub fn train(run: &Run, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Summary> {
    let config = &run.config;
    let loss = config.loss()?;
    let device = config.device.open()?.autodiff();
    let sampler = Sampler::new(&run.blocks, config.group, config.groups, config.augment, config.seed)?;

    let mut model = config.network().init(config.seed, &device);
    let mut optimizer = RmsProp::new(config.clip_norm);
    let mut tracker = LabelTracker::default();
    let mut step = 0;
    if run.resume {
        let restored = run.folder.restore(&model, |text| observer.warn(&text))?;
        (step, model, tracker) = (restored.step, restored.model, restored.tracker);
        let bytes = Bytes::from_bytes_vec(restored.optimizer);
        optimizer.load(&model, bytes).map_err(|error| Error::file(&run.folder.path("checkpoints"), error.to_string()))?;
    } else {
        run.folder.save(0, &model, &optimizer, &tracker)?;
    }
    let mut metrics = Metrics::open(&run.folder.path("metrics.jsonl"), step)?;
    observer.start(config, step);

    let mut last_loss = metrics.last_loss;
    let mut collapsed = None;
    while step < config.steps {
        let groups = sampler.groups(step);
        let batch = forward(run, &model, &groups, &loss, &device);
        let counts = batch.counts.into_data();
        let value = batch.loss.clone().into_scalar::<f32>();
        let report = report(run, step + 1, value, &groups, counts, &mut tracker)?;
        let gradients = GradientsParams::from_grads(batch.loss.backward(), &model);
        model = optimizer.step(model, gradients, config.learning_rate);
        step += 1;

        metrics.write(&report)?;
        last_loss = Some(report.loss);
        observer.step(&report);
        let stopped = stop.load(Ordering::Relaxed);
        if stopped || step % config.checkpoint_every == 0 || step == config.steps {
            run.folder.save(step, &model, &optimizer, &tracker)?;
            let statistics = tracker.statistics(&run.prior, CANCER);
            observer.labels(step, &statistics);
            collapsed = collapse(&statistics);
            if let Some(why) = &collapsed {
                observer.warn(why);
            }
        }
        if stopped && step < config.steps {
            return Err(Error::Interrupted { step, run: run.folder.path("") });
        }
    }
    let labels = tracker.statistics(&run.prior, CANCER);
    let collapsed = collapsed.or_else(|| collapse(&labels));
    let summary = Summary { steps: step, loss: last_loss, labels, collapsed, version: config.version.clone() };
    let json = serde_json::to_vec_pretty(&summary).map_err(|error| Error::file(&run.folder.path("summary.json"), error.to_string()))?;
    atomic::write(&run.folder.path("summary.json"), &json)?;
    Ok(summary)
}

/// Images of the groups through the network, and the loss of what it predicts.
fn forward(run: &Run, model: &UNet, groups: &[SampledGroup], loss: &Loss<f64>, device: &Device) -> BatchLoss {
    let (width, height) = (run.blocks[0].width as usize, run.blocks[0].height as usize);
    let (count, size) = (groups.len(), run.config.group);
    let mut bytes = Vec::with_capacity(count * size * width * height * 3);
    for &(index, symmetry) in groups.iter().flat_map(|group| &group.blocks) {
        let block = &run.blocks[index];
        append_block(&run.images[&block.image], block, symmetry, &mut bytes);
    }
    let input = input_from_rgb8(bytes, count * size, height, width, device);
    let probabilities = probabilities(model.forward(input)); // [groups * blocks, outputs, h, w]
    let outputs = probabilities.dims()[1];
    let probabilities = probabilities.reshape([count, size, outputs, height * width]);
    batch_loss(probabilities, None, target(run, groups, outputs, device), loss)
}

/// eta and rho of every group: of cancer alone for a network with one output.
fn target(run: &Run, groups: &[SampledGroup], outputs: usize, device: &Device) -> BatchTarget {
    let first = if outputs == 1 { CANCER } else { 0 };
    let of = |value: fn(&lsr_core::Count<f64>) -> f64| {
        let values: Vec<f32> = groups
            .iter()
            // `checked_images` has made sure that every label has a row.
            .flat_map(|group| run.prior.counts(group.label).unwrap_or_default().iter().skip(first).take(outputs))
            .map(|count| value(count) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, [groups.len(), outputs]), device)
    };
    BatchTarget { mean: of(|count| count.mean), std: of(|count| count.std), weight: None }
}

/// Appends a square block's pixels, turned by one of the eight symmetries of the square (bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps
/// the axes); a block that is not square is only mirrored.
fn append_block(image: &RgbImage, block: &Block, symmetry: u8, bytes: &mut Vec<u8>) {
    let swap = symmetry & 4 != 0 && block.width == block.height;
    for y in 0..block.height {
        for x in 0..block.width {
            let (mut u, mut v) = if swap { (y, x) } else { (x, y) };
            if symmetry & 1 != 0 {
                u = block.width - 1 - u;
            }
            if symmetry & 2 != 0 {
                v = block.height - 1 - v;
            }
            bytes.extend_from_slice(&image.get_pixel(block.x + u, block.y + v).0);
        }
    }
}

fn report(
    run: &Run,
    step: usize,
    loss: f32,
    groups: &[SampledGroup],
    counts: TensorData,
    tracker: &mut LabelTracker,
) -> Result<StepReport> {
    let counts: Vec<f32> = counts.try_to_vec().map_err(|error| Error::Training { step, reason: format!("counts: {error:?}") })?;
    let outputs = counts.len() / (groups.len() * run.config.group);
    let class = if outputs == 1 { 0 } else { CANCER };
    let mut statistics = Vec::new();
    for (group, counts) in groups.iter().zip(counts.chunks_exact(run.config.group * outputs)) {
        let cancer: Vec<f64> = counts.chunks_exact(outputs).map(|block| f64::from(block[class])).collect();
        let mut single = LabelTracker::default();
        single.push(group.label, cancer.clone());
        statistics.extend(single.statistics(&run.prior, CANCER));
        tracker.push(group.label, cancer);
    }
    if !loss.is_finite() {
        let found: Vec<String> = statistics.iter().map(|s| format!("z {}: mean {}, spread {}", s.z, s.mean, s.spread)).collect();
        let reason = format!("the loss is {loss}; predicted counts: {} (try --clip-norm, or a larger --variance-floor)", found.join("; "));
        return Err(Error::Training { step, reason });
    }
    Ok(StepReport { step, loss: f64::from(loss), groups: statistics })
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
    if first.width % alignment != 0 || first.height % alignment != 0 {
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

/// `metrics.jsonl`: lines beyond the checkpoint that a run resumes from are cut off, so that no step is there twice.
struct Metrics {
    file: std::fs::File,
    path: PathBuf,
    last_loss: Option<f64>,
}

impl Metrics {
    fn open(path: &Path, step: usize) -> Result<Self> {
        let old = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("reading", path)(error)),
        };
        let mut kept = String::new();
        let mut last_loss = None;
        // A line cut short by a crash ends the good ones.
        for report in old.lines().map_while(|line| serde_json::from_str::<StepReport>(line).ok()).take_while(|report| report.step <= step) {
            last_loss = Some(report.loss);
            kept.push_str(&json_line(&report, path)?);
        }
        atomic::write(path, kept.as_bytes())?;
        let file = std::fs::OpenOptions::new().append(true).open(path).map_err(Error::io("writing", path))?;
        Ok(Self { file, path: path.to_owned(), last_loss })
    }

    fn write(&mut self, report: &StepReport) -> Result<()> {
        let line = json_line(report, &self.path)?;
        self.file.write_all(line.as_bytes()).map_err(Error::io("writing", &self.path))
    }
}

fn json_line(report: &StepReport, path: &Path) -> Result<String> {
    serde_json::to_string(report).map(|line| line + "\n").map_err(|error| Error::file(path, error.to_string()))
}
