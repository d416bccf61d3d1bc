//! Bytes of the line and frames: `COBS(kind | payload | CRC-32 of both, little endian) 0x00`.
//!
//! COBS (Cheshire and Baker 1999) takes every zero out of the content, so a zero byte always is the end of a frame: whatever was lost or damaged, a
//! reader is back in step behind the next zero. Both directions go byte by byte through memory of fixed size. Crate `cobs` is not used: its encoder
//! and decoder index slices, which leaves panics in a controller's code; here nothing can panic.

use super::crc::crc32;
use super::encode::Encoder;
use core::fmt;
use heapless::Vec;
use serde::Serialize;

/// Bytes around a payload: the kind and the checksum.
const AROUND: usize = 5;

/// Most bytes of content (kind, payload, checksum) for a payload of at most so many bytes: the capacity of its [`FrameReader`].
pub const fn content_size(payload: usize) -> usize {
    payload + AROUND
}

/// Most bytes on the line for a payload of at most so many: one more for every 254 of content and one for the rest, and the closing zero.
pub const fn frame_size(payload: usize) -> usize {
    content_size(payload) + content_size(payload) / 254 + 2
}

/// What came in a frame whose checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Frame<'a> {
    /// Which message this is.
    pub kind: u8,
    /// The message.
    pub payload: &'a [u8],
}

/// Why bytes between two zeros are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameError {
    /// More content than any message has.
    TooLong {
        /// Most bytes of content.
        maximum: usize,
    },
    /// Less than a kind and a checksum.
    TooShort {
        /// Bytes of content found.
        found: usize,
    },
    /// The zero came inside a block.
    NotCobs {
        /// Bytes of the block that are missing.
        missing: u8,
    },
    /// Damaged content.
    Checksum {
        /// What the content gives.
        expected: u32,
        /// What came.
        found: u32,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { maximum } => write!(f, "a frame of more than {maximum} bytes"),
            Self::TooShort { found } => write!(f, "a frame of {found} bytes: expected at least {AROUND}"),
            Self::NotCobs { missing } => write!(f, "a frame that ends {missing} bytes early"),
            Self::Checksum { expected, found } => write!(f, "checksum: expected {expected:08x}, found {found:08x}"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Takes the bytes of the line one by one; `N` is the most bytes of content ([`content_size`]).
///
/// ```
/// use lsr_firmware::wire::{FrameReader, encode_frame};
/// let mut buffer = [0; 16];
/// let frame = encode_frame(2, &(0_u8, 7_u8), &mut buffer).unwrap();
/// let mut reader = FrameReader::<16>::new();
/// let noise = [0x55, 0x00];
/// let payloads: Vec<Vec<u8>> =
///     noise.iter().chain(frame).filter_map(|&byte| reader.push(byte)?.ok().map(|frame| frame.payload.to_vec())).collect();
/// assert_eq!(payloads, [[0, 7]]);
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameReader<const N: usize> {
    content: Vec<u8, N>,
    /// Bytes until the next code byte.
    left: u8,
    /// The block that has ended stands for a zero too, unless it is the last.
    zero_due: bool,
    too_long: bool,
    /// The content has been given out: the next byte begins another frame.
    over: bool,
}

impl<const N: usize> FrameReader<N> {
    /// Between two frames.
    pub const fn new() -> Self {
        Self { content: Vec::new(), left: 0, zero_due: false, too_long: false, over: false }
    }

    /// Takes a byte. At the end of a frame: the frame, or why it is none. Zeros that follow each other are no frames.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        if self.over {
            *self = Self::new();
        }
        if byte == 0 {
            self.over = true;
            return self.end();
        }
        if self.left > 0 {
            self.left -= 1;
            self.keep(byte);
        } else {
            if self.zero_due {
                self.keep(0);
            }
            self.left = byte - 1;
            self.zero_due = byte != u8::MAX;
        }
        None
    }

    fn keep(&mut self, byte: u8) {
        self.too_long |= self.content.push(byte).is_err();
    }

    fn end(&self) -> Option<Result<Frame<'_>, FrameError>> {
        let found = self.content.len();
        if self.too_long {
            return Some(Err(FrameError::TooLong { maximum: N }));
        }
        if self.left > 0 {
            return Some(Err(FrameError::NotCobs { missing: self.left }));
        }
        // Not even a code byte (one of 1 leaves `zero_due` behind).
        if found == 0 && !self.zero_due {
            return None;
        }
        let Some((content, checksum)) = self.content.split_last_chunk::<4>() else {
            return Some(Err(FrameError::TooShort { found }));
        };
        let Some((&kind, payload)) = content.split_first() else {
            return Some(Err(FrameError::TooShort { found }));
        };
        let (expected, found) = (crc32(content), u32::from_le_bytes(*checksum));
        Some(if expected == found { Ok(Frame { kind, payload }) } else { Err(FrameError::Checksum { expected, found }) })
    }
}

impl<const N: usize> Default for FrameReader<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a message as a frame to the front of a buffer and returns that part; `None` if the buffer is too small ([`frame_size`] is enough).
pub fn encode_frame<'a, M: Serialize + ?Sized>(kind: u8, message: &M, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut encoder = Encoder::new(buffer);
    encoder.push(kind);
    message.serialize(&mut encoder).ok()?;
    encoder.finish()
}
