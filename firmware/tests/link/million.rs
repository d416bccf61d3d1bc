//! A million frames, most of them broken: no panic, nothing is carried out that was not asked for, and every good request is answered once.

use crate::board::{Board, job};
use crate::frames::{Raw, reference};
use crate::line::Dice;
use crate::samples;
use lsr_firmware::wire::{
    Command, EmergencyStop, FrameReader, Hello, HelloReply, Message, Request, Server, ToController, ToHost, Welcome, encode_frame,
};
use std::time::Instant;

const FRAMES: u32 = 1_000_000;

/// A frame on the line, its closing zero included; broken in one of many ways.
fn broken(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    match dice.below(8) {
        0 => bytes = (0..dice.below(80)).map(|_| dice.draw() as u8).collect(),
        1 => bytes = (0..dice.below(900)).map(|_| 1 + dice.below(255) as u8).collect(),
        2 => bytes.truncate(dice.below(bytes.len())),
        3 => bytes.insert(dice.below(bytes.len()), dice.draw() as u8),
        4 => {
            bytes.remove(dice.below(bytes.len()));
        }
        // A right checksum over a payload of nonsense, of any kind.
        5 => {
            let payload: Vec<u8> = (0..dice.below(13)).map(|_| dice.draw() as u8 >> dice.below(8)).collect();
            let mut buffer = [0; 32];
            bytes = encode_frame(dice.below(8) as u8, &Raw(&payload), &mut buffer).unwrap().to_vec();
        }
        _ => {
            for _ in 0..=dice.below(4) {
                let place = dice.below(bytes.len());
                bytes[place] ^= 1 << dice.below(8);
            }
        }
    }
    if bytes.last() != Some(&0) {
        bytes.push(0);
    }
    bytes
}

/// What an independent reader makes of a block between two zeros.
fn expected(block: &[u8]) -> Option<ToController> {
    let content = reference(block, ToController::MAX_CONTENT)?;
    let (&kind, payload) = content.split_first()?;
    match kind {
        Hello::KIND => Hello::decode(payload).ok().map(ToController::Hello),
        Request::KIND => Request::decode(payload).ok().map(ToController::Request),
        3 => Message::decode(payload).ok().map(ToController::EventTaken),
        EmergencyStop::KIND => EmergencyStop::decode(payload).ok().map(ToController::EmergencyStop),
        5 => Message::decode(payload).ok().map(ToController::Beat),
        _ => None,
    }
}

#[derive(Debug, Default)]
struct Counts {
    blocks: u32,
    good: u32,
    asked: u32,
    replies: u32,
    jobs: u32,
    stops: u32,
    hellos: u32,
}

/// Sends everything that the server has, and counts the frames.
fn drain(server: &mut Server<4>, reader: &mut FrameReader<{ ToHost::MAX_CONTENT }>, mut each: impl FnMut(ToHost)) {
    loop {
        let bytes = server.transmit(0).to_vec();
        if bytes.is_empty() {
            return;
        }
        for &byte in &bytes {
            if let Some(frame) = reader.push(byte) {
                each(ToHost::read(&frame.expect("a good frame")).expect("a message"));
            }
        }
        server.transmitted(bytes.len());
    }
}

