//! Command-line types of low-resolution classes: what an image, slide or field is given, and the prior of its count.

use clap::Args;
use lsr_core::MonitorConfig;
use lsr_edge::Error;
use lsr_edge::live::{CountTable, NameLabels};
use std::path::PathBuf;

/// Shift of the counts that is found fastest, standard deviations.
const SHIFT: f64 = 1.0;

/// Low-resolution classes by name.
#[derive(Debug, Args)]
pub(crate) struct Labels {
    /// Low-resolution class z of every image, slide or field: its count is held against that class's prior
    #[arg(long, value_name = "Z", conflicts_with = "labels")]
    label: Option<u8>,
    /// The same by name: lines `NAME,LABEL` below the line `name,label`
    #[arg(long, value_name = "CSV")]
    labels: Option<PathBuf>,
}

impl Labels {
    pub(crate) fn read(&self) -> Result<NameLabels, Error> {
        self.labels.as_ref().map_or_else(|| Ok(NameLabels::all(self.label)), |path| NameLabels::read(path))
    }
}

/// What counts are held against.
#[derive(Debug, Args)]
pub(crate) struct Prior {
    /// Count prior, as `lsr-train prior estimate` writes it [default: the paper's Table 1]
    #[arg(long, value_name = "CSV")]
    prior: Option<PathBuf>,
}

impl Prior {
    pub(crate) fn read(&self) -> Result<CountTable, Error> {
        self.prior.as_ref().map_or_else(|| Ok(CountTable::table_1()), |path| CountTable::read(path))
    }
}

/// When counts that do not agree with the prior raise an alarm.
#[derive(Debug, Args)]
pub(crate) struct Alarm {
    /// Alarms without a cause, a field
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    false_alarm_rate: f64,
}

/// A rate that no monitor has.
#[derive(Debug, thiserror::Error)]
#[error("--false-alarm-rate {rate}: {source}")]
pub(crate) struct RateError {
    rate: f64,
    source: lsr_core::Error,
}

impl Alarm {
    pub(crate) fn monitor(&self) -> Result<MonitorConfig<f64>, RateError> {
        let rate = self.false_alarm_rate;
        MonitorConfig::for_false_alarm_rate(SHIFT, rate).map_err(|source| RateError { rate, source })
    }
}
