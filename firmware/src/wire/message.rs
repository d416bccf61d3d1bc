//! What a frame holds: one kind for each message, and no kind in both directions, so that a line that echoes carries nothing out.

use super::PROTOCOL_VERSION;
use super::answer::{Identity, Outcome};
use super::command::Command;
use super::decode::Decoder;
use super::error_code::ErrorCode;
use super::event::Event;
use super::frame::{Frame, content_size, encode_frame, frame_size};
use core::fmt;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

/// A message that is the payload of a frame of its own kind.
pub trait Message: Serialize + DeserializeOwned + MaxSize {
    /// The kind.
    const KIND: u8;
    /// Bytes of the longest payload.
    const MAX_SIZE: usize = <Self as MaxSize>::POSTCARD_MAX_SIZE;
    /// Bytes of the longest frame.
    const MAX_FRAME: usize = frame_size(<Self as MaxSize>::POSTCARD_MAX_SIZE);

    /// Writes the message as a frame to the front of a buffer and returns that part.
    ///
    /// # Errors
    /// [`MessageError::BufferTooSmall`].
    fn encode<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], MessageError> {
        let found = buffer.len();
        encode_frame(Self::KIND, self, buffer).ok_or(MessageError::BufferTooSmall { needed: Self::MAX_FRAME, found })
    }

    /// Reads a payload, all of it.
    ///
    /// # Errors
    /// [`MessageError::Malformed`], [`MessageError::TrailingBytes`].
    fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        let malformed = MessageError::Malformed { kind: Self::KIND, bytes: payload.len() };
        let mut decoder = Decoder::new(payload);
        let message = Self::deserialize(&mut decoder).map_err(|_| malformed)?;
        let rest = decoder.finish().ok_or(malformed)?;
        if rest.is_empty() { Ok(message) } else { Err(MessageError::TrailingBytes { kind: Self::KIND, bytes: rest.len() }) }
    }
}

/// Why a frame is not a message, or a message did not become a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MessageError {
    /// The payload ends early or holds a value that the message does not have.
    Malformed {
        /// Kind of the frame.
        kind: u8,
        /// Bytes of its payload.
        bytes: usize,
    },
    /// A message, and more.
    TrailingBytes {
        /// Kind of the frame.
        kind: u8,
        /// Bytes behind the message.
        bytes: usize,
    },
    /// A kind that this end is not sent.
    UnknownKind {
        /// Kind found.
        kind: u8,
    },
    /// The buffer is too small.
    BufferTooSmall {
        /// Bytes that are always enough.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { kind, bytes } => write!(f, "{bytes} bytes that are no message of kind {kind:#04x}"),
            Self::TrailingBytes { kind, bytes } => write!(f, "{bytes} bytes behind a message of kind {kind:#04x}"),
            Self::UnknownKind { kind } => write!(f, "no message has the kind {kind:#04x}"),
            Self::BufferTooSmall { needed, found } => write!(f, "buffer of {found} bytes: {needed} are always enough"),
        }
    }
}

impl core::error::Error for MessageError {}

/// A host asks for a session. Its encoding is the same in all versions, so that versions can find out that they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Hello {
    /// Drawn anew for every session; the same one again is the same wish again.
    pub nonce: u32,
    /// The host's [`PROTOCOL_VERSION`].
    pub protocol: u16,
}

impl Hello {
    /// The wish for a session of this version.
    pub const fn new(nonce: u32) -> Self {
        Self { nonce, protocol: PROTOCOL_VERSION }
    }
}

/// The controller's answer to [`Hello`]. Nonce and the error `ProtocolVersion` are encoded alike in all versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HelloReply {
    /// The wish's.
    pub nonce: u32,
    /// The session, or [`ErrorCode::ProtocolVersion`].
    pub result: Result<Welcome, ErrorCode>,
}

/// A session has begun. Requests count from 0 in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Welcome {
    /// Its number, made of nonce and time: frames of an earlier session or of a time before a reset have another.
    pub session: u32,
    /// Number of the first session since power-on: another one means that the controller was reset.
    pub boot: u32,
    /// Number of the oldest event that no host has taken yet.
    pub next_event: u32,
    /// Who answers.
    pub identity: Identity,
}