#[test]
fn a_million_frames_do_no_harm() {
    let (mut dice, mut counts, mut board) = (Dice(6), Counts::default(), Board::default());
    let mut server = Server::<4>::new(200_000);
    let (mut reader, mut out) = (FrameReader::<{ ToController::MAX_CONTENT }>::new(), FrameReader::new());
    let templates = samples::commands();
    let (mut session, mut sequence, mut buffer) = (0, 0, [0; ToController::MAX_FRAME]);
    let (begun, mut bytes_seen) = (Instant::now(), 0_u64);
    for number in 0..FRAMES {
        if number % 100_000 == 0 {
            // A new session now and then; the time differs, so its number does.
            let hello = Hello::new(number).encode(&mut buffer).unwrap();
            hello.iter().for_each(|&byte| server.receive(byte, u64::from(number), &mut board));
            drain(&mut server, &mut out, |message| match message {
                ToHost::HelloReply(HelloReply { result: Ok(Welcome { session: given, .. }), .. }) => session = given,
                other => panic!("{other:?}"),
            });
            sequence = 0;
        }
        let command = match dice.below(4) {
            0 => job(number),
            // A goodbye would end the session.
            _ => {
                Some(templates[dice.below(templates.len())].clone()).filter(|command| *command != Command::Goodbye).unwrap_or(Command::Ping)
            }
        };
        let good = Request { session, sequence, command }.encode(&mut buffer).unwrap();
        let bytes = if dice.happens(30) { good.to_vec() } else { broken(&mut dice, good) };
        bytes_seen += bytes.len() as u64;
        for block in bytes.split_inclusive(|&byte| byte == 0) {
            counts.blocks += 1;
            let expected = expected(&block[..block.len() - 1]);
            let mut found = None;
            for &byte in block {
                if let Some(Ok(frame)) = reader.push(byte) {
                    assert_eq!(found, None);
                    found = ToController::read(&frame).ok();
                }
                server.receive(byte, u64::from(number), &mut board);
            }
            assert_eq!(found, expected, "{block:?}");
            let (mut replies, mut others, mut given) = (0, 0, None);
            drain(&mut server, &mut out, |message| match message {
                ToHost::Reply(_) => replies += 1,
                ToHost::HelloReply(HelloReply { result: Ok(welcome), .. }) => given = Some(welcome.session),
                _ => others += 1,
            });
            let Some(message) = found else {
                assert_eq!((replies, others, given), (0, 0, None), "an answer to nothing");
                continue;
            };
            counts.good += 1;
            assert!(given.is_none() || matches!(message, ToController::Hello(_)));
            match message {
                ToController::Request(request) if request.session == session && request.sequence == sequence => {
                    counts.jobs +=
                        u32::from(matches!(&request.command, Command::MoveBy { offset } if offset.y.is_none() && offset.z.is_none()));
                    sequence += 1;
                    counts.asked += 1;
                    assert_eq!((replies, others), (1, 0), "{request:?}");
                }
                // Nonsense with a right checksum: of no session, refused.
                ToController::Request(_) => assert_eq!((replies, others), (1, 0)),
                ToController::EmergencyStop(_) => {
                    counts.stops += 1;
                    assert_eq!((replies, others), (0, 1));
                }
                ToController::Beat(_) => assert_eq!((replies, others), (0, 1)),
                // A hello by chance: refused for its version, late, or another session. Like every host, this one begins anew then.
                ToController::Hello(_) => {
                    assert!(replies == 0 && others + u32::from(given.is_some()) <= 1);
                    if let Some(given) = given.filter(|&given| given != session) {
                        (session, sequence) = (given, 0);
                        counts.hellos += 1;
                    }
                }
                ToController::EventTaken(_) => assert_eq!((replies, others), (0, 0)),
            }
            counts.replies += replies;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{counts:?}, {:.2} s, {bytes_seen} bytes, link {:?}", seconds, server.statistics());
    assert_eq!(board.jobs.len() as u32, counts.jobs, "nothing moved that was not asked to");
    assert!(
        board.stops <= counts.stops
            && counts.stops > 500
            && counts.hellos > 10
            && counts.asked > FRAMES * 29 / 100
            && counts.blocks >= FRAMES
    );
    let link = server.statistics();
    assert!(link.bad_checksum > 10_000 && link.malformed > 10_000 && link.not_understood > 10_000);
}

/// How fast frames are read and answered here: a figure, and a bound that only a defect can miss.
#[test]
fn frames_a_second() {
    let (mut server, mut board, mut buffer) = (Server::<4>::new(200_000), Board::default(), [0; ToController::MAX_FRAME]);
    let mut out = FrameReader::new();
    let mut session = 0;
    Hello::new(1).encode(&mut buffer).unwrap().iter().for_each(|&byte| server.receive(byte, 0, &mut board));
    drain(&mut server, &mut out, |message| {
        if let ToHost::HelloReply(HelloReply { result: Ok(welcome), .. }) = message {
            session = welcome.session;
        }
    });
    let begun = Instant::now();
    let frames = 200_000;
    for sequence in 0..frames {
        let frame = Request { session, sequence, command: job(sequence) }.encode(&mut buffer).unwrap();
        frame.iter().for_each(|&byte| server.receive(byte, 0, &mut board));
        while !server.transmit(0).is_empty() {
            let length = server.transmit(0).len();
            server.transmitted(length);
        }
    }
    let rate = f64::from(frames) / begun.elapsed().as_secs_f64();
    println!("{rate:.0} requests a second written, read, carried out and answered");
    assert!(board.jobs.len() == frames as usize && rate > 10_000.0);
}
