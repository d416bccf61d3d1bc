//! Training of a classifier, fold by fold. The loop is [`train_fold`].

use super::batch::{append_drawn, draw};
use super::binary::BinaryBlock;
use super::calibration::Calibration;
use super::fold::deal;
use super::folder::{ClassifierFolder, Fold};
use super::score::logits;
use super::settings::{ClassifierConfig, ClassifierSettings};
use crate::config::Schedule;
use crate::data::{Block, Dataset, check_inside, hex};
use crate::error::{Error, Result};
use crate::loss::binary_cross_entropy;
use crate::network::input_from_rgb8;
use crate::optimizer::RmsProp;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// What happens while a classifier is trained.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassifierEvent {
    /// A step of a fold is done (1 is the first), with its cross-entropy in nats.
    Step {
        /// The fold.
        fold: usize,
        /// Steps done in it.
        step: usize,
        /// Mean binary cross-entropy of the batch.
        loss: f64,
    },
    /// A fold that an earlier call finished is taken as it is.
    Kept {
        /// The fold.
        fold: usize,
    },
    /// Something is not as it should be.
    Warning(String),
}

/// Everything that the training of a fold needs.
struct Lesson<'a> {
    folder: &'a ClassifierFolder,
    blocks: &'a [BinaryBlock],
    images: BTreeMap<&'a str, RgbImage>,
}

/// Trains a classifier on labelled blocks and calibrates it on the blocks that each network did not see. A folder that an interrupted call
/// left is gone on with at its first unfinished fold. All labelled images are held in memory, each decoded once; no mask is read.
///
/// # Errors
/// Labels that do not fit the images or cannot be dealt into folds, settings outside their intervals, a folder begun with other settings,
/// [`Error::ClassifierInterrupted`] when `stop` was set, [`Error::Training`] when the loss is no number, a failing device or disk.
pub fn fit_classifier(
    data: &Dataset,
    labels: &[BinaryBlock],
    settings: &ClassifierSettings,
    output: &Path,
    progress: &mut dyn FnMut(ClassifierEvent),
    stop: &AtomicBool,
) -> Result<Calibration> {
    let device = settings.device.open()?;
    let mut config = config(data, labels, settings)?;
    let images = read_images(data, labels)?;
    config.data_digest = digest(data, labels)?;
    let folder = ClassifierFolder::for_training(output, config)?;
    let lesson = Lesson { folder: &folder, blocks: labels, images };
    let mut folds = Vec::new();
    for fold in 0..folder.config.folds {
        let kept = if folder.has_fold(fold) {
            let read = folder.read_fold(fold, &device);
            progress(match &read {
                Ok(_) => ClassifierEvent::Kept { fold },
                Err(error) => ClassifierEvent::Warning(format!("{error}; training this fold again")),
            });
            read.ok()
        } else {
            None
        };
        folds.push(match kept {
            Some(kept) => kept,
            None => {
                let finished = train_fold(&lesson, fold, &device, progress, stop)?;
                folder.write_fold(fold, &finished)?;
                finished
            }
        });
    }
    let judged = out_of_fold(&lesson, &folds, &device)?;
    let calibration = Calibration::of(&judged, &labels.iter().map(|block| block.cancer).collect::<Vec<bool>>())?;
    folder.write_calibration(&calibration)?;
    Ok(calibration)
}

/// The classifier's settings, complete and checked but for the digest.
fn config(data: &Dataset, labels: &[BinaryBlock], settings: &ClassifierSettings) -> Result<ClassifierConfig> {
    let first = labels.first().ok_or_else(|| Error::setting("labels", "at least one block", "none"))?;
    for block in labels {
        if (block.width, block.height) != (first.width, first.width) {
            let expected = format!("square blocks of one size ({0} x {0} px)", first.width);
            return Err(Error::setting("labels", expected, format!("{} x {} px in '{}'", block.width, block.height, block.image)));
        }
    }
    let um_per_px = settings
        .um_per_px
        .or(data.um_per_px()?)
        .ok_or_else(|| Error::setting("um_per_px", "the images' pixel size, from --um-per-px or dataset.toml", "neither"))?;
    let mut config = ClassifierConfig {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_digest: String::new(),
        um_per_px,
        block_px: first.width,
        folds: settings.folds,
        steps: settings.steps,
        batch: settings.batch,
        width: settings.width,
        depth: settings.depth,
        learning_rate: settings.learning_rate,
        seed: settings.seed,
        fold_of_image: BTreeMap::new(),
    };
    config.check()?;
    config.fold_of_image = deal(labels, settings.folds, settings.seed)?;
    Ok(config)
}

