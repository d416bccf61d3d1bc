//! How often each low-resolution class is drawn.

use crate::error::{Error, Result};
use crate::label_weights::LabelWeights;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How often each label is drawn for a group. As text: `balanced`, `frequency`, or weights such as `0:1,9:4`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sampling {
    /// All labels equally often, none twice in a step while there are enough of them.
    #[default]
    Balanced,
    /// Each label in proportion to its number of blocks, groups independently of each other.
    Frequency,
    /// Each label in proportion to its weight, groups independently of each other; weight 0 leaves a label out.
    Weighted(LabelWeights),
}

impl Sampling {
    /// Weight of each of the labels, given as (label, number of blocks); nothing for balanced sampling.
    ///
    /// # Errors
    /// Given weights that leave out a label, name one that has no block, or leave nothing to draw.
    pub fn weights(&self, labels: &[(usize, usize)]) -> Result<Option<Vec<f64>>> {
        let given = match self {
            Self::Balanced => return Ok(None),
            Self::Frequency => return Ok(Some(labels.iter().map(|&(_, blocks)| blocks as f64).collect())),
            Self::Weighted(given) => given,
        };
        let there: Vec<String> = labels.iter().map(|(label, _)| label.to_string()).collect();
        let there = there.join(", ");
        if let Some((label, _)) = given.iter().find(|(label, weight)| *weight > 0.0 && !labels.iter().any(|(other, _)| other == label)) {
            return Err(refused(format!("labels that the blocks have ({there})"), format!("z {label}")));
        }
        let weight = |label: usize| {
            let missing =
                || refused(format!("a weight for each label of the blocks ({there}); 0 leaves one out"), format!("none for z {label}"));
            given.get(label).ok_or_else(missing)
        };
        let weights: Vec<f64> = labels.iter().map(|&(label, _)| weight(label)).collect::<Result<_>>()?;
        if !weights.iter().any(|&weight| weight > 0.0) {
            return Err(refused("a weight above 0".to_owned(), "none".to_owned()));
        }
        Ok(Some(weights))
    }
}

fn refused(expected: String, found: String) -> Error {
    Error::setting("sampling", expected, found)
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Frequency => f.write_str("frequency"),
            Self::Weighted(weights) => weights.fmt(f),
        }
    }
}

impl FromStr for Sampling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "balanced" => Ok(Self::Balanced),
            "frequency" => Ok(Self::Frequency),
            _ => {
                let weights: LabelWeights = text.parse().map_err(|error| {
                    refused("balanced, frequency, or weights such as 0:1,9:4".to_owned(), format!("'{text}' ({error})"))
                })?;
                if !weights.iter().any(|(_, weight)| weight > 0.0) {
                    return Err(refused("a weight above 0".to_owned(), format!("'{text}'")));
                }
                Ok(Self::Weighted(weights))
            }
        }
    }
}

impl TryFrom<String> for Sampling {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Sampling> for String {
    fn from(sampling: Sampling) -> Self {
        sampling.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_there_and_back() {
        for text in ["balanced", "frequency", "0:1,9:4", "3:0.25"] {
            let sampling: Sampling = text.parse().unwrap();
            assert_eq!(sampling.to_string(), text);
            let json = serde_json::to_string(&sampling).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Sampling>(&json).unwrap(), sampling);
        }
        assert_eq!(" 0 : 1 , 9 : 4 ".parse::<Sampling>().unwrap(), Sampling::Weighted("0:1,9:4".parse().unwrap()));
        for (text, part) in [
            ("", "''"),
            ("uniform", "'uniform'"),
            ("0:-1", "0:-1"),
            ("0:NaN", "0:NaN"),
            ("0:1,0:2", "each z once"),
            ("64:1", "64:1"),
            ("0:0", "above 0"),
        ] {
            let error = text.parse::<Sampling>().unwrap_err().to_string();
            assert!(error.contains("sampling") && error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn weights_must_name_the_labels_there_are() {
        let labels = [(0, 10), (9, 30)];
        assert_eq!(Sampling::Balanced.weights(&labels).unwrap(), None);
        assert_eq!(Sampling::Frequency.weights(&labels).unwrap(), Some(vec![10.0, 30.0]));
        let of = |text: &str| text.parse::<Sampling>().unwrap().weights(&labels);
        assert_eq!(of("9:4,0:1,5:0").unwrap(), Some(vec![1.0, 4.0]));
        assert!(of("0:1").unwrap_err().to_string().contains("none for z 9"));
        assert!(of("0:1,9:1,5:1").unwrap_err().to_string().contains("z 5"));
        // All the weight on a label that has no block would leave nothing to draw.
        assert!(of("0:0,9:0,5:1").is_err());
    }
}
