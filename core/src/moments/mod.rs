//! Counts: the moments of a block's predicted count, and of the counts of a group of blocks.
//!
//! Block k with n valid pixels, network probabilities p_i of one class:
//!
//! ```text
//! mu_k = (1/n)   sum_i p_i                                                      Eq. 3
//! v_k  = (1/n^2) sum_i p_i (1 - p_i)      VarianceModel::CountFraction
//! v_k  = (1/n)   sum_i p_i (1 - p_i)      VarianceModel::BernoulliMean          Eq. 3 as printed
//! ```
//!
//! Group of N blocks of one label z:
//!
//! ```text
//! mean m            = mean_k mu_k                                               Eq. 8
//! between-variance  = mean_k (mu_k - m)^2                                       Eq. 8
//! within-variance   = mean_k v_k                                                Eq. 11, first term
//! ```
//!
//! # Errata
//!
//! | the paper says | what is true | what we do |
//! |---|---|---|
//! | Eq. 3 divides the variance by \|X\| | Eq. 1 makes the count a mean of \|X\| Bernoullis, whose variance divides by \|X\|^2; both published codes do | `CountFraction` is the default; `BernoulliMean` is there for comparison |
//! | with Eq. 3, Eq. 11 adds a between-block term | with Eq. 3 as printed S = m(1-m) - mean_k Var_within(p): the between-block term cancels out, "inter" adds nothing | the same |

mod block;
mod group;
mod u8_sums;

pub use block::{BlockAccumulator, BlockMoments};
pub use group::GroupMoments;
pub use u8_sums::U8Sums;

/// How the variance of one block's count follows from its pixels (see the module's errata).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum VarianceModel {
    /// `(1/n^2) sum p (1-p)`: the variance of the mean of n independent Bernoulli pixels.
    #[default]
    CountFraction,
    /// `(1/n) sum p (1-p)`: Eq. 3 as printed.
    BernoulliMean,
}
