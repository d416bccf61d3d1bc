//! `lsr-edge stage` as a user runs it.

use crate::peer::{Peer, until};
use lsr_edge::stage::Um;
use lsr_edge::stage::wire::{Command as Asked, Fault};
use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(peer: &Peer, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lsr-edge"));
    command.args(["stage", "--port", &peer.port.to_string()]).args(arguments).stdin(Stdio::null());
    command
}

fn run(peer: &Peer, arguments: &[&str]) -> Output {
    command(peer, arguments).output().unwrap()
}

fn good(peer: &Peer, arguments: &[&str]) -> String {
    let output = run(peer, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn refused(peer: &Peer, arguments: &[&str]) -> String {
    let output = run(peer, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr).unwrap()
}

/// Ends the child whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    fn interrupt(&self) {
        assert!(Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap().success());
    }

    fn code(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "still running after 20 s");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn homes_moves_and_says_where_it_is() {
    let peer = Peer::unix();
    assert_eq!(refused(&peer, &["move", "--x", "1500"]), "error: refused: axis x is not homed\n");
    assert!(good(&peer, &["home"]).contains("done"));
    assert_eq!(good(&peer, &["move", "--x", "1500", "--y", "20.5"]), "operation 2 done, x 1500.000  y 20.500  z 0.000 um\n");
    let moved = json(&good(&peer, &["--json", "move", "--by", "--x", "-0.001"]));
    assert_eq!((moved[0]["event"].as_str(), moved[0]["position_um"][0].as_f64()), (Some("finished"), Some(1499.999)));
    let status = good(&peer, &["status"]);
    assert!(status.contains("x             1499.999 um\n") && status.contains("fault         none\n"), "{status}");
    let status = &json(&good(&peer, &["status", "--json"]))[0];
    assert_eq!((status["state"].as_str(), &status["position_um"]), (Some("idle"), &serde_json::json!([1499.999, 20.5, 0.0])));
    assert_eq!(peer.microscope().count(|command| matches!(command, Asked::MoveTo { .. } | Asked::MoveBy { .. })), 3);
    // Each program said goodbye: no fault.
    assert_eq!(peer.fault(), None);
}

#[test]
fn wrong_values_are_refused_before_anything_moves() {
    let peer = Peer::unix();
    for (arguments, message) in [
        (&["home", "xq"][..], "error: AXES xq: expected letters of x, y and z\n"),
        (&["move", "--x", "3000000000"], "error: 3000000000 um: expected a length between -2147483 and 2147483 um\n"),
        (&["light", "101"], "error: PERCENT 101: expected 0 to 100 percent\n"),
        (&["watch", "--every", "0"], "error: --every 0: expected 0.001 to 1000000 seconds\n"),
        (&["stop", "--connect-timeout", "nan"], "error: --connect-timeout NaN: expected 0.001 to 1000000 seconds\n"),
    ] {
        assert_eq!(refused(&peer, arguments), message);
    }
    assert_eq!(peer.microscope().operations, 0);
    let output = Command::new(env!("CARGO_BIN_EXE_lsr-edge")).args(["stage", "--port", "tcp:nowhere", "status"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error: port 'tcp:nowhere': no port number; expected"));
}

#[test]
fn scans_and_triggers() {
    let peer = Peer::tcp();
    good(&peer, &["home"]);
    let lines = json(&good(&peer, &["--json", "trigger", "--width-us", "200"]));
    assert_eq!((lines[0]["event"].as_str(), lines[0]["field"].is_null()), (Some("exposed"), true));
    let grid = [
        "--json",
        "scan",
        "--x",
        "0",
        "--y",
        "0",
        "--columns",
        "6",
        "--rows",
        "5",
        "--pitch-x",
        "600",
        "--pitch-y",
        "450",
        "--light",
        "0",
        "40",
    ];
    let lines = json(&good(&peer, &grid));
    let fields: Vec<u64> = lines.iter().filter_map(|line| line["field"].as_u64()).collect();
    assert_eq!(fields, (0..30).collect::<Vec<u64>>());
    let Some(Asked::Scan(plan)) = peer.microscope().log.iter().find(|command| matches!(command, Asked::Scan(_))).cloned() else { panic!() };
    assert_eq!((plan.pitch_y, plan.light.map(|light| light.permille)), (Um::from_nm(450_000), Some(400)));
}

#[test]
fn judges_the_probabilities_that_segment_writes() {
    let peer = Peer::unix();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.probability.png");
    image::GrayImage::from_fn(50, 40, |x, _| image::Luma([if x < 35 { 255 } else { 0 }])).save(&path).unwrap();
    let name = path.to_str().unwrap();
    for extra in [&[][..], &["--rows"]] {
        let lines = json(&good(&peer, &[&["--json", "monitor", "field", "--label", "9", name][..], extra].concat()));
        assert_eq!(
            (lines[0]["pixels"].as_u64(), lines[0]["cancer_fraction"].as_f64(), lines[0]["alarm"].is_null()),
            (Some(2_000), Some(0.7), true)
        );
        assert!(lines[0]["z_score"].as_f64().unwrap().abs() < 1e-3);
    }
    assert!(good(&peer, &["monitor", "moments", "--label", "9"]).starts_with("label 9: 2 fields, mean 0.7000"));
    assert_eq!(good(&peer, &["monitor", "acknowledge", "--label", "9"]), "acknowledged\n");
    assert_eq!(
        refused(&peer, &["monitor", "moments", "--label", "10"]),
        "error: refused: label 10: the controller's prior has 10, counted from 0\n"
    );
}

/// Ctrl-C stops the move that was started and says so by its exit code.
#[test]
fn an_interrupted_move_is_stopped() {
    let peer = Peer::unix();
    good(&peer, &["home"]);
    peer.microscope().move_us = 60_000_000;
    let mut child = Ended(command(&peer, &["move", "--x", "100"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until(|| peer.microscope().count(|command| matches!(command, Asked::MoveTo { .. })) == 1);
    child.interrupt();
    assert_eq!(child.code(), Some(130));
    assert_eq!(peer.microscope().count(|command| matches!(command, Asked::Stop)), 1);
    assert_eq!((peer.fault(), peer.last_command()), (None, Some(Asked::Goodbye)));
}

/// A light stays for as long as its program; one that is killed is a lost host: dark, latched, and acknowledged by the next one.
#[test]
fn a_killed_program_is_a_lost_host() {
    let peer = Peer::unix();
    let light = || Ended(command(&peer, &["light", "25"]).stdout(Stdio::null()).spawn().unwrap());
    let mut child = light();
    until(|| peer.light() == 250);
    child.interrupt();
    assert_eq!((child.code(), peer.light(), peer.fault()), (Some(0), 0, None));
    let mut child = light();
    until(|| peer.light() == 250);
    child.0.kill().unwrap();
    until(|| peer.fault() == Some(Fault::HostLost { heartbeat_ms: 1_000 }));
    assert_eq!(peer.light(), 0);
    let message = "error: refused: a fault must be acknowledged first: the host was silent for more than 1000 ms\n";
    assert_eq!(refused(&peer, &["home"]), message);
    assert!(good(&peer, &["status"]).contains("fault         the host was silent for more than 1000 ms\n"));
    assert_eq!(good(&peer, &["acknowledge"]), "acknowledged\n");
    good(&peer, &["home"]);
    good(&peer, &["emergency-stop"]);
    assert_eq!(peer.microscope().stops, 1);
}

/// Position, state, faults and events, a line each where there is no terminal; the line may be lost meanwhile.
#[test]
fn watches() {
    let peer = Peer::unix();
    good(&peer, &["home"]);
    let child = command(&peer, &["watch", "--every", "0.05", "--seconds", "1.5"]).stdout(Stdio::piped()).spawn().unwrap();
    until(|| peer.microscope().count(|command| matches!(command, Asked::Status)) >= 3);
    peer.cut();
    let seen = peer.microscope().count(|command| matches!(command, Asked::Status));
    until(|| peer.microscope().count(|command| matches!(command, Asked::Status)) >= seen + 3);
    peer.microscope().events.push_back(lsr_edge::stage::wire::Event::Faulted(Fault::ExecutorSilent));
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.lines().filter(|line| *line == "x 0.000  y 0.000  z 0.000  idle").count() > 5, "{text}");
    assert!(text.contains("FAULT: the step interrupt no longer runs\n"), "{text}");
}
