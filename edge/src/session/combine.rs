//! The counts of sessions together: the moments of each are merged, as core merges those of devices.

use super::read::Sessions;
use super::record::FieldRecord;
use crate::error::Error;
use lsr_core::{BlockMoments, GroupMoments, VarianceModel};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Fields of one label, or of all.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Combined {
    /// Label z; none for fields without one.
    pub label: Option<u8>,
    /// Fields that are fit to be counted.
    pub fields: u32,
    /// Mean m of their counts.
    pub mean: f64,
    /// Standard deviation of their counts between fields.
    pub between_std: f64,
    /// Root of the mean variance of a count within its field.
    pub within_std: f64,
}

/// Moments by label of one session.
///
/// # Errors
/// [`Error::Store`], [`Error::Moments`].
fn moments(sessions: &Sessions, session: &str) -> Result<BTreeMap<Option<u8>, GroupMoments<f64>>, Error> {
    let mut groups = BTreeMap::<Option<u8>, GroupMoments<f64>>::new();
    sessions.each_field(session, |field: FieldRecord| {
        if field.quality.fit {
            groups.entry(field.label).or_default().push(&BlockMoments::from_u8_sums(field.sums())?);
        }
        Ok(())
    })?;
    Ok(groups)
}

/// By label, the fields of several sessions together.
///
/// # Errors
/// [`Error::Store`], [`Error::Moments`].
pub fn combine(sessions: &Sessions, ids: &[&str]) -> Result<Vec<Combined>, Error> {
    let mut all = BTreeMap::<Option<u8>, GroupMoments<f64>>::new();
    for id in ids {
        for (label, group) in moments(sessions, id)? {
            let place = all.entry(label).or_default();
            *place = place.merge(group);
        }
    }
    let line = |(label, group): (Option<u8>, GroupMoments<f64>)| Combined {
        label,
        fields: group.blocks(),
        mean: group.mean(),
        between_std: group.between_variance().sqrt(),
        within_std: group.within_variance(VarianceModel::CountFraction).sqrt(),
    };
    Ok(all.into_iter().map(line).collect())
}
