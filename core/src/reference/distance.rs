//! How far a field is from what the network has learned from.

use super::features::{CountRule, FEATURES, Features};
use super::metric::Metric;
use super::view::FieldView;
use crate::gaussian::check_range;
use crate::{Error, Target};
use heapless::Vec;

/// Most tiles that a reference holds: 9 KB of numbers.
pub const MAX_TILES: usize = 200;
/// Fewest tiles from which a spread can be told.
pub const MIN_TILES: usize = 4;
/// Most labels whose counts it holds.
pub const MAX_TARGETS: usize = 64;

/// Smallest side of a tile in pixels: texture is measured over 16 px.
pub const MIN_TILE_PX: u16 = 32;
/// Largest side of a tile in pixels: 32 MB of scratch.
pub const MAX_TILE_PX: u16 = 4096;
/// Smallest side of a label block in pixels.
pub const MIN_BLOCK_PX: u16 = 8;

/// Share of each feature's variance that is added to the covariance: with a few dozen tiles the narrowest directions are not known better.
const RIDGE: f64 = 0.03;

/// What a network has learned from: the features of tiles of its training images, and the distance beyond which a field is unlike them.
///
/// ```text
/// C = covariance of the tiles' features + 0.03 diag(variances)        distance of f = min over tiles t of sqrt((f - t)^T C^-1 (f - t))
/// ```
///
/// Training images come from several sources, so their tiles lie in clusters: a field is compared with its nearest tile, and not with the centre of
/// all. Features depend on each other (a blur lowers texture and spreads alike), so they are held against their covariance: what is unlike any tile
/// is often an unseen combination of values that are each known. Measured with `lsr-train rejection` (README, *Knowing when it does not know*).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "super::file::ReferenceFile", into = "super::file::ReferenceFile")
)]
pub struct Reference {
    tile_px: u16,
    block_px: u16,
    targets: Vec<Target<f32>, MAX_TARGETS>,
    vectors: Vec<Features, MAX_TILES>,
    glass: bool,
    quantile: f32,
    limit: f32,
    metric: Metric,
}

/// What a [`Reference`] is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReferenceParts<'a> {
    /// Side of the tiles that fields are cut into, pixels: [`MIN_TILE_PX`] to [`MAX_TILE_PX`].
    pub tile_px: u16,
    /// Side of a label block, pixels; at least [`MIN_BLOCK_PX`].
    pub block_px: u16,
    /// The count prior's N(eta, rho^2) of every label.
    pub targets: &'a [Target<f32>],
    /// Features of the training images' tiles: [`MIN_TILES`] to [`MAX_TILES`].
    pub vectors: &'a [Features],
    /// Whether there were tiles without tissue among them.
    pub glass: bool,
    /// Share of the training tiles, each held against the tiles of other images, that lie within the limit.
    pub quantile: f32,
    /// Distance beyond which a field is flagged.
    pub limit: f32,
}

/// The training tile that is nearest to a tile.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Nearest {
    /// Which.
    pub index: usize,
    /// Its distance.
    pub distance: f32,
    /// By how many standard deviations (over all tiles) each feature differs from it.
    pub difference: Features,
}

/// What is found about a field.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Judgement {
    /// Tiles that it was cut into.
    pub tiles: u32,
    /// Of these, those with enough tissue to be judged.
    pub judged: u32,
    /// Of these, those beyond the limit.
    pub beyond: u32,
    /// Share of the field that is tissue.
    pub tissue: f32,
    /// Mean distance of the judged tiles; none without one.
    pub distance: Option<f32>,
    /// Mean features of the judged tiles.
    pub features: Features,
    /// Mean difference of each feature from the nearest training tile, standard deviations.
    pub difference: Features,
    /// Whether the network has not learned from anything like it.
    pub flagged: bool,
}

