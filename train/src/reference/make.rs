//! Tiles through the network, their features, and the limit.

use super::chosen::choose;
use super::settings::ReferenceSettings;
use crate::config::RunConfig;
use crate::data::{Dataset, read_blocks};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::predict::predict_classes;
use crate::prior::Prior;
use crate::run_folder::RunFolder;
use burn::tensor::Device;
use image::RgbImage;
use lsr_core::reference::{CountRule, Features, MAX_TARGETS, MAX_TILES, MIN_TILES};
use lsr_core::{FieldView, Reference, ReferenceParts, Target};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeSet;

/// Digits of a feature after the point: features are of the order of 0.01 to 3, and the file stays small.
const DIGITS: f32 = 1e4;

/// What a run knows about counts: its blocks' side and the prior of the class that masks show.
#[derive(Debug, Clone)]
pub(crate) struct ReferenceSource {
    block_px: u16,
    targets: Vec<Target<f32>>,
}

/// A tile's image, and its features.
type Row = (usize, Features);

impl ReferenceSource {
    /// Reads what a run learned from.
    ///
    /// # Errors
    /// Files of the run that cannot be read.
    pub(crate) fn of(run: &RunFolder, config: &RunConfig) -> Result<Self> {
        let side = read_blocks(&run.path("blocks.csv"))?.first().map_or(1, |block| block.width.min(block.height));
        let prior = Prior::read(&run.path("prior.csv"))?;
        let class = mask_class(config);
        let counts = prior.labels().filter_map(|label| prior.counts(label)?.get(class).copied());
        let targets: Vec<_> = counts.map(|count| Target { mean: count.mean as f32, std: count.std as f32 }).take(MAX_TARGETS).collect();
        Ok(Self { block_px: u16::try_from(side).unwrap_or(u16::MAX), targets })
    }
}

/// The class that masks show at the microscope: "cancer", or else the last.
pub(crate) fn mask_class(config: &RunConfig) -> usize {
    config.classes.iter().position(|class| class == "cancer").unwrap_or(config.classes.len().saturating_sub(1))
}

/// The probability of the class that masks show, as bytes: `round(255 p)`. A network of one output has that of the second class.
pub(crate) fn byte_probabilities(maps: &[Vec<f32>], config: &RunConfig) -> Vec<u8> {
    let of = |map: &Vec<f32>| map.iter().map(|p| (255.0 * p).round() as u8).collect();
    match maps {
        [second] if mask_class(config) == 0 => second.iter().map(|p| (255.0 * (1.0 - p)).round() as u8).collect(),
        [second] => of(second),
        maps => maps.get(mask_class(config)).map(of).unwrap_or_default(),
    }
}

/// The reference of a run's network, made of images without any mask.
///
/// # Errors
/// A file of the run or an image that cannot be read; settings or images of which no reference can be made.
pub fn make_reference(
    run: &RunFolder,
    config: &RunConfig,
    network: &Network,
    data: &Dataset,
    settings: &ReferenceSettings,
    device: &Device,
) -> Result<Reference> {
    let source = ReferenceSource::of(run, config)?;
    make(data, config, &source, settings, |image| predict_classes(network, config, image, device))
}

/// As [`make_reference`], of any network: `predict` gives the probability maps of an image, class by class.
///
/// # Errors
/// Settings outside their intervals; an image that cannot be read or run; fewer tiles with tissue than a spread can be told from, or all of one image.
pub(crate) fn make(
    data: &Dataset,
    config: &RunConfig,
    source: &ReferenceSource,
    settings: &ReferenceSettings,
    mut predict: impl FnMut(&RgbImage) -> Result<Vec<Vec<f32>>>,
) -> Result<Reference> {
    settings.check()?;
    let side = usize::from(settings.tile_px);
    let mut scratch = vec![0; side * side];
    let rule = CountRule { block_px: usize::from(source.block_px), targets: &source.targets };
    let (mut rows, mut glass): (Vec<Row>, bool) = (Vec::new(), false);
    for (number, chosen) in choose(data, side, settings.seed)?.into_iter().enumerate() {
        let image = data.image(&chosen.image)?;
        let probabilities = byte_probabilities(&predict(&image)?, config);
        let view = FieldView::new(image.as_raw(), &probabilities, image.width() as usize, image.height() as usize)?;
        for tile in chosen.tiles {
            match view.features(tile, rule, &mut scratch)?.features {
                Some(features) => rows.push((number, features.map(|x| (x * DIGITS).round() / DIGITS))),
                None => glass = true,
            }
        }
    }
    thin(&mut rows, settings.seed);
    let images = rows.iter().map(|row| row.0).collect::<BTreeSet<_>>().len();
    if rows.len() < MIN_TILES || images < 2 {
        let expected = format!("images with at least {MIN_TILES} tiles of {side} px with tissue, of at least two images");
        return Err(Error::setting("--reference", expected, format!("{} tiles of {images}", rows.len())));
    }
    let vectors: Vec<Features> = rows.iter().map(|row| row.1).collect();
    let parts = ReferenceParts {
        tile_px: settings.tile_px,
        block_px: source.block_px,
        targets: &source.targets,
        vectors: &vectors,
        glass,
        quantile: settings.quantile as f32,
        limit: 0.0,
    };
    let open = Reference::new(parts)?;
    let limit = quantile(left_out(&open, &rows), settings.quantile);
    Ok(Reference::new(ReferenceParts { limit: (limit * DIGITS).ceil() / DIGITS, ..parts })?)
}

/// Keeps as many tiles as a reference holds.
fn thin(rows: &mut Vec<Row>, seed: u64) {
    if rows.len() > MAX_TILES {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        order.truncate(MAX_TILES);
        order.sort_unstable();
        *rows = order.into_iter().map(|index| rows[index]).collect();
    }
}

/// The distance of every tile from the nearest one of another image: of one image, neighbours would be too near.
fn left_out(reference: &Reference, rows: &[Row]) -> Vec<f32> {
    rows.iter().filter_map(|(image, features)| reference.nearest(features, |other| rows[other].0 != *image)).map(|n| n.distance).collect()
}

/// The smallest of the values that has at least this share of them at or below it.
fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let rank = ((share * values.len() as f64).ceil() as usize).clamp(1, values.len().max(1));
    values.get(rank - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_value_that_occurs() {
        let values: Vec<f32> = (1..=100).rev().map(|i| i as f32).collect();
        assert_eq!((quantile(values.clone(), 0.99), quantile(values.clone(), 1.0), quantile(values, 0.5)), (99.0, 100.0, 50.0));
        assert_eq!((quantile(vec![3.0], 0.5), quantile(Vec::new(), 0.9)), (3.0, 0.0));
    }
}
