//! The chip's UART: damaged frames, and how fast it answers.

use crate::board::Board;
use crate::pico::{LIGHT, Pico, STEP, TRIGGER, to};
use lsr_firmware::wire::{Answer, Command, ErrorCode, Request, StageState, ToController};
use lsr_firmware::{Axis, wire::Message};

/// Frames of which most are damaged.
const FRAMES: usize = 10_000;

/// Numbers from a seed (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

/// Noise, or a frame of a command that would move something, with a bit turned, a byte lost or put in, or a false session.
fn damaged(random: &mut Random) -> Vec<u8> {
    if random.below(3) == 0 {
        let mut noise: Vec<u8> = (0..random.below(24)).map(|_| random.below(256) as u8).collect();
        noise.push(0);
        return noise;
    }
    let commands =
        [Command::Home { axes: lsr_firmware::PerAxis::splat(true) }, to(1_000, 1_000, 1_000), Command::ResumeScan, Command::Status];
    let command = commands[random.below(commands.len())].clone();
    let request = Request { session: random.below(usize::from(u16::MAX)) as u32, sequence: random.below(4) as u32, command };
    let mut buffer = [0; ToController::MAX_FRAME];
    let mut frame = request.encode(&mut buffer).unwrap().to_vec();
    let place = random.below(frame.len());
    match random.below(4) {
        0 => frame[place] ^= 1 << random.below(8),
        1 => drop(frame.remove(place)),
        2 => frame.insert(place, random.below(256) as u8),
        _ => {}
    }
    frame
}

#[test]
fn ten_thousand_damaged_frames_move_nothing_and_the_host_is_still_heard() {
    let Some(mut pico) = Pico::start() else { return };
    let mut random = Random(20_261_125);
    let (mut sent, mut bytes) = (0, 0);
    while sent < FRAMES {
        // What the line carries in 5 ms at 230,400 baud.
        let mut burst = Vec::new();
        while burst.len() < 80 && sent < FRAMES {
            burst.extend(damaged(&mut random));
            sent += 1;
        }
        bytes += burst.len();
        pico.noise(&burst, 5_000);
        assert_eq!(pico.stopped, None, "the chip stopped after {sent} frames");
    }
    pico.run(20_000);
    let moved: Vec<_> = pico.edges.iter().filter(|edge| STEP.contains(&edge.pin) || [LIGHT, TRIGGER].contains(&edge.pin)).collect();
    assert!(moved.is_empty(), "{} edges, the first {:?}", moved.len(), moved[0]);
    pico.connect();
    let status = pico.status();
    assert_eq!(status.state, if status.fault.is_some() { StageState::Faulted } else { StageState::Idle });
    println!("{FRAMES} frames, {bytes} bytes: {:?}", status.link);
    assert!(status.link.bad_checksum > 1_000 && status.link.malformed > 100, "{:?}", status.link);
    if status.fault.is_some() {
        assert_eq!(pico.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    }
    assert_eq!(pico.refused(to(1, 1, 1)), ErrorCode::NotHomed { axis: Axis::X });
}

#[test]
fn a_question_is_answered_within_milliseconds() {
    let Some(mut pico) = Pico::start() else { return };
    let began = pico.now;
    let mut slowest = 0;
    for _ in 0..300 {
        let asked = pico.now;
        assert!(matches!(pico.ask(Command::Ping), Ok(Answer::Pong(_))));
        slowest = slowest.max(pico.now - asked);
    }
    let each = (pico.now - began) as f64 / 300.0;
    println!(
        "a round trip takes {:.2} ms of the chip's time, {slowest} us at most (the host looks every 0.5 ms): {:.0} a second",
        each / 1e3,
        1e6 / each
    );
    assert!(slowest <= 10_000, "{slowest} us");
}
