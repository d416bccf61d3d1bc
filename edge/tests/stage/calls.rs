//! One call, one answer: over both sockets, over a bad line, and from several threads.

use crate::peer::{Peer, timing, wait};
use lsr_core::U8Sums;
use lsr_edge::stage::wire::{
    Command, Direction, Ending, ErrorCode, Event, Fault, FieldSummary, LightLevel, PerAxis, ScanOrder, ScanPlan, StageState, StopSource,
    TriggerPulse,
};
use lsr_edge::stage::{Controller, Port, StageError, Um};
use std::time::{Duration, Instant};

fn x(um: i32) -> PerAxis<Option<Um>> {
    PerAxis { x: Some(Um::from_nm(1_000 * um)), y: None, z: None }
}

pub(crate) const PULSE: TriggerPulse = TriggerPulse { width_us: 100, delay_before_us: 0, delay_after_us: 0 };

pub(crate) fn plan(columns: u16, rows: u16) -> ScanPlan {
    ScanPlan {
        x: Um::ZERO,
        y: Um::ZERO,
        z: None,
        columns,
        rows,
        pitch_x: Um::from_nm(500_000),
        pitch_y: Um::from_nm(500_000),
        order: ScanOrder::Snake,
        first_visit: 0,
        settle_ms: 0,
        trigger: PULSE,
        light: None,
    }
}

