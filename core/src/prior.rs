//! The count prior: for every low-resolution class z and high-resolution class l, the mean and standard deviation of the count.
//!
//! # Errata of Table 1
//!
//! | the paper says | what is true | what we do |
//! |---|---|---|
//! | "Count %" | everything else in the paper is a fraction in [0, 1] | [`TABLE_1_PERCENT`] is the only place with percent; [`CountPrior::table_1`] divides |
//! | 0-20: 0.0 +- 0.1 | as a fraction rho = 0.001, so 1/(4R) = 250,000 in gradients | floor rho ([`Stabilisers::rho_floor`](crate::Stabilisers)) or clip gradients |
//! | caption: "90 % to 100 % ... 70 +- 5" | the rows say 90-95: 20 +- 2 and 95-100: 70 +- 5 | the rows hold |

use crate::gaussian::check_range;
use crate::{Error, Real, Target};
use heapless::Vec;

/// Table 1 of the paper in percent: (mean, standard deviation) of the count of (not cancer, cancer) for each of the ten bins.
///
/// Class order is ours: class 0 is "not cancer", class 1 is "cancer" (the paper prints cancer first).
pub const TABLE_1_PERCENT: [[(f64, f64); 2]; 10] = [
    [(100.0, 0.1), (0.0, 0.1)],
    [(99.0, 0.4), (1.0, 0.4)],
    [(98.0, 0.4), (2.0, 0.4)],
    [(95.0, 0.8), (5.0, 0.8)],
    [(94.0, 1.0), (6.0, 1.0)],
    [(92.0, 1.0), (8.0, 1.0)],
    [(90.0, 1.0), (10.0, 1.0)],
    [(90.0, 1.0), (10.0, 1.0)],
    [(80.0, 2.0), (20.0, 2.0)],
    [(30.0, 5.0), (70.0, 5.0)],
];

/// Mean and standard deviation of the count of one high-resolution class in blocks of one low-resolution class, in fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Count<R> {
    /// Mean eta, in [0, 1].
    pub mean: R,
    /// Standard deviation rho, in (0, 1].
    pub std: R,
}

/// An immutable, checked table of counts: up to `Z` low-resolution and up to `L` high-resolution classes.
///
/// A prior of one class ("one against the rest") has no row sum to check; with two or more classes the means of a row sum to 1.
///
/// ```
/// use lsr_core::CountPrior;
/// let prior = CountPrior::<f64, 10, 2>::table_1();
/// let cancer = prior.target(9, 1).unwrap();
/// assert_eq!((cancer.mean, cancer.std), (0.70, 0.05));
/// assert!(prior.target(10, 1).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "PriorRows<R, Z, L>", bound(serialize = "R: serde::Serialize", deserialize = "R: Real + serde::Deserialize<'de>"))
)]
pub struct CountPrior<R, const Z: usize, const L: usize> {
    rows: Vec<Vec<Count<R>, L>, Z>,
    sum_tolerance: R,
}

impl<R: Real, const Z: usize, const L: usize> CountPrior<R, Z, L> {
    /// How far the class means of a row may be from 1 unless said otherwise: an expert's percentages are rounded.
    pub const SUM_TOLERANCE: f64 = 0.01;

    /// A checked table: `rows[z][l]`.
    ///
    /// Every standard deviation is raised to `rho_floor` first (0 for none).
    ///
    /// # Errors
    /// [`Error::PriorMean`], [`Error::PriorStd`], [`Error::PriorRowSum`]; [`Error::LengthMismatch`] when rows differ in length or are empty;
    /// [`Error::TooMany`] beyond `Z` rows or `L` classes; [`Error::ParameterOutOfRange`] for a bad floor or tolerance.
    pub fn new<Row: AsRef<[Count<R>]>>(rows: &[Row], rho_floor: R, sum_tolerance: R) -> Result<Self, Error> {
        check_range("rho_floor", rho_floor, 0.0, 1.0)?;
        check_range("sum_tolerance", sum_tolerance, 0.0, 1.0)?;
        let classes = rows.first().map_or(0, |row| row.as_ref().len());
        if classes == 0 {
            return Err(Error::LengthMismatch { name: "rows of the count prior", expected: 1, found: 0 });
        }
        let mut table = Vec::new();
        for (label, row) in rows.iter().enumerate() {
            let row = row.as_ref();
            if row.len() != classes {
                return Err(Error::LengthMismatch { name: "classes of a prior's row", expected: classes, found: row.len() });
            }
            let checked = Self::checked_row(label, row, rho_floor, sum_tolerance)?;
            table.push(checked).map_err(|_| Error::TooMany { name: "labels", capacity: Z, found: rows.len() })?;
        }
        Ok(Self { rows: table, sum_tolerance })
    }

