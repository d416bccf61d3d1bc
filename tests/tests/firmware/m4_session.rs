//! The firmware on a Cortex-M4F: a session, moves, and everything that ends them.

use crate::board::Board;
use crate::m4::{ALARM_LAMP, LIGHT, M4, Output, STEP};
use lsr_firmware::wire::{
    Answer, Command, Direction, Ending, ErrorCode, Event, Fault, FieldSummary, LightLevel, PerAxis, ResetReason, StageState, StopSource,
};
use lsr_firmware::{Axis, Um};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Steps of 1 um: a 1 mm screw, 200 steps, 16 microsteps.
const STEPS_PER_UM: f64 = 3.2;

fn to(x: i32) -> Command {
    Command::MoveTo { target: PerAxis { x: Um::from_um(x), y: None, z: None } }
}

#[test]
fn a_session_opens_and_nothing_moves_before_homing() {
    let Some(mut m4) = M4::start() else { return };
    let status = m4.status();
    assert_eq!((status.state, status.fault, status.homed), (StageState::Idle, None, PerAxis::splat(false)));
    assert_eq!(status.reset_reason, ResetReason::PowerOn);
    assert_eq!(m4.refused(to(1)), ErrorCode::NotHomed { axis: Axis::X });
    m4.settled();
    assert_eq!([0, 1, 2].map(|axis| m4.steps(axis)), [0, 0, 0]);
}

#[test]
fn hundreds_of_questions_are_answered() {
    let Some(mut m4) = M4::start() else { return };
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    for _ in 0..500 {
        let asked = Instant::now();
        assert!(matches!(m4.ask(Command::Ping), Ok(Answer::Pong(_))));
        slowest = slowest.max(asked.elapsed());
    }
    let all = began.elapsed();
    println!("500 round trips in {} ms: {:.0} a second, the slowest {slowest:?}", all.as_millis(), 500.0 / all.as_secs_f64());
    let link = m4.status().link;
    assert_eq!((link.bad_checksum, link.malformed), (0, 0), "{link:?}");
}

#[test]
fn a_move_makes_its_steps_and_the_light_shines() {
    let Some(mut m4) = M4::homed() else { return };
    m4.done(Command::Light { level: LightLevel { channel: 0, permille: 400 }, ramp_ms: 0 });
    for (target, steps) in [(2_000, 6_400), (500, 1_600)] {
        assert_eq!(m4.go(to(target)), Ending::Done);
        m4.settled();
        assert_eq!(m4.steps(0), steps, "at {target} um");
    }
    assert_eq!(m4.status().position.x, Um::from_um(500).unwrap());
    assert_eq!((m4.steps(1), m4.steps(2), m4.led(LIGHT)), (0, 0, true));
}

#[test]
fn the_lamp_is_lit_while_a_label_has_an_alarm() {
    let Some(mut m4) = M4::start() else { return };
    // No cancer at all where the prior says 70 +- 5 %: 14 standard deviations.
    let field = FieldSummary { label: 9, pixels: 1_000, sum: 0, sum_of_squares: 0 };
    let Ok(Answer::Consistency(found)) = m4.ask(Command::Field(field)) else { panic!() };
    assert_eq!(found.alarm, Some(Direction::Below));
    let told = |event: &Event| matches!(event, Event::Alarm { label: 9, direction: Direction::Below }).then_some(());
    m4.event("the alarm", told);
    m4.settled();
    assert!(m4.led(ALARM_LAMP));
    m4.done(Command::AcknowledgeAlarm { label: 9 });
    m4.settled();
    assert!(!m4.led(ALARM_LAMP));
}

/// On its way at full speed, with the light on.
fn lit_and_moving() -> Option<(M4, u32)> {
    let mut m4 = M4::homed()?;
    m4.done(Command::Light { level: LightLevel { channel: 0, permille: 500 }, ramp_ms: 0 });
    let operation = m4.start_operation(to(60_000));
    let end = Instant::now() + Duration::from_secs(60);
    while m4.steps(0) < 5_000 {
        assert!(Instant::now() < end, "{} steps", m4.steps(0));
        m4.run(20_000);
    }
    Some((m4, operation))
}

