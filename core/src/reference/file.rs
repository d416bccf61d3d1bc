//! A reference as it is written into a model: everything in it is checked when it is read.

use super::distance::{MAX_TARGETS, MAX_TILES, Reference, ReferenceParts};
use super::features::{FEATURE_NAMES, FEATURES, Features};
use crate::{Error, Target};
use heapless::{String, Vec};

/// The only layout so far.
const FORMAT: u32 = 1;

/// The form of a reference in files. `features` names what the numbers of a tile are: a file with others is refused.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReferenceFile {
    format: u32,
    tile_px: u16,
    block_px: u16,
    /// eta and rho of every label.
    counts: Vec<[f32; 2], MAX_TARGETS>,
    glass: bool,
    quantile: f32,
    limit: f32,
    features: Vec<String<48>, FEATURES>,
    tiles: Vec<Features, MAX_TILES>,
}

impl TryFrom<ReferenceFile> for Reference {
    type Error = Error;
    fn try_from(file: ReferenceFile) -> Result<Self, Error> {
        if file.format != FORMAT {
            let (value, only) = (f64::from(file.format), f64::from(FORMAT));
            return Err(Error::ParameterOutOfRange { name: "format", value, min: only, max: only });
        }
        if file.features.len() != FEATURES {
            return Err(Error::LengthMismatch { name: "features", expected: FEATURES, found: file.features.len() });
        }
        for (name, found) in FEATURE_NAMES.iter().zip(&file.features) {
            if name != found {
                return Err(Error::unknown_name("feature", name, found));
            }
        }
        let targets: Vec<Target<f32>, MAX_TARGETS> = file.counts.iter().map(|&[mean, std]| Target { mean, std }).collect();
        Self::new(ReferenceParts {
            tile_px: file.tile_px,
            block_px: file.block_px,
            targets: &targets,
            vectors: &file.tiles,
            glass: file.glass,
            quantile: file.quantile,
            limit: file.limit,
        })
    }
}

impl From<Reference> for ReferenceFile {
    fn from(reference: Reference) -> Self {
        let parts = reference.parts();
        Self {
            format: FORMAT,
            tile_px: parts.tile_px,
            block_px: parts.block_px,
            counts: parts.targets.iter().map(|target| [target.mean, target.std]).collect(),
            glass: parts.glass,
            quantile: parts.quantile,
            limit: parts.limit,
            // Every name is shorter than 48 bytes (a test says so).
            features: FEATURE_NAMES.iter().map(|name| String::try_from(*name).unwrap_or_default()).collect(),
            tiles: parts.vectors.iter().copied().collect(),
        }
    }
}
