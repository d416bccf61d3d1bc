//! The line and the threads on it: one reads and opens the port again when it is lost, one sees to time-outs and the heartbeat. Whoever has
//! something to say writes it at once.

use super::error::StageError;
use super::port::{Halves, Port};
use lsr_firmware::wire::{Client, ClientTiming, Command, ErrorCode, Event, Failure, Lost, Notice, Outcome, SubmitError, Welcome};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// How often time-outs are looked at.
const TICK: Duration = Duration::from_millis(5);
/// Between two attempts to open a port.
const REOPEN: Duration = Duration::from_millis(200);
/// Between a lost session and the wish for another one, if the line is still there.
const GREET_AGAIN: Duration = Duration::from_millis(100);
/// Events that nobody has fetched; older ones are dropped, and counted.
const EVENTS: usize = 65_536;

/// Where the link stands.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// The port is closed; why it could not be opened the last time.
    Closed(Option<Arc<StageError>>),
    /// Nobody has answered yet, or no longer does.
    Greeting,
    Open(Welcome),
    /// No use to try again.
    Refused(ErrorCode),
}

/// What the threads share.
pub(super) struct State {
    client: Client,
    writer: Option<Box<dyn Write + Send>>,
    greet_at: Option<Instant>,
    pub(super) link: Link,
    pub(super) answer: Option<Result<Outcome, Failure>>,
    pub(super) stopped: Option<bool>,
    pub(super) events: VecDeque<Event>,
    /// Events that another host has taken, or that were dropped here.
    pub(super) events_missed: u64,
    /// Number of the first session since the controller's power-on, when there was one.
    pub(super) boot: Option<u32>,
}

/// A line that stays open, or is opened again.
pub(super) struct Line {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    port: Port,
    begun: Instant,
    state: Mutex<State>,
    changed: Condvar,
    over: AtomicBool,
    nonces: RandomState,
}

