//! From a block classifier's probability to the low-resolution class z.

use crate::{Error, Real};
use heapless::Vec;

/// Inner edges of the paper's ten bins: 0-20, 20-30, ..., 80-90, 90-95, 95-100 % (Table 1).
pub const PAPER_BIN_EDGES: [f64; 9] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// Bin edges that turn a probability into a low-resolution class z: with E inner edges there are E + 1 classes.
///
/// Class z holds the probabilities in `[edge z-1, edge z)`; the last class includes 1. `N` is the largest number of inner edges.
///
/// ```
/// use lsr_core::LabelBins;
/// let bins = LabelBins::<f32, 9>::paper();
/// assert_eq!(bins.labels(), 10);
/// assert_eq!(bins.label(0.0).unwrap(), 0);
/// assert_eq!(bins.label(0.2).unwrap(), 1); // a bin contains its lower edge
/// assert_eq!(bins.label(0.93).unwrap(), 8);
/// assert_eq!(bins.label(1.0).unwrap(), 9);
/// assert!(bins.label(f32::NAN).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "BinEdges<R, N>", bound(serialize = "R: serde::Serialize", deserialize = "R: Real + serde::Deserialize<'de>"))
)]
pub struct LabelBins<R, const N: usize> {
    edges: Vec<R, N>,
}

impl<R: Real, const N: usize> LabelBins<R, N> {
    /// Bins with these inner edges, which must ascend strictly inside (0, 1).
    ///
    /// # Errors
    /// [`Error::EdgeNotAscending`] or, with more than `N` edges, [`Error::TooMany`].
    pub fn new(edges: &[R]) -> Result<Self, Error> {
        let mut below = R::from_f64(0.0);
        for (index, &edge) in edges.iter().enumerate() {
            if !(edge > below && edge < R::from_f64(1.0)) {
                return Err(Error::EdgeNotAscending { index, value: edge.to_f64() });
            }
            below = edge;
        }
        let edges = Vec::from_slice(edges).map_err(|_| Error::TooMany { name: "bin edges", capacity: N, found: edges.len() })?;
        Ok(Self { edges })
    }

    /// Number of low-resolution classes.
    pub fn labels(&self) -> usize {
        self.edges.len() + 1
    }

    /// The class of a probability.
    ///
    /// # Errors
    /// [`Error::ProbabilityOutOfRange`] (index 0) for NaN and values outside [0, 1].
    pub fn label(&self, probability: R) -> Result<usize, Error> {
        if !(probability >= R::from_f64(0.0) && probability <= R::from_f64(1.0)) {
            return Err(Error::ProbabilityOutOfRange { index: 0, value: probability.to_f64() });
        }
        Ok(self.edges.iter().take_while(|&&edge| probability >= edge).count())
    }

    /// The interval of probabilities of a class, `[lower, upper)`.
    ///
    /// # Errors
    /// [`Error::UnknownLabel`].
    pub fn interval(&self, label: usize) -> Result<(R, R), Error> {
        if label >= self.labels() {
            return Err(Error::UnknownLabel { label, labels: self.labels() });
        }
        let lower = if label == 0 { R::from_f64(0.0) } else { self.edges[label - 1] };
        let upper = self.edges.get(label).copied().unwrap_or(R::from_f64(1.0));
        Ok((lower, upper))
    }
}

impl<R: Real> LabelBins<R, 9> {
    /// The paper's ten bins ([`PAPER_BIN_EDGES`]).
    pub fn paper() -> Self {
        let mut edges = Vec::new();
        edges.extend(PAPER_BIN_EDGES.iter().map(|&edge| R::from_f64(edge)));
        Self { edges }
    }
}

/// The form of bins in files; checked when it becomes [`LabelBins`].
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct BinEdges<R, const N: usize> {
    edges: Vec<R, N>,
}

#[cfg(feature = "serde")]
impl<R: Real, const N: usize> TryFrom<BinEdges<R, N>> for LabelBins<R, N> {
    type Error = Error;
    fn try_from(file: BinEdges<R, N>) -> Result<Self, Error> {
        Self::new(&file.edges)
    }
}
