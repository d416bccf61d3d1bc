//! Messages to bytes: postcard's encoding, stuffed and summed up on its way into the buffer.
//!
//! Postcard's own serializer is not used: it is inlined into every message, and its slices of varints leave a panic behind when a build is made for
//! size (`opt-level = "z"`). What does not fit is remembered and told at the end, so that no field of any message is followed by a look whether it was
//! written: that alone is 1.4 KB of a Cortex-M0+'s flash. A test holds the bytes against postcard's.

use super::crc::Crc;
use core::fmt;
use serde::ser::{
    Error, Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};

/// A message's own `Serialize` has refused: ours do not. A full buffer is no such error: see [`Encoder`].
#[derive(Debug)]
pub(super) struct NotEncoded;

impl fmt::Display for NotEncoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message cannot be encoded")
    }
}

impl core::error::Error for NotEncoded {}

impl Error for NotEncoded {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Encoded = Result<(), NotEncoded>;

/// A frame on its way into a buffer. What does not fit, or what the encoding has no bytes for (maps, sequences of unknown length), is remembered and
/// told by [`finish`](Self::finish).
pub(super) struct Encoder<'a> {
    out: &'a mut [u8],
    at: usize,
    code_at: usize,
    crc: Crc,
    failed: bool,
}

impl<'a> Encoder<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 1, code_at: 0, crc: Crc::new(), failed: false }
    }

    /// A byte of the content. Not inlined, like the numbers below: every field of every message comes here, and flash is small.
    #[inline(never)]
    pub(super) fn push(&mut self, byte: u8) {
        self.crc.push(byte);
        self.stuff(byte);
    }

    /// Adds the checksum and the closing zero.
    pub(super) fn finish(mut self) -> Option<&'a [u8]> {
        for byte in self.crc.value().to_le_bytes() {
            self.stuff(byte);
        }
        self.close();
        // `close` has left room for the code of another block: the closing zero stands there.
        self.set(self.code_at, 0);
        if self.failed { None } else { self.out.get(..self.at) }
    }

    fn set(&mut self, index: usize, byte: u8) {
        match self.out.get_mut(index) {
            Some(place) => *place = byte,
            None => self.failed = true,
        }
    }

    /// Closes the block; its code is its length, 255 at most.
    fn close(&mut self) {
        self.set(self.code_at, (self.at - self.code_at) as u8);
        self.code_at = self.at;
        self.at += 1;
    }

    fn stuff(&mut self, byte: u8) {
        if byte != 0 {
            self.set(self.at, byte);
            self.at += 1;
        }
        if byte == 0 || self.at - self.code_at == usize::from(u8::MAX) {
            self.close();
        }
    }

    /// Seven bits a byte, the lowest first.
    #[inline(never)]
    fn varint(&mut self, mut value: u32) {
        while value > 0x7F {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    #[inline(never)]
    fn long_varint(&mut self, mut value: u64) {
        while value > 0x7F {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    #[inline(never)]
    fn bytes(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.push(byte));
    }

    fn length(&mut self, length: usize) {
        match u32::try_from(length) {
            Ok(length) => self.varint(length),
            Err(_) => self.failed = true,
        }
    }
}

impl Serializer for &mut Encoder<'_> {
    type Ok = ();
    type Error = NotEncoded;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Impossible<(), NotEncoded>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Encoded {
        self.push(u8::from(value));
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Encoded {
        self.push(value as u8);
        Ok(())
    }

    fn serialize_i16(self, value: i16) -> Encoded {
        self.serialize_i32(value.into())
    }

    fn serialize_i32(self, value: i32) -> Encoded {
        // Zigzag: 0, -1, 1, -2 are 0, 1, 2, 3.
        self.varint(((value << 1) ^ (value >> 31)) as u32);
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Encoded {
        self.long_varint(((value << 1) ^ (value >> 63)) as u64);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Encoded {
        self.push(value);
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Encoded {
        self.varint(value.into());
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> Encoded {
        self.varint(value);
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Encoded {
        self.long_varint(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Encoded {
        self.bytes(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Encoded {
        self.bytes(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Encoded {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Encoded {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Encoded {
        self.length(value.len());
        self.bytes(value);
        Ok(())
    }

    fn serialize_none(self) -> Encoded {
        self.push(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Encoded {
        self.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Encoded {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Encoded {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Encoded {
        self.varint(index);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Encoded {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, index: u32, _: &'static str, value: &T) -> Encoded {
        self.varint(index);
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, NotEncoded> {
        match length {
            Some(length) => self.length(length),
            None => self.failed = true,
        }
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NotEncoded> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        self.varint(index);
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NotEncoded> {
        Err(NotEncoded)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        self.varint(index);
        Ok(self)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Encoded {
        // Its length would have to be known before it is written.
        Err(NotEncoded)
    }
}

/// Every compound is its parts, one behind the other.
macro_rules! parts {
    ($($compound:ident $method:ident $($key:ident)?),+) => {
        $(impl $compound for &mut Encoder<'_> {
            type Ok = ();
            type Error = NotEncoded;

            fn $method<T: Serialize + ?Sized>(&mut self, $($key: &'static str,)? value: &T) -> Encoded {
                value.serialize(&mut **self)
            }

            fn end(self) -> Encoded {
                Ok(())
            }
        })+
    };
}

parts! {
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field,
    SerializeStruct serialize_field _key,
    SerializeStructVariant serialize_field _key
}