impl Line {
    /// Starts the threads; the first attempt to open the port is made here, so that a wrong name is told at once.
    pub(super) fn open(port: Port, timing: ClientTiming) -> Result<Self, StageError> {
        let halves = port.open()?;
        let state = State {
            client: Client::new(timing),
            writer: None,
            greet_at: None,
            link: Link::Closed(None),
            answer: None,
            stopped: None,
            events: VecDeque::new(),
            events_missed: 0,
            boot: None,
        };
        let shared = Arc::new(Shared {
            port,
            begun: Instant::now(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            over: AtomicBool::new(false),
            nonces: RandomState::new(),
        });
        let (reading, ticking) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![spawn(move || reading.read(halves)), spawn(move || ticking.tick())];
        Ok(Self { shared, threads })
    }

    /// The state, to be looked at.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// Waits for `found` until a time; `None` when that has come.
    pub(super) fn wait<T>(&self, until: Instant, mut found: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = found(&mut state) {
                return Some(found);
            }
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Hands a command over, and writes it.
    pub(super) fn submit(&self, command: Command) -> Result<(), SubmitError> {
        let mut state = self.shared.lock();
        state.answer = None;
        state.client.submit(command, self.shared.now())?;
        self.shared.pump(&mut state);
        Ok(())
    }

    /// Sends an emergency stop, whatever is under way.
    pub(super) fn emergency_stop(&self) {
        let mut state = self.shared.lock();
        state.stopped = None;
        let nonce = self.shared.nonce();
        state.client.emergency_stop(nonce, self.shared.now());
        self.shared.pump(&mut state);
    }

    pub(super) fn port(&self) -> &Port {
        &self.shared.port
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The system's random keys and the time: new for every session.
    fn nonce(&self) -> u32 {
        (self.nonces.hash_one(self.begun.elapsed()) >> 16) as u32
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Reads until the line is lost, then opens it again.
    fn read(&self, first: Halves) {
        let mut halves = Some(first);
        while !self.is_over() {
            if let Some(Halves { mut reader, writer }) = halves.take() {
                self.connected(writer);
                let error = self.read_all(&mut *reader);
                self.disconnected(error);
            }
            let until = Instant::now() + REOPEN;
            while Instant::now() < until && !self.is_over() {
                sleep(TICK);
            }
            match self.port.open() {
                Ok(opened) => halves = Some(opened),
                Err(error) => self.lock().link = Link::Closed(Some(Arc::new(error))),
            }
        }
    }

    fn read_all(&self, reader: &mut dyn Read) -> io::Error {
        let mut bytes = [0; 512];
        while !self.is_over() {
            match reader.read(&mut bytes) {
                Ok(0) => return io::Error::from(io::ErrorKind::UnexpectedEof),
                Ok(count) => {
                    let mut state = self.lock();
                    let now = self.now();
                    bytes.iter().take(count).for_each(|&byte| state.client.receive(byte, now));
                    self.pump(&mut state);
                    if state.writer.is_none() {
                        return io::Error::from(io::ErrorKind::BrokenPipe);
                    }
                }
                Err(error) if is_patience(&error) => {
                    if self.lock().writer.is_none() {
                        return io::Error::from(io::ErrorKind::BrokenPipe);
                    }
                }
                Err(error) => return error,
            }
        }
        io::Error::from(io::ErrorKind::Interrupted)
    }

    fn connected(&self, writer: Box<dyn Write + Send>) {
        let mut state = self.lock();
        state.writer = Some(writer);
        state.link = Link::Greeting;
        state.greet_at = None;
        let nonce = self.nonce();
        state.client.connect(nonce, self.now());
        self.pump(&mut state);
    }

    fn disconnected(&self, source: io::Error) {
        let mut state = self.lock();
        state.writer = None;
        state.greet_at = None;
        state.client.close();
        self.pump(&mut state);
        state.link = Link::Closed(Some(Arc::new(StageError::Open { port: self.port.to_string(), source })));
        self.changed.notify_all();
    }

    fn tick(&self) {
        while !self.is_over() {
            sleep(TICK);
            let mut state = self.lock();
            if state.greet_at.is_some_and(|at| Instant::now() >= at) && state.writer.is_some() {
                state.greet_at = None;
                let nonce = self.nonce();
                state.client.connect(nonce, self.now());
            }
            state.client.poll(self.now());
            self.pump(&mut state);
        }
    }

    /// Writes what is to be written and passes on what is to be told.
    fn pump(&self, state: &mut State) {
        let now = self.now();
        // Without a line nothing counts as sent.
        while let Some(writer) = &mut state.writer {
            let bytes = state.client.transmit(now);
            if bytes.is_empty() {
                break;
            }
            match writer.write(bytes) {
                Ok(count) if count > 0 => state.client.transmitted(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The line is dead: the reading thread will find no writer and open it again.
                _ => {
                    state.writer = None;
                    state.client.close();
                }
            }
        }
        let mut told = false;
        while let Some(notice) = state.client.notice() {
            told = true;
            self.note(state, notice);
        }
        if told {
            self.changed.notify_all();
        }
    }

    fn note(&self, state: &mut State, notice: Notice) {
        match notice {
            Notice::Answered(outcome) => state.answer = Some(Ok(outcome)),
            Notice::Failed(failure) => state.answer = Some(Err(failure)),
            Notice::Stopped => state.stopped = Some(true),
            Notice::StopUnanswered => state.stopped = Some(false),
            Notice::Event(event) => {
                if state.events.len() == EVENTS {
                    state.events.pop_front();
                    state.events_missed += 1;
                }
                state.events.push_back(event);
            }
            Notice::Connected { welcome, events_missed } => {
                state.events_missed += u64::from(events_missed);
                state.boot = Some(welcome.boot);
                state.link = Link::Open(welcome);
            }
            Notice::Lost(Lost::Refused(code)) => state.link = Link::Refused(code),
            Notice::Lost(_) => {
                state.link = Link::Greeting;
                state.greet_at = Some(Instant::now() + GREET_AGAIN);
            }
        }
    }
}

/// A read that brought nothing in its time.
fn is_patience(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
