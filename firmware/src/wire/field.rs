//! A field's summary and what the monitor makes of it.

use core::fmt;
use heapless::Vec;
use lsr_core::{Drift, Error, GroupMoments, U8Sums, VarianceModel};
use postcard::experimental::max_size::MaxSize;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most pixels in one `FieldRow`. Longer rows are sent in pieces: sums do not care where a row ends.
pub const ROW_PIXELS: usize = 240;

/// A field's u8 probabilities `p = q / 255` of cancer, as integer sums, and its label: all that its count's moments need, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldSummary {
    /// Low-resolution class z of the field.
    pub label: u8,
    /// Valid pixels n.
    pub pixels: u32,
    /// Sum of q.
    pub sum: u64,
    /// Sum of q^2.
    pub sum_of_squares: u64,
}

impl FieldSummary {
    /// The summary of a field whose sums have been taken.
    pub fn new(label: u8, sums: U8Sums) -> Self {
        Self { label, pixels: sums.pixels, sum: sums.sum, sum_of_squares: sums.sum_of_squares }
    }

    /// Its integer sums.
    pub fn sums(&self) -> U8Sums {
        U8Sums { pixels: self.pixels, sum: self.sum, sum_of_squares: self.sum_of_squares }
    }
}

/// A field whose rows came one by one: what they add up to, and the judgement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SummedField {
    /// The sums that the controller took.
    pub summary: FieldSummary,
    /// Whether they agree with the prior.
    pub consistency: Consistency,
}

/// Whether a field agrees with the count prior.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Consistency {
    /// How many standard deviations its count lies above (+) or below (-) the prior.
    pub z_score: f32,
    /// The label's alarm, until it is acknowledged.
    pub alarm: Option<Direction>,
}

/// In which direction the counts of a label have drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Direction {
    /// More cancer than the prior allows.
    Above,
    /// Less.
    Below,
}

impl From<Drift> for Direction {
    fn from(drift: Drift) -> Self {
        match drift {
            Drift::Above => Self::Above,
            Drift::Below => Self::Below,
        }
    }
}

/// The moments of all fields of a label (N, mean, between-variance, and within-variance in both models), as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LabelMoments {
    /// Low-resolution class z.
    pub label: u8,
    /// Number of fields N.
    pub fields: u32,
    /// Mean count.
    pub mean: f32,
    /// Variance of the counts between fields.
    pub between_variance: f32,
    /// Mean variance of the counts within fields, `VarianceModel::CountFraction`.
    pub within_count_fraction: f32,
    /// Mean variance of the counts within fields, `VarianceModel::BernoulliMean`.
    pub within_bernoulli_mean: f32,
}

impl LabelMoments {
    /// The moments of a label, ready to be sent.
    pub fn new(label: u8, fields: &GroupMoments<f32>) -> Self {
        Self {
            label,
            fields: fields.blocks(),
            mean: fields.mean(),
            between_variance: fields.between_variance(),
            within_count_fraction: fields.within_variance(VarianceModel::CountFraction),
            within_bernoulli_mean: fields.within_variance(VarianceModel::BernoulliMean),
        }
    }

    /// The moments as core has them, checked, to be merged with those of other devices.
    ///
    /// # Errors
    /// [`Error::ImpossibleMoments`].
    pub fn group(&self) -> Result<GroupMoments<f32>, Error> {
        GroupMoments::from_parts(self.fields, self.mean, self.between_variance, self.within_count_fraction, self.within_bernoulli_mean)
    }
}

/// Up to [`ROW_PIXELS`] u8 probabilities of a field.
#[derive(Clone, PartialEq, Eq)]
pub struct RowPixels(Vec<u8, ROW_PIXELS>);

impl RowPixels {
    /// The pixels as they lie in memory; `None` for more than [`ROW_PIXELS`].
    pub fn new(pixels: &[u8]) -> Option<Self> {
        Vec::from_slice(pixels).ok().map(Self)
    }

    /// The pixels.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RowPixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RowPixels").field(&self.as_slice()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for RowPixels {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "RowPixels({=[u8]})", self.as_slice());
    }
}

/// The number of pixels takes two bytes at most.
impl MaxSize for RowPixels {
    const POSTCARD_MAX_SIZE: usize = 2 + ROW_PIXELS;
}

impl Serialize for RowPixels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_slice())
    }
}

impl<'de> Deserialize<'de> for RowPixels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = RowPixels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {ROW_PIXELS} bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<RowPixels, E> {
        RowPixels::new(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }

    /// Formats without a type for bytes (JSON) have a sequence here.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<RowPixels, A::Error> {
        let mut pixels = Vec::new();
        while let Some(pixel) = sequence.next_element()? {
            pixels.push(pixel).map_err(|_| serde::de::Error::invalid_length(ROW_PIXELS + 1, &self))?;
        }
        Ok(RowPixels(pixels))
    }
}
