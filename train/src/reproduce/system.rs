//! The systems that are compared: those of the paper, those of the published programs, the bounded distances, and full supervision.

use crate::config::{CountTarget, FitOptions};
use lsr_core::{Distance, Preset, Scheme};

/// What a system is trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The block classifier's probability map itself.
    LowResolution,
    /// Label super-resolution: a published preset, with another scheme or distance where one is given.
    Counts(Preset, Option<Scheme>, Option<Distance>),
    /// The binary labels themselves, of blocks seen in windows.
    Labels,
    /// Cross-entropy on every pixel mask: what label super-resolution cannot exceed.
    Supervised,
    /// The same in windows.
    SupervisedWindows,
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
/// Key of full supervision.
pub(super) const SUPERVISED: &str = "supervised_windows";

/// Every row, in the order of the table.
pub const SYSTEMS: [System; 13] = [
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
    System { key: "labels", name: "own labels, in windows", method: Method::Labels },
    System { key: "supervised", name: "full supervision, block by block", method: Method::Supervised },
    System { key: SUPERVISED, name: "full supervision, in windows", method: Method::SupervisedWindows },
];

/// Learning rate in windows.
const WINDOW_LEARNING_RATE: f64 = 5e-3;
/// Sigma of the stain jitter in windows.
const WINDOW_HED_JITTER: f64 = 0.3;
/// Decay of the weights' average in windows.
const WINDOW_EMA: f64 = 0.99;

impl System {
    /// The settings that make this system of the common ones; `None` for the low-resolution model, which is no network of this kind.
    ///
    /// Windows are twice as wide as a block, a quarter as many as there are blocks in the other systems' batch: as many pixels.
    pub(super) fn options(&self, common: FitOptions, block_px: u32) -> Option<FitOptions> {
        let blocks = common.group.unwrap_or(1) * common.groups.unwrap_or(1);
        let windows = FitOptions {
            window: Some(2 * block_px),
            group: Some(1),
            groups: Some((blocks / 4).max(1)),
            scheme: Some(Scheme::Intra),
            count_target: Some(CountTarget::Label),
            learning_rate: Some(WINDOW_LEARNING_RATE),
            hed_jitter: Some(WINDOW_HED_JITTER),
            ema: Some(WINDOW_EMA),
            clip_norm: Some(1.0),
            ..common.clone()
        };
        match self.method {
            Method::LowResolution => None,
            Method::Counts(preset, scheme, distance) => Some(FitOptions { preset: Some(preset), scheme, distance, ..common }),
            Method::Labels => Some(windows),
            Method::Supervised => Some(FitOptions { count_weight: Some(0.0), mask_fraction: Some(1.0), ..common }),
            Method::SupervisedWindows => Some(FitOptions { count_weight: Some(0.0), mask_fraction: Some(1.0), ..windows }),
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
