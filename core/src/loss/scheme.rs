//! Intra, inter, or both: which Gaussians of the predicted counts are compared with the prior.

use crate::{Error, Scalar};

/// Which Gaussians are compared with the prior (equations in the text of [the module](super)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Scheme {
    /// Each block by itself (Malkin et al.).
    Intra,
    /// The spread of the counts between blocks.
    Inter,
    /// Both, by the law of total variance.
    #[default]
    IntraInter,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Intra, Self::Inter, Self::IntraInter];

    /// Its name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intra => "intra",
            Self::Inter => "inter",
            Self::IntraInter => "intra_inter",
        }
    }

    /// Smallest group that has the statistic: a single block has no spread between blocks.
    pub const fn least_blocks(self) -> usize {
        match self {
            Self::Inter => 2,
            Self::Intra | Self::IntraInter => 1,
        }
    }

    /// The variance of the predicted count from its parts, Eq. 11: for `Intra`, `between` is not used; for `Inter`, `within` is not.
    ///
    /// ```
    /// use lsr_core::Scheme;
    /// assert_eq!(Scheme::IntraInter.variance(0.25, 0.5), 0.75);
    /// assert_eq!(Scheme::Inter.variance(0.25, 0.5), 0.25);
    /// ```
    pub fn variance<S: Scalar>(self, between: S, within: S) -> S {
        match self {
            Self::Intra => within,
            Self::Inter => between,
            Self::IntraInter => within + between,
        }
    }
}

impl core::str::FromStr for Scheme {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.name() == text)
            .ok_or_else(|| Error::unknown_name("scheme", "intra, inter, intra_inter", text))
    }
}

impl core::fmt::Display for Scheme {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
