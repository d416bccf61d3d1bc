//! The systems that are compared: those of the paper, those of the published programs, the bounded distances, and full supervision.

use crate::config::{CountTarget, FitOptions, FolderWeights};
use crate::error::{Error, Result};
use lsr_core::{Distance, Preset, Scheme};

/// What a system is trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The block classifier's probability map itself.
    LowResolution,
    /// Label super-resolution: a published preset, with another scheme or distance where one is given.
    Counts(Preset, Option<Scheme>, Option<Distance>),
    /// The binary labels themselves.
    Labels(Labels),
    /// Cross-entropy on every pixel mask: what label super-resolution cannot exceed.
    Supervised,
    /// The same in windows.
    SupervisedWindows,
}

/// How a network learns from the binary labels, and what is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels {
    /// Blocks are seen in windows; otherwise each by itself.
    pub windows: bool,
    /// Stains vary.
    pub stain: bool,
    /// The length of boundaries costs something.
    pub boundaries: bool,
    /// What comes after.
    pub then: Then,
}

/// What is done with a network that has learned from the binary labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It draws the masks.
    Masks,
    /// The mean of its probabilities over the eight turns of an image does.
    Turned,
}

impl Labels {
    const WHOLE: Self = Self { windows: true, stain: true, boundaries: true, then: Then::Masks };
}