/// A host asks for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request {
    /// The session's number.
    pub session: u32,
    /// One more than the last request's; the same once more for the same request.
    pub sequence: u32,
    /// What is asked for.
    #[serde(deserialize_with = "apart")]
    pub command: Command,
}

/// Reads a command in a function of its own, to where it stays: as a part of a larger value it is taken to pieces and put together again.
#[inline(never)]
fn apart<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Command, D::Error> {
    Command::deserialize(deserializer)
}

/// The answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reply {
    /// The request's session.
    pub session: u32,
    /// The request's number.
    pub sequence: u32,
    /// What came of it.
    pub result: Outcome,
}

/// An event on its way; sent until it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EventMessage {
    /// The session's number.
    pub session: u32,
    /// Counts the events since power-on.
    pub sequence: u32,
    /// What has happened.
    pub event: Event,
}

/// The host has taken an event: the next one may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EventTaken {
    /// The session's number.
    pub session: u32,
    /// The event's number.
    pub sequence: u32,
}

/// Everything stops at once, whatever the session, whatever is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EmergencyStop {
    /// Drawn anew for every stop; the same one again is the same stop again.
    pub nonce: u32,
}

/// It has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EmergencyStopped {
    /// The stop's.
    pub nonce: u32,
}

/// The host is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Beat {
    /// The session's number.
    pub session: u32,
}

/// The controller is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BeatAnswer {
    /// The session that was named.
    pub session: u32,
    /// Whether it is the one that the controller has.
    pub known: bool,
}

/// Each kind, and the enum of all messages of a direction with its reader.
macro_rules! messages {
    ($(#[$text:meta])* $direction:ident { $($kind:literal $message:ident),+ $(,)? }) => {
        $(impl Message for $message {
            const KIND: u8 = $kind;
        })+

        $(#[$text])*
        #[derive(Debug, Clone, PartialEq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[allow(clippy::large_enum_variant, reason = "no allocator to put the largest message behind a pointer")]
        pub enum $direction {
            $(#[doc = concat!("Kind `", stringify!($kind), "`.")] $message($message)),+
        }

        impl $direction {
            /// Bytes of the longest payload.
            pub const MAX_SIZE: usize = largest(&[$($message::MAX_SIZE),+]);
            /// Most bytes of content: the capacity of the [`FrameReader`](super::FrameReader) for this direction.
            pub const MAX_CONTENT: usize = content_size(Self::MAX_SIZE);
            /// Bytes of the longest frame.
            pub const MAX_FRAME: usize = frame_size(Self::MAX_SIZE);

            /// The message of a frame.
            ///
            /// # Errors
            /// [`MessageError::UnknownKind`], [`MessageError::Malformed`], [`MessageError::TrailingBytes`].
            pub fn read(frame: &Frame<'_>) -> Result<Self, MessageError> {
                match frame.kind {
                    $($kind => $message::decode(frame.payload).map(Self::$message),)+
                    kind => Err(MessageError::UnknownKind { kind }),
                }
            }

            /// Writes the message as a frame to the front of a buffer and returns that part.
            ///
            /// # Errors
            /// [`MessageError::BufferTooSmall`].
            pub fn encode<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], MessageError> {
                match self {
                    $(Self::$message(message) => message.encode(buffer),)+
                }
            }
        }
    };
}

const fn largest(sizes: &[usize]) -> usize {
    let (mut largest, mut index) = (0, 0);
    while index < sizes.len() {
        if sizes[index] > largest {
            largest = sizes[index];
        }
        index += 1;
    }
    largest
}

messages! {
    /// From the host.
    ToController { 0x01 Hello, 0x02 Request, 0x03 EventTaken, 0x04 EmergencyStop, 0x05 Beat }
}

messages! {
    /// From the controller.
    ToHost { 0x81 HelloReply, 0x82 Reply, 0x83 EventMessage, 0x84 EmergencyStopped, 0x85 BeatAnswer }
}
