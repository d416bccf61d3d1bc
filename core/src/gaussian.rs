//! Distances between the predicted count N(m, S) and the target N(eta, R), R = rho^2, with d = eta - m.
//!
//! | distance | formula |
//! |---|---|
//! | `max_product` | S d^2 / (2 (R+S)^2) + 1/2 log(2 pi S) |
//! | `joint_max` | d^2 / (2 (R+S)) + 1/2 log(2 pi S) + 1/2 log(2 pi R) |
//! | `overlap` | d^2 / (2 (R+S)) + 1/2 log(2 pi (R+S)) |
//! | `kl_predicted_target` | 1/2 \[ log(R/S) + (S + d^2)/R - 1 \] |
//! | `kl_target_predicted` | 1/2 \[ log(S/R) + (R + d^2)/S - 1 \] |
//! | `wasserstein2` | d^2 + (sqrt S - rho)^2 |
//! | `code_max_product` | S d^2 / (R+S)^2 + log S |
//! | `code_joint_max` | d^2 / (R+S) + log S |
//!
//! The last two are `max_product` and `joint_max` as the authors' published programs have them: without the factor 1/2, without 2 pi, and
//! without the term that depends on R alone. Stabilisers ([`Stabilisers`]) enter every formula at the same places.
//!
//! # Errata
//!
//! | the paper says | what is true | what we do |
//! |---|---|---|
//! | Eq. 5 and 9 are a distance between two Gaussians | `max_product` is -log N(c*; m, S) at the mode c* of the product; it has no lower bound: S -> 0 gives -infinity for any m, even a wrong one | a variance floor always; bounded distances beside it |
//! | Eq. 9 matches the two distributions | dD/dm vanishes as S -> 0, and dD/dS > 0 (shrink) unless \|d\| > sqrt(6 sqrt 3) rho = 3.224 rho: its minimum is never at S = R | `kl_*` and `wasserstein2` are zero exactly at m = eta, S = R |
//!
//! [`distance`] is the value, written once for every [`Scalar`]; [`distance_gradient`] is a second, independent route to its derivatives.

use crate::{Error, Real, Scalar};
use core::f64::consts::TAU;

/// Which distance (formulas in the module's table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Distance {
    /// Eq. 5 and Eq. 9 as printed. No lower bound.
    #[default]
    MaxProduct,
    /// -log of the maximum of the product of both densities: `MaxProduct` plus the term that the paper drops. No lower bound.
    JointMax,
    /// -log of the overlap integral of both densities. Bounded below.
    Overlap,
    /// Kullback-Leibler divergence of the target from the prediction, KL(N(m, S) || N(eta, R)).
    KlPredictedTarget,
    /// Kullback-Leibler divergence of the prediction from the target, KL(N(eta, R) || N(m, S)).
    KlTargetPredicted,
    /// Squared 2-Wasserstein distance: no logarithm, no division.
    Wasserstein2,
    /// `MaxProduct` as in the paper's published program.
    CodeMaxProduct,
    /// `JointMax` as in the published program of Malkin et al. (ICLR 2019).
    CodeJointMax,
}

impl Distance {
    /// All of them, the six of the literature first.
    pub const ALL: [Self; 8] = [
        Self::MaxProduct,
        Self::JointMax,
        Self::Overlap,
        Self::KlPredictedTarget,
        Self::KlTargetPredicted,
        Self::Wasserstein2,
        Self::CodeMaxProduct,
        Self::CodeJointMax,
    ];

    /// Its name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxProduct => "max_product",
            Self::JointMax => "joint_max",
            Self::Overlap => "overlap",
            Self::KlPredictedTarget => "kl_predicted_target",
            Self::KlTargetPredicted => "kl_target_predicted",
            Self::Wasserstein2 => "wasserstein2",
            Self::CodeMaxProduct => "code_max_product",
            Self::CodeJointMax => "code_joint_max",
        }
    }
}

impl core::str::FromStr for Distance {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|distance| distance.name() == text).ok_or_else(|| {
            Error::unknown_name(
                "distance",
                "max_product, joint_max, overlap, kl_predicted_target, kl_target_predicted, wasserstein2, code_max_product, code_joint_max",
                text,
            )
        })
    }
}

impl core::fmt::Display for Distance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// What keeps the distances finite and their gradients bounded. All in fractions; 0 switches a stabiliser off.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "L: Real + serde::Deserialize<'de>")))]
pub struct Stabilisers<L> {
    /// S is at least this. Source: ours; S of a group that predicts one count everywhere is 0, where `max_product` is -infinity.
    pub variance_floor: L,
    /// Added to S inside the logarithm. Source: 0.03 in both published programs.
    pub log_offset: L,
    /// Added to every denominator. Source: 1e-6 in both published programs.
    pub denominator_epsilon: L,
    /// |d| below this many rho counts as 0. Source: 1 in the program of Malkin et al. (ICLR 2019).
    pub dead_zone: L,
    /// rho is at least this. Source: 1e-4 in the program of Malkin et al. (ICLR 2019).
    pub rho_floor: L,
}

