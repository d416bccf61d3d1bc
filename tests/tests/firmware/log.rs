//! The log of the Pico, read by `defmt-print`.

use crate::board::Board;
use crate::chip::built;
use crate::pico::{Pico, to, um};
use lsr_firmware::Axis;
use lsr_firmware::wire::{Answer, Command, Ending, ErrorCode, LightLevel, PerAxis};
use std::io::Write;
use std::path::Path;
use std::process::{self, Stdio};

/// What the bytes of the log say.
fn read(printer: &Path, firmware: &Path, bytes: &[u8]) -> Vec<String> {
    let mut printing = process::Command::new(printer)
        .arg("-e")
        .arg(firmware)
        .args(["--log-format", "{t} {L} {s}", "--show-skipped-frames"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", printer.display()));
    printing.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = printing.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_log_tells_every_command_and_change_of_state() {
    let (Some(printer), Some(firmware)) = (built("LSR_DEFMT_PRINT"), built("LSR_PICO_LOG")) else { return };
    let Some(mut pico) = Pico::start_with("LSR_PICO_LOG") else { return };
    assert_eq!(pico.refused(to(1_000, 0, 0)), ErrorCode::NotHomed { axis: Axis::X });
    assert_eq!(pico.go(Command::Home { axes: PerAxis { x: true, y: false, z: false } }), Ending::Done);
    let right = PerAxis { x: Some(um(250)), y: None, z: None };
    assert_eq!(pico.go(Command::MoveTo { target: right }), Ending::Done);
    assert_eq!(pico.ask(Command::Light { level: LightLevel { channel: 1, permille: 300 }, ramp_ms: 0 }), Ok(Answer::Done));
    pico.press_button(true);
    pico.run(20_000);
    pico.press_button(false);
    pico.run(20_000);
    assert_eq!(pico.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    let lines = read(&printer, &firmware, &pico.log);
    lines.iter().for_each(|line| println!("{line}"));
    assert!(lines.iter().all(|line| line.contains(" INFO ")), "a frame of the log is damaged or of another level");
    let times: Vec<u64> = lines.iter().map(|line| time_us(line)).collect();
    assert!(times.is_sorted() && *times.last().unwrap() <= pico.now, "times of the chip, us");
    let mut rest = lines.iter();
    for told in [
        "lsr-firmware is up: PowerOn",
        "session ",
        "MoveTo { target: PerAxis { x: Some(1000000 nm), y: Some(0 nm), z: Some(0 nm) } }: Err(NotHomed { axis: X })",
        "Home { axes: PerAxis { x: true, y: false, z: false } }: Ok(Started { operation: 1 })",
        "state: Homing",
        "state: Idle",
        "Finished { operation: 1, ending: Done",
        "state: Moving",
        "Finished { operation: 2, ending: Done, position: PerAxis { x: 250000 nm",
        "Light { level: LightLevel { channel: 1, permille: 300 }, ramp_ms: 0 }: Ok(Done)",
        "Faulted(EmergencyStop { source: Button })",
        "AcknowledgeFault: Ok(Done)",
    ] {
        assert!(rest.any(|line| line.contains(told)), "{told:?} is not told, or not in its turn");
    }
}

/// The time at the beginning of a line, "0.012345" or "12345".
fn time_us(line: &str) -> u64 {
    let text = line.split(' ').next().unwrap();
    match text.split_once('.') {
        Some((seconds, rest)) => seconds.parse::<u64>().unwrap() * 1_000_000 + rest.parse::<u64>().unwrap(),
        None => text.parse().unwrap(),
    }
}
