//! What lies where in a DICOM file: pixels, frames on the slide, and a few values at the top. What is said of every frame is most of what a file
//! says, and a parser would take thirty times its bytes. Every length is held against the file's, before a parser takes memory
//! for it: it would take up to 4 GB for a damaged one.

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
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
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// Where a frame lies, in pixels of the slide: column and row.
const POSITIONS: [Tag; 2] = [tags::COLUMN_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX, tags::ROW_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX];

/// Value representations whose length has four bytes, after two that are not used.
const LONG: [&[u8; 2]; 13] = [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// Most frames, and parts of the pixels: each is remembered.
const MAX_PARTS: usize = 1 << 24;

/// Longest value that is kept.
const MAX_VALUE: u32 = 1024;

/// What a file has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Values of the wanted elements that are there.
    values: Vec<(Tag, Vec<u8>)>,
    /// Bytes before what is said of every frame, or else before the pixels.
    pub(super) header_bytes: u64,
    /// Where each frame lies on the slide: column and row of its first pixel, counted from 1; 0 where it is not said. None where nothing is said of
    /// single frames.
    pub(super) positions: Option<Vec<[u32; 2]>>,
    /// Where the pixels are.
    pub(super) pixels: Option<Pixels>,
}

/// A piece of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) at: u64,
    pub(super) bytes: u32,
}

/// How pixels are stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    /// One frame after the other.
    Native(Piece),
    /// Compressed: a table of offsets, which may be empty, and parts of frames.
    Encapsulated(Vec<Piece>),
}

impl Contents {
    /// Goes from element to element, into all sequences.
    ///
    /// # Errors
    /// In words: the first element that is longer than the file, or a transfer syntax whose elements cannot be followed.
    pub(super) fn of(path: &Path) -> Result<Self, String> {
        Self::wanted(path, &[], None)
    }

    /// Keeps the values of elements at the top, and goes no further than to the first element there that comes `after` a tag.
    ///
    /// # Errors
    /// As [`Contents::of`].
    pub(super) fn wanted(path: &Path, tags: &[Tag], after: Option<Tag>) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let end = file.metadata().map_err(|error| error.to_string())?.len();
        walk(BufReader::new(file), end, tags, after)
    }

    /// A value's text without its padding.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        let bytes = self.value(tag)?;
        Some(String::from_utf8_lossy(bytes).trim_end_matches(['\0', ' ']).to_owned())
    }

    /// A value that is an unsigned long.
    pub(super) fn number(&self, tag: Tag) -> Option<u32> {
        self.value(tag)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn value(&self, tag: Tag) -> Option<&[u8]> {
        self.values.iter().find(|(own, _)| *own == tag).map(|(_, value)| &value[..])
    }
}