impl<L: Real> Stabilisers<L> {
    /// None at all: the formulas as printed. A group without spread is then an error, not a number.
    pub fn none() -> Self {
        let zero = L::from_f64(0.0);
        Self { variance_floor: zero, log_offset: zero, denominator_epsilon: zero, dead_zone: zero, rho_floor: zero }
    }

    /// Every stabiliser must be finite and in its interval: variances and offsets in [0, 1], the dead zone in [0, 100].
    ///
    /// # Errors
    /// [`Error::ParameterOutOfRange`].
    pub fn check(&self) -> Result<(), Error> {
        for (name, value, max) in [
            ("variance_floor", self.variance_floor, 1.0),
            ("log_offset", self.log_offset, 1.0),
            ("denominator_epsilon", self.denominator_epsilon, 1.0),
            ("dead_zone", self.dead_zone, 100.0),
            ("rho_floor", self.rho_floor, 1.0),
        ] {
            check_range(name, value, 0.0, max)?;
        }
        Ok(())
    }
}

/// A variance floor of 1e-8 (a standard deviation of 0.01 % of a block) and nothing else: "variance floor only".
impl<L: Real> Default for Stabilisers<L> {
    fn default() -> Self {
        Self { variance_floor: L::from_f64(1e-8), ..Self::none() }
    }
}

pub(crate) fn check_range<L: Real>(name: &'static str, value: L, min: f64, max: f64) -> Result<(), Error> {
    if value >= L::from_f64(min) && value <= L::from_f64(max) && value.is_finite() {
        Ok(())
    } else {
        Err(Error::ParameterOutOfRange { name, value: value.to_f64(), min, max })
    }
}

/// The predicted Gaussian N(m, S) of a count.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Predicted<S> {
    /// Mean m.
    pub mean: S,
    /// Variance S.
    pub variance: S,
    /// The variance inside the logarithm: S again, except in the preset `lsr_early`, which has 1/n there and 1/n^2 elsewhere.
    pub log_variance: S,
}

/// The target Gaussian N(eta, rho^2) of a count.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Target<S> {
    /// Mean eta, in [0, 1].
    pub mean: S,
    /// Standard deviation rho.
    pub std: S,
}

/// The distance between prediction and target: the one place where these formulas stand.
///
/// The bare formula, as tensors need it: nothing is checked. [`distance_gradient`] and [`Loss`](crate::Loss) refuse what is not finite.
///
/// ```
/// use lsr_core::{Distance, Predicted, Stabilisers, Target, distance};
/// let predicted = Predicted { mean: 0.4_f64, variance: 0.01, log_variance: 0.01 };
/// let none = Stabilisers::none();
/// let at = |kind, target| distance(kind, predicted, target, &none);
/// // zero exactly at m = eta, S = R
/// assert!(at(Distance::Wasserstein2, Target { mean: 0.4, std: 0.1 }).abs() < 1e-15);
/// assert!(at(Distance::KlPredictedTarget, Target { mean: 0.4, std: 0.1 }).abs() < 1e-15);
/// assert!((at(Distance::Wasserstein2, Target { mean: 0.5, std: 0.3 }) - (0.01 + 0.04)).abs() < 1e-15);
/// ```
pub fn distance<S: Scalar>(kind: Distance, predicted: Predicted<S>, target: Target<S>, stabilisers: &Stabilisers<S::Literal>) -> S {
    let constant = S::Literal::from_f64;
    let half = constant(0.5);
    let epsilon = stabilisers.denominator_epsilon;
    let rho = target.std.at_least(stabilisers.rho_floor);
    let r = rho.clone().square();
    let s = predicted.variance.at_least(stabilisers.variance_floor);
    let log_s = predicted.log_variance.at_least(stabilisers.variance_floor).plus(stabilisers.log_offset);
    let d2 = outside_dead_zone(target.mean - predicted.mean, rho.clone(), stabilisers.dead_zone).square();
    let sum = (r.clone() + s.clone()).plus(epsilon);
    let half_log_tau = |x: S| x.times(constant(TAU)).ln().times(half);
    match kind {
        Distance::MaxProduct => (s * d2 / sum.square()).times(half) + half_log_tau(log_s),
        Distance::JointMax => (d2 / sum).times(half) + half_log_tau(log_s) + half_log_tau(r),
        Distance::Overlap => (d2 / sum).times(half) + half_log_tau(r + log_s),
        Distance::KlPredictedTarget => (((s + d2) / r.clone().plus(epsilon)).plus(constant(-1.0)) - (log_s / r).ln()).times(half),
        Distance::KlTargetPredicted => ((log_s / r.clone()).ln() + ((r + d2) / s.plus(epsilon)).plus(constant(-1.0))).times(half),
        Distance::Wasserstein2 => d2 + (s.sqrt() - rho).square(),
        Distance::CodeMaxProduct => s * d2 / sum.square() + log_s.ln(),
        Distance::CodeJointMax => d2 / sum + log_s.ln(),
    }
}

