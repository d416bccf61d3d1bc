//! How the learning rate changes over a run.

use serde::{Deserialize, Serialize};

/// How the learning rate changes from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It does not, as in the paper.
    #[default]
    Constant,
    /// `rate (1 + cos(pi step / steps)) / 2`: large steps first, and time for BatchNorm's running statistics to settle at the end.
    Cosine,
}

impl Schedule {
    /// The learning rate of a step (0 is the first) of a run of `steps`.
    pub fn rate(self, rate: f64, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => rate,
            Self::Cosine => 0.5 * rate * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos()),
        }
    }
}