fn everything(peer: &Peer) {
    let controller = peer.controller();
    assert_eq!(controller.ping().unwrap().labels, 10);
    // Not before homing, not beyond limits, no light that is not there: by name.
    let refused = controller.move_to(x(5)).unwrap_err();
    assert_eq!(refused.to_string(), "refused: axis x is not homed");
    let operation = controller.home(PerAxis { x: true, y: true, z: false }).unwrap();
    wait(&controller, operation).unwrap();
    assert_eq!(controller.status().unwrap().homed, PerAxis { x: true, y: true, z: false });
    assert_eq!(
        controller.move_to(x(30_000)).unwrap_err().to_string(),
        "refused: axis x: 30000.000 um is outside its limits, 0.000 um to 20000.000 um"
    );
    let unknown = controller.light(LightLevel { channel: 4, permille: 1 }, 0).unwrap_err();
    assert!(matches!(unknown, StageError::Refused(ErrorCode::UnknownLight { channels: 4, found: 4 })));

    let operation = controller.move_to(x(1_500)).unwrap();
    assert!(matches!(controller.move_by(x(1)), Err(StageError::Refused(ErrorCode::Busy { state: StageState::Moving }))));
    let position = controller.wait("the move", operation, Duration::from_secs(5), |_| Ok(())).unwrap();
    assert_eq!(position.x, Um::from_nm(1_500_000));
    wait(&controller, controller.move_by(x(-500)).unwrap()).unwrap();
    assert_eq!(controller.status().unwrap().position.x, Um::from_nm(1_000_000));

    controller.light(LightLevel { channel: 1, permille: 300 }, 0).unwrap();
    assert_eq!(controller.status().unwrap().light, [0, 300, 0, 0]);
    let (operation, trigger_id) = controller.trigger(PULSE).unwrap();
    let Some(Event::Exposed(exposure)) = controller.event(Duration::from_secs(5)) else { panic!() };
    assert_eq!((exposure.operation, exposure.trigger_id, exposure.light), (operation, trigger_id, [0, 300, 0, 0]));
    assert!(matches!(controller.event(Duration::from_secs(5)), Some(Event::Finished { ending: Ending::Done, .. })));

    // A hundred fields: each once and in order, although only 16 events fit the controller.
    let operation = controller.scan(plan(10, 10)).unwrap();
    let mut fields = Vec::new();
    controller
        .wait("the scan", operation, Duration::from_secs(20), |event| {
            if let Some(Event::FieldExposed { field, .. }) = event {
                fields.push(*field);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(fields, (0..100).collect::<Vec<u32>>());
    assert_eq!(controller.events_missed(), 0);

    // A stop ends a move and says so.
    peer.microscope().move_us = 60_000_000;
    let operation = controller.move_to(x(10)).unwrap();
    controller.stop().unwrap();
    assert!(matches!(wait(&controller, operation), Err(StageError::Stopped)));
}

#[test]
fn every_call_over_a_unix_socket() {
    everything(&Peer::unix());
}

#[test]
fn every_call_over_a_serial_line() {
    let peer = Peer::serial();
    everything(&peer);
    // One program at a time.
    let controller = peer.controller();
    let error = Controller::connect(peer.port.clone(), timing()).unwrap_err().to_string();
    assert_eq!(error, format!("cannot open {} (another program has it open)", peer.port));
    assert!(controller.ping().is_ok());
}

#[test]
fn every_call_over_tcp() {
    everything(&Peer::tcp());
}

/// Sums or pixels: the same judgement, the alarm as an event, and the moments.
#[test]
fn fields_are_judged_on_the_controller() {
    let peer = Peer::unix();
    let controller = peer.controller();
    let mut pixels = vec![255_u8; 700];
    pixels.extend([0; 300]);
    let mut sums = U8Sums::default();
    sums.push_row(&pixels);
    let summary = FieldSummary::new(9, sums);
    let judged = controller.field(summary).unwrap();
    let summed = controller.field_pixels(9, &pixels).unwrap();
    assert_eq!((summed.summary, summed.consistency), (summary, judged));
    assert!(judged.z_score.abs() < 1e-3 && judged.alarm.is_none());
    let faded = FieldSummary { label: 9, pixels: 1_000, sum: 255 * 400, sum_of_squares: 65_025 * 400 };
    while controller.field(faded).unwrap().alarm.is_none() {}
    assert_eq!(controller.event(Duration::from_secs(5)), Some(Event::Alarm { label: 9, direction: Direction::Below }));
    assert!(controller.status().unwrap().alarm);
    controller.acknowledge_alarm(9).unwrap();
    assert!(!controller.status().unwrap().alarm);
    let fields = peer.microscope().count(|command| matches!(command, Command::Field(_) | Command::EndField { .. }));
    assert_eq!(controller.moments(9).unwrap().fields as usize, fields);
    assert!(matches!(controller.moments(10), Err(StageError::Refused(ErrorCode::UnknownLabel { labels: 10, found: 10 }))));
}

/// Replies that are lost or damaged: asked again, carried out once.
#[test]
fn a_lost_reply_carries_nothing_out_twice() {
    let peer = Peer::unix();
    let controller = peer.homed();
    for _ in 0..10 {
        peer.swallow(2);
        wait(&controller, controller.move_by(x(10)).unwrap()).unwrap();
        peer.noise(3);
        wait(&controller, controller.move_by(x(10)).unwrap()).unwrap();
    }
    assert_eq!(controller.status().unwrap().position.x, Um::from_nm(200_000));
    assert_eq!(peer.microscope().count(|command| matches!(command, Command::MoveBy { .. })), 20);
    assert!(controller.status().unwrap().link.repeated >= 10);
}

#[test]
fn calls_from_several_threads_take_turns() {
    let peer = Peer::tcp();
    let controller = peer.controller();
    std::thread::scope(|scope| {
        for channel in 0..4 {
            let controller = &controller;
            scope.spawn(move || {
                for permille in 1..=50 {
                    controller.light(LightLevel { channel, permille }, 0).unwrap();
                    assert_eq!(controller.status().unwrap().light[usize::from(channel)], permille);
                }
            });
        }
    });
    assert_eq!(peer.microscope().count(|command| matches!(command, Command::Light { .. })), 200);
}

/// It overtakes a call that gets no answer, and latches.
#[test]
fn an_emergency_stop_does_not_wait_for_its_turn() {
    let peer = Peer::unix();
    let controller = peer.homed();
    peer.microscope().move_us = 60_000_000;
    let operation = controller.move_to(x(100)).unwrap();
    std::thread::scope(|scope| {
        peer.set_deaf(true);
        let blocked = scope.spawn(|| controller.status());
        std::thread::sleep(Duration::from_millis(60));
        peer.set_deaf(false);
        controller.emergency_stop().unwrap();
        assert!(blocked.join().unwrap().is_ok());
    });
    let fault = Fault::EmergencyStop { source: StopSource::Host };
    assert!(matches!(wait(&controller, operation), Err(StageError::Faulted(found)) if found == fault));
    assert_eq!(peer.microscope().stops, 1);
    assert!(matches!(controller.move_to(x(1)), Err(StageError::Refused(ErrorCode::Faulted { .. }))));
    controller.acknowledge_fault().unwrap();
    controller.home(PerAxis { x: true, y: false, z: false }).unwrap();
}

/// The heartbeat keeps the session while nobody calls, and adapts to a controller that wants it more often; the end is said.
#[test]
fn the_heartbeat_goes_on_by_itself_and_goodbye_is_said() {
    let peer = Peer::unix();
    let controller = peer.controller();
    assert!(controller.ask(Command::SetHeartbeat { heartbeat_ms: 120 }).is_ok());
    controller.light(LightLevel { channel: 0, permille: 1_000 }, 0).unwrap();
    std::thread::sleep(Duration::from_millis(1_000));
    assert_eq!((peer.fault(), peer.light()), (None, 1_000));
    drop(controller);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!((peer.fault(), peer.light()), (None, 0));
    assert_eq!(peer.last_command(), Some(Command::Goodbye));
}

/// Round trips over this machine's sockets; the peer looks at its line every 0.3 ms, so this is a bound on our side only.
#[test]
fn round_trips() {
    let peer = Peer::unix();
    let controller = peer.controller();
    let begun = Instant::now();
    let count = 500;
    for _ in 0..count {
        controller.ping().unwrap();
    }
    let each = begun.elapsed() / count;
    println!("{each:?} for a round trip");
    assert!(each < Duration::from_millis(20));
}

#[test]
fn ports_are_understood_or_refused_by_name() {
    for (text, message) in [
        ("tcp:host", "no port number"),
        ("tcp::1", "no host"),
        ("tcp:host:70000", "no port number"),
        ("unix:", "no path"),
        ("", "it is empty"),
        ("/dev/tty@fast", "no baud rate behind '@'"),
        ("/dev/tty@0", "no baud rate behind '@'"),
    ] {
        let error = text.parse::<Port>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("port '{text}': {message}; expected")), "{error}");
    }
    for text in ["tcp:[::1]:4000", "unix:/tmp/a b", "/dev/ttyACM0", "COM3@9600"] {
        assert_eq!(text.parse::<Port>().unwrap().to_string(), text);
    }
    let nowhere: Port = "/dev/no-such-device".parse().unwrap();
    let error = Controller::connect(nowhere, timing()).unwrap_err().to_string();
    assert_eq!(error, "cannot open /dev/no-such-device (no such device: is the controller plugged in?)");
}
