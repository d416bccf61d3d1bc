//! A number for each folder of data, written `0.5` for all of them or `0:1,3:0.2`.

use crate::error::{Error, Result};
use crate::label_weights::LabelWeights;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A weight for every folder of `--data`, counted from 0 in the order in which they are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "String")]
pub enum FolderWeights {
    /// The same for all.
    All(f64),
    /// One for each; 0 for those that are not named.
    Each(LabelWeights),
}

impl FolderWeights {
    /// The weight of a folder.
    pub fn of(&self, folder: usize) -> f64 {
        match self {
            Self::All(weight) => *weight,
            Self::Each(weights) => weights.get(folder).unwrap_or(0.0),
        }
    }

    /// Whether no weight is above 0.
    pub fn is_none(&self) -> bool {
        match self {
            Self::All(weight) => *weight <= 0.0,
            Self::Each(weights) => weights.iter().all(|(_, weight)| weight <= 0.0),
        }
    }

    /// The first folder that is named and not one of so many.
    pub(super) fn beyond(&self, folders: usize) -> Option<usize> {
        match self {
            Self::All(_) => None,
            Self::Each(weights) => weights.iter().map(|(folder, _)| folder).find(|&folder| folder >= folders),
        }
    }
}

impl Default for FolderWeights {
    fn default() -> Self {
        Self::All(0.0)
    }
}

impl fmt::Display for FolderWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(weight) => weight.fmt(f),
            Self::Each(weights) => weights.fmt(f),
        }
    }
}

impl FromStr for FolderWeights {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let expected = "a weight of 0 to 1e6, or one for each folder, such as 0:1,3:0.2";
        let refused = |_| Error::setting("boundary_weight", expected, format!("'{text}'"));
        match text.trim().parse::<f64>() {
            Ok(weight) if (0.0..=1e6).contains(&weight) => Ok(Self::All(weight)),
            Ok(_) => Err(Error::setting("boundary_weight", expected, format!("'{text}'"))),
            Err(_) => text.parse().map(Self::Each).map_err(refused),
        }
    }
}

impl From<FolderWeights> for String {
    fn from(weights: FolderWeights) -> Self {
        weights.to_string()
    }
}

/// A file may have a plain number.
#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

impl TryFrom<NumberOrText> for FolderWeights {
    type Error = Error;

    fn try_from(value: NumberOrText) -> Result<Self> {
        match value {
            NumberOrText::Number(number) => number.to_string().parse(),
            NumberOrText::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_weight_or_one_for_each_folder() {
        let all: FolderWeights = "0.5".parse().unwrap();
        assert_eq!((all.of(0), all.of(7), all.is_none(), all.to_string()), (0.5, 0.5, false, "0.5".to_owned()));
        let each: FolderWeights = "0:1,3:0.25".parse().unwrap();
        assert_eq!([0, 1, 3].map(|folder| each.of(folder)), [1.0, 0.0, 0.25]);
        assert_eq!((each.beyond(4), each.beyond(3), all.beyond(0)), (None, Some(3), None));
        assert!(FolderWeights::default().is_none() && "0:0".parse::<FolderWeights>().unwrap().is_none());
        for text in ["x", "-1", "nan", "0:-1", "0:1,0:2", "1e7"] {
            let error = text.parse::<FolderWeights>().unwrap_err().to_string();
            assert!(error.contains("boundary_weight") && error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn files_have_numbers_or_text() {
        #[derive(Deserialize, Serialize)]
        struct File {
            weight: FolderWeights,
        }
        let read = |text: &str| toml::from_str::<File>(text).map(|file| file.weight);
        assert_eq!(read("weight = 0.5").unwrap(), FolderWeights::All(0.5));
        assert_eq!(read("weight = \"1:2\"").unwrap().of(1), 2.0);
        assert!(read("weight = -1.0").unwrap_err().to_string().contains("boundary_weight"));
        let file = toml::to_string(&File { weight: "0:1,2:0.1".parse().unwrap() }).unwrap();
        assert_eq!(read(&file).unwrap().of(2), 0.1);
    }
}
