//! The host's end of a session. It has no clock and no line: bytes and time come as arguments.

use super::answer::Outcome;
use super::command::Command;
use super::error_code::ErrorCode;
use super::event::Event;
use super::frame::FrameReader;
use super::message::{
    Beat, BeatAnswer, EmergencyStop, EmergencyStopped, EventMessage, EventTaken, Hello, HelloReply, Message, Reply, Request, ToController,
    ToHost, Welcome,
};
use super::outbox::Outbox;
use core::fmt;
use heapless::Deque;

/// Events that wait to be fetched. With none free the controller keeps the next one.
const EVENTS: usize = 8;

/// How patient a host is. The defaults are for a line of at least 115,200 baud: the longest frame and its reply take 35 ms there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientTiming {
    /// What has not been answered is sent again after this time, us. 100,000.
    pub retry_us: u32,
    /// So many times in all; then the session is given up. 10.
    pub tries: u8,
    /// A host that has nothing to say shows itself after this time, us, or after a quarter of the controller's heartbeat if that is less. 250,000.
    pub beat_us: u32,
    /// The session is given up when the controller is silent for this long, us. 2,000,000.
    pub silence_us: u32,
}

impl Default for ClientTiming {
    fn default() -> Self {
        Self { retry_us: 100_000, tries: 10, beat_us: 250_000, silence_us: 2_000_000 }
    }
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SubmitError {
    /// There is no session.
    NoSession,
    /// The command before is not over, or its notice has not been fetched.
    Busy,
}

/// What has become of a command that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Failure {
    /// Not a byte of it went out: it was not carried out.
    NotSent,
    /// The session ended before the answer came: it was carried out once, or not at all.
    Unknown,
}

/// Why a session is over, or why none began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lost {
    /// Something was sent as often as allowed, and not answered.
    NoAnswer,
    /// The controller was silent.
    Silent,
    /// The controller knows no such session: it was reset, or another host has taken over.
    Ended,
    /// The controller speaks another version.
    Refused(ErrorCode),
    /// The line was closed ([`Client::close`]).
    Closed,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("no answer from the controller"),
            Self::Silent => f.write_str("the controller has fallen silent"),
            Self::Ended => f.write_str("the controller has restarted, or another host has taken over"),
            Self::Refused(code) => write!(f, "refused: {code}"),
            Self::Closed => f.write_str("the line was closed"),
        }
    }
}

impl core::error::Error for Lost {}

/// What a host's user is told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Notice {
    /// The command's answer, or why it was refused.
    Answered(Outcome),
    /// The command has no answer.
    Failed(Failure),
    /// The emergency stop has arrived.
    Stopped,
    /// The emergency stop was sent as often as allowed, and not answered.
    StopUnanswered,
    /// Something has happened.
    Event(Event),
    /// A session has begun.
    Connected {
        /// Whose.
        welcome: Welcome,
        /// Events since the last session that another host has taken.
        events_missed: u32,
    },
    /// It is over, or none began.
    Lost(Lost),
}

/// Something that is sent until it is answered.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Attempt {
    tries: u8,
    /// When it is to be sent next, or given up.
    due: u64,
}

impl Attempt {
    const fn new(now: u64) -> Self {
        Self { tries: 0, due: now }
    }

    const fn send(&self, now: u64, timing: &ClientTiming) -> bool {
        now >= self.due && self.tries < timing.tries
    }

    const fn given_up(&self, now: u64, timing: &ClientTiming) -> bool {
        now >= self.due && self.tries >= timing.tries
    }

    const fn sent(&mut self, now: u64, timing: &ClientTiming) {
        self.tries = self.tries.saturating_add(1);
        self.due = now.saturating_add(timing.retry_us as u64);
    }
}

#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    Closed,
    Greeting { nonce: u32, attempt: Attempt },
    Open(Session),
}

#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Session {
    id: u32,
    next: u32,
    heard: u64,
    beat_us: u64,
    beat_due: u64,
    /// The event to be acknowledged.
    taken: Option<u32>,
}

/// The host's end: one command at a time, repeated until it is answered; events once and in order; a heartbeat when there is nothing to say.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Client {
    timing: ClientTiming,
    reader: FrameReader<{ ToHost::MAX_CONTENT }>,
    outbox: Outbox<{ ToController::MAX_FRAME }>,
    phase: Phase,
    /// The request's frame, to be repeated.
    frame: [u8; ToController::MAX_FRAME],
    frame_length: usize,
    exchange: Option<(u32, Attempt)>,
    stop: Option<(u32, Attempt)>,
    /// Boot and number of the event that is to come.
    awaited: Option<(u32, u32)>,
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    events: Deque<Event, EVENTS>,
    outcome: Option<Notice>,
    stop_outcome: Option<Notice>,
    change: Option<Notice>,
}

