//! A controller on a socket: the real `Server` around a stand-in microscope, in a thread, with ways to break the line.

use crate::microscope::Microscope;
use lsr_edge::stage::wire::{ClientTiming, Command, Fault, Server};
use lsr_edge::stage::{Controller, Port, StageError, Timing};
use serialport::{SerialPort, TTYPort};
use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use tempfile::TempDir;

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

enum Listener {
    /// The far end of a pseudo-terminal, given out once.
    Serial(Cell<Option<TTYPort>>),
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn accept(&self) -> Option<Box<dyn Stream>> {
        match self {
            Self::Serial(far) => far.take().map(|far| Box::new(far) as Box<dyn Stream>),
            Self::Unix(listener) => {
                let stream = listener.accept().ok()?.0;
                stream.set_nonblocking(true).unwrap();
                Some(Box::new(stream))
            }
            Self::Tcp(listener) => {
                let stream = listener.accept().ok()?.0;
                stream.set_nonblocking(true).unwrap();
                Some(Box::new(stream))
            }
        }
    }
}

#[derive(Debug, Default)]
struct Controls {
    over: AtomicBool,
    /// Drop the connection.
    cut: AtomicBool,
    /// Forget everything, as after a reset.
    reset: AtomicBool,
    /// Nobody listens.
    down: AtomicBool,
    /// Bytes that arrive are lost.
    deaf: AtomicBool,
    /// So many writes to the host are lost.
    swallow: AtomicU32,
    /// So many writes to the host have a damaged twin before them.
    noise: AtomicU32,
    connections: AtomicU32,
}

pub(crate) struct Peer {
    pub(crate) port: Port,
    microscope: Arc<Mutex<Microscope>>,
    controls: Arc<Controls>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Peer {
    pub(crate) fn unix() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("controller");
        let port = Port::Unix { path: path.clone() };
        Self::spawn(port, folder, move || Listener::Unix(listen_unix(&path)))
    }

    /// A serial line: a pseudo-terminal whose near end is opened by name.
    pub(crate) fn serial() -> Self {
        let (mut far, near) = TTYPort::pair().unwrap();
        far.set_timeout(Duration::from_millis(1)).unwrap();
        let device = near.name().unwrap();
        // The near end stays open, as a file, which does not lock it: a terminal that nobody has open reads as an error.
        let open = File::open(&device).unwrap();
        drop(near);
        let port = Port::Serial { device, baud: 115_200 };
        let mut far = Some(far);
        let listen = move || {
            let _ = &open;
            Listener::Serial(Cell::new(far.take()))
        };
        Self::spawn(port, TempDir::new().unwrap(), listen)
    }

    pub(crate) fn tcp() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut first = Some(listener);
        let listen = move || {
            Listener::Tcp(first.take().unwrap_or_else(|| {
                let listener = TcpListener::bind(address).unwrap();
                listener.set_nonblocking(true).unwrap();
                listener
            }))
        };
        Self::spawn(Port::Tcp { address: address.to_string() }, TempDir::new().unwrap(), listen)
    }

    fn spawn(port: Port, folder: TempDir, mut listen: impl FnMut() -> Listener + Send + 'static) -> Self {
        let (microscope, controls) = (Arc::new(Mutex::new(Microscope::new())), Arc::new(Controls::default()));
        let (inside, seen) = (Arc::clone(&microscope), Arc::clone(&controls));
        // Listening begins here, so that nobody comes too early.
        let first = listen();
        let thread = spawn(move || serve(first, listen, &inside, &seen));
        Self { port, microscope, controls, thread: Some(thread), _folder: folder }
    }

    pub(crate) fn microscope(&self) -> MutexGuard<'_, Microscope> {
        self.microscope.lock().unwrap()
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.microscope().fault
    }

    /// Of channel 0, permille.
    pub(crate) fn light(&self) -> u16 {
        self.microscope().light[0]
    }

    pub(crate) fn last_command(&self) -> Option<Command> {
        self.microscope().log.last().cloned()
    }

    pub(crate) fn controller(&self) -> Controller {
        Controller::connect(self.port.clone(), timing()).unwrap()
    }

    /// One whose axes are homed.
    pub(crate) fn homed(&self) -> Controller {
        let controller = self.controller();
        let operation = controller.home(lsr_edge::stage::wire::PerAxis { x: true, y: true, z: true }).unwrap();
        wait(&controller, operation).unwrap();
        controller
    }

    pub(crate) fn connections(&self) -> u32 {
        self.controls.connections.load(SeqCst)
    }

    pub(crate) fn cut(&self) {
        self.controls.cut.store(true, SeqCst);
        until(|| !self.controls.cut.load(SeqCst));
    }

    pub(crate) fn reset(&self) {
        self.controls.reset.store(true, SeqCst);
        until(|| !self.controls.reset.load(SeqCst));
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.controls.down.store(down, SeqCst);
    }

    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.controls.deaf.store(deaf, SeqCst);
    }

    pub(crate) fn swallow(&self, writes: u32) {
        self.controls.swallow.store(writes, SeqCst);
    }

    pub(crate) fn noise(&self, writes: u32) {
        self.controls.noise.store(writes, SeqCst);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.controls.over.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the peer panicked");
        }
    }
}

