//! Golden values: statistics, losses and gradients from 60-digit arithmetic, by a program that shares no line with ours.
//!
//! ```text
//! {"description": text,
//!  "cases": [{"probabilities": [block][pixel], "eta": x, "rho": x,
//!    "blocks":  [{"variance_model", "mean": [block], "variance": [block]}],
//!    "groups":  [{"variance_model", "scheme", "mean": x, "variance": x}],
//!    "losses":  [{"variance_model", "scheme", "distance", "value": x, "gradient": [block][pixel]}],
//!    "presets": [{"preset", "value": x, "gradient": [block][pixel]}]}]}
//! ```
//!
//! Losses carry no stabiliser. The names are those of [`Scheme`], [`Distance`], [`VarianceModel`] and [`Preset`]. A file that is empty
//! anywhere, names something unknown, or has lists that do not fit each other is refused: a comparison must not pass by comparing nothing.

use crate::workspace_root;
use lsr_core::{Distance, Error, Loss, Preset, Real, Scheme, Stabilisers, VarianceModel};
use serde::Deserialize;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of golden values.
#[derive(Debug, Clone, Deserialize)]
pub struct Vectors {
    /// At least one case.
    pub cases: Vec<Case>,
}

/// A group of blocks, a target, and everything that follows from them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Probabilities, by block and pixel. Blocks may differ in size.
    pub probabilities: Vec<Vec<f64>>,
    /// The target's mean.
    pub eta: f64,
    /// The target's standard deviation.
    pub rho: f64,
    /// Moments of every block.
    pub blocks: Vec<BlockValues>,
    /// Moments of the group.
    pub groups: Vec<GroupValues>,
    /// Losses without stabilisers.
    pub losses: Vec<LossValues>,
    /// Published variants.
    pub presets: Vec<PresetValues>,
}

/// Moments of every block in one variance model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockValues {
    /// The variance model.
    pub variance_model: VarianceModel,
    /// Mean of each block.
    pub mean: Vec<f64>,
    /// Variance of each block's count.
    pub variance: Vec<f64>,
}

/// Moments of the group in one variance model and scheme.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupValues {
    /// The variance model.
    pub variance_model: VarianceModel,
    /// Inter or intra_inter.
    pub scheme: Scheme,
    /// Mean m.
    pub mean: f64,
    /// Variance S.
    pub variance: f64,
}

/// A loss and its gradient.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossValues {
    /// The variance model.
    pub variance_model: VarianceModel,
    /// The scheme.
    pub scheme: Scheme,
    /// The distance.
    pub distance: Distance,
    /// The loss.
    pub value: f64,
    /// Its derivative by every probability.
    pub gradient: Vec<Vec<f64>>,
}

impl LossValues {
    /// The loss that these are values of.
    ///
    /// # Errors
    /// None, as long as no stabilisers are allowed stabilisers.
    pub fn loss<L: Real>(&self) -> Result<Loss<L>, Error> {
        Loss::new(self.scheme, self.distance, self.variance_model, Stabilisers::none())
    }
}

/// A preset's loss and its gradient.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetValues {
    /// The preset.
    pub preset: Preset,
    /// The loss.
    pub value: f64,
    /// Its derivative by every probability.
    pub gradient: Vec<Vec<f64>>,
}

impl Vectors {
    /// The file named by `LSR_VECTORS` (relative to the workspace's root, else to the current folder), or the project's own.
    ///
    /// # Errors
    /// A sentence that says where the file was looked for.
    pub fn path() -> Result<PathBuf, String> {
        let root = workspace_root();
        let Some(named) = env::var_os("LSR_VECTORS").map(PathBuf::from) else { return Ok(Self::own()) };
        let here = env::current_dir().map_err(|error| format!("the current folder: {error}"))?;
        let places = [root.join(&named), here.join(&named)];
        let found = places.iter().find(|path| path.is_file()).cloned();
        found.ok_or_else(|| {
            format!("LSR_VECTORS={}: neither {} nor {} is a file", named.display(), places[0].display(), places[1].display())
        })
    }

    /// The project's own file, written by `tests/golden/make_losses.py`.
    pub fn own() -> PathBuf {
        workspace_root().join("tests/golden/losses.json")
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it, and where.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    /// As [`Vectors::load`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let vectors: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if vectors.cases.is_empty() {
            return Err("no case".into());
        }
        for (index, case) in vectors.cases.iter().enumerate() {
            case.check().map_err(|error| format!("case {index}: {error}"))?;
        }
        Ok(vectors)
    }
}

impl Case {
    fn check(&self) -> Result<(), String> {
        for (name, empty) in [
            ("probabilities", self.probabilities.is_empty() || self.probabilities.iter().any(Vec::is_empty)),
            ("blocks", self.blocks.is_empty()),
            ("groups", self.groups.is_empty()),
            ("losses", self.losses.is_empty()),
            ("presets", self.presets.is_empty()),
        ] {
            if empty {
                return Err(format!("{name} is empty"));
            }
        }
        for block in &self.blocks {
            for (name, found) in [("mean", block.mean.len()), ("variance", block.variance.len())] {
                if found != self.probabilities.len() {
                    return Err(format!(
                        "{name} of {:?} has {found} entries for {} blocks",
                        block.variance_model,
                        self.probabilities.len()
                    ));
                }
            }
        }
        if self.groups.iter().any(|group| group.scheme == Scheme::Intra) {
            return Err("a group's moments in scheme intra, which has none".into());
        }
        for loss in &self.losses {
            self.check_shape(&loss.gradient, loss.distance.name())?;
        }
        self.presets.iter().try_for_each(|preset| self.check_shape(&preset.gradient, preset.preset.name()))
    }

    fn check_shape(&self, gradient: &[Vec<f64>], name: &str) -> Result<(), String> {
        let sizes = |rows: &[Vec<f64>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
        if sizes(gradient) == sizes(&self.probabilities) {
            return Ok(());
        }
        Err(format!("gradient of {name}: sizes {:?} instead of {:?}", sizes(gradient), sizes(&self.probabilities)))
    }
}
