//! The comparison itself: every system's scores, every pair's difference, and how much of the gap to full supervision is closed.

use super::bootstrap::{Bootstrap, pooled};
use super::counts::{Checked, CheckedSystem, SystemCounts};
use super::interval::{CONFIDENCE, Interval, mean, standard_deviation};
use crate::error::{Error, Result};
use lsr_core::Confusion;
use serde::{Deserialize, Serialize};

/// Which systems are the two ends of the gap, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// The low-resolution model, trained to give each pixel its block's label (system A).
    pub low_resolution: Option<String>,
    /// The network trained on true masks (system C).
    pub supervised: Option<String>,
}

/// A figure with both of its uncertainties. `null` where it is not defined: nothing predicted and nothing true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Pooled over the pixels of all images, then the mean over seeds.
    pub mean: Option<f64>,
    /// Standard deviation over seeds (n - 1); `null` for one seed.
    pub sd: Option<f64>,
    /// 95 % bootstrap interval of the mean, over images; `null` where more than 2.5 % of the resamples are undefined.
    pub interval: Option<Interval>,
    /// Resamples in which it is not defined.
    pub undefined_resamples: usize,
}

/// One seed's scores, pooled over all images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeedScores {
    /// The seed.
    pub seed: u64,
    /// IoU near the true boundary.
    pub masked_iou: Option<f64>,
    /// Dice near the true boundary.
    pub masked_dice: Option<f64>,
    /// IoU of whole images.
    pub whole_iou: Option<f64>,
    /// Dice of whole images.
    pub whole_dice: Option<f64>,
}

/// A system's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemSummary {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Seed by seed.
    pub seeds: Vec<SeedScores>,
    /// IoU near the true boundary.
    pub masked_iou: Estimate,
    /// Dice near the true boundary.
    pub masked_dice: Estimate,
    /// IoU of whole images.
    pub whole_iou: Estimate,
    /// Dice of whole images.
    pub whole_dice: Estimate,
}

/// Masked Dice of one system less that of another, on the same images and resamples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Key of the system whose Dice counts positive.
    pub of: String,
    /// Key of the system that it is compared with.
    pub from: String,
    /// Mean over seeds of one less that of the other.
    pub estimate: Option<f64>,
    /// 95 % interval.
    pub interval: Option<Interval>,
    /// Share of the defined resamples with a difference above 0; `null` where none is defined.
    pub above_zero: Option<f64>,
    /// Share of them below 0. Systems that agree pixel by pixel have neither.
    pub below_zero: Option<f64>,
    /// Resamples in which it is not defined.
    pub undefined_resamples: usize,
}

/// Share of the way in masked Dice from the low-resolution model (0) to full supervision (1): `(B - A) / (C - A)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapClosed {
    /// Key of the system (B).
    pub key: String,
    /// The share, which may be below 0 and above 1; `null` where full supervision is not ahead, so that there is no gap.
    pub share: Option<f64>,
    /// 95 % interval; `null` where there is no gap in more than 2.5 % of the resamples.
    pub interval: Option<Interval>,
    /// Resamples without a gap or without a defined Dice.
    pub undefined_resamples: usize,
}

/// Everything that [`compare`] finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Test images.
    pub images: usize,
    /// How the intervals were made.
    pub bootstrap: Bootstrap,
    /// Share of the resamples inside an interval: 0.95.
    pub confidence: f64,
    /// Which systems are which.
    pub roles: Roles,
    /// The systems, in the order given.
    pub systems: Vec<SystemSummary>,
    /// Every pair once: a later system less an earlier one.
    pub differences: Vec<Difference>,
    /// For every system that is not an end of the gap; empty where an end is not named.
    pub gap_closed: Vec<GapClosed>,
}

