//! The encoding is postcard's, written and read by code of our own: both are held against postcard itself.

use crate::golden::content;
use crate::line::Dice;
use crate::samples;
use lsr_firmware::wire::{
    Beat, BeatAnswer, EmergencyStop, EmergencyStopped, EventMessage, EventTaken, Hello, HelloReply, Message, Reply, Request, ToController,
    ToHost, encode_frame,
};
use std::fmt::Debug;

/// Postcard itself writes the same bytes: the samples, and values of every type that its format has and ours must too.
#[test]
fn the_encoding_is_postcard_s() {
    fn same<T: serde::Serialize>(value: &T) {
        let (mut ours, mut theirs) = ([0; 400], [0; 400]);
        let frame = encode_frame(0x55, value, &mut ours).unwrap();
        assert_eq!(&content::<400>(frame)[1..], ::postcard::to_slice(value, &mut theirs).unwrap());
    }
    for message in samples::to_controller() {
        match message {
            ToController::Request(request) => same(&request),
            ToController::Hello(hello) => same(&hello),
            ToController::EventTaken(taken) => same(&taken),
            ToController::EmergencyStop(stop) => same(&stop),
            ToController::Beat(beat) => same(&beat),
        }
    }
    for message in samples::to_host() {
        match message {
            ToHost::Reply(reply) => same(&reply),
            ToHost::HelloReply(reply) => same(&reply),
            ToHost::EventMessage(event) => same(&event),
            ToHost::EmergencyStopped(stopped) => same(&stopped),
            ToHost::BeatAnswer(answer) => same(&answer),
        }
    }
    for shift in 0..64 {
        let value = 0x9E37_79B9_7F4A_7C15_u64 >> shift;
        same(&(value, value as u32, value as u16, value as u8, value.is_multiple_of(2)));
        same(&(value as i64, value as i32, value as i16, value as i8, -(value as i64 >> 1)));
        same(&(f32::from_bits(value as u32), f64::from_bits(value)));
    }
    same(&(u64::MAX, i64::MIN, i64::MAX, i32::MIN, i32::MAX, i16::MIN, (), Some(()), None::<u8>));
    same(&("text", 'ä', [3_u16; 5], &[300_u16, 2][..]));
}

/// A payload is a message for both, the same one, or for neither; how many were one.
fn read_by_both<M: Message + Debug>(payload: &[u8]) -> usize {
    let theirs = ::postcard::take_from_bytes::<M>(payload).ok().filter(|(_, rest)| rest.is_empty()).map(|(message, _)| message);
    let ours = M::decode(payload).ok();
    // NaN is not equal to itself; its digits here are.
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{payload:?}");
    ours.is_some().into()
}

/// Every sample, cut, prolonged and changed at random: the same is read, and the same is refused.
#[test]
fn what_is_read_is_postcard_s() {
    let mut buffer = [0; 512];
    let payloads: Vec<Vec<u8>> = samples::to_controller()
        .iter()
        .map(|message| content::<500>(message.encode(&mut buffer).unwrap()))
        .chain(samples::to_host().iter().map(|message| content::<500>(message.encode(&mut [0; 512]).unwrap())))
        .collect();
    let mut dice = Dice(7);
    let (mut read, mut tried) = (0, 0);
    for content in &payloads {
        for turn in 0..2_000 {
            let mut payload = content[1..].to_vec();
            if turn > 0 {
                for _ in 0..=dice.below(3) {
                    let at = dice.below(payload.len().max(1));
                    match dice.below(6) {
                        0 => payload.truncate(at),
                        1 => payload.insert(at.min(payload.len()), dice.draw() as u8),
                        2 => payload.insert(at.min(payload.len()), 0x80),
                        3 => payload.iter_mut().skip(at).take(1 + dice.below(10)).for_each(|byte| *byte |= 0x80),
                        _ => payload.iter_mut().skip(at).take(1).for_each(|byte| *byte = dice.draw() as u8),
                    }
                }
            }
            read += match content[0] {
                Hello::KIND => read_by_both::<Hello>(&payload),
                Request::KIND => read_by_both::<Request>(&payload),
                EventTaken::KIND => read_by_both::<EventTaken>(&payload),
                EmergencyStop::KIND => read_by_both::<EmergencyStop>(&payload),
                Beat::KIND => read_by_both::<Beat>(&payload),
                HelloReply::KIND => read_by_both::<HelloReply>(&payload),
                Reply::KIND => read_by_both::<Reply>(&payload),
                EventMessage::KIND => read_by_both::<EventMessage>(&payload),
                EmergencyStopped::KIND => read_by_both::<EmergencyStopped>(&payload),
                BeatAnswer::KIND => read_by_both::<BeatAnswer>(&payload),
                kind => panic!("{kind:#x}"),
            };
            tried += 1;
        }
    }
    println!("{read} of {tried} payloads are messages");
    assert!(read > tried / 20 && read < tried / 2);
}
