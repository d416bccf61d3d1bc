//! Is a stream of fields still consistent with the count prior?
//!
//! Every field comes with the label z that a pathologist or a classifier gave it, and with the moments of its predicted count:
//!
//! ```text
//! z-score  s = (mu - eta) / sqrt(rho^2 + v)                        two-sided; v: the field's own count_fraction variance
//! CUSUM    upper <- max(0, upper + s - k)    lower <- max(0, lower - s - k)    alarm where either exceeds h
//! ```
//!
//! (Page 1954; k is half the shift in standard deviations that shall be found fastest.) While the fields agree with the prior, an alarm comes
//! once in `1 / false_alarm_rate` fields of a label: h follows from that rate by Siegmund's approximation of the average run length of a
//! two-sided CUSUM, `ARL = (exp(2 k b) - 2 k b - 1) / (4 k^2)`, b = h + 1.166 (Siegmund 1985). Simulated with normal counts, the rate is the
//! stated one to 3 % for shifts up to 1, to 8 % for a shift of 2, up to 26 % too high for 3 and 4, and too low from 6 on. Fixed memory; a field
//! costs one square root and two divisions, and no logarithm.

use crate::gaussian::check_range;
use crate::{BlockMoments, CountPrior, Error, GroupMoments, Real, Target, VarianceModel};
use heapless::Vec;

/// Settings of a [`Monitor`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct MonitorConfig<R> {
    /// k: half the shift, in standard deviations, that shall be found fastest; in (0, 5].
    pub reference: R,
    /// h: the alarm's threshold, in standard deviations; in (0, 1000].
    pub threshold: R,
}

impl<R: Real> MonitorConfig<R> {
    /// The threshold that gives a false-alarm rate per field, between 1e-9 and 0.1, for shifts of `shift` standard deviations.
    ///
    /// ```
    /// use lsr_core::MonitorConfig;
    /// // The classical two-sided CUSUM of k = 1/2, h = 5 has an average run length of 465 fields.
    /// let config = MonitorConfig::<f64>::for_false_alarm_rate(1.0, 1.0 / 465.0).unwrap();
    /// assert!((config.threshold - 5.0).abs() < 0.02);
    /// ```
    ///
    /// # Errors
    /// [`Error::ParameterOutOfRange`].
    pub fn for_false_alarm_rate(shift: f64, false_alarm_rate: f64) -> Result<Self, Error> {
        check_range("shift", shift, 0.1, 10.0)?;
        check_range("false_alarm_rate", false_alarm_rate, 1e-9, 0.1)?;
        let k = shift / 2.0;
        let run_length = |h: f64| {
            let b = 2.0 * k * (h + 1.166);
            (libm::exp(b) - b - 1.0) / (4.0 * k * k)
        };
        let wanted = 1.0 / false_alarm_rate;
        let (mut low, mut high) = (0.0, 1.0);
        while run_length(high) < wanted {
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if run_length(middle) < wanted { low = middle } else { high = middle }
        }
        // A shift so large that h = 0 already gives fewer alarms than asked for still needs a positive threshold.
        let threshold = if high < 1e-3 { 1e-3 } else { high };
        Ok(Self { reference: R::from_f64(k), threshold: R::from_f64(threshold) })
    }

    fn check(&self) -> Result<(), Error> {
        check_range("reference", self.reference, 1e-3, 5.0)?;
        check_range("threshold", self.threshold, 1e-3, 1000.0)
    }
}

/// Shifts of one standard deviation, one false alarm in 10,000 fields.
impl<R: Real> Default for MonitorConfig<R> {
    fn default() -> Self {
        // Siegmund's h for k = 0.5 and a rate of 1e-4: ln(10000 + b + 1) - 1.166 = 8.045 (a test compares it with the solver).
        Self { reference: R::from_f64(0.5), threshold: R::from_f64(8.045) }
    }
}

/// In which direction the counts have drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Drift {
    /// More cancer than the prior allows for this label.
    Above,
    /// Less.
    Below,
}

/// What a field adds to the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Observation<R> {
    /// How many standard deviations the field's count lies above (+) or below (-) the prior.
    pub z_score: R,
    /// Whether the label's counts have drifted. Stays until [`Monitor::acknowledge`].
    pub alarm: Option<Drift>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct LabelState<R> {
    target: Target<R>,
    fields: GroupMoments<R>,
    upper: R,
    lower: R,
    alarm: Option<Drift>,
}