fn walk<R: Read + Seek>(mut from: BufReader<R>, end: u64, wanted: &[Tag], after: Option<Tag>) -> Result<Contents, String> {
    let said = |error: std::io::Error| format!("ends in the middle of an element ({error})");
    from.seek(SeekFrom::Start(FIRST)).map_err(said)?;
    let mut at = FIRST;
    let mut contents = Contents::default();
    // How the elements of the sequences around this place are written, of those that end by a delimiter; the file's own first.
    let mut implicit = vec![false];
    // Where the others end.
    let mut ends = Vec::new();
    let (mut begun, mut syntax, mut parts, mut in_frames) = (false, String::new(), None::<(bool, Vec<Piece>)>, false);
    while at < end {
        while ends.last().is_some_and(|&last| last <= at) {
            ends.pop();
        }
        let begin = at;
        let mut head = [0; 8];
        from.read_exact(&mut head).map_err(said)?;
        at += 8;
        let tag = Tag(u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        if !begun && tag.group() != META_GROUP {
            begun = true;
            implicit[0] = syntax == uids::IMPLICIT_VR_LITTLE_ENDIAN;
            if [BIG_ENDIAN, uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN].contains(&syntax.as_str()) {
                return Err(format!("transfer syntax {syntax}"));
            }
        }
        let mut length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let mut representation = [0; 2];
        let structural = [ITEM, ITEM_END, SEQUENCE_END].contains(&tag);
        let at_top = !structural && parts.is_none() && implicit.len() == 1 && ends.is_empty();
        if at_top && after.is_some_and(|after| tag > after) {
            return Ok(contents);
        }
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
        if at_top {
            in_frames = tag == tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE;
            if in_frames {
                contents.positions = Some(Vec::new());
            }
            if contents.header_bytes == 0 && (in_frames || tag == tags::PIXEL_DATA) {
                contents.header_bytes = begin;
            }
        }
        if let Some(positions) = contents.positions.as_mut().filter(|_| in_frames && tag == ITEM && implicit.len() + ends.len() == 2) {
            if positions.len() == MAX_PARTS {
                return Err(format!("more than {MAX_PARTS} frames"));
            }
            positions.push([0; 2]);
        }
        if length == UNDEFINED {
            match tag {
                ITEM => {}
                tags::PIXEL_DATA => parts = Some((at_top, Vec::new())),
                _ => implicit.push(&representation == b"UN" || implicit.last().copied().unwrap_or(false)),
            }
            continue;
        }
        if u64::from(length) > end - at {
            return Err(format!("element ({:04X},{:04X}) of {length} bytes at {at}, more than the file has", tag.group(), tag.element()));
        }
        let piece = Piece { at, bytes: length };
        match tag {
            SEQUENCE_END => match parts.take() {
                Some((true, pieces)) => contents.pixels = Some(Pixels::Encapsulated(pieces)),
                Some((false, _)) => {}
                None if implicit.len() > 1 => drop(implicit.pop()),
                None => {}
            },
            ITEM => match &mut parts {
                Some((_, pieces)) if pieces.len() < MAX_PARTS => pieces.push(piece),
                Some(_) => return Err(format!("more than {MAX_PARTS} parts of pixels")),
                // Its elements come next.
                None => {
                    ends.push(at + u64::from(length));
                    continue;
                }
            },
            ITEM_END => {}
            _ if &representation == b"SQ" => {
                ends.push(at + u64::from(length));
                continue;
            }
            // Where representations are not written, a sequence is what begins with an item.
            _ if unnamed && tag != tags::PIXEL_DATA && length >= 8 => {
                let mut inside = [0; 4];
                from.read_exact(&mut inside).and_then(|()| from.seek_relative(-4)).map_err(said)?;
                if inside == [0xFE, 0xFF, 0x00, 0xE0] {
                    ends.push(at + u64::from(length));
                    continue;
                }
            }
            _ => {}
        }
        if at_top && tag == tags::PIXEL_DATA {
            contents.pixels = Some(Pixels::Native(piece));
        }
        let position = POSITIONS.iter().position(|own| *own == tag).filter(|_| in_frames && length == 4);
        if let (Some(axis), Some(place)) = (position, contents.positions.as_mut().and_then(|all| all.last_mut())) {
            let mut value = [0; 4];
            from.read_exact(&mut value).map_err(said)?;
            place[axis] = u32::from_le_bytes(value);
        } else if (tag == tags::TRANSFER_SYNTAX_UID || at_top && wanted.contains(&tag)) && length <= MAX_VALUE {
            let mut value = vec![0; length as usize];
            from.read_exact(&mut value).map_err(said)?;
            if tag == tags::TRANSFER_SYNTAX_UID {
                syntax = String::from_utf8_lossy(&value).trim_end_matches(['\0', ' ']).to_owned();
            }
            contents.values.push((tag, value));
        } else {
            from.seek_relative(length.into()).map_err(said)?;
        }
        at += u64::from(length);
    }
    if parts.is_some() {
        return Err("ends in the middle of its pixels".to_owned());
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn contents(elements: &[&[u8]], wanted: &[Tag], after: Option<Tag>) -> Result<Contents, String> {
        let bytes = [&[0; 128], &b"DICM"[..], &elements.concat()].concat();
        let end = bytes.len() as u64;
        walk(BufReader::new(Cursor::new(bytes)), end, wanted, after)
    }

    fn walked(elements: &[&[u8]]) -> Result<(), String> {
        contents(elements, &[], None).map(drop)
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

    /// A value is that of the top, not of a sequence before it, whether its length is known or not; parts of pixels are found in their places.
    #[test]
    fn values_and_pixels_are_those_at_the_top() {
        let nested = b"\x08\x00\x15\x11SQ\0\0\x12\0\0\0\xFE\xFF\x00\xE0\x0A\0\0\0\x20\x00\x0E\x00UI\x02\x001\0";
        let open = b"\x08\x00\x40\x11SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF\x20\x00\x0E\x00UI\x02\x002\0\xFE\xFF\x0D\xE0\0\0\0\0\xFE\xFF\xDD\xE0\0\0\0\0";
        let own = b"\x20\x00\x0E\x00UI\x02\x003\0";
        let width = b"\x48\x00\x06\x00UL\x04\x00\x0A\x01\0\0";
        let pixels = b"\xE0\x7F\x10\x00OB\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\0\0\0\0\xFE\xFF\x00\xE0\x02\0\0\0ab\xFE\xFF\xDD\xE0\0\0\0\0";
        let wanted = [tags::SERIES_INSTANCE_UID, tags::TOTAL_PIXEL_MATRIX_COLUMNS];
        let all = contents(&[SYNTAX, nested, open, own, width, pixels], &wanted, None).unwrap();
        assert_eq!((all.text(wanted[0]).as_deref(), all.number(wanted[1])), (Some("3"), Some(266)));
        let end = 132 + [SYNTAX.len(), nested.len(), open.len(), own.len(), width.len()].iter().sum::<usize>() as u64;
        assert_eq!(all.header_bytes, end);
        assert_eq!(all.pixels, Some(Pixels::Encapsulated(vec![Piece { at: end + 20, bytes: 0 }, Piece { at: end + 28, bytes: 2 }])));
        // Two frames, one in an item that says its length, with their places in sequences of their own.
        let place =
            |x: u8| [&b"\x48\x00\x1A\x02SQ\0\0\x14\0\0\0\xFE\xFF\x00\xE0\x0C\0\0\0\x48\x00\x1E\x02SL\x04\x00"[..], &[x, 0, 0, 0]].concat();
        let frames = [
            &b"\x00\x52\x30\x92SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\x20\0\0\0"[..],
            &place(1),
            b"\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF",
            &place(17),
            b"\xFE\xFF\x0D\xE0\0\0\0\0\xFE\xFF\xDD\xE0\0\0\0\0",
        ]
        .concat();
        let all = contents(&[SYNTAX, own, &frames, pixels], &[], None).unwrap();
        assert_eq!(all.positions, Some(vec![[1, 0], [17, 0]]));
        assert_eq!(all.header_bytes, 132 + (SYNTAX.len() + own.len()) as u64);
        assert!(matches!(all.pixels, Some(Pixels::Encapsulated(pieces)) if pieces.len() == 2));
        let torn = &pixels[..pixels.len() - 8];
        assert_eq!(walked(&[SYNTAX, torn]), Err("ends in the middle of its pixels".to_owned()));
        // What comes after is not looked at.
        let torn = &width[..9];
        assert!(contents(&[SYNTAX, own, torn], &wanted, None).is_err());
        assert_eq!(contents(&[SYNTAX, own, torn], &wanted, Some(wanted[0])).unwrap().text(wanted[0]).as_deref(), Some("3"));
    }
}
