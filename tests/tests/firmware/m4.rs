//! An MPS2 (AN386, Cortex-M4F) in QEMU, and a host at its UART. QEMU runs by itself: time is the machine's own, and a busy machine is a slow chip.
//!
//! An instruction takes 32 ns of the chip's time (`-icount`), about as long as on the chip (25 MHz), and the program never lets QEMU sleep (to which WFE
//! is no reason): so its time comes from instructions alone, and how busy this machine is makes no interrupt late. `align` holds it back to real time.
//! The pins are not modelled, so no switch is ever hit; what the program writes to them is in QEMU's log, without a time.

use crate::board::Board;
use crate::qemu::{PATIENCE, Qemu, firmware, forward};
use lsr_firmware::wire::{Answer, Client, ClientTiming, Command, Ending, Event, Notice, Outcome, PerAxis};
use lsr_firmware::{Axis, Homing};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Pins of GPIO 0: STEP of x, y, z; the direction's is the next one.
pub(crate) const STEP: [u8; 3] = [0, 3, 6];
pub(crate) const ALARM_LAMP: u8 = 0;
pub(crate) const LIGHT: u8 = 1;

/// Nothing of the log is on its way any more after this time, us.
const LOG_DELAY_US: u64 = 100_000;

/// What QEMU's log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Pin { number: u8, high: bool },
    Led { number: u8, lit: bool },
}

pub(crate) struct M4 {
    qemu: Qemu,
    /// Sockets of QEMU.
    pub(crate) folder: TempDir,
    line: UnixStream,
    sent: Receiver<u8>,
    log: Receiver<Output>,
    pub(crate) outputs: Vec<Output>,
    began: Instant,
    client: Client,
    nonce: u32,
    /// The host is alive.
    pub(crate) host: bool,
    notices: VecDeque<Notice>,
    events: Vec<Event>,
}

impl M4 {
    /// Switched on and connected; none where QEMU or the firmware is missing.
    pub(crate) fn start() -> Option<Self> {
        let firmware = firmware()?;
        let folder = tempfile::tempdir().unwrap();
        let socket = |name: &str, wait| format!("socket,id={name},path={},server=on,wait={wait}", folder.path().join(name).display());
        let (line, debugger) = (socket("line", "on"), socket("debugger", "off"));
        let mut arguments = vec!["-icount", "shift=5,align=on", "-d", "unimp,trace:led_change_intensity"];
        arguments.extend(["-chardev", &line, "-serial", "chardev:line", "-chardev", &debugger, "-gdb", "chardev:debugger"]);
        let mut qemu = Qemu::start(&firmware, &arguments);
        let log = forward(BufReader::new(qemu.log()).lines().map_while(Result::ok).filter_map(|line| parse(&line)));
        // Says how late the chip is, which nobody needs to know.
        forward(BufReader::new(qemu.output()).lines().map_while(Result::ok));
        let line = connect(&folder.path().join("line"), &mut qemu);
        let sent = forward(BufReader::new(line.try_clone().unwrap()).bytes().map_while(Result::ok));
        let mut m4 = Self {
            qemu,
            folder,
            line,
            sent,
            log,
            outputs: Vec::new(),
            began: Instant::now(),
            client: Client::new(ClientTiming { retry_us: 1_000_000, silence_us: 10_000_000, ..ClientTiming::default() }),
            nonce: 0,
            host: true,
            notices: VecDeque::new(),
            events: Vec::new(),
        };
        m4.connect();
        Some(m4)
    }

    /// With all axes at rest where they are, and homed there: they have no switches that could be hit.
    pub(crate) fn homed() -> Option<Self> {
        let mut m4 = Self::start()?;
        for axis in Axis::ALL {
            let Ok(Answer::AxisSettings(mut settings)) = m4.ask(Command::AxisSettings { axis }) else { panic!("settings of {axis}") };
            settings.config.homing = Homing::Here { position: settings.config.min };
            m4.done(Command::ConfigureAxis(settings));
        }
        assert_eq!(m4.go(Command::Home { axes: PerAxis::splat(true) }), Ending::Done);
        m4.settled();
        m4.outputs.clear();
        Some(m4)
    }

    pub(crate) fn connect(&mut self) {
        self.host = true;
        let end = Instant::now() + PATIENCE;
        // A board that is just being reset does not hear it: once more then.
        for turn in 0.. {
            assert!(Instant::now() < end, "no answer to Hello");
            if turn % 100 == 0 {
                self.nonce += 1;
                self.client.connect(self.nonce, self.now());
            } else if self.client.is_connected() {
                break;
            }
            self.run(10_000);
        }
        // That the session before was lost is known.
        self.notices.clear();
    }