impl Comparison {
    /// Masked Dice of system `of` less that of `from`, whichever way round it is stored.
    pub fn difference(&self, of: &str, from: &str) -> Option<Difference> {
        self.differences.iter().find_map(|stored| match (stored.of.as_str(), stored.from.as_str()) {
            pair if pair == (of, from) => Some(stored.clone()),
            pair if pair == (from, of) => Some(stored.reversed()),
            _ => None,
        })
    }

    /// A system's name; its key where it has none.
    pub fn name<'a>(&'a self, key: &'a str) -> &'a str {
        self.systems.iter().find(|system| system.key == key).map_or(key, |system| system.name.as_str())
    }
}

impl Difference {
    fn reversed(&self) -> Self {
        Self {
            of: self.from.clone(),
            from: self.of.clone(),
            // 0 - x rather than -x: no difference stays 0, not -0.
            estimate: self.estimate.map(|value| 0.0 - value),
            interval: self.interval.map(|ends| Interval { low: 0.0 - ends.high, high: 0.0 - ends.low }),
            above_zero: self.below_zero,
            below_zero: self.above_zero,
            undefined_resamples: self.undefined_resamples,
        }
    }
}

/// The four figures of a system.
type Scores = [Option<f64>; 4];

const MASKED_IOU: usize = 0;
const MASKED_DICE: usize = 1;
const WHOLE_IOU: usize = 2;
const WHOLE_DICE: usize = 3;

/// Compares systems on the same test images.
///
/// In every resample the pixels of the drawn images are pooled for each seed, the score is the mean over seeds, and all systems see the same draw.
///
/// # Errors
/// [`Error::Setting`]: no system, seed or image; a name twice; images that differ between systems or seeds; a role's key that no system has; fewer
/// than 100 resamples.
pub fn compare(systems: &[SystemCounts], roles: &Roles, bootstrap: Bootstrap) -> Result<Comparison> {
    let checked = Checked::new(systems)?;
    let place = |key: &Option<String>| match key {
        None => Ok(None),
        Some(key) => match systems.iter().position(|system| system.key == *key) {
            Some(place) => Ok(Some(place)),
            None => {
                let known: Vec<&str> = systems.iter().map(|system| system.key.as_str()).collect();
                Err(Error::setting("role", format!("one of {}", known.join(", ")), key))
            }
        },
    };
    let ends = place(&roles.low_resolution)?.zip(place(&roles.supervised)?);

    let once = vec![1; checked.images];
    let by_seed: Vec<Vec<Scores>> = checked.systems.iter().map(|system| seed_scores(system, &once)).collect();
    let observed: Vec<Scores> = by_seed.iter().map(|seeds| over_seeds(seeds)).collect();
    let mut resampled: Vec<Vec<Scores>> = vec![Vec::with_capacity(bootstrap.resamples); systems.len()];
    bootstrap.draw(checked.images, |times| {
        for (system, values) in checked.systems.iter().zip(&mut resampled) {
            values.push(over_seeds(&seed_scores(system, times)));
        }
    })?;

    let dice = |system: usize| Sampled {
        value: observed[system][MASKED_DICE],
        resamples: resampled[system].iter().map(|scores| scores[MASKED_DICE]).collect(),
    };
    let dice: Vec<Sampled> = (0..systems.len()).map(dice).collect();
    let mut differences = Vec::new();
    for (later, of) in systems.iter().enumerate() {
        for (earlier, from) in systems.iter().enumerate().take(later) {
            differences.push(difference(&of.key, &from.key, &dice[later], &dice[earlier]));
        }
    }
    let gap_closed = match ends {
        Some((low, high)) if low != high => {
            let between = (0..systems.len()).filter(|&system| system != low && system != high);
            between.map(|system| gap_closed(&systems[system].key, &dice[low], &dice[system], &dice[high])).collect()
        }
        _ => Vec::new(),
    };
    let summaries =
        checked.systems.iter().zip(&by_seed).zip(&resampled).map(|((system, seeds), resampled)| summary(system, seeds, resampled));
    Ok(Comparison {
        images: checked.images,
        bootstrap,
        confidence: CONFIDENCE,
        roles: roles.clone(),
        systems: summaries.collect(),
        differences,
        gap_closed,
    })
}