/// No step comes any more, and the light is off.
fn at_rest_in_the_dark(m4: &mut M4) {
    m4.settled();
    let (steps, outputs) = (m4.steps(0), m4.outputs.len());
    m4.run(300_000);
    let pulse = |output: &Output| matches!(output, Output::Pin { number, high: true } if *number == STEP[0]);
    assert_eq!(m4.outputs[outputs..].iter().filter(|output| pulse(output)).count(), 0, "steps after {steps}");
    assert!(!m4.led(LIGHT), "the light is on");
}

#[test]
fn the_hosts_emergency_stop_ends_a_move() {
    let Some((mut m4, operation)) = lit_and_moving() else { return };
    m4.emergency_stop();
    let fault = Fault::EmergencyStop { source: StopSource::Host };
    assert_eq!(m4.ending(operation), Ending::Faulted(fault));
    at_rest_in_the_dark(&mut m4);
    assert_eq!(m4.refused(to(0)), ErrorCode::Faulted { fault });
    m4.done(Command::AcknowledgeFault);
    assert_eq!(m4.refused(to(0)), ErrorCode::NotHomed { axis: Axis::X }, "stopped from full speed: its place is not known");
}

#[test]
fn without_its_host_the_stage_stops_in_the_dark_and_still_knows_where_it_is() {
    let Some((mut m4, operation)) = lit_and_moving() else { return };
    m4.host = false;
    // The chip's second may take longer here: it ends where no step has come for a while.
    let end = Instant::now() + Duration::from_secs(60);
    let mut steps = 0;
    while m4.steps(0) != steps || m4.led(LIGHT) {
        assert!(Instant::now() < end, "still moving after {steps} steps");
        steps = m4.steps(0);
        m4.run(1_500_000);
    }
    at_rest_in_the_dark(&mut m4);
    m4.connect();
    let fault = Fault::HostLost { heartbeat_ms: 1_000 };
    assert_eq!(m4.ending(operation), Ending::Faulted(fault));
    let faulted = |event: &Event| matches!(event, Event::Faulted(of) if *of == fault).then_some(());
    m4.event("the fault", faulted);
    assert_eq!(m4.refused(to(0)), ErrorCode::Faulted { fault });
    let says = f64::from(m4.status().position.x.nm()) / 1e3;
    // Told in whole nanometres.
    assert!((says - m4.steps(0) as f64 / STEPS_PER_UM).abs() < 1e-3, "{says} um after {} steps", m4.steps(0));
    println!("stopped after {} of 192,000 steps", m4.steps(0));
    m4.done(Command::AcknowledgeFault);
    assert_eq!(m4.go(to(0)), Ending::Done);
    m4.settled();
    assert_eq!(m4.steps(0), 0);
}

/// A debugger at the chip, by the protocol of GDB.
struct Debugger(UnixStream);

impl Debugger {
    /// Sends a packet and returns the answer's content. The chip stands still.
    fn ask(&mut self, content: &str) -> String {
        let sum = content.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.0, "${content}#{sum:02x}").unwrap();
        loop {
            let answer = self.packet();
            // That the chip stands still.
            if !answer.starts_with('T') {
                return answer;
            }
        }
    }

    fn packet(&mut self) -> String {
        let (mut packet, mut byte) = (Vec::new(), [0]);
        while !packet.ends_with(b"#") {
            self.0.read_exact(&mut byte).unwrap();
            packet.push(byte[0]);
        }
        self.0.read_exact(&mut [0; 2]).unwrap();
        self.0.write_all(b"+").unwrap();
        String::from_utf8(packet).unwrap().trim_start_matches(['+', '$']).trim_end_matches('#').to_owned()
    }
}

#[test]
fn the_watchdog_restarts_a_main_loop_that_hangs() {
    let Some(mut m4) = M4::start() else { return };
    let mut debugger = Debugger(UnixStream::connect(m4.folder.path().join("debugger")).unwrap());
    debugger.0.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // The handler of exception 15, which nobody uses, is an endless loop: the program counter is put there. Addresses of code are odd.
    // QEMU takes single registers from none who has not asked for their description.
    assert!(debugger.ask("qXfer:features:read:target.xml:0,40").starts_with(['m', 'l']));
    let handler = debugger.ask("m3c,4");
    let low = u8::from_str_radix(&handler[..2], 16).unwrap() & !1;
    assert_eq!(debugger.ask(&format!("Pf={low:02x}{}", &handler[2..])), "OK");
    assert_eq!(debugger.ask("D"), "OK");
    m4.run(200_000);
    m4.connect();
    assert_eq!(m4.status().reset_reason, ResetReason::Watchdog);
}
