//! What the fields of a session say together, in a memory that does not grow.

use super::prior::CountTable;
use crate::error::Error;
use crate::quality::Unfit;
use crate::session::FieldRecord;
use lsr_core::{BlockMoments, CountPrior, Drift, GroupMoments, Monitor, MonitorConfig, Observation, VarianceModel};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use utoipa::ToSchema;

/// Fields of a label that are kept for its chart.
const POINTS: usize = 60;

/// Everything that is counted.
pub(super) struct Statistics {
    labels: BTreeMap<u8, LabelState>,
    all: GroupMoments<f64>,
    fields: u64,
    unfit: BTreeMap<Unfit, u64>,
    unlike_training: u64,
    mask_area_mm2: f64,
    area_mm2: f64,
}

struct LabelState {
    eta: f64,
    rho: f64,
    monitor: Monitor<f64, 1>,
    points: VecDeque<LabelPoint>,
}

/// A field of a label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct LabelPoint {
    /// Its number.
    pub number: u64,
    /// Predicted count, a fraction.
    pub count: f64,
    /// Standard deviations above the prior.
    pub z_score: f64,
}

/// What a field would add; nothing is changed before it is kept.
pub(super) struct Judged {
    label: u8,
    monitor: Monitor<f64, 1>,
    observation: Observation<f64>,
}

impl Judged {
    pub(super) fn z_score(&self) -> f64 {
        self.observation.z_score
    }

    pub(super) fn alarm(&self) -> Option<Drift> {
        self.observation.alarm
    }
}

/// Everything that is counted, to be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StatisticsView {
    /// Fields.
    pub fields: u64,
    /// Of these, those that are fit to be counted; everything below is about them.
    pub fit_fields: u32,
    /// Of all fields, those that are not, by reason; a field may have several.
    pub unfit: BTreeMap<String, u64>,
    /// Of all fields, those unlike what the network has learned from.
    pub unlike_training: u64,
    /// Mean of the predicted counts, a fraction.
    pub mean: f64,
    /// Standard deviation of the counts between fields.
    pub between_std: f64,
    /// Root of the mean variance of a count within its field.
    pub within_std: f64,
    /// Area of the mask, square millimetres.
    pub mask_area_mm2: f64,
    /// Area of the fields, square millimetres.
    pub area_mm2: f64,
    /// Labels that any field had.
    pub labels: Vec<LabelView>,
}

/// A label: its prior and what was predicted.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LabelView {
    /// Low-resolution class z.
    pub label: u8,
    /// Mean of the count by the prior.
    pub eta: f64,
    /// Its standard deviation.
    pub rho: f64,
    /// Fields so far.
    pub fields: u32,
    /// Mean of their counts.
    pub mean: f64,
    /// Standard deviation of their counts between fields.
    pub between_std: f64,
    /// `above` or `below` while there is an alarm.
    #[schema(value_type = Option<String>)]
    pub alarm: Option<Drift>,
    /// The last fields.
    pub points: Vec<LabelPoint>,
}

impl Statistics {
    /// Nothing yet.
    ///
    /// # Errors
    /// [`Error::Moments`].
    pub(super) fn new(prior: &CountTable, config: MonitorConfig<f64>) -> Result<Self, Error> {
        let mut labels = BTreeMap::new();
        for (label, count) in prior.labels() {
            let own = CountPrior::<f64, 1, 1>::new(&[[count]], 0.0, 0.0)?;
            let monitor = Monitor::new(&own, 0, config)?;
            labels.insert(label, LabelState { eta: count.mean, rho: count.std, monitor, points: VecDeque::new() });
        }
        let (all, unfit) = (GroupMoments::new(), BTreeMap::new());
        Ok(Self { labels, all, fields: 0, unfit, unlike_training: 0, mask_area_mm2: 0.0, area_mm2: 0.0 })
    }

    /// What a field adds to its label; nothing without a label that has a prior, and for a field that is not fit to be counted.
    ///
    /// # Errors
    /// [`Error::Moments`].
    pub(super) fn judge(&self, record: &FieldRecord, block: &BlockMoments<f64>) -> Result<Option<Judged>, Error> {
        let Some((label, state)) = record.label.and_then(|label| Some((label, self.labels.get(&label)?))) else { return Ok(None) };
        if !record.quality.fit {
            return Ok(None);
        }
        let mut monitor = state.monitor.clone();
        let observation = monitor.observe(0, block)?;
        Ok(Some(Judged { label, monitor, observation }))
    }

    /// Takes in a field that is kept.
    pub(super) fn take(&mut self, record: &FieldRecord, block: &BlockMoments<f64>, judged: Option<Judged>) {
        self.fields += 1;
        for &reason in &record.quality.unfit {
            *self.unfit.entry(reason).or_default() += 1;
        }
        self.unlike_training += u64::from(record.training_distance.as_ref().is_some_and(|distance| distance.flagged));
        if record.quality.fit {
            self.all.push(block);
            self.mask_area_mm2 += record.cancer.mask_area_mm2;
            self.area_mm2 += record.cancer.image_area_mm2;
        }
        if let Some(Judged { label, monitor, observation }) = judged
            && let Some(state) = self.labels.get_mut(&label)
        {
            state.monitor = monitor;
            if state.points.len() == POINTS {
                state.points.pop_front();
            }
            let point = LabelPoint { number: record.number, count: block.mean(), z_score: observation.z_score };
            state.points.push_back(point);
        }
    }

    /// Ends the alarm of a label.
    ///
    /// # Errors
    /// [`Error::Moments`] for one without a prior.
    pub(super) fn acknowledge(&mut self, label: u8) -> Result<(), Error> {
        let labels = self.labels.len();
        let state = self.labels.get_mut(&label).ok_or(lsr_core::Error::UnknownLabel { label: label.into(), labels })?;
        Ok(state.monitor.acknowledge(0)?)
    }

    pub(super) fn view(&self) -> StatisticsView {
        let label = |(&label, state): (&u8, &LabelState)| {
            let moments = state.monitor.moments(0).ok().filter(|moments| moments.blocks() > 0)?;
            Some(LabelView {
                label,
                eta: state.eta,
                rho: state.rho,
                fields: moments.blocks(),
                mean: moments.mean(),
                between_std: moments.between_variance().sqrt(),
                alarm: state.monitor.alarm(0).ok().flatten(),
                points: state.points.iter().copied().collect(),
            })
        };
        StatisticsView {
            fields: self.fields,
            fit_fields: self.all.blocks(),
            unfit: self.unfit.iter().map(|(reason, &count)| (reason.words().to_owned(), count)).collect(),
            unlike_training: self.unlike_training,
            mean: self.all.mean(),
            between_std: self.all.between_variance().sqrt(),
            within_std: self.all.within_variance(VarianceModel::CountFraction).sqrt(),
            mask_area_mm2: self.mask_area_mm2,
            area_mm2: self.area_mm2,
            labels: self.labels.iter().filter_map(label).collect(),
        }
    }
}
