//! Published variants of the loss, by name. The constants are facts from the authors' programs.
//!
//! | preset | scheme | block variance | distance | stabilisers |
//! |---|---|---|---|---|
//! | `paper` | intra_inter | count_fraction | max_product | variance floor 1e-8 |
//! | `paper_literal` | intra_inter | bernoulli_mean (Eq. 3 as printed) | max_product | variance floor 1e-8 |
//! | `paper_code` | intra_inter | count_fraction | S d^2/(R+S+1e-6)^2 + log(S + 0.03) | |
//! | `lsr_iclr` | intra | count_fraction | h^2/(S+R+1e-6) + log(S + 0.03), h = max(\|d\| - rho, 0) | rho >= 1e-4 |
//! | `lsr_early` | intra | count_fraction, bernoulli_mean in the logarithm | d^2/(v/n+R+1e-6) + log(v + 0.03) | |
//!
//! # Errata
//!
//! With `log(S + 0.03)` and |X|^2, S of one block is below 5e-6: the logarithm of the intra loss is a constant and never widens anything.

use crate::{Distance, Error, Loss, Real, Scheme, Stabilisers, VarianceModel};

/// Weight of the `paper_code` loss beside a supervised cross-entropy of weight 1 in the paper's program.
pub const PAPER_CODE_WEIGHT: f64 = 5e-4;

/// A published variant of the loss (table in the module's text).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Preset {
    /// The paper, with the variance of a mean.
    #[default]
    Paper,
    /// The paper to the letter, Eq. 3 included. Known to be degenerate: see the errata of [`moments`](crate::moments).
    PaperLiteral,
    /// The paper's published program.
    PaperCode,
    /// The published program of Malkin et al. (ICLR 2019).
    LsrIclr,
    /// An earlier version of that program.
    LsrEarly,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Paper, Self::PaperLiteral, Self::PaperCode, Self::LsrIclr, Self::LsrEarly];

    /// Its name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::PaperLiteral => "paper_literal",
            Self::PaperCode => "paper_code",
            Self::LsrIclr => "lsr_iclr",
            Self::LsrEarly => "lsr_early",
        }
    }

    /// The loss that the name stands for.
    ///
    /// ```
    /// use lsr_core::{Loss, Preset, Scheme};
    /// let loss: Loss<f32> = Preset::LsrIclr.loss();
    /// assert_eq!(loss.scheme(), Scheme::Intra);
    /// assert_eq!(loss.stabilisers().log_offset, 0.03);
    /// ```
    pub fn loss<L: Real>(self) -> Loss<L> {
        let constant = L::from_f64;
        let published = Stabilisers { log_offset: constant(0.03), denominator_epsilon: constant(1e-6), ..Stabilisers::none() };
        use Distance::{CodeJointMax, CodeMaxProduct, MaxProduct};
        use VarianceModel::{BernoulliMean, CountFraction};
        let (scheme, distance, variance, stabilisers) = match self {
            Self::Paper => (Scheme::IntraInter, MaxProduct, CountFraction, Stabilisers::default()),
            Self::PaperLiteral => (Scheme::IntraInter, MaxProduct, BernoulliMean, Stabilisers::default()),
            Self::PaperCode => (Scheme::IntraInter, CodeMaxProduct, CountFraction, published),
            Self::LsrIclr => {
                let stabilisers = Stabilisers { dead_zone: constant(1.0), rho_floor: constant(1e-4), ..published };
                (Scheme::Intra, CodeJointMax, CountFraction, stabilisers)
            }
            Self::LsrEarly => (Scheme::Intra, CodeJointMax, CountFraction, published),
        };
        // Constants within every bound of `Stabilisers::check` (a test walks all presets), so this is never refused.
        let loss = Loss::unchecked(scheme, distance, variance, stabilisers);
        if self == Self::LsrEarly { loss.with_log_variance(BernoulliMean) } else { loss }
    }
}

impl core::str::FromStr for Preset {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.name() == text)
            .ok_or_else(|| Error::unknown_name("preset", "paper, paper_literal, paper_code, lsr_iclr, lsr_early", text))
    }
}

impl core::fmt::Display for Preset {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
