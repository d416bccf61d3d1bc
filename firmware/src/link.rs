//! What host and controller say to each other (table in the crate's text). Both sides use these types unchanged.

use lsr_core::{Drift, Error, GroupMoments, U8Sums, VarianceModel};
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of the messages. Raised with every change of their encoding; a host speaks to no other version.
pub const PROTOCOL_VERSION: u16 = 1;

/// From the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request {
    /// Chosen by the host; the reply repeats it.
    pub sequence: u32,
    /// What is asked for.
    pub command: Command,
}

/// What a host can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Command {
    /// Is someone there, and who?
    Ping,
    /// A field has been segmented: is it consistent?
    Field(FieldSummary),
    /// The moments of all fields of a label so far.
    Moments {
        /// Low-resolution class z.
        label: u8,
    },
    /// A person has seen the alarm of a label.
    Acknowledge {
        /// Low-resolution class z.
        label: u8,
    },
}

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

/// To the host: an answer, or something that the host did not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ToHost {
    /// To a request.
    Reply(Reply),
    /// Unasked.
    Event(Event),
}

/// The answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reply {
    /// The request's number.
    pub sequence: u32,
    /// What came of it.
    pub result: Result<Answer, ErrorCode>,
}

/// What a request that was carried out gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Answer {
    /// To `Ping`.
    Pong(Version),
    /// To `Field`.
    Consistency(Consistency),
    /// To `Moments`.
    Moments(LabelMoments),
    /// To `Acknowledge`.
    Acknowledged,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Version {
    /// [`PROTOCOL_VERSION`] of the controller.
    pub protocol: u16,
    /// Major, minor and patch version of this crate on the controller.
    pub firmware: [u16; 3],
    /// Number of labels that it watches.
    pub labels: u8,
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

/// Sent unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// Counts the events since power-on, so that a host sees that it missed one.
    pub sequence: u32,
    /// What has happened.
    pub kind: EventKind,
}

/// What can happen unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EventKind {
    /// The counts of a label have begun to be inconsistent with the prior.
    Alarm {
        /// Low-resolution class z.
        label: u8,
        /// The drift's direction.
        direction: Direction,
    },
}

/// Why a request was not carried out. Closed: a host knows every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ErrorCode {
    /// The prior has no such label.
    UnknownLabel,
    /// A field without a valid pixel.
    EmptyField,
    /// More than 2^32 - 2 pixels.
    TooManyPixels,
    /// Sums that no bytes have.
    ImpossibleSums,
    /// The label's prior is too narrow for f32.
    NotFinite,
    /// An error that this version of the protocol has no code for: a defect of the firmware.
    Internal,
}

impl From<Error> for ErrorCode {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownLabel { .. } => Self::UnknownLabel,
            Error::EmptyBlock { .. } => Self::EmptyField,
            Error::TooMany { .. } => Self::TooManyPixels,
            Error::ImpossibleMoments { .. } => Self::ImpossibleSums,
            Error::NotFinite { .. } => Self::NotFinite,
            _ => Self::Internal,
        }
    }
}

impl core::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownLabel => "the controller's prior has no such label",
            Self::EmptyField => "the field has no valid pixel",
            Self::TooManyPixels => "the field has more than 2^32 - 2 pixels",
            Self::ImpossibleSums => "no bytes have these sums",
            Self::NotFinite => "the prior of this label is too narrow for f32",
            Self::Internal => "internal error of the firmware",
        })
    }
}

impl core::error::Error for ErrorCode {}

/// Why bytes are not a message, or a message did not become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LinkError {
    /// The bytes end early or hold a value that the message does not have.
    Malformed {
        /// Number of bytes given.
        bytes: usize,
    },
    /// A message, and more.
    TrailingBytes {
        /// Number of bytes behind the message.
        bytes: usize,
    },
    /// The buffer is too small: [`Wire::MAX_SIZE`] is always enough.
    BufferTooSmall {
        /// Bytes that are always enough.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
}

impl core::fmt::Display for LinkError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed { bytes } => write!(f, "{bytes} bytes that are no message"),
            Self::TrailingBytes { bytes } => write!(f, "{bytes} bytes behind the message"),
            Self::BufferTooSmall { needed, found } => write!(f, "buffer of {found} bytes: {needed} are always enough"),
        }
    }
}

impl core::error::Error for LinkError {}

/// A message that has an encoding of known largest size: [`Request`] one way, [`ToHost`] the other.
///
/// ```
/// use lsr_firmware::{Command, Request, Wire};
/// let request = Request { sequence: 7, command: Command::Ping };
/// let mut buffer = [0; Request::MAX_SIZE];
/// let bytes = request.encode(&mut buffer)?;
/// assert_eq!(bytes, [7, 0]);
/// assert_eq!(Request::decode(bytes)?, request);
/// # Ok::<(), lsr_firmware::LinkError>(())
/// ```
pub trait Wire: Serialize + DeserializeOwned + MaxSize {
    /// Bytes of the largest encoding.
    const MAX_SIZE: usize = <Self as MaxSize>::POSTCARD_MAX_SIZE;

    /// Writes the message to the front of a buffer and returns that part.
    ///
    /// # Errors
    /// [`LinkError::BufferTooSmall`].
    fn encode<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], LinkError> {
        let found = buffer.len();
        let written = postcard::to_slice(self, buffer).map_err(|_| LinkError::BufferTooSmall { needed: Self::MAX_SIZE, found })?;
        Ok(written)
    }

    /// Reads a message that takes all of the bytes.
    ///
    /// # Errors
    /// [`LinkError::Malformed`], [`LinkError::TrailingBytes`].
    fn decode(bytes: &[u8]) -> Result<Self, LinkError> {
        let (message, rest) = postcard::take_from_bytes(bytes).map_err(|_| LinkError::Malformed { bytes: bytes.len() })?;
        if rest.is_empty() { Ok(message) } else { Err(LinkError::TrailingBytes { bytes: rest.len() }) }
    }
}

impl Wire for Request {}
impl Wire for ToHost {}