impl Reference {
    /// A checked reference.
    ///
    /// # Errors
    /// [`Error::ParameterOutOfRange`] and [`Error::NotFinite`] by the name of what is wrong, [`Error::TooMany`].
    pub fn new(parts: ReferenceParts<'_>) -> Result<Self, Error> {
        check_range("tile_px", f32::from(parts.tile_px), f64::from(MIN_TILE_PX), f64::from(MAX_TILE_PX))?;
        check_range("block_px", f32::from(parts.block_px), f64::from(MIN_BLOCK_PX), f64::from(u16::MAX))?;
        check_range("quantile", parts.quantile, 0.5, 1.0)?;
        check_range("limit", parts.limit, 0.0, 1e6)?;
        check_range("number of reference tiles", parts.vectors.len() as f64, MIN_TILES as f64, MAX_TILES as f64)?;
        for target in parts.targets {
            check_range("eta of the counts", target.mean, 0.0, 1.0)?;
            check_range("rho of the counts", target.std, 1e-6, 1.0)?;
        }
        for value in parts.vectors.iter().flatten() {
            check_range("feature of a reference tile", *value, -1e6, 1e6)?;
        }
        let too_many = |name, capacity, found| move |()| Error::TooMany { name, capacity, found };
        Ok(Self {
            tile_px: parts.tile_px,
            block_px: parts.block_px,
            targets: Vec::from_slice(parts.targets).map_err(|_| too_many("labels of a reference", MAX_TARGETS, parts.targets.len())(()))?,
            vectors: Vec::from_slice(parts.vectors).map_err(|_| too_many("reference tiles", MAX_TILES, parts.vectors.len())(()))?,
            glass: parts.glass,
            quantile: parts.quantile,
            limit: parts.limit,
            metric: Metric::of(parts.vectors, RIDGE),
        })
    }

    /// The parts that it was made of.
    pub fn parts(&self) -> ReferenceParts<'_> {
        ReferenceParts {
            tile_px: self.tile_px,
            block_px: self.block_px,
            targets: &self.targets,
            vectors: &self.vectors,
            glass: self.glass,
            quantile: self.quantile,
            limit: self.limit,
        }
    }

    /// What counts are held against.
    pub fn count_rule(&self) -> CountRule<'_> {
        CountRule { block_px: usize::from(self.block_px), targets: &self.targets }
    }

    /// The training tile nearest to these features, of those whose number `among` lets through; none where it lets none through.
    pub fn nearest(&self, features: &Features, among: impl Fn(usize) -> bool) -> Option<Nearest> {
        self.nearest_by(FEATURES, features, among)
    }

    /// As [`Reference::nearest`], by the first so many features alone: [`APPEARANCE`](super::APPEARANCE) for what the tile looks like.
    pub fn nearest_by(&self, first: usize, features: &Features, among: impl Fn(usize) -> bool) -> Option<Nearest> {
        let of = |(index, tile): (usize, &Features)| {
            let difference: Features = core::array::from_fn(|i| features[i] - tile[i]);
            let squares: f32 = self.metric.whitened(&difference).iter().take(first).map(|d| d * d).sum();
            (index, squares)
        };
        let tiles = self.vectors.iter().enumerate().filter(|(index, _)| among(*index)).map(of);
        let (index, squares) = tiles.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let difference = core::array::from_fn(|i| (features[i] - self.vectors[index][i]) / self.metric.spread[i]);
        Some(Nearest { index, distance: libm::sqrtf(squares), difference })
    }

    /// Judges a field, tile by tile, so that fields of any size are held against tiles of one size. `scratch` holds at least as many entries as a
    /// tile has pixels (or the field, where that is smaller).
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for a scratch that is too short.
    pub fn judge(&self, field: &FieldView<'_>, scratch: &mut [u16]) -> Result<Judgement, Error> {
        let mut sum = Sum::default();
        for tile in field.tiles(usize::from(self.tile_px)) {
            let found = field.features(tile, self.count_rule(), scratch)?;
            sum.tiles += 1;
            sum.tissue += found.tissue;
            let Some(features) = found.features else { continue };
            let Some(nearest) = self.nearest(&features, |_| true) else { continue };
            sum.judged += 1;
            sum.beyond += u32::from(nearest.distance > self.limit);
            sum.distance += nearest.distance;
            for (sums, values) in [(&mut sum.features, features), (&mut sum.difference, nearest.difference)] {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        let mean = |sum: f32, n: u32| if n == 0 { 0.0 } else { sum / n as f32 };
        let distance = (sum.judged > 0).then(|| mean(sum.distance, sum.judged));
        Ok(Judgement {
            tiles: sum.tiles,
            judged: sum.judged,
            beyond: sum.beyond,
            tissue: mean(sum.tissue, sum.tiles),
            distance,
            features: sum.features.map(|x| mean(x, sum.judged)),
            difference: sum.difference.map(|x| mean(x, sum.judged)),
            // A field of glass is nothing that the network has seen, unless it has.
            flagged: distance.map_or(!self.glass, |distance| distance > self.limit),
        })
    }
}

#[derive(Default)]
struct Sum {
    tiles: u32,
    judged: u32,
    beyond: u32,
    tissue: f32,
    distance: f32,
    features: Features,
    difference: Features,
}
