//! Golden values of the monitor: fields, their z-scores and alarms, and the moments of each label, from 60-digit arithmetic by a program that shares
//! no line with ours (`tests/golden/make_monitor.py`, which defines every value and how a field's pixels are made). Whatever judges fields can be held
//! against them: core on the host in any precision, or a controller at the end of its line.

use crate::{share_of_allowed, workspace_root};
use lsr_core::{Drift, U8Sums};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// Pixels of the largest field that is worth being sent row by row.
const ROWS_UP_TO: u32 = 5_000;

/// The file.
#[derive(Debug, Clone, Deserialize)]
pub struct MonitorCases {
    /// k of the CUSUM.
    pub reference: f64,
    /// h of the CUSUM.
    pub threshold: f64,
    /// eta and rho of each label.
    pub prior: Vec<Target>,
    /// In the order in which they are judged.
    pub fields: Vec<Field>,
    /// Moments of all fields of each label.
    pub groups: Vec<Group>,
}

/// What the prior expects of a label.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Mean count, a fraction.
    pub eta: f64,
    /// Its standard deviation.
    pub rho: f64,
}

/// A field and what follows from it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its label z.
    pub label: u8,
    /// The label's alarm is acknowledged before.
    pub acknowledge: bool,
    /// Its pixels.
    pub source: Source,
    /// How many they are.
    pub pixels: u32,
    /// Sum of q.
    pub sum: u64,
    /// Sum of q^2.
    pub sum_of_squares: u64,
    /// Mean of p.
    pub mean: f64,
    /// Mean of p (1 - p).
    pub bernoulli_mean: f64,
    /// The same, divided by the number of pixels.
    pub count_fraction: f64,
    /// Standard deviations from the prior.
    pub z_score: f64,
    /// The label's alarm after this field.
    pub alarm: Option<Drift>,
}

/// Where a field's pixels come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Source {
    /// From the generator that `make_monitor.py` states.
    Generated {
        /// Its first state.
        seed: u64,
        /// How many.
        pixels: u32,
        /// Cancer's share.
        permille: u64,
    },
    /// So many pixels of each value, in this order.
    Runs {
        /// Value and number.
        runs: Vec<(u8, u32)>,
    },
}

/// Moments of all fields of a label.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The label.
    pub label: u8,
    /// Number of its fields.
    pub fields: u32,
    /// Mean count.
    pub mean: f64,
    /// Variance of the counts between fields.
    pub between_variance: f64,
    /// Mean variance within fields, `VarianceModel::CountFraction`.
    pub count_fraction: f64,
    /// Mean variance within fields, `VarianceModel::BernoulliMean`.
    pub bernoulli_mean: f64,
}

/// Something that judges fields.
pub trait Judge {
    /// Ends a label's alarm.
    fn acknowledge(&mut self, label: u8);
    /// Takes in a field: its z-score, and its label's alarm after it.
    fn observe(&mut self, field: &Field) -> (f64, Option<Drift>);
    /// The moments of a label's fields so far.
    fn group(&mut self, label: u8) -> Group;
}

/// The largest errors found, in units of what is allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Worst {
    /// Of a z-score.
    pub z_score: f64,
    /// Of a label's moments.
    pub group: f64,
}

impl MonitorCases {
    /// The project's own file.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn own() -> Result<Self, String> {
        let path = workspace_root().join("tests/golden/monitor.json");
        Self::load(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let cases: Self = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let labels: Vec<usize> = cases.groups.iter().map(|group| usize::from(group.label)).collect();
        if labels.is_empty() || labels != (0..cases.prior.len()).collect::<Vec<_>>() {
            return Err(format!("groups of labels {labels:?}, expected one for each of the prior's {}", cases.prior.len()));
        }
        for group in &cases.groups {
            let found = cases.fields.iter().filter(|field| field.label == group.label).count();
            if found == 0 || found != group.fields as usize {
                return Err(format!("label {} has {found} fields and is said to have {}", group.label, group.fields));
            }
        }
        Ok(cases)
    }

