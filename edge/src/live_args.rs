//! Command-line types of what makes kept fields: `lsr-edge serve` and `lsr-edge scan`.

use clap::{Args, ValueEnum};
use lsr_core::MonitorConfig;
use lsr_edge::Error;
use lsr_edge::live::CountTable;
use lsr_edge::session::Kind;
use std::path::PathBuf;

/// Shift of the counts that is found fastest, standard deviations.
const SHIFT: f64 = 1.0;

/// What fields are held against.
#[derive(Debug, Args)]
pub(crate) struct Counts {
    /// Count prior, as `lsr-train prior estimate` writes it [default: the paper's Table 1]
    #[arg(long, value_name = "CSV")]
    pub(crate) prior: Option<PathBuf>,
    /// Alarms without a cause, a field
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    pub(crate) false_alarm_rate: f64,
}

/// A rate that no monitor has.
#[derive(Debug, thiserror::Error)]
#[error("--false-alarm-rate {rate}: {source}")]
pub(crate) struct RateError {
    rate: f64,
    source: lsr_core::Error,
}

impl Counts {
    pub(crate) fn table(&self) -> Result<CountTable, Error> {
        self.prior.as_ref().map_or_else(|| Ok(CountTable::table_1()), |path| CountTable::read(path))
    }

    pub(crate) fn monitor(&self) -> Result<MonitorConfig<f64>, RateError> {
        let rate = self.false_alarm_rate;
        MonitorConfig::for_false_alarm_rate(SHIFT, rate).map_err(|source| RateError { rate, source })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keep {
    Mask,
    Probability,
    Frame,
    Overlay,
    None,
}

/// Kinds of pictures that are kept, each once.
pub(crate) fn kinds(keep: &[Keep]) -> Vec<Kind> {
    let kind = |keep: &Keep| match keep {
        Keep::Mask => Some(Kind::Mask),
        Keep::Probability => Some(Kind::Probability),
        Keep::Frame => Some(Kind::Frame),
        Keep::Overlay => Some(Kind::Overlay),
        Keep::None => None,
    };
    let mut kinds: Vec<Kind> = keep.iter().filter_map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
