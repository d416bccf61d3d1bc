//! A Pico with carriages and switches, and a host at its UART.

use crate::board::Board;
use crate::chip::{Chip, Edge, Happened, Port, firmware};
use lsr_firmware::wire::{Client, ClientTiming, Command, Ending, Event, Notice, Outcome, PerAxis};
use lsr_firmware::{Axis, Um};
use serde_json::json;
use std::collections::VecDeque;

/// Between two looks at the line, us.
const LOOK: u64 = 500;

/// Steps of the carriages from their switches at the start.
pub(crate) const START: i64 = 640;

/// Pins of x: step, direction, switch.
pub(crate) const STEP: [u8; 3] = [2, 5, 8];
pub(crate) const LIGHT: u8 = 14;
pub(crate) const TRIGGER: u8 = 16;
pub(crate) const BUTTON: u8 = 22;

/// Nanometres of a step: a 1 mm screw, 200 steps, 16 microsteps.
pub(crate) const NM_PER_STEP: f64 = 312.5;

pub(crate) struct Pico {
    pub(crate) chip: Chip,
    pub(crate) now: u64,
    client: Client,
    nonce: u32,
    /// The host is alive.
    pub(crate) host: bool,
    /// Where it is.
    pub(crate) port: Port,
    notices: VecDeque<Notice>,
    pub(crate) events: Vec<Event>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) log: Vec<u8>,
    pub(crate) positions: Vec<i64>,
    pub(crate) stopped: Option<String>,
}

pub(crate) fn um(um: i32) -> Um {
    Um::from_um(um).unwrap()
}

pub(crate) fn to(x: i32, y: i32, z: i32) -> Command {
    Command::MoveTo { target: PerAxis { x: Some(um(x)), y: Some(um(y)), z: Some(um(z)) } }
}

impl Pico {
    /// Switched on and connected; none where the emulator or the firmware is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("LSR_PICO")
    }

    /// The same with the firmware that an environment variable names.
    pub(crate) fn start_with(variable: &str) -> Option<Self> {
        let mut chip = Chip::start(&firmware(variable)?);
        let axis = |first: u8| json!({ "step": first, "dir": first + 1, "limit": first + 2, "positive": 1, "position": START, "switchAt": 0, "pressed": 1 });
        let axes: Vec<_> = STEP.iter().map(|&first| axis(first)).collect();
        let watch: Vec<u8> = STEP.into_iter().chain([LIGHT, TRIGGER]).collect();
        chip.ask(&json!({ "axes": axes, "pins": [[BUTTON, 0]], "watch": watch }));
        let mut pico = Self {
            chip,
            now: 0,
            client: Client::new(ClientTiming::default()),
            nonce: 0,
            host: true,
            port: Port::Uart,
            notices: VecDeque::new(),
            events: Vec::new(),
            edges: Vec::new(),
            log: Vec::new(),
            positions: Vec::new(),
            stopped: None,
        };
        pico.run(20_000);
        pico.connect();
        Some(pico)
    }

    pub(crate) fn homed() -> Option<Self> {
        let mut pico = Self::start()?;
        assert_eq!(pico.go(Command::Home { axes: PerAxis::splat(true) }), Ending::Done);
        pico.edges.clear();
        Some(pico)
    }

    pub(crate) fn connect(&mut self) {
        self.host = true;
        self.nonce += 1;
        self.client.connect(self.nonce, self.now);
        for _ in 0..200 {
            if self.client.is_connected() {
                // That the session before was lost is known.
                self.notices.clear();
                return;
            }
            self.run(LOOK);
        }
        panic!("no answer to Hello; the chip: {:?}", self.stopped);
    }

    pub(crate) fn press_button(&mut self, pressed: bool) {
        self.chip.ask(&json!({ "pins": [[BUTTON, u8::from(pressed)]] }));
    }

    /// A new chip with the same carriages, as after the watchdog or a power cut.
    pub(crate) fn reset(&mut self, reason: &str) {
        self.chip.ask(&json!({ "reset": reason }));
        self.stopped = None;
    }

    /// Bytes that are not the host's on the line, for so long.
    pub(crate) fn noise(&mut self, bytes: &[u8], microseconds: u64) {
        self.noise_at(self.port, bytes, microseconds);
    }

    /// The same, on one of its lines.
    pub(crate) fn noise_at(&mut self, port: Port, bytes: &[u8], microseconds: u64) {
        let Happened { edges, positions, stopped, .. } = self.chip.run(port, bytes, microseconds);
        self.now += microseconds;
        self.edges.extend(edges);
        self.positions = positions;
        self.stopped = stopped.or(self.stopped.take());
    }

    /// Where the carriage is: the switch trips at -100 um.
    pub(crate) fn carriage_um(&self, axis: Axis) -> f64 {
        let number = match axis {
            Axis::X => 0,
            Axis::Y => 1,
            Axis::Z => 2,
        };
        self.positions[number] as f64 * NM_PER_STEP / 1e3 - 100.0
    }

    /// Times of a pin's rising edges, ns.
    pub(crate) fn rises(&self, pin: u8) -> Vec<u64> {
        self.edges.iter().filter(|edge| edge.pin == pin && edge.high).map(|edge| edge.at).collect()
    }
}

impl Board for Pico {
    fn run(&mut self, microseconds: u64) {
        let end = self.now + microseconds;
        while self.now < end {
            let stretch = LOOK.min(end - self.now);
            let mut bytes = Vec::new();
            if self.host {
                self.client.poll(self.now);
                while !self.client.transmit(self.now).is_empty() {
                    bytes.extend_from_slice(self.client.transmit(self.now));
                    let length = self.client.transmit(self.now).len();
                    self.client.transmitted(length);
                }
            }
            let Happened { sent, sent_usb, edges, log, positions, stopped, .. } = self.chip.run(self.port, &bytes, stretch);
            self.now += stretch;
            if self.host {
                let heard = match self.port {
                    Port::Uart => sent,
                    Port::Usb => sent_usb,
                };
                heard.into_iter().for_each(|byte| self.client.receive(byte, self.now));
            }
            self.edges.extend(edges);
            self.log.extend(log);
            self.positions = positions;
            self.stopped = stopped.or(self.stopped.take());
            while let Some(notice) = self.client.notice() {
                match notice {
                    Notice::Event(event) => self.events.push(event),
                    other => self.notices.push_back(other),
                }
            }
        }
    }

    fn ask(&mut self, command: Command) -> Outcome {
        self.client.submit(command.clone(), self.now).unwrap();
        for _ in 0..4_000 {
            self.run(LOOK);
            while let Some(notice) = self.notices.pop_front() {
                match notice {
                    Notice::Answered(outcome) => return outcome,
                    Notice::Connected { .. } => {}
                    other => panic!("{command:?}: {other:?}; the chip: {:?}", self.stopped),
                }
            }
        }
        panic!("{command:?} was not answered; the chip: {:?}", self.stopped);
    }

    fn events(&self) -> &[Event] {
        &self.events
    }
}
