//! Frames by themselves: against an independent reader, at every length, with every damage.

use crate::line::Dice;
use lsr_firmware::wire::{FrameError, FrameReader, encode_frame, frame_size};

/// A frame as the definitions of COBS and CRC-32 have it, on whole blocks of bytes and with crate `crc32fast`: what a reader must find between
/// two zeros. `None` for what is no frame.
pub(crate) fn reference(block: &[u8], most: usize) -> Option<Vec<u8>> {
    let (mut content, mut at) = (Vec::new(), 0);
    while let Some(&code) = block.get(at) {
        let end = at + usize::from(code);
        content.extend_from_slice(block.get(at + 1..end)?);
        if code != 255 && end < block.len() {
            content.push(0);
        }
        at = end;
    }
    let split = content.len().checked_sub(4).filter(|&split| split > 0 && content.len() <= most)?;
    let checksum = u32::from_le_bytes(content[split..].try_into().unwrap());
    content.truncate(split);
    (crc32fast::hash(&content) == checksum).then_some(content)
}

/// Bytes one by one, without a length.
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl serde::Serialize for Raw<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

fn contents(dice: &mut Dice, length: usize, kind: usize) -> Vec<u8> {
    (0..length)
        .map(|_| match kind {
            0 => 0,
            1 => 1 + dice.below(255) as u8,
            2 => dice.below(2) as u8,
            _ => dice.draw() as u8,
        })
        .collect()
}

/// Every length around the blocks of 254, with zeros, without, and with both: the size is at most the stated one, the bytes are read back, and the
/// independent reader agrees.
#[test]
fn what_is_written_is_read_back() {
    let mut dice = Dice(1);
    let mut reader = FrameReader::<1_100>::new();
    for length in (0..600).chain([762, 1_011, 1_015]) {
        for kind in 0..4 {
            let payload = contents(&mut dice, length, kind);
            let mut buffer = vec![0xAA; frame_size(length)];
            let frame = encode_frame(0x42, &Raw(&payload), &mut buffer).unwrap().to_vec();
            let (zero, block) = frame.split_last().unwrap();
            assert!(*zero == 0 && !block.contains(&0));
            assert_eq!(reference(block, 1_100).unwrap(), [&[0x42], &payload[..]].concat());
            let mut found = None;
            for &byte in &frame {
                assert!(found.is_none());
                found = reader.push(byte).map(|frame| frame.map(|frame| (frame.kind, frame.payload.to_vec())));
            }
            assert_eq!(found, Some(Ok((0x42, payload.clone()))));
            // A buffer that is one byte too small takes nothing.
            assert_eq!(encode_frame(0x42, &Raw(&payload), &mut buffer[..frame.len() - 1]), None);
        }
    }
}

#[test]
fn the_longest_frame_has_the_stated_size() {
    for payload in [1, 248, 249, 250, 300, 503, 1_000] {
        let mut buffer = vec![0; 2_000];
        let most = (0..40).map(|seed| encode_frame(0xFF, &Raw(&contents(&mut Dice(seed), payload, 1)), &mut buffer).unwrap().len()).max();
        assert_eq!(most, Some(frame_size(payload)), "payload of {payload} bytes");
    }
}

/// Each flipped bit, each missing and each added byte of a frame is found, by name; the frame behind it is read.
#[test]
fn every_damage_is_found_and_the_next_frame_is_read() {
    let mut buffer = [0; 64];
    let frame = encode_frame(7, &Raw(&[1, 0, 0, 5, 255, 0, 9]), &mut buffer).unwrap().to_vec();
    let damaged = (0..frame.len() * 8)
        .map(|bit| {
            let mut bytes = frame.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        })
        .chain((0..frame.len() - 1).map(|at| [&frame[..at], &frame[at + 1..]].concat()))
        .chain((0..frame.len()).map(|at| [&frame[..at], &[0x31], &frame[at..]].concat()));
    let (mut tried, mut checksums) = (0, 0);
    for bytes in damaged {
        let mut reader = FrameReader::<32>::new();
        // Without its end the damaged frame swallows the beginning of the next one: the one after that is whole.
        let line = [&bytes[..], &frame, &frame].concat();
        let found: Vec<Result<Vec<u8>, FrameError>> =
            line.iter().filter_map(|&byte| reader.push(byte).map(|frame| frame.map(|frame| frame.payload.to_vec()))).collect();
        let good = found.iter().filter(|frame| frame.as_ref().is_ok_and(|payload| payload == &[1, 0, 0, 5, 255, 0, 9])).count();
        let bad: Vec<FrameError> = found.iter().filter_map(|frame| frame.as_ref().err().copied()).collect();
        assert!(good == found.len() - bad.len() && (1..=2).contains(&good) && !bad.is_empty(), "{bytes:?}: {found:?}");
        assert!(found.last().unwrap().is_ok());
        assert!(bad.iter().all(|error| !error.to_string().is_empty()));
        checksums += usize::from(matches!(bad[..], [FrameError::Checksum { .. }]));
        tried += 1;
    }
    assert!(tried > 100 && checksums > 50);
}

#[test]
fn what_is_no_frame_has_a_name() {
    let mut reader = FrameReader::<8>::new();
    let mut read = |bytes: &[u8]| bytes.iter().filter_map(|&byte| reader.push(byte).map(|frame| frame.unwrap_err())).collect::<Vec<_>>();
    assert_eq!(read(&[0, 0, 0]), []);
    assert_eq!(read(&[1, 0]), [FrameError::TooShort { found: 0 }]);
    assert_eq!(read(&[5, 1, 2, 3, 4, 0]), [FrameError::TooShort { found: 4 }]);
    assert_eq!(read(&[9, 1, 2, 0]), [FrameError::NotCobs { missing: 6 }]);
    assert_eq!(read(&[10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]), [FrameError::TooLong { maximum: 8 }]);
    // CRC-32/ISO-HDLC of one byte 1 is 0xA505DF1B.
    assert_eq!(read(&[6, 1, 0x1B, 0xDF, 0x05, 0xA6, 0]), [FrameError::Checksum { expected: 0xA505_DF1B, found: 0xA605_DF1B }]);
}
