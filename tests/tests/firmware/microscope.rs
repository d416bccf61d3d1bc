//! A whole microscope: the emulated Pico on a Unix socket, its carriages, a slide below a camera, and folders for frames and results.

use crate::camera::{Pulse, Script, Whim, run};
use crate::chip::{Chip, Happened, Port, firmware};
use crate::pico::{BUTTON, NM_PER_STEP, START, STEP, TRIGGER};
use crate::slide::Slide;
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time between two looks at the line, us.
const LOOK: u64 = 1_000;
/// Compare values of PWM slice 7, of which channel A is light 0 (RP2040 data sheet, 4.5.3).
const LIGHT_DUTY: u64 = 0x4005_0000 + 7 * 0x14 + 0x0c;

#[derive(Debug, Default)]
struct Controls {
    over: AtomicBool,
    /// Reset the chip, as its watchdog does.
    reset: AtomicBool,
    /// Drop the connection.
    cut: AtomicBool,
    lit: AtomicBool,
    emulated_us: AtomicU64,
}

pub(crate) struct Microscope {
    pub(crate) folder: TempDir,
    pub(crate) script: Arc<Mutex<Script>>,
    controls: Arc<Controls>,
    begun: Instant,
    threads: Vec<JoinHandle<()>>,
}

impl Microscope {
    /// Switched on; none where the emulator or the firmware is missing.
    pub(crate) fn start(whims: &[(usize, Whim)]) -> Option<Self> {
        let chip = Chip::start(&firmware("LSR_PICO")?);
        let folder = TempDir::new().unwrap();
        let frames = folder.path().join("frames");
        std::fs::create_dir(&frames).unwrap();
        let listener = UnixListener::bind(folder.path().join("controller")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let script = Arc::new(Mutex::new(Script { whims: whims.iter().copied().collect(), ..Script::default() }));
        let controls = Arc::new(Controls::default());
        let (pulses, seen) = channel();
        let (inside, for_camera) = (Arc::clone(&controls), Arc::clone(&script));
        let threads =
            vec![spawn(move || live(chip, &listener, &pulses, &inside)), spawn(move || run(&seen, &frames, &Slide::new(), &for_camera))];
        Some(Self { folder, script, controls, begun: Instant::now(), threads })
    }

    pub(crate) fn port(&self) -> String {
        format!("unix:{}", self.folder.path().join("controller").display())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    pub(crate) fn reset(&self) {
        self.controls.reset.store(true, SeqCst);
        while self.controls.reset.load(SeqCst) {
            sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn cut(&self) {
        self.controls.cut.store(true, SeqCst);
    }

    /// Whether light 0 was on at the last look.
    pub(crate) fn lit(&self) -> bool {
        self.controls.lit.load(SeqCst)
    }

    /// Emulated time per time on the wall; at most 1.
    pub(crate) fn pace(&self) -> f64 {
        self.controls.emulated_us.load(SeqCst) as f64 / 1e6 / self.begun.elapsed().as_secs_f64()
    }
}

impl Drop for Microscope {
    fn drop(&mut self) {
        self.controls.over.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "a part of the microscope panicked");
        }
    }
}

/// The chip's life: bytes in, bytes out, pulses to the camera. No stretch of its time is shorter on the wall: it may fall behind, and then stays
/// behind.
fn live(mut chip: Chip, listener: &UnixListener, pulses: &Sender<Pulse>, controls: &Controls) {
    let axis = |first: u8| json!({ "step": first, "dir": first + 1, "limit": first + 2, "positive": 1, "position": START, "switchAt": 0, "pressed": 1 });
    let axes: Vec<_> = STEP.iter().map(|&first| axis(first)).collect();
    chip.ask(&json!({ "axes": axes, "pins": [[BUTTON, 0]], "watch": [TRIGGER] }));
    let mut stream: Option<UnixStream> = None;
    let mut looks = 0_u32;
    while !controls.over.load(SeqCst) {
        let begun = Instant::now();
        if controls.reset.load(SeqCst) {
            chip.ask(&json!({ "reset": "watchdog" }));
            controls.reset.store(false, SeqCst);
        }
        if controls.cut.swap(false, SeqCst) {
            stream = None;
        }
        if let Ok((opened, _)) = listener.accept() {
            opened.set_nonblocking(true).unwrap();
            stream = Some(opened);
        }
        let mut buffer = [0; 512];
        let received = match stream.as_mut().map(|open| open.read(&mut buffer)) {
            Some(Ok(0)) => {
                stream = None;
                0
            }
            Some(Ok(count)) => count,
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => 0,
            Some(Err(_)) => {
                stream = None;
                0
            }
            None => 0,
        };
        let Happened { sent, edges, positions, stopped, .. } = chip.run(Port::Uart, &buffer[..received], LOOK);
        assert_eq!(stopped, None, "the chip stopped");
        controls.emulated_us.fetch_add(LOOK, SeqCst);
        if let Some(open) = &mut stream
            && !sent.is_empty()
            && open.write_all(&sent).is_err()
        {
            stream = None;
        }
        if edges.iter().any(|edge| edge.pin == TRIGGER && edge.high) {
            let lit = light(&mut chip);
            let um = |axis: usize| positions[axis] as f64 * NM_PER_STEP / 1e3 - 100.0;
            pulses.send(Pulse { x_um: um(0), y_um: um(1), lit }).unwrap();
        }
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(20) {
            controls.lit.store(light(&mut chip), SeqCst);
        }
        sleep(Duration::from_micros(LOOK).saturating_sub(begun.elapsed()));
    }
}

/// Whether light 0 has any duty.
fn light(chip: &mut Chip) -> bool {
    chip.peek(LIGHT_DUTY) & 0xffff > 0
}