impl Client {
    /// Without a session.
    pub const fn new(timing: ClientTiming) -> Self {
        Self {
            timing,
            reader: FrameReader::new(),
            outbox: Outbox::new(),
            phase: Phase::Closed,
            frame: [0; ToController::MAX_FRAME],
            frame_length: 0,
            exchange: None,
            stop: None,
            awaited: None,
            events: Deque::new(),
            outcome: None,
            stop_outcome: None,
            change: None,
        }
    }

    /// Asks for a session; one that there is ends. The nonce must be a new one (random).
    pub fn connect(&mut self, nonce: u32, now: u64) {
        self.close();
        self.change = None;
        self.phase = Phase::Greeting { nonce, attempt: Attempt::new(now) };
    }

    /// The line is closed: what was under way has failed. An emergency stop stays wanted, for the next line.
    pub fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed) {
            self.lose(Lost::Closed);
        }
        self.outbox.clear();
        self.reader = FrameReader::new();
    }

    /// Whether there is a session.
    pub const fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Whether a command is under way or its notice has not been fetched.
    pub const fn is_busy(&self) -> bool {
        self.exchange.is_some() || self.outcome.is_some()
    }

    /// Sends a command. Exactly one notice will say what became of it.
    ///
    /// # Errors
    /// [`SubmitError`]; then nothing is sent.
    pub fn submit(&mut self, command: Command, now: u64) -> Result<(), SubmitError> {
        if self.is_busy() {
            return Err(SubmitError::Busy);
        }
        let Phase::Open(session) = &mut self.phase else { return Err(SubmitError::NoSession) };
        if let Command::SetHeartbeat { heartbeat_ms } = command {
            session.beat_us = session.beat_us.min(quarter_us(heartbeat_ms));
        }
        let sequence = session.next;
        session.next = sequence.wrapping_add(1);
        // It fits: the buffer has the size of the longest frame.
        self.frame_length = Request { session: session.id, sequence, command }.encode(&mut self.frame).map_or(0, <[u8]>::len);
        self.exchange = Some((sequence, Attempt::new(now)));
        Ok(())
    }

    /// Stops everything, with or without a session; overtakes what is under way. The nonce must be a new one (random). One of the notices
    /// `Stopped` and `StopUnanswered` follows.
    pub fn emergency_stop(&mut self, nonce: u32, now: u64) {
        self.stop = Some((nonce, Attempt::new(now)));
    }

    /// Takes a byte of the line. Bytes that are no message are dropped.
    pub fn receive(&mut self, byte: u8, now: u64) {
        let Some(Ok(frame)) = self.reader.push(byte) else { return };
        let Ok(message) = ToHost::read(&frame) else { return };
        match message {
            ToHost::HelloReply(reply) => self.hello_reply(reply, now),
            ToHost::Reply(reply) => self.reply(&reply, now),
            ToHost::EventMessage(message) => self.event(message, now),
            ToHost::EmergencyStopped(EmergencyStopped { nonce }) => {
                if self.stop.is_some_and(|(asked, _)| asked == nonce) {
                    self.stop = None;
                    self.stop_outcome = Some(Notice::Stopped);
                }
            }
            ToHost::BeatAnswer(BeatAnswer { session, known }) => {
                if self.heard(session, now).is_some() && !known {
                    self.lose(Lost::Ended);
                }
            }
        }
    }

    /// Gives up what has been tried often enough. To be called every few milliseconds.
    pub fn poll(&mut self, now: u64) {
        let timing = self.timing;
        let given_up = |attempt: &Attempt| attempt.given_up(now, &timing);
        if self.stop.is_some_and(|(_, attempt)| given_up(&attempt)) {
            self.stop = None;
            self.stop_outcome = Some(Notice::StopUnanswered);
        }
        let lost = match &self.phase {
            Phase::Greeting { attempt, .. } if given_up(attempt) => Some(Lost::NoAnswer),
            Phase::Open(_) if self.exchange.is_some_and(|(_, attempt)| given_up(&attempt)) => Some(Lost::NoAnswer),
            Phase::Open(session) if now.saturating_sub(session.heard) >= u64::from(timing.silence_us) => Some(Lost::Silent),
            _ => None,
        };
        if let Some(lost) = lost {
            self.lose(lost);
        }
    }

    /// What is to be written to the line now; nothing when it is empty. [`transmitted`](Self::transmitted) says how much of it was.
    pub fn transmit(&mut self, now: u64) -> &[u8] {
        if self.outbox.is_empty() {
            self.fill(now);
        }
        self.outbox.rest()
    }

    /// The line has taken so many bytes.
    pub fn transmitted(&mut self, bytes: usize) {
        self.outbox.take(bytes);
    }

    /// The next thing to be told. A command's end comes before what ended it.
    pub fn notice(&mut self) -> Option<Notice> {
        let told = self.outcome.take().or_else(|| self.stop_outcome.take());
        told.or_else(|| self.events.pop_front().map(Notice::Event)).or_else(|| self.change.take())
    }

    fn heard(&mut self, id: u32, now: u64) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Open(session) if session.id == id => {
                session.heard = now;
                Some(session)
            }
            _ => None,
        }
    }

    fn lose(&mut self, lost: Lost) {
        self.phase = Phase::Closed;
        self.change = Some(Notice::Lost(lost));
        if let Some((_, attempt)) = self.exchange.take() {
            self.outcome = Some(Notice::Failed(if attempt.tries == 0 { Failure::NotSent } else { Failure::Unknown }));
        }
    }

    fn hello_reply(&mut self, reply: HelloReply, now: u64) {
        let Phase::Greeting { nonce, .. } = self.phase else { return };
        if reply.nonce != nonce {
            return;
        }
        let welcome = match reply.result {
            Ok(welcome) => welcome,
            Err(code) => return self.lose(Lost::Refused(code)),
        };
        let Welcome { session: id, boot, next_event, .. } = welcome;
        let (awaited, events_missed) = match self.awaited {
            Some((known, awaited)) if known == boot => {
                let ahead = next_event.wrapping_sub(awaited);
                if ahead < 1 << 31 { (next_event, ahead) } else { (awaited, 0) }
            }
            _ => (next_event, 0),
        };
        self.awaited = Some((boot, awaited));
        let beat_us = u64::from(self.timing.beat_us).min(quarter_us(welcome.identity.heartbeat_ms));
        // The first beat goes at once: it tells the controller that the host knows of the session.
        self.phase = Phase::Open(Session { id, next: 0, heard: now, beat_us, beat_due: now, taken: None });
        self.change = Some(Notice::Connected { welcome, events_missed });
    }

    fn reply(&mut self, reply: &Reply, now: u64) {
        if self.heard(reply.session, now).is_none() {
            return;
        }
        match (self.exchange, reply.result) {
            (Some((sequence, _)), _) if sequence != reply.sequence => {}
            (Some(_), Err(ErrorCode::NoSession | ErrorCode::OutOfOrder { .. })) => self.lose(Lost::Ended),
            (Some(_), result) => {
                self.exchange = None;
                self.outcome = Some(Notice::Answered(result));
            }
            (None, _) => {}
        }
    }

    fn event(&mut self, message: EventMessage, now: u64) {
        let (Some((boot, awaited)), room) = (self.awaited, !self.events.is_full()) else { return };
        let Some(session) = self.heard(message.session, now) else { return };
        let behind = awaited.wrapping_sub(message.sequence);
        if behind == 0 && room {
            session.taken = Some(message.sequence);
            self.awaited = Some((boot, awaited.wrapping_add(1)));
            // There is room.
            let _ = self.events.push_back(message.event);
        } else if behind != 0 && behind < 1 << 31 {
            session.taken = Some(message.sequence);
        }
    }

    fn fill(&mut self, now: u64) {
        let Self { timing, outbox, phase, exchange, stop, .. } = self;
        outbox.clear();
        if let Some((nonce, attempt)) = stop.as_mut().filter(|(_, attempt)| attempt.send(now, timing)) {
            attempt.sent(now, timing);
            return outbox.put(&EmergencyStop { nonce: *nonce });
        }
        match phase {
            Phase::Closed => {}
            Phase::Greeting { nonce, attempt } if attempt.send(now, timing) => {
                attempt.sent(now, timing);
                outbox.put(&Hello::new(*nonce));
            }
            Phase::Greeting { .. } => {}
            Phase::Open(session) => {
                if let Some(sequence) = session.taken.take() {
                    outbox.put(&EventTaken { session: session.id, sequence });
                } else if let Some((_, attempt)) = exchange.as_mut().filter(|(_, attempt)| attempt.send(now, timing)) {
                    attempt.sent(now, timing);
                    outbox.put_bytes(self.frame.get(..self.frame_length).unwrap_or_default());
                } else if now >= session.beat_due {
                    outbox.put(&Beat { session: session.id });
                } else {
                    return;
                }
                session.beat_due = now.saturating_add(session.beat_us);
            }
        }
    }
}

/// A quarter of a heartbeat, us.
const fn quarter_us(heartbeat_ms: u16) -> u64 {
    heartbeat_ms as u64 * 250
}
