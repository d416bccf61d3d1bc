//! The emulated chip as a process of its own, in lock step: time passes when it is asked to.

use lsr_tests::{skip, workspace_root};
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Wall-clock time in which the emulator must answer: it is ended otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

/// An edge at a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) pin: u8,
    pub(crate) high: bool,
    /// Nanoseconds since the emulator started.
    pub(crate) at: u64,
}

/// Which line of the Pico.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    Uart,
    Usb,
}

/// What happened in a stretch of time.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) sent: Vec<u8>,
    /// The same of the USB port.
    pub(crate) sent_usb: Vec<u8>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) log: Vec<u8>,
    /// Where the carriages are, in steps.
    pub(crate) positions: Vec<i64>,
    /// Why the chip has stopped.
    pub(crate) stopped: Option<String>,
    /// Bytes of its stack that were ever used, where that was asked for.
    pub(crate) stack: Option<u64>,
}

pub(crate) struct Chip {
    process: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

/// What a variable names, where `.ci/boards.sh` has made it.
pub(crate) fn built(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable).map(|path| workspace_root().join(path));
    if path.is_none() {
        skip("firmware", &format!("{variable} is not set (.ci/boards.sh builds what it names and writes target/boards/env)"));
    }
    path
}

/// A firmware of the Pico, where it has been built, and Node.
pub(crate) fn firmware(variable: &str) -> Option<PathBuf> {
    let path = built(variable)?;
    if !workspace_root().join("tests/emulator/node_modules/rp2040js").is_dir() {
        skip("firmware", "the emulator is not installed (npm ci in tests/emulator)");
        return None;
    }
    Some(path)
}

impl Chip {
    pub(crate) fn start(firmware: &PathBuf) -> Self {
        let script = workspace_root().join("tests/emulator/pico.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(firmware)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("node: {error}"));
        let input = process.stdin.take().unwrap();
        let output: ChildStdout = process.stdout.take().unwrap();
        let (lines, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, input, answers }
    }

    /// Asks for something and waits for what happened.
    pub(crate) fn ask(&mut self, command: &Value) -> Happened {
        let answer = self.answer(command);
        let number = |value: &Value| value.as_u64().unwrap();
        Happened {
            sent: bytes(&answer["uart"]),
            sent_usb: bytes(&answer["usb"]),
            edges: answer["edges"]
                .as_array()
                .unwrap()
                .iter()
                .map(|edge| Edge { pin: number(&edge[0]) as u8, high: number(&edge[1]) == 1, at: number(&edge[2]) })
                .collect(),
            log: bytes(&answer["log"]),
            positions: answer["positions"].as_array().unwrap().iter().map(|position| position.as_i64().unwrap()).collect(),
            stopped: answer["stopped"].as_str().map(str::to_owned),
            stack: answer["stack"].as_u64(),
        }
    }

    fn answer(&mut self, command: &Value) -> Value {
        writeln!(self.input, "{command}").unwrap();
        let answer = match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => panic!("the emulator did not answer within {PATIENCE:?} to {command}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the emulator has ended at {command}"),
        };
        serde_json::from_str(&answer).unwrap()
    }

    /// A word of the chip's memory or registers.
    pub(crate) fn peek(&mut self, address: u64) -> u64 {
        self.answer(&json!({ "peek": [address, 1] }))["words"][0].as_u64().unwrap()
    }

    /// Lets time pass, in which these bytes arrive.
    pub(crate) fn run(&mut self, port: Port, bytes: &[u8], microseconds: u64) -> Happened {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = match port {
            Port::Uart => "uart",
            Port::Usb => "usbBytes",
        };
        self.ask(&json!({ key: hex, "run": microseconds }))
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn bytes(hex: &Value) -> Vec<u8> {
    let text = hex.as_str().unwrap().as_bytes();
    text.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