    fn checked_row(label: usize, row: &[Count<R>], rho_floor: R, tolerance: R) -> Result<Vec<Count<R>, L>, Error> {
        let (zero, one) = (R::from_f64(0.0), R::from_f64(1.0));
        let mut sum = zero;
        let mut checked = Vec::new();
        for (class, count) in row.iter().enumerate() {
            if !(count.mean >= zero && count.mean <= one && count.mean.is_finite()) {
                return Err(Error::PriorMean { label, class, value: count.mean.to_f64() });
            }
            // Neither NaN nor a negative number may be hidden by the floor.
            let std = if count.std >= zero && count.std < rho_floor { rho_floor } else { count.std };
            if !(std > zero && std <= one && std.is_finite()) {
                return Err(Error::PriorStd { label, class, value: count.std.to_f64() });
            }
            sum = sum + count.mean;
            checked.push(Count { mean: count.mean, std }).map_err(|_| Error::TooMany { name: "classes", capacity: L, found: row.len() })?;
        }
        let off = if sum > one { sum - one } else { one - sum };
        // A hair of slack, so that a tolerance of 0.01 admits 0.99 in binary.
        if row.len() > 1 && off > tolerance + R::from_f64(1e-6) {
            return Err(Error::PriorRowSum { label, sum: sum.to_f64(), tolerance: tolerance.to_f64() });
        }
        Ok(checked)
    }

    /// Number of low-resolution classes.
    pub fn labels(&self) -> usize {
        self.rows.len()
    }

    /// Number of high-resolution classes.
    pub fn classes(&self) -> usize {
        self.rows.first().map_or(0, |row| row.len())
    }

    /// The count of class `class` in blocks of label `label`, as the target of a distance.
    ///
    /// # Errors
    /// [`Error::UnknownLabel`], [`Error::UnknownClass`].
    pub fn target(&self, label: usize, class: usize) -> Result<Target<R>, Error> {
        let row = self.rows.get(label).ok_or(Error::UnknownLabel { label, labels: self.labels() })?;
        let count = row.get(class).ok_or(Error::UnknownClass { class, classes: row.len() })?;
        Ok(Target { mean: count.mean, std: count.std })
    }

    /// The same table for one class alone, as a network with a single output needs it.
    ///
    /// # Errors
    /// [`Error::UnknownClass`].
    pub fn one_against_rest(&self, class: usize) -> Result<CountPrior<R, Z, 1>, Error> {
        let mut rows = Vec::new();
        for row in &self.rows {
            let count = *row.get(class).ok_or(Error::UnknownClass { class, classes: row.len() })?;
            // One row for each of at most Z rows: these pushes cannot fail.
            let mut single = Vec::new();
            let _ = single.push(count);
            let _ = rows.push(single);
        }
        Ok(CountPrior { rows, sum_tolerance: self.sum_tolerance })
    }
}

impl<R: Real> CountPrior<R, 10, 2> {
    /// Table 1 of the paper, in fractions; class 1 is cancer.
    pub fn table_1() -> Self {
        let mut rows = Vec::new();
        for permille in const { &table_1_permille() } {
            let count = |[mean, std]: [u16; 2]| Count { mean: R::from_ratio(mean.into(), 1000), std: R::from_ratio(std.into(), 1000) };
            let mut row = Vec::new();
            row.extend([count(permille[0]), count(permille[1])]);
            // Ten rows of two: these pushes cannot fail.
            let _ = rows.push(row);
        }
        Self { rows, sum_tolerance: R::from_f64(Self::SUM_TOLERANCE) }
    }
}

/// In integers, so that a microcontroller without a floating-point unit needs no f64. The quotients are the same f64 as `percent / 100`.
const fn table_1_permille() -> [[[u16; 2]; 2]; 10] {
    let mut rows = [[[0; 2]; 2]; 10];
    let mut label = 0;
    while label < rows.len() {
        let mut class = 0;
        while class < 2 {
            let (mean, std) = TABLE_1_PERCENT[label][class];
            rows[label][class] = [(mean * 10.0 + 0.5) as u16, (std * 10.0 + 0.5) as u16];
            class += 1;
        }
        label += 1;
    }
    rows
}

/// The form of a prior in files; checked when it becomes a [`CountPrior`].
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "R: Real + serde::Deserialize<'de>"))]
struct PriorRows<R, const Z: usize, const L: usize> {
    rows: Vec<Vec<Count<R>, L>, Z>,
    #[serde(default = "default_tolerance")]
    sum_tolerance: R,
}

#[cfg(feature = "serde")]
fn default_tolerance<R: Real>() -> R {
    R::from_f64(CountPrior::<f64, 1, 1>::SUM_TOLERANCE)
}

#[cfg(feature = "serde")]
impl<R: Real, const Z: usize, const L: usize> TryFrom<PriorRows<R, Z, L>> for CountPrior<R, Z, L> {
    type Error = Error;
    fn try_from(file: PriorRows<R, Z, L>) -> Result<Self, Error> {
        Self::new(&file.rows, R::from_f64(0.0), file.sum_tolerance)
    }
}