impl Method {
    /// Whether it needs the run of [`LABELS`].
    pub(super) fn needs_labels(self) -> bool {
        matches!(self, Self::Labels(Labels { then: Then::Turned, .. }))
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Its name in files.
    pub key: &'static str,
    /// Its name in tables.
    pub name: &'static str,
    /// How it is trained.
    pub method: Method,
}

/// Key of the low-resolution model.
pub(super) const LOW_RESOLUTION: &str = "low_resolution";
/// Key of the intra-instance loss as printed.
pub(super) const INTRA: &str = "intra";
/// Key of the intra+inter-instance loss as printed.
pub(super) const INTRA_INTER: &str = "intra_inter";
/// Key of the network that learned from the binary labels.
pub(super) const LABELS: &str = "labels";
/// Key of full supervision.
pub(super) const SUPERVISED: &str = "supervised_windows";

/// Key of full supervision of blocks by themselves.
pub(super) const SUPERVISED_BY_BLOCK: &str = "supervised";

/// Every row, in the order of the table.
pub const SYSTEMS: [System; 17] = [
    System { key: LOW_RESOLUTION, name: "low-resolution model", method: Method::LowResolution },
    System { key: INTRA, name: "intra (Eq. 5)", method: Method::Counts(Preset::Paper, Some(Scheme::Intra), None) },
    System { key: "inter", name: "inter (Eq. 9)", method: Method::Counts(Preset::Paper, Some(Scheme::Inter), None) },
    System { key: INTRA_INTER, name: "intra+inter (Eq. 9, 11)", method: Method::Counts(Preset::Paper, None, None) },
    System { key: "paper_code", name: "intra+inter, paper's program", method: Method::Counts(Preset::PaperCode, None, None) },
    System { key: "lsr_iclr", name: "intra, program of Malkin et al.", method: Method::Counts(Preset::LsrIclr, None, None) },
    System { key: "overlap", name: "intra+inter, overlap", method: Method::Counts(Preset::Paper, None, Some(Distance::Overlap)) },
    System {
        key: "kl_predicted_target",
        name: "intra+inter, KL pred.-target",
        method: Method::Counts(Preset::Paper, None, Some(Distance::KlPredictedTarget)),
    },
    System {
        key: "kl_target_predicted",
        name: "intra+inter, KL target-pred.",
        method: Method::Counts(Preset::Paper, None, Some(Distance::KlTargetPredicted)),
    },
    System {
        key: "wasserstein2",
        name: "intra+inter, Wasserstein",
        method: Method::Counts(Preset::Paper, None, Some(Distance::Wasserstein2)),
    },
    System { key: LABELS, name: "own labels, in windows", method: Method::Labels(Labels::WHOLE) },
    System { key: "labels_alone", name: "own labels, block by block", method: Method::Labels(Labels { windows: false, ..Labels::WHOLE }) },
    System {
        key: "labels_one_stain",
        name: "own labels, stains as they are",
        method: Method::Labels(Labels { stain: false, ..Labels::WHOLE }),
    },
    System {
        key: "labels_any_boundaries",
        name: "own labels, boundaries of any length",
        method: Method::Labels(Labels { boundaries: false, ..Labels::WHOLE }),
    },
    System {
        key: "labels_turned",
        name: "own labels, mean of eight turns",
        method: Method::Labels(Labels { then: Then::Turned, ..Labels::WHOLE }),
    },
    System { key: SUPERVISED_BY_BLOCK, name: "full supervision, block by block", method: Method::Supervised },
    System { key: SUPERVISED, name: "full supervision, in windows", method: Method::SupervisedWindows },
];

/// Learning rate for binary labels.
const LABELS_LEARNING_RATE: f64 = 5e-3;
/// Sigma of their stain jitter.
const LABELS_HED_JITTER: f64 = 0.3;
/// Weight of the length of boundaries for binary labels, and for full supervision: the best of 0, 0.3 and 1 on two halves of the training images.
const LABELS_BOUNDARIES: f64 = 1.0;
const SUPERVISED_BOUNDARIES: f64 = 0.3;
/// Decay of the weights' average.
const LABELS_EMA: f64 = 0.99;

/// The systems of these keys, in the order of the table; all of them without keys.
///
/// # Errors
/// A key that no system has; a system that needs another one that is not there.
pub(super) fn chosen(keys: &[String]) -> Result<Vec<System>> {
    let known = || SYSTEMS.iter().map(|system| system.key).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = keys.iter().find(|key| SYSTEMS.iter().all(|system| system.key != key.as_str())) {
        return Err(Error::setting("--systems", format!("keys of systems ({})", known()), unknown));
    }
    let systems: Vec<System> = SYSTEMS.into_iter().filter(|system| keys.is_empty() || keys.iter().any(|key| key == system.key)).collect();
    match systems.iter().find(|system| system.method.needs_labels()) {
        Some(system) if systems.iter().all(|other| other.key != LABELS) => {
            Err(Error::setting("--systems", format!("'{LABELS}' too, with '{}'", system.key), keys.join(", ")))
        }
        _ => Ok(systems),
    }
}

impl System {
    /// The settings that make this system of the common ones; `None` for the low-resolution model, which is no network of this kind.
    ///
    /// Windows are twice as wide as a block, and a quarter as many as there are blocks in the other systems' batch: as many pixels.
    pub(super) fn options(&self, common: FitOptions, block_px: u32) -> Option<FitOptions> {
        let blocks = common.group.unwrap_or(1) * common.groups.unwrap_or(1);
        let of_labels = |how: Labels| FitOptions {
            window: Some(if how.windows { 2 * block_px } else { block_px }),
            group: Some(1),
            groups: Some(if how.windows { (blocks / 4).max(1) } else { blocks }),
            scheme: Some(Scheme::Intra),
            count_target: Some(CountTarget::Label),
            learning_rate: Some(LABELS_LEARNING_RATE),
            hed_jitter: Some(if how.stain { LABELS_HED_JITTER } else { 0.0 }),
            boundary_weight: how.boundaries.then_some(FolderWeights::All(LABELS_BOUNDARIES)),
            ema: Some(LABELS_EMA),
            clip_norm: Some(1.0),
            ..common.clone()
        };
        match self.method {
            Method::LowResolution => None,
            Method::Counts(preset, scheme, distance) => Some(FitOptions { preset: Some(preset), scheme, distance, ..common }),
            Method::Labels(how) => Some(of_labels(how)),
            Method::Supervised => Some(FitOptions { count_weight: Some(0.0), mask_fraction: Some(1.0), ..common }),
            Method::SupervisedWindows => Some(FitOptions {
                count_weight: Some(0.0),
                mask_fraction: Some(1.0),
                boundary_weight: Some(FolderWeights::All(SUPERVISED_BOUNDARIES)),
                ..of_labels(Labels::WHOLE)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_supervision_may_open_masks() {
        for system in SYSTEMS {
            let Some(options) = system.options(FitOptions { um_per_px: Some(1.0), ..FitOptions::default() }, 64) else { continue };
            let config = options.resolve(None, String::new()).unwrap();
            let supervised = matches!(system.method, Method::Supervised | Method::SupervisedWindows);
            assert_eq!(config.opens_masks(), supervised, "{}", system.key);
        }
        let keys: std::collections::BTreeSet<_> = SYSTEMS.iter().map(|system| system.key).collect();
        assert_eq!(keys.len(), SYSTEMS.len());
    }
}