fn read_images<'a>(data: &Dataset, labels: &'a [BinaryBlock]) -> Result<BTreeMap<&'a str, RgbImage>> {
    let mut images: BTreeMap<&str, RgbImage> = BTreeMap::new();
    for label in labels {
        if !images.contains_key(label.image.as_str()) {
            images.insert(&label.image, data.image(&label.image)?);
        }
        let BinaryBlock { x, y, width, height, .. } = *label;
        let block = Block { image: label.image.clone(), x, y, width, height, probability: 0.0, z: 0 };
        check_inside(&block, images[label.image.as_str()].dimensions())?;
    }
    Ok(images)
}

/// What a classifier learns from: images and labels, and nothing else.
fn digest(data: &Dataset, labels: &[BinaryBlock]) -> Result<String> {
    let names: std::collections::BTreeSet<&str> = labels.iter().map(|block| block.image.as_str()).collect();
    let mut hash = Sha256::new();
    hash.update(data.digest(names.into_iter())?);
    for b in labels {
        hash.update(format!("{},{},{},{},{},{}\n", b.image, b.x, b.y, b.width, b.height, u8::from(b.cancer)));
    }
    Ok(hex(&hash.finalize()))
}

/// Trains the network of one fold on the blocks of all other folds.
fn train_fold(
    lesson: &Lesson<'_>,
    fold: usize,
    device: &Device,
    progress: &mut dyn FnMut(ClassifierEvent),
    stop: &AtomicBool,
) -> Result<Fold> {
    let config = &lesson.folder.config;
    let device = device.clone().autodiff();
    let (cancer, other): (Vec<usize>, Vec<usize>) = (0..lesson.blocks.len())
        .filter(|&index| config.fold_of_image[&lesson.blocks[index].image] != fold)
        .partition(|&index| lesson.blocks[index].cancer);
    let prior_logit = (cancer.len() as f64 / other.len() as f64).ln();
    let mut network = config.network().init(config.seed.wrapping_add(fold as u64), &device);
    let mut optimizer = RmsProp::new(Some(CLIP_NORM));
    for step in 0..config.steps {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::ClassifierInterrupted { fold, step, folder: lesson.folder.root().to_owned() });
        }
        let (input, targets) = batch(lesson, &cancer, &other, (fold, step), &device);
        let loss = binary_cross_entropy(network.forward(input), targets).mean();
        let value = loss.clone().into_scalar::<f32>();
        if !value.is_finite() {
            let reason = format!("fold {fold}: the cross-entropy is {value} (try a smaller --learning-rate)");
            return Err(Error::Training { step: step + 1, reason });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(network, gradients, Schedule::Cosine.rate(config.learning_rate, step, config.steps));
        progress(ClassifierEvent::Step { fold, step: step + 1, loss: f64::from(value) });
    }
    Ok(Fold { network: network.valid(), prior_logit })
}

/// Gradients are scaled down to this norm: one odd batch must not undo the steps before it.
const CLIP_NORM: f64 = 1.0;

/// The blocks of a step as `[batch, 3, h, w]`, and 1 for cancer or 0 as `[batch]`.
fn batch(lesson: &Lesson<'_>, cancer: &[usize], other: &[usize], (fold, step): (usize, usize), device: &Device) -> (Tensor<4>, Tensor<1>) {
    let config = &lesson.folder.config;
    let side = config.block_px;
    let draws = draw(cancer, other, config.batch, (config.seed, fold, step));
    let mut bytes = Vec::with_capacity(3 * draws.len() * (side as usize).pow(2));
    for draw in &draws {
        let block = &lesson.blocks[draw.index];
        append_drawn(&lesson.images[block.image.as_str()], (block.x, block.y), side, draw, &mut bytes);
    }
    let targets: Vec<f32> = draws.iter().map(|draw| f32::from(u8::from(lesson.blocks[draw.index].cancer))).collect();
    let input = input_from_rgb8(&bytes, draws.len(), side as usize, side as usize, device);
    (input, Tensor::from_data(TensorData::new(targets, [draws.len()]), device))
}

/// Every block's logit, by the network that has not seen its image, in the blocks' order.
fn out_of_fold(lesson: &Lesson<'_>, folds: &[Fold], device: &Device) -> Result<Vec<f64>> {
    let config = &lesson.folder.config;
    let mut all = vec![0.0; lesson.blocks.len()];
    for (&name, image) in &lesson.images {
        let Fold { network, prior_logit } = &folds[config.fold_of_image[name]];
        let (indices, corners): (Vec<usize>, Vec<(u32, u32)>) =
            lesson.blocks.iter().enumerate().filter(|(_, block)| block.image == name).map(|(i, block)| (i, (block.x, block.y))).unzip();
        for (index, logit) in indices.into_iter().zip(logits(network, image, &corners, config.block_px, device)?) {
            all[index] = logit + prior_logit;
        }
    }
    Ok(all)
}
