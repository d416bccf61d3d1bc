//! Messages to bytes: postcard's encoding, stuffed and summed up on its way into the buffer.
//!
//! Postcard's own serializer is not used: it is inlined into every message, and its slices of varints leave a panic behind when a build is made for
//! size (`opt-level = "z"`). With this one a [`Server`](super::Server) and all that it reads and writes take 13.2 KB of a Cortex-M0+'s flash instead of 17.8
//! (`opt-level = "s"`, link-time optimisation, rustc 1.96). A test holds its bytes against postcard's.

use super::crc::Crc;
use core::fmt;
use serde::ser::{
    Error, Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};

/// The buffer is full, or a message holds what the encoding has no bytes for (maps, sequences of unknown length).
#[derive(Debug)]
pub(super) struct NotEncoded;

impl fmt::Display for NotEncoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message does not fit")
    }
}

impl core::error::Error for NotEncoded {}

impl Error for NotEncoded {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Encoded = Result<(), NotEncoded>;

/// A frame on its way into a buffer.
pub(super) struct Encoder<'a> {
    out: &'a mut [u8],
    at: usize,
    code_at: usize,
    crc: Crc,
}

impl<'a> Encoder<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 1, code_at: 0, crc: Crc::new() }
    }

    /// A byte of the content. Not inlined, like the numbers below: every field of every message comes here, and flash is small.
    #[inline(never)]
    pub(super) fn push(&mut self, byte: u8) -> Encoded {
        self.crc.push(byte);
        self.stuff(byte)
    }

    /// Adds the checksum and the closing zero.
    pub(super) fn finish(mut self) -> Option<&'a [u8]> {
        for byte in self.crc.value().to_le_bytes() {
            self.stuff(byte).ok()?;
        }
        self.close().ok()?;
        // `close` has left room for the code of another block: the closing zero stands there.
        self.set(self.code_at, 0).ok()?;
        self.out.get(..self.at)
    }

    fn set(&mut self, index: usize, byte: u8) -> Encoded {
        *self.out.get_mut(index).ok_or(NotEncoded)? = byte;
        Ok(())
    }

    /// Closes the block; its code is its length, 255 at most.
    fn close(&mut self) -> Encoded {
        let code = u8::try_from(self.at - self.code_at).map_err(|_| NotEncoded)?;
        self.set(self.code_at, code)?;
        self.code_at = self.at;
        self.at += 1;
        Ok(())
    }

    fn stuff(&mut self, byte: u8) -> Encoded {
        if byte == 0 {
            return self.close();
        }
        self.set(self.at, byte)?;
        self.at += 1;
        if self.at - self.code_at == usize::from(u8::MAX) { self.close() } else { Ok(()) }
    }

    /// Seven bits a byte, the lowest first.
    #[inline(never)]
    fn varint(&mut self, mut value: u32) -> Encoded {
        while value > 0x7F {
            self.push(value as u8 | 0x80)?;
            value >>= 7;
        }
        self.push(value as u8)
    }

    #[inline(never)]
    fn long_varint(&mut self, mut value: u64) -> Encoded {
        while value > 0x7F {
            self.push(value as u8 | 0x80)?;
            value >>= 7;
        }
        self.push(value as u8)
    }

    #[inline(never)]
    fn bytes(&mut self, bytes: &[u8]) -> Encoded {
        bytes.iter().try_for_each(|&byte| self.push(byte))
    }

    fn length(&mut self, length: usize) -> Encoded {
        self.varint(u32::try_from(length).map_err(|_| NotEncoded)?)
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
        self.push(u8::from(value))
    }

    fn serialize_i8(self, value: i8) -> Encoded {
        self.push(value as u8)
    }

    fn serialize_i16(self, value: i16) -> Encoded {
        self.serialize_i32(value.into())
    }

    fn serialize_i32(self, value: i32) -> Encoded {
        // Zigzag: 0, -1, 1, -2 are 0, 1, 2, 3.
        self.varint(((value << 1) ^ (value >> 31)) as u32)
    }

    fn serialize_i64(self, value: i64) -> Encoded {
        self.long_varint(((value << 1) ^ (value >> 63)) as u64)
    }

    fn serialize_u8(self, value: u8) -> Encoded {
        self.push(value)
    }

    fn serialize_u16(self, value: u16) -> Encoded {
        self.varint(value.into())
    }

    fn serialize_u32(self, value: u32) -> Encoded {
        self.varint(value)
    }

    fn serialize_u64(self, value: u64) -> Encoded {
        self.long_varint(value)
    }

    fn serialize_f32(self, value: f32) -> Encoded {
        self.bytes(&value.to_le_bytes())
    }

    fn serialize_f64(self, value: f64) -> Encoded {
        self.bytes(&value.to_le_bytes())
    }

    fn serialize_char(self, value: char) -> Encoded {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Encoded {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Encoded {
        self.length(value.len())?;
        self.bytes(value)
    }

    fn serialize_none(self) -> Encoded {
        self.push(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Encoded {
        self.push(1)?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Encoded {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Encoded {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Encoded {
        self.varint(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Encoded {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, index: u32, _: &'static str, value: &T) -> Encoded {
        self.varint(index)?;
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, NotEncoded> {
        self.length(length.ok_or(NotEncoded)?)?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NotEncoded> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        self.varint(index)?;
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NotEncoded> {
        Err(NotEncoded)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, NotEncoded> {
        self.varint(index)?;
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
