//! Whether the lengths that a DICOM file states fit into it, before a parser takes memory for them: it would take up to 4 GB for a damaged one.

use dicom_dictionary_std::uids;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// After the preamble and its four letters.
const FIRST: u64 = 132;

/// Length of what ends by a delimiter.
const UNDEFINED: u32 = u32::MAX;

/// Retired; nobody writes slides in it.
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

const META_GROUP: u16 = 0x0002;
const TRANSFER_SYNTAX: [u16; 2] = [0x0002, 0x0010];
const PIXELS: [u16; 2] = [0x7FE0, 0x0010];
const ITEM: [u16; 2] = [0xFFFE, 0xE000];
const ITEM_END: [u16; 2] = [0xFFFE, 0xE00D];
const SEQUENCE_END: [u16; 2] = [0xFFFE, 0xE0DD];

/// Value representations whose length has four bytes, after two that are not used.
const LONG: [&[u8; 2]; 13] = [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// Goes from element to element, into all sequences.
///
/// # Errors
/// In words: the first element that is longer than the file, or a transfer syntax whose elements cannot be followed.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let end = file.metadata().map_err(|error| error.to_string())?.len();
    walk(BufReader::new(file), end)
}

fn walk(mut from: impl Read + Seek, end: u64) -> Result<(), String> {
    let said = |error: std::io::Error| format!("ends in the middle of an element ({error})");
    from.seek(SeekFrom::Start(FIRST)).map_err(said)?;
    let mut at = FIRST;
    // How the elements of the sequences around this place are written; the file's own first.
    let mut implicit = vec![false];
    let (mut begun, mut syntax, mut in_pixels) = (false, String::new(), false);
    while at < end {
        let mut head = [0; 8];
        from.read_exact(&mut head).map_err(said)?;
        at += 8;
        let tag = [u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]])];
        if !begun && tag[0] != META_GROUP {
            begun = true;
            implicit[0] = syntax == uids::IMPLICIT_VR_LITTLE_ENDIAN;
            if [BIG_ENDIAN, uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN].contains(&syntax.as_str()) {
                return Err(format!("transfer syntax {syntax}"));
            }
        }
        let mut length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let mut representation = [0; 2];
        let structural = [ITEM, ITEM_END, SEQUENCE_END].contains(&tag);
        let unnamed = !structural && implicit.last().copied().unwrap_or(false);
        if !structural && !unnamed {
            representation = [head[4], head[5]];
            if LONG.contains(&&representation) {
                let mut long = [0; 4];
                from.read_exact(&mut long).map_err(said)?;
                at += 4;
                length = u32::from_le_bytes(long);
            } else {
                length = u32::from(u16::from_le_bytes([head[6], head[7]]));
            }
        }
        let too_long = |length: u32| format!("element ({:04X},{:04X}) of {length} bytes at {at}, more than the file has", tag[0], tag[1]);
        if length == UNDEFINED {
            match tag {
                ITEM => {}
                PIXELS => in_pixels = true,
                _ => implicit.push(&representation == b"UN" || implicit.last().copied().unwrap_or(false)),
            }
            continue;
        }
        if u64::from(length) > end - at {
            return Err(too_long(length));
        }
        match tag {
            SEQUENCE_END if in_pixels => in_pixels = false,
            SEQUENCE_END if implicit.len() > 1 => drop(implicit.pop()),
            SEQUENCE_END | ITEM_END => {}
            // Its elements come next; of pixels a part.
            ITEM if !in_pixels => continue,
            _ if &representation == b"SQ" => continue,
            // Where representations are not written, a sequence is what begins with an item.
            _ if unnamed && tag != PIXELS && length >= 8 => {
                let mut inside = [0; 4];
                from.read_exact(&mut inside).and_then(|()| from.seek(SeekFrom::Current(-4))).map_err(said)?;
                if inside == [0xFE, 0xFF, 0x00, 0xE0] {
                    continue;
                }
            }
            TRANSFER_SYNTAX => {
                let mut text = vec![0; length as usize];
                from.read_exact(&mut text).map_err(said)?;
                syntax = String::from_utf8_lossy(&text).trim_end_matches(['\0', ' ']).to_owned();
                at += u64::from(length);
                continue;
            }
            _ => {}
        }
        from.seek(SeekFrom::Current(i64::from(length))).map_err(said)?;
        at += u64::from(length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn walked(elements: &[&[u8]]) -> Result<(), String> {
        let bytes = [&[0; 128], &b"DICM"[..], &elements.concat()].concat();
        let end = bytes.len() as u64;
        walk(Cursor::new(bytes), end)
    }

    /// Explicit little endian, as the file meta information always is.
    const SYNTAX: &[u8] = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0";

    #[test]
    fn lengths_beyond_the_file_are_named() {
        let rows = b"\x28\x00\x10\x00US\x02\x00\x0A\x00";
        // A sequence of undefined length with an item of undefined length, and its ends.
        let open = b"\x00\x52\x29\x92SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF";
        let close = b"\xFE\xFF\x0D\xE0\0\0\0\0\xFE\xFF\xDD\xE0\0\0\0\0";
        let pixels = b"\xE0\x7F\x10\x00OB\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\0\0\0\0\xFE\xFF\x00\xE0\x02\0\0\0ab\xFE\xFF\xDD\xE0\0\0\0\0";
        assert_eq!(walked(&[SYNTAX, rows, open, rows, close, rows, pixels]), Ok(()));
        let long = b"\x28\x00\x10\x00OB\0\0\xFF\xFF\xFF\x7Fabc";
        for place in [&[SYNTAX, long][..], &[SYNTAX, open, rows, long]] {
            assert!(walked(place).unwrap_err().starts_with("element (0028,0010) of 2147483647 bytes"), "{place:?}");
        }
        assert!(walked(&[SYNTAX, &rows[..9]]).is_err());
        // Implicit little endian: an item inside of a sequence of known length.
        let implicit = b"\x02\x00\x10\x00UI\x12\x001.2.840.10008.1.2\0";
        let inside = b"\x00\x52\x29\x92\x12\0\0\0\xFE\xFF\x00\xE0\x0A\0\0\0\x28\x00\x10\x00\x02\0\0\0\x0A\x00";
        assert_eq!(walked(&[implicit, inside]), Ok(()));
        let mut damaged = inside.to_vec();
        damaged[22] = 0x7F;
        assert!(walked(&[implicit, &damaged]).unwrap_err().starts_with("element (0028,0010) of 8323074 bytes"));
    }
}
