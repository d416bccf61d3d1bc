//! Numbers per low-resolution class, written `0:1,9:4`.

use crate::data::MAX_LABELS;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A weight for some of the labels z; 1 for those that are not named. Written `z:weight,z:weight`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelWeights(BTreeMap<usize, f64>);

impl LabelWeights {
    /// The weight of a label that is named.
    pub fn get(&self, label: usize) -> Option<f64> {
        self.0.get(&label).copied()
    }

    /// Labels and weights, in the order of the labels.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.0.iter().map(|(&label, &weight)| (label, weight))
    }

    /// The weight of a label; 1 for one that is not named.
    pub fn of(&self, label: usize) -> f64 {
        self.get(label).unwrap_or(1.0)
    }

    /// Whether no label is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(usize, f64)> for LabelWeights {
    fn from_iter<I: IntoIterator<Item = (usize, f64)>>(weights: I) -> Self {
        Self(weights.into_iter().collect())
    }
}

impl FromStr for LabelWeights {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let mut weights = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let refuse = || Error::setting("label weights", "z:weight,z:weight with weights of 0 to 1e6, each z once", format!("'{part}'"));
            let (z, weight) = part.split_once(':').ok_or_else(refuse)?;
            let z: usize = z.trim().parse().map_err(|_| refuse())?;
            let weight: f64 = weight.trim().parse().map_err(|_| refuse())?;
            if z >= MAX_LABELS || !(0.0..=1e6).contains(&weight) || weights.insert(z, weight).is_some() {
                return Err(refuse());
            }
        }
        Ok(Self(weights))
    }
}

impl fmt::Display for LabelWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(z, weight)| format!("{z}:{weight}")).collect();
        f.write_str(&parts.join(","))
    }
}

impl TryFrom<String> for LabelWeights {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<LabelWeights> for String {
    fn from(weights: LabelWeights) -> Self {
        weights.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_written_and_refused() {
        let weights: LabelWeights = "0:0.5, 9:4".parse().unwrap();
        assert_eq!((weights.of(0), weights.of(3), weights.of(9)), (0.5, 1.0, 4.0));
        assert_eq!(weights.to_string(), "0:0.5,9:4");
        for bad in ["9", "9:x", "9:-1", "9:NaN", "9:inf", "9:1,9:2", "64:1", "-1:1"] {
            let error = bad.parse::<LabelWeights>().unwrap_err().to_string();
            assert!(error.contains("label weights") && error.contains("z:weight"), "{error}");
        }
    }
}