fn seed_scores(system: &CheckedSystem<'_>, times: &[u64]) -> Vec<Scores> {
    let scores = |masked: Confusion, whole: Confusion| [masked.iou(), masked.dice(), whole.iou(), whole.dice()];
    system
        .seeds
        .iter()
        .map(|images| scores(pooled(images.iter().map(|i| &i.masked), times), pooled(images.iter().map(|i| &i.whole), times)))
        .collect()
}

fn over_seeds(seeds: &[Scores]) -> Scores {
    std::array::from_fn(|score| mean(seeds.iter().map(|scores| scores[score])))
}

fn summary(system: &CheckedSystem<'_>, seeds: &[Scores], resampled: &[Scores]) -> SystemSummary {
    let estimate = |score: usize| {
        let own: Vec<Option<f64>> = seeds.iter().map(|scores| scores[score]).collect();
        let values: Vec<Option<f64>> = resampled.iter().map(|scores| scores[score]).collect();
        Estimate {
            mean: mean(own.iter().copied()),
            sd: standard_deviation(&own),
            interval: Interval::of(&values),
            undefined_resamples: undefined(&values),
        }
    };
    let seed = |(run, scores): (&super::SeedCounts, &Scores)| SeedScores {
        seed: run.seed,
        masked_iou: scores[MASKED_IOU],
        masked_dice: scores[MASKED_DICE],
        whole_iou: scores[WHOLE_IOU],
        whole_dice: scores[WHOLE_DICE],
    };
    SystemSummary {
        key: system.source.key.clone(),
        name: system.source.name.clone(),
        seeds: system.source.seeds.iter().zip(seeds).map(seed).collect(),
        masked_iou: estimate(MASKED_IOU),
        masked_dice: estimate(MASKED_DICE),
        whole_iou: estimate(WHOLE_IOU),
        whole_dice: estimate(WHOLE_DICE),
    }
}

fn undefined(values: &[Option<f64>]) -> usize {
    values.iter().filter(|value| value.is_none()).count()
}

/// A figure as observed and in every resample.
struct Sampled {
    value: Option<f64>,
    resamples: Vec<Option<f64>>,
}

fn difference(of_key: &str, from_key: &str, of: &Sampled, from: &Sampled) -> Difference {
    let less = |(of, from): (Option<f64>, Option<f64>)| Some(of? - from?);
    let values: Vec<Option<f64>> = of.resamples.iter().copied().zip(from.resamples.iter().copied()).map(less).collect();
    let defined = values.len() - undefined(&values);
    let share = |side: fn(f64) -> bool| {
        (defined > 0).then(|| values.iter().copied().flatten().filter(|&value| side(value)).count() as f64 / defined as f64)
    };
    Difference {
        of: of_key.to_owned(),
        from: from_key.to_owned(),
        estimate: less((of.value, from.value)),
        interval: Interval::of(&values),
        above_zero: share(|value| value > 0.0),
        below_zero: share(|value| value < 0.0),
        undefined_resamples: undefined(&values),
    }
}

fn gap_closed(key: &str, low: &Sampled, system: &Sampled, high: &Sampled) -> GapClosed {
    let share = |low: Option<f64>, system: Option<f64>, high: Option<f64>| {
        let (low, system, high) = (low?, system?, high?);
        (high > low).then(|| (system - low) / (high - low))
    };
    let resamples = low.resamples.iter().zip(&system.resamples).zip(&high.resamples);
    let values: Vec<Option<f64>> = resamples.map(|((&low, &system), &high)| share(low, system, high)).collect();
    GapClosed {
        key: key.to_owned(),
        share: share(low.value, system.value, high.value),
        interval: Interval::of(&values),
        undefined_resamples: undefined(&values),
    }
}

#[cfg(test)]
mod tests;