    /// Stops everything, as the host's red button does.
    pub(crate) fn emergency_stop(&mut self) {
        self.nonce += 1;
        self.client.emergency_stop(self.nonce, self.now());
        let notice = self.notice("emergency stop");
        assert_eq!(notice, Notice::Stopped);
    }

    /// Everything that the board has put out is known after this.
    pub(crate) fn settled(&mut self) {
        self.run(LOG_DELAY_US);
    }

    /// Steps made in the positive direction, less those in the other one, since `outputs` was cleared. The direction pin was high before them.
    pub(crate) fn steps(&self, axis: usize) -> i64 {
        let (mut steps, mut step_high, mut positive) = (0, false, true);
        for output in &self.outputs {
            match *output {
                Output::Pin { number, high } if number == STEP[axis] + 1 => positive = high,
                Output::Pin { number, high } if number == STEP[axis] => {
                    if high && !step_high {
                        steps += if positive { 1 } else { -1 };
                    }
                    step_high = high;
                }
                _ => {}
            }
        }
        steps
    }

    /// Whether an LED is lit.
    pub(crate) fn led(&self, wanted: u8) -> bool {
        let led = |output: &Output| match *output {
            Output::Led { number, lit } if number == wanted => Some(lit),
            _ => None,
        };
        self.outputs.iter().rev().find_map(led).unwrap_or(false)
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn notice(&mut self, of: &str) -> Notice {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            while let Some(notice) = self.notices.pop_front() {
                if !matches!(notice, Notice::Connected { .. }) {
                    return notice;
                }
            }
            self.talk(Duration::from_millis(5));
        }
        panic!("{of}: no answer within {PATIENCE:?}");
    }

    /// Sends what is to be sent, and waits so long for a byte.
    fn talk(&mut self, patience: Duration) {
        let now = self.now();
        if self.host {
            self.client.poll(now);
            while !self.client.transmit(now).is_empty() {
                let waiting = self.client.transmit(now);
                let length = waiting.len();
                self.line.write_all(waiting).unwrap_or_else(|error| panic!("QEMU has ended: {error}"));
                self.client.transmitted(length);
            }
        }
        match self.sent.recv_timeout(patience) {
            Ok(first) => {
                let now = self.now();
                for byte in std::iter::once(first).chain(self.sent.try_iter()) {
                    if self.host {
                        self.client.receive(byte, now);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the line is closed; {}", self.qemu.end()),
        }
        self.outputs.extend(self.log.try_iter());
        while let Some(notice) = self.client.notice() {
            match notice {
                Notice::Event(event) => self.events.push(event),
                other => self.notices.push_back(other),
            }
        }
    }
}

impl Board for M4 {
    fn run(&mut self, microseconds: u64) {
        let end = Instant::now() + Duration::from_micros(microseconds);
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.talk(left.min(Duration::from_millis(5)));
        }
    }

    fn ask(&mut self, command: Command) -> Outcome {
        let asked = format!("{command:?}");
        self.client.submit(command, self.now()).unwrap();
        match self.notice(&asked) {
            Notice::Answered(outcome) => outcome,
            other => panic!("{asked}: {other:?}"),
        }
    }

    fn events(&self) -> &[Event] {
        &self.events
    }
}

/// QEMU makes its socket when it starts, and waits for a host before it lets the chip run.
fn connect(path: &Path, qemu: &mut Qemu) -> UnixStream {
    let end = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(path) {
            Ok(line) => return line,
            Err(error) => assert!(Instant::now() < end, "{}: {error}; {}", path.display(), qemu.end()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A write to a pin or a change of an LED.
fn parse(line: &str) -> Option<Output> {
    if let Some((_, led)) = line.split_once("desc:'USERLED") {
        return Some(Output::Led { number: led.get(..1)?.parse().ok()?, lit: !led.ends_with("-> 0%") });
    }
    let (_, write) = line.split_once("cmsdk-ahb-gpio: unimplemented device write (size 4, offset 0x")?;
    let (offset, value) = write.trim_end_matches(')').split_once(", value 0x")?;
    let (offset, value) = (u32::from_str_radix(offset, 16).ok()?, u32::from_str_radix(value, 16).ok()?);
    // The address says which bits of which byte are meant: one here.
    let mask = match offset {
        0x400..0x800 => (offset - 0x400) / 4,
        0x800..0xc00 => ((offset - 0x800) / 4) << 8,
        _ => return None,
    };
    mask.is_power_of_two().then(|| Output::Pin { number: mask.trailing_zeros() as u8, high: value & mask != 0 })
}