    /// Lets every field be judged, and compares. `unit` is the precision's unit roundoff: 2^-24 for f32, 2^-53 for f64.
    ///
    /// # Errors
    /// The first number that is wrong, and by how much.
    pub fn hold(&self, judge: &mut impl Judge, unit: f64) -> Result<Worst, String> {
        let mut worst = Worst::default();
        for (number, field) in self.fields.iter().enumerate() {
            if field.acknowledge {
                judge.acknowledge(field.label);
            }
            let (z_score, alarm) = judge.observe(field);
            if alarm != field.alarm {
                return Err(format!("field {number}: alarm {alarm:?} instead of {:?}", field.alarm));
            }
            let share = share_of_allowed(z_score, field.z_score, z_score_bound(field.z_score, unit));
            worst.z_score = worst.z_score.max(share.map_err(|error| format!("field {number}: z-score {error}"))?);
        }
        for group in &self.groups {
            let (found, label) = (judge.group(group.label), group.label);
            if (found.label, found.fields) != (label, group.fields) {
                return Err(format!("label {label}: {} fields of label {} instead of {}", found.fields, found.label, group.fields));
            }
            for (name, found, expected, bound) in group_bounds(&found, group, unit) {
                let share = share_of_allowed(found, expected, bound);
                worst.group = worst.group.max(share.map_err(|error| format!("label {label}: {name} {error}"))?);
            }
        }
        Ok(worst)
    }
}

impl Field {
    /// Its integer sums, as the file has them.
    pub const fn sums(&self) -> U8Sums {
        U8Sums { pixels: self.pixels, sum: self.sum, sum_of_squares: self.sum_of_squares }
    }

    /// Its pixels, unless they are too many to be sent one by one.
    pub fn row_pixels(&self) -> Option<Vec<u8>> {
        (self.pixels <= ROWS_UP_TO).then(|| {
            let mut pixels = Vec::new();
            self.for_each_run(|value, count| pixels.extend(std::iter::repeat_n(value, count as usize)));
            pixels
        })
    }

    /// Its pixels in order, as runs of one value.
    pub fn for_each_run(&self, mut take: impl FnMut(u8, u32)) {
        match &self.source {
            Source::Runs { runs } => runs.iter().for_each(|&(value, count)| take(value, count)),
            Source::Generated { seed, pixels, permille } => {
                let mut state = *seed;
                for _ in 0..*pixels {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let (u, v) = ((state >> 56) as u8, ((state >> 24 & 0xffff_ffff) * 1_000) >> 32);
                    take(if v < *permille { 255 - (u >> 2) } else { u >> 5 }, 1);
                }
            }
        }
    }
}

/// With unit roundoff u, mean and eta are each known to u of themselves: eta is at most 14 rho in Table 1 (label 9), and the mean is eta and the score
/// beside it, so that both make 28 u of a standard deviation and u of the score. Difference, variance, square root and quotient add some 6 u of the score.
fn z_score_bound(z_score: f64, unit: f64) -> f64 {
    40.0 * unit * z_score.abs().max(1.0)
}

/// N additions of numbers that are not negative lose at most N u of their sum, some operations before and after 4 u more; Welford's mean stays within
/// 2 N u of the largest mean, which is at most 1; and that is an error of twice as much times the spread in the variance between.
fn group_bounds(found: &Group, expected: &Group, unit: f64) -> [(&'static str, f64, f64, f64); 4] {
    let n = f64::from(expected.fields);
    let (sum, mean) = ((n + 4.0) * unit, 2.0 * n * unit);
    let between = sum * expected.between_variance + 2.0 * mean * expected.between_variance.sqrt();
    [
        ("mean", found.mean, expected.mean, mean),
        ("between-variance", found.between_variance, expected.between_variance, between),
        ("within-variance (count_fraction)", found.count_fraction, expected.count_fraction, sum * expected.count_fraction),
        ("within-variance (bernoulli_mean)", found.bernoulli_mean, expected.bernoulli_mean, sum * expected.bernoulli_mean),
    ]
}