/// `max(|d| - zone rho, 0)`, or d itself without a dead zone (only its square is used).
fn outside_dead_zone<S: Scalar>(d: S, rho: S, zone: S::Literal) -> S {
    let zero = S::Literal::from_f64(0.0);
    if zone == zero {
        return d;
    }
    let magnitude = d.clone().at_least(zero) + (-d).at_least(zero);
    (magnitude - rho.times(zone)).at_least(zero)
}

/// A distance with its derivatives by the moments of the prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DistanceGradient<R> {
    /// The distance D.
    pub value: R,
    /// dD/dm.
    pub d_mean: R,
    /// dD/dS through the variance outside the logarithm.
    pub d_variance: R,
    /// dD/dS through the variance inside the logarithm.
    pub d_log_variance: R,
}

/// The distance and its closed-form derivatives: a second route beside dual numbers and autodiff over [`distance`].
///
/// ```text
/// distance             dD/dm          dD/dS (both routes together, no stabilisers)
/// max_product          -S d/(R+S)^2   d^2 (R-S) / (2 (R+S)^3) + 1/(2S)
/// joint_max            -d/(R+S)       -d^2 / (2 (R+S)^2) + 1/(2S)
/// overlap              -d/(R+S)       -d^2 / (2 (R+S)^2) + 1/(2 (R+S))
/// kl_predicted_target  -d/R           (1/R - 1/S) / 2
/// kl_target_predicted  -d/S           (1/S - (R + d^2)/S^2) / 2
/// wasserstein2         -2 d           1 - sqrt(R/S)
/// ```
///
/// # Errors
/// [`Error::ParameterOutOfRange`] for moments that are not finite or a negative variance or standard deviation, which a floor would hide;
/// [`Error::NotFinite`] when the value or a derivative leaves the number type (a variance of 0 without a floor, for one).
pub fn distance_gradient<R: Real>(
    kind: Distance,
    predicted: Predicted<R>,
    target: Target<R>,
    stabilisers: &Stabilisers<R::Literal>,
) -> Result<DistanceGradient<R>, Error> {
    for (name, value, min) in [
        ("predicted mean", predicted.mean, f64::NEG_INFINITY),
        ("predicted variance", predicted.variance, 0.0),
        ("predicted variance of the logarithm", predicted.log_variance, 0.0),
        ("target mean", target.mean, f64::NEG_INFINITY),
        ("target standard deviation", target.std, 0.0),
    ] {
        check_range(name, value, min, f64::INFINITY)?;
    }
    let c = R::from_f64;
    let (zero, one, two) = (c(0.0), c(1.0), c(2.0));
    let lit = R::from_literal;
    let epsilon = lit(stabilisers.denominator_epsilon);
    let floor = lit(stabilisers.variance_floor);
    let rho = target.std.at_least(stabilisers.rho_floor);
    let r = rho * rho;
    // No derivative flows through a variance that stands on its floor.
    let flows = |variance: R| if variance > floor { one } else { zero };
    let s = predicted.variance.at_least(stabilisers.variance_floor);
    let log_s = predicted.log_variance.at_least(stabilisers.variance_floor).plus(stabilisers.log_offset);
    let zone = rho.times(stabilisers.dead_zone);
    let difference = target.mean - predicted.mean;
    let d = if difference > zone {
        difference - zone
    } else if -difference > zone {
        difference + zone
    } else if stabilisers.dead_zone == R::Literal::from_f64(0.0) {
        difference
    } else {
        zero
    };
    let sum = r + s + epsilon;
    let (d_mean, d_variance, d_log_variance) = match kind {
        Distance::MaxProduct => (-(s * d) / (sum * sum), d * d * (sum - two * s) / (two * sum * sum * sum), one / (two * log_s)),
        Distance::JointMax => (-d / sum, -(d * d) / (two * sum * sum), one / (two * log_s)),
        Distance::Overlap => (-d / sum, -(d * d) / (two * sum * sum), one / (two * (r + log_s))),
        Distance::KlPredictedTarget => (-d / (r + epsilon), one / (two * (r + epsilon)), -one / (two * log_s)),
        Distance::KlTargetPredicted => {
            let s = s + epsilon;
            (-d / s, -(r + d * d) / (two * s * s), one / (two * log_s))
        }
        Distance::Wasserstein2 => (-two * d, one - rho / s.sqrt(), zero),
        Distance::CodeMaxProduct => (-two * s * d / (sum * sum), d * d * (sum - two * s) / (sum * sum * sum), one / log_s),
        Distance::CodeJointMax => (-two * d / sum, -(d * d) / (sum * sum), one / log_s),
    };
    let result = DistanceGradient {
        value: distance(kind, predicted, target, stabilisers),
        d_mean,
        d_variance: if predicted.variance > floor { d_variance } else { zero },
        d_log_variance: d_log_variance * flows(predicted.log_variance),
    };
    for (name, value) in [
        ("distance", result.value),
        ("derivative of the distance by the mean", result.d_mean),
        ("derivative of the distance by the variance", result.d_variance),
        ("derivative of the distance by the logarithm's variance", result.d_log_variance),
    ] {
        if !value.is_finite() {
            return Err(Error::NotFinite { name, value: value.to_f64() });
        }
    }
    Ok(result)
}
