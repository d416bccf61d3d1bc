//! What can be chosen about quantisation.

use crate::error::{Error, Result};
use crate::reference::ReferenceSettings;
use serde::{Deserialize, Serialize};

/// How the range of an activation's 256 numbers is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum RangeRule {
    /// The range of least mean squared error.
    #[default]
    Mse,
    /// The range that all but a small share of the values lie in.
    Percentile,
}

/// Whether weights of neighbouring layers are equalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Equalise {
    /// Where it lowers the error on the calibration images.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Settings of [`quantize_network`](super::quantize_network).
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizeSettings {
    /// Most tiles (of at most 512 x 512 px) that calibrate.
    pub count: usize,
    /// Chooses the tiles where there are more, and the crops of the fine-tuning.
    pub seed: u64,
    /// How ranges are chosen.
    pub ranges: RangeRule,
    /// Share of values inside the range, in percent: for [`RangeRule::Percentile`].
    pub percentile: f64,
    /// Equalisation.
    pub equalise: Equalise,
    /// Steps of quantisation-aware fine-tuning; 0 for none.
    pub fine_tune: usize,
    /// Learning rate of the first of them.
    pub learning_rate: f64,
    /// How the file says what the network has learned from; none for a file that does not.
    pub reference: Option<ReferenceSettings>,
}

impl Default for QuantizeSettings {
    fn default() -> Self {
        Self {
            count: 64,
            seed: 0,
            ranges: RangeRule::default(),
            percentile: 99.99,
            equalise: Equalise::default(),
            fine_tune: 0,
            learning_rate: 1e-5,
            reference: Some(ReferenceSettings::default()),
        }
    }
}

impl QuantizeSettings {
    /// Refuses values outside their intervals.
    ///
    /// # Errors
    /// The setting, by its flag.
    pub fn check(&self) -> Result<()> {
        if self.count == 0 {
            return Err(Error::setting("--count", "at least 1", self.count));
        }
        if let Some(reference) = &self.reference {
            reference.check()?;
        }
        for (name, value, least, most) in
            [("--percentile", self.percentile, 50.0, 100.0), ("--learning-rate", self.learning_rate, 0.0, 1.0)]
        {
            if !(least..=most).contains(&value) {
                return Err(Error::setting(name, format!("{least} to {most}"), value));
            }
        }
        Ok(())
    }
}