fn listen_unix(path: &PathBuf) -> UnixListener {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn serve(first: Listener, mut listen: impl FnMut() -> Listener, microscope: &Mutex<Microscope>, controls: &Controls) {
    let begun = Instant::now();
    let (mut listener, mut stream, mut server) = (Some(first), None::<Box<dyn Stream>>, Server::<16>::new(50_000));
    while !controls.over.load(SeqCst) {
        sleep(Duration::from_micros(300));
        let now = begun.elapsed().as_micros() as u64;
        let mut microscope = microscope.lock().unwrap();
        if controls.reset.swap(false, SeqCst) {
            server = Server::new(50_000);
            *microscope = Microscope::new();
        }
        if controls.down.load(SeqCst) {
            (listener, stream) = (None, None);
        } else if listener.is_none() {
            listener = Some(listen());
        }
        if controls.cut.swap(false, SeqCst) {
            stream = None;
        }
        // A serial line has one host; so the next one waits until this one is gone.
        if stream.is_none() {
            stream = listener.as_ref().and_then(Listener::accept);
            controls.connections.fetch_add(u32::from(stream.is_some()), SeqCst);
        }
        if let Some(open) = &mut stream {
            let mut bytes = [0; 256];
            match open.read(&mut bytes) {
                Ok(0) => stream = None,
                Ok(count) if !controls.deaf.load(SeqCst) => {
                    bytes[..count].iter().for_each(|&byte| server.receive(byte, now, &mut *microscope));
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => stream = None,
            }
        }
        microscope.poll(now, server.last_heard());
        while server.event_room() > 0
            && let Some(event) = microscope.events.pop_front()
        {
            assert!(server.post(event));
        }
        drop(microscope);
        while let Some(open) = &mut stream {
            let bytes = server.transmit(now).to_vec();
            if bytes.is_empty() {
                break;
            }
            server.transmitted(bytes.len());
            let one = |left: u32| left.checked_sub(1);
            if controls.swallow.fetch_update(SeqCst, SeqCst, one).is_ok() {
                continue;
            }
            if controls.noise.fetch_update(SeqCst, SeqCst, one).is_ok() {
                let mut twin = bytes.clone();
                twin[1] ^= 0x10;
                let _ = open.write_all(&twin);
            }
            if open.write_all(&bytes).is_err() {
                stream = None;
            }
        }
    }
}

/// Quicker to give up than a user is, so that tests do not take long.
pub(crate) fn timing() -> Timing {
    let link = ClientTiming { retry_us: 40_000, tries: 8, beat_us: 100_000, silence_us: 500_000 };
    Timing { connect: Duration::from_secs(5), link }
}

/// Waits for something that must come.
pub(crate) fn until(mut come: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !come() {
        assert!(Instant::now() < end, "it did not come in 10 s");
        sleep(Duration::from_millis(2));
    }
}

pub(crate) fn wait(controller: &Controller, operation: u32) -> Result<(), StageError> {
    controller.wait("it", operation, Duration::from_secs(20), |_| Ok(())).map(|_| ())
}
