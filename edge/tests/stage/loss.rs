//! The line is lost, the controller dies and comes back, another version answers: what the caller is told is true.

use crate::calls::plan;
use crate::peer::{Peer, timing, until, wait};
use lsr_edge::stage::wire::{
    Command, ErrorCode, Event, Fault, FrameReader, HelloReply, LightLevel, Message, PROTOCOL_VERSION, PerAxis, ToController,
};
use lsr_edge::stage::{Controller, Port, StageError, Timing, Um};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

fn x(um: i32) -> PerAxis<Option<Um>> {
    PerAxis { x: Some(Um::from_nm(1_000 * um)), y: None, z: None }
}

fn moves(peer: &Peer) -> usize {
    peer.microscope().count(|command| matches!(command, Command::MoveBy { .. } | Command::MoveTo { .. }))
}

/// The cable is pulled in the middle of a scan and put back: no field is lost, none comes twice.
#[test]
fn a_scan_goes_on_while_the_line_is_lost_and_found() {
    for peer in [Peer::unix(), Peer::tcp()] {
        let controller = peer.homed();
        let operation = controller.scan(plan(20, 10)).unwrap();
        let mut fields = Vec::new();
        controller
            .wait("the scan", operation, Duration::from_secs(20), |event| {
                if let Some(Event::FieldExposed { field, .. }) = event {
                    fields.push(*field);
                    if [30, 90, 150].contains(field) {
                        peer.cut();
                    }
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(fields, (0..200).collect::<Vec<u32>>());
        assert_eq!((controller.events_missed(), peer.connections()), (0, 4));
    }
}

#[test]
fn a_controller_that_restarts_is_found_out() {
    let peer = Peer::unix();
    let controller = peer.homed();
    peer.microscope().move_us = 60_000_000;
    let operation = controller.move_to(x(100)).unwrap();
    peer.reset();
    assert!(matches!(wait(&controller, operation), Err(StageError::Restarted)));
    // It is another one now: nothing is homed, and nothing was repeated.
    assert_eq!((controller.status().unwrap().homed, moves(&peer)), (PerAxis::default(), 0));
    assert!(matches!(controller.move_to(x(100)), Err(StageError::Refused(ErrorCode::NotHomed { .. }))));
}

#[test]
fn a_controller_that_dies_and_comes_back_is_found_again() {
    for peer in [Peer::unix(), Peer::tcp()] {
        let patient = peer.homed();
        peer.set_down(true);
        until(|| {
            matches!(patient.ask(Command::Ping), Err(StageError::Unknown { .. } | StageError::NotSent { .. } | StageError::Open { .. }))
        });
        let begun = Instant::now();
        let answer = std::thread::scope(|scope| {
            let call = scope.spawn(|| patient.status());
            sleep(Duration::from_millis(700));
            peer.set_down(false);
            call.join().unwrap()
        });
        assert!(answer.is_ok() && begun.elapsed() >= Duration::from_millis(700), "{answer:?}");
        assert_eq!(moves(&peer), 0);
    }
}

/// Nobody listens, nobody answers, or something answers that is no controller.
#[test]
fn who_is_not_there_is_said_in_time() {
    let timing = Timing { connect: Duration::from_millis(600), ..timing() };
    let peer = Peer::unix();
    let controller = Controller::connect(peer.port.clone(), timing).unwrap();
    peer.set_down(true);
    sleep(Duration::from_millis(100));
    let begun = Instant::now();
    let error = controller.status().unwrap_err();
    assert!(matches!(error, StageError::Open { .. }) && begun.elapsed() < Duration::from_secs(3), "{error}");
    assert!(matches!(controller.emergency_stop(), Err(StageError::StopUnanswered(_))));
    let path = peer.port.to_string();
    assert!(Controller::connect(peer.port.clone(), timing).unwrap_err().to_string().starts_with(&format!("cannot open {path}")));

    let peer = Peer::tcp();
    peer.set_deaf(true);
    let error = Controller::connect(peer.port.clone(), timing).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}: no controller answers after 0.6 s (is it lsr-firmware, and the baud rate right?)", peer.port)
    );
}

/// The answer is lost for good: the caller is told that nobody knows, the move was carried out once, and it is not repeated.
#[test]
fn a_command_whose_answer_is_lost_is_not_sent_again() {
    let peer = Peer::unix();
    let controller = peer.homed();
    peer.swallow(u32::MAX);
    let error = controller.move_by(x(10)).unwrap_err();
    assert!(matches!(error, StageError::Unknown { command: "move" }), "{error}");
    peer.swallow(0);
    let status = controller.status().unwrap();
    until(|| controller.status().unwrap().operation.is_none());
    assert_eq!((status.homed.x, moves(&peer), controller.status().unwrap().position.x), (true, 1, Um::from_nm(10_000)));
    // One that never left was never carried out.
    peer.set_deaf(true);
    assert!(matches!(controller.move_by(x(10)), Err(StageError::Unknown { .. } | StageError::NotSent { .. })));
    peer.set_deaf(false);
    assert!(controller.status().is_ok());
    assert_eq!(moves(&peer), 1);
}

/// A line that is lost for longer than the heartbeat: the controller has stopped, and says why when it is found again.
#[test]
fn a_lost_host_is_a_fault_that_must_be_acknowledged() {
    let peer = Peer::unix();
    let controller = peer.homed();
    controller.light(LightLevel { channel: 0, permille: 500 }, 0).unwrap();
    peer.microscope().move_us = 60_000_000;
    let operation = controller.move_to(x(100)).unwrap();
    peer.microscope().heartbeat_ms = 150;
    peer.set_down(true);
    until(|| peer.fault().is_some());
    assert_eq!(peer.microscope().light, [0; 4]);
    peer.set_down(false);
    let fault = Fault::HostLost { heartbeat_ms: 150 };
    let mut told = false;
    let ended = controller.wait("the move", operation, Duration::from_secs(10), |event| {
        told |= event == Some(&Event::Faulted(fault));
        Ok(())
    });
    assert!(matches!(ended, Err(StageError::Faulted(found)) if found == fault) && told);
    assert!(matches!(controller.move_to(x(1)), Err(StageError::Refused(ErrorCode::Faulted { .. }))));
    controller.acknowledge_fault().unwrap();
    assert!(controller.move_to(x(1)).is_ok());
    controller.stop().unwrap();
}

/// A controller of another version: refused at once and for good, not asked again and again.
#[test]
fn another_version_is_refused_by_name() {
    static HELLOS: AtomicU32 = AtomicU32::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Port::Tcp { address: listener.local_addr().unwrap().to_string() };
    let peer = spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut reader, mut byte) = (FrameReader::<{ ToController::MAX_CONTENT }>::new(), [0]);
        while stream.read(&mut byte).is_ok_and(|count| count == 1) {
            if let Some(Ok(frame)) = reader.push(byte[0])
                && let Ok(ToController::Hello(hello)) = ToController::read(&frame)
            {
                HELLOS.fetch_add(1, SeqCst);
                let code = ErrorCode::ProtocolVersion { expected: 9, found: hello.protocol };
                let mut buffer = [0; 64];
                stream.write_all(HelloReply { nonce: hello.nonce, result: Err(code) }.encode(&mut buffer).unwrap()).unwrap();
            }
        }
    });
    let error = Controller::connect(port.clone(), timing()).unwrap_err().to_string();
    let expected = format!("{port}: the controller speaks protocol 9, the host {PROTOCOL_VERSION}; update lsr-edge or the firmware");
    assert_eq!(error, expected);
    peer.join().unwrap();
    assert_eq!(HELLOS.load(SeqCst), 1);
}
