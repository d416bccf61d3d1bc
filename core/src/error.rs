//! What can be wrong with the input: one enum, every variant with the offending name, index and value.

use core::fmt;

/// Room for the text that a name was parsed from; longer text is cut.
pub const FOUND_CAPACITY: usize = 32;

/// Everything that this crate refuses. Nothing in it panics, and nothing returns NaN instead of an error.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// A probability that is NaN, infinite or outside [0, 1].
    ProbabilityOutOfRange {
        /// Position in the sequence that was given (pixels count whether valid or not).
        index: usize,
        /// The value found.
        value: f64,
    },
    /// A parameter that is NaN, infinite or outside its interval.
    ParameterOutOfRange {
        /// Name of the parameter.
        name: &'static str,
        /// The value found.
        value: f64,
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
    },
    /// A result that overflowed the number type.
    NotFinite {
        /// What was being computed.
        name: &'static str,
        /// The value found.
        value: f64,
    },
    /// A block without a single valid pixel has no moments.
    EmptyBlock {
        /// Pixels that were offered; all of them were masked out.
        pixels: usize,
    },
    /// A group with fewer blocks than its scheme can do with.
    TooFewBlocks {
        /// Name of the scheme.
        scheme: &'static str,
        /// Blocks needed.
        required: usize,
        /// Blocks found.
        found: usize,
    },
    /// Per-block moments are needed where only the moments of the whole group were given.
    NeedsBlocks {
        /// Name of the scheme that needs them.
        scheme: &'static str,
    },
    /// Two sequences that must be equally long are not.
    LengthMismatch {
        /// The sequence whose length is wrong.
        name: &'static str,
        /// Length needed.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// More items than the fixed capacity holds.
    TooMany {
        /// What there are too many of.
        name: &'static str,
        /// The capacity.
        capacity: usize,
        /// The number found.
        found: usize,
    },
    /// Bin edges must ascend strictly inside (0, 1).
    EdgeNotAscending {
        /// Index of the edge.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A low-resolution class outside the table.
    UnknownLabel {
        /// The label found.
        label: usize,
        /// Number of labels there are.
        labels: usize,
    },
    /// A high-resolution class outside the table.
    UnknownClass {
        /// The class found.
        class: usize,
        /// Number of classes there are.
        classes: usize,
    },
    /// A mean of a count prior that is no fraction.
    PriorMean {
        /// Low-resolution class.
        label: usize,
        /// High-resolution class.
        class: usize,
        /// The value found.
        value: f64,
    },
    /// A standard deviation of a count prior that is not in (0, 1] after its floor.
    PriorStd {
        /// Low-resolution class.
        label: usize,
        /// High-resolution class.
        class: usize,
        /// The value found.
        value: f64,
    },
    /// The class means of a label do not sum to 1.
    PriorRowSum {
        /// Low-resolution class.
        label: usize,
        /// The sum found.
        sum: f64,
        /// How far from 1 it may be.
        tolerance: f64,
    },
    /// Moments that no set of probabilities can have.
    ImpossibleMoments {
        /// The moment that contradicts the others.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A name that is none of a closed list.
    UnknownName {
        /// What was to be named.
        kind: &'static str,
        /// The names there are.
        expected: &'static str,
        /// What was found, cut to [`FOUND_CAPACITY`] bytes.
        found: heapless::String<FOUND_CAPACITY>,
    },
}

impl Error {
    pub(crate) fn unknown_name(kind: &'static str, expected: &'static str, text: &str) -> Self {
        let mut found = heapless::String::new();
        for c in text.chars() {
            if found.push(c).is_err() {
                break;
            }
        }
        Self::UnknownName { kind, expected, found }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProbabilityOutOfRange { index, value } => {
                write!(f, "probability {index}: expected a value in [0, 1], found {value}")
            }
            Self::ParameterOutOfRange { name, value, min, max } => {
                write!(f, "{name}: expected a value in [{min}, {max}], found {value}")
            }
            Self::NotFinite { name, value } => {
                write!(f, "{name} is not finite ({value}): a stabiliser is too small for this number type")
            }
            Self::EmptyBlock { pixels } => {
                write!(f, "block without a valid pixel ({pixels} given, all masked out)")
            }
            Self::TooFewBlocks { scheme, required, found } => {
                write!(f, "scheme {scheme} needs groups of at least {required} blocks, found {found}")
            }
            Self::NeedsBlocks { scheme } => {
                write!(f, "scheme {scheme} needs the moments of every block, not of the group alone")
            }
            Self::LengthMismatch { name, expected, found } => {
                write!(f, "{name}: expected length {expected}, found {found}")
            }
            Self::TooMany { name, capacity, found } => {
                write!(f, "{name}: at most {capacity} fit, found {found}")
            }
            Self::EdgeNotAscending { index, value } => {
                write!(f, "bin edge {index}: expected edges that ascend strictly inside (0, 1), found {value}")
            }
            Self::UnknownLabel { label, labels } => {
                write!(f, "low-resolution class {label}: expected one of 0..{labels}")
            }
            Self::UnknownClass { class, classes } => {
                write!(f, "high-resolution class {class}: expected one of 0..{classes}")
            }
            Self::PriorMean { label, class, value } => {
                write!(f, "count prior, z {label}, class {class}: expected a mean in [0, 1], found {value}")
            }
            Self::PriorStd { label, class, value } => {
                write!(f, "count prior, z {label}, class {class}: expected a standard deviation in (0, 1], found {value}")
            }
            Self::PriorRowSum { label, sum, tolerance } => {
                write!(f, "count prior, z {label}: class means must sum to 1 within {tolerance}, found {sum}")
            }
            Self::ImpossibleMoments { name, value } => {
                write!(f, "moments that no probabilities have: {name} = {value}")
            }
            Self::UnknownName { kind, expected, found } => {
                write!(f, "{kind} '{found}': expected one of {expected}")
            }
        }
    }
}

impl core::error::Error for Error {}