/// Watches, for each of up to `Z` labels, whether fields still agree with the count prior.
///
/// ```
/// use lsr_core::{BlockMoments, CountPrior, Drift, Monitor, MonitorConfig};
/// let prior = CountPrior::<f32, 10, 2>::table_1();
/// let mut monitor = Monitor::<f32, 10>::new(&prior, 1, MonitorConfig::default()).unwrap();
/// let field = |count: f32| BlockMoments::from_parts(57_600, count, 0.1).unwrap();
/// let first = monitor.observe(9, &field(0.70)).unwrap();
/// assert!(first.z_score.abs() < 0.01 && first.alarm.is_none());
/// // A stain that fades: every field of this label now shows 15 % too little.
/// let alarm = (0..10).find_map(|_| monitor.observe(9, &field(0.55)).unwrap().alarm);
/// assert_eq!(alarm, Some(Drift::Below));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Monitor<R, const Z: usize> {
    config: MonitorConfig<R>,
    labels: Vec<LabelState<R>, Z>,
}

impl<R: Real, const Z: usize> Monitor<R, Z> {
    /// A monitor for one high-resolution class of a prior.
    ///
    /// # Errors
    /// [`Error::ParameterOutOfRange`] for bad settings, [`Error::UnknownClass`], [`Error::TooMany`] for a prior of more than `Z` labels.
    pub fn new<const ZP: usize, const LP: usize>(
        prior: &CountPrior<R, ZP, LP>,
        class: usize,
        config: MonitorConfig<R>,
    ) -> Result<Self, Error> {
        config.check()?;
        let mut labels = Vec::new();
        for label in 0..prior.labels() {
            let zero = R::from_f64(0.0);
            let target = prior.target(label, class)?;
            let state = LabelState { target, fields: GroupMoments::new(), upper: zero, lower: zero, alarm: None };
            labels.push(state).map_err(|_| Error::TooMany { name: "labels", capacity: Z, found: prior.labels() })?;
        }
        Ok(Self { config, labels })
    }

    /// Takes in a field of label `label`.
    ///
    /// # Errors
    /// [`Error::UnknownLabel`]; [`Error::NotFinite`] (then the field is not counted).
    pub fn observe(&mut self, label: usize, field: &BlockMoments<R>) -> Result<Observation<R>, Error> {
        let config = self.config;
        let state = self.state_mut(label)?;
        let variance = state.target.std * state.target.std + field.variance(VarianceModel::CountFraction);
        let z_score = (field.mean() - state.target.mean) / variance.sqrt();
        if !z_score.is_finite() {
            return Err(Error::NotFinite { name: "z-score", value: z_score.to_f64() });
        }
        let zero = R::from_f64(0.0).literal();
        let limit = config.threshold;
        state.fields.push(field);
        state.upper = (state.upper + z_score - config.reference).at_least(zero);
        state.lower = (state.lower - z_score - config.reference).at_least(zero);
        if state.alarm.is_none() {
            state.alarm = if state.upper > limit {
                Some(Drift::Above)
            } else if state.lower > limit {
                Some(Drift::Below)
            } else {
                None
            };
        }
        Ok(Observation { z_score, alarm: state.alarm })
    }

    /// Ends a label's alarm and starts its CUSUM anew; the running moments stay.
    ///
    /// # Errors
    /// [`Error::UnknownLabel`].
    pub fn acknowledge(&mut self, label: usize) -> Result<(), Error> {
        let state = self.state_mut(label)?;
        state.upper = R::from_f64(0.0);
        state.lower = R::from_f64(0.0);
        state.alarm = None;
        Ok(())
    }

    /// The moments of all fields of a label so far; mergeable with another device's.
    ///
    /// # Errors
    /// [`Error::UnknownLabel`].
    pub fn moments(&self, label: usize) -> Result<GroupMoments<R>, Error> {
        let labels = self.labels.len();
        self.labels.get(label).map(|state| state.fields).ok_or(Error::UnknownLabel { label, labels })
    }

    /// A label's alarm.
    ///
    /// # Errors
    /// [`Error::UnknownLabel`].
    pub fn alarm(&self, label: usize) -> Result<Option<Drift>, Error> {
        let labels = self.labels.len();
        self.labels.get(label).map(|state| state.alarm).ok_or(Error::UnknownLabel { label, labels })
    }

    fn state_mut(&mut self, label: usize) -> Result<&mut LabelState<R>, Error> {
        let labels = self.labels.len();
        self.labels.get_mut(label).ok_or(Error::UnknownLabel { label, labels })
    }
}
