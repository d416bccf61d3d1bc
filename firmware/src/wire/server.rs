//! The controller's end of a session. It has no clock and no line: bytes and time come as arguments.

use super::PROTOCOL_VERSION;
use super::answer::{Answer, Identity, Outcome};
use super::command::Command;
use super::crc::crc32;
use super::error_code::ErrorCode;
use super::event::Event;
use super::frame::{FrameError, FrameReader};
use super::message::{
    Beat, BeatAnswer, EmergencyStop, EmergencyStopped, EventMessage, EventTaken, Hello, HelloReply, Reply, Request, ToController, ToHost,
    Welcome,
};
use super::outbox::Outbox;
use super::status::LinkStatistics;
use heapless::Deque;

/// Nonces of earlier sessions that are remembered: their `Hello` may come late.
const REMEMBERED: usize = 4;

/// What a controller does with what it is asked.
pub trait Handler {
    /// Who answers.
    fn identity(&self) -> Identity;

    /// Carries out a command, once. Whatever takes time is only started here: the host waits for the answer.
    ///
    /// # Errors
    /// Why it was not carried out.
    fn carry_out(&mut self, command: &Command, link: &LinkStatistics, now: u64) -> Outcome;

    /// Stops everything at once.
    fn emergency_stop(&mut self, now: u64);

    /// A host has begun a session; what another one has left half done (a field whose rows did not all come) is forgotten.
    fn session_begun(&mut self, now: u64);
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Session {
    id: u32,
    nonce: u32,
    /// Number of the request that is to come.
    expected: u32,
    /// The answer to the one before.
    reply: Option<Reply>,
    heard: u64,
    /// The host has used the session: it knows of it. Events wait until then.
    confirmed: bool,
    /// By `Goodbye`: only its answer is repeated.
    ended: bool,
}

/// The controller's end: carries out every request once, answers a repeated one with the same reply, and sends each event until it is taken.
/// `EVENTS` is the number of events that can wait.
///
/// The board's main loop gives it every byte ([`receive`](Self::receive)), puts in what has happened ([`post`](Self::post)), and writes what
/// [`transmit`](Self::transmit) gives.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Server<const EVENTS: usize> {
    reader: FrameReader<{ ToController::MAX_CONTENT }>,
    outbox: Outbox<{ ToHost::MAX_FRAME }>,
    resend_us: u64,
    session: Option<Session>,
    boot: Option<u32>,
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    nonces: Deque<u32, REMEMBERED>,
    last_stop: Option<u32>,
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    events: Deque<Event, EVENTS>,
    /// Number of the oldest event in the queue, or of the next one if there is none.
    first_event: u32,
    event_sent: Option<u64>,
    due: Due,
    statistics: LinkStatistics,
}

/// What is to be sent as soon as the line is free.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Due {
    stopped: Option<EmergencyStopped>,
    hello: Option<HelloReply>,
    refusal: Option<Reply>,
    reply: bool,
    beat: Option<BeatAnswer>,
}

impl<const EVENTS: usize> Server<EVENTS> {
    /// No session yet. An event that is not taken within `resend_us` is sent again.
    pub const fn new(resend_us: u32) -> Self {
        Self {
            reader: FrameReader::new(),
            outbox: Outbox::new(),
            resend_us: resend_us as u64,
            session: None,
            boot: None,
            nonces: Deque::new(),
            last_stop: None,
            events: Deque::new(),
            first_event: 0,
            event_sent: None,
            due: Due { stopped: None, hello: None, refusal: None, reply: false, beat: None },
            statistics: LinkStatistics {
                frames: 0,
                bad_checksum: 0,
                malformed: 0,
                not_understood: 0,
                repeated: 0,
                late: 0,
                events_resent: 0,
                events_lost: 0,
            },
        }
    }

    /// Takes a byte of the line; a command that it completes is carried out here.
    pub fn receive(&mut self, byte: u8, now: u64, handler: &mut impl Handler) {
        let message = match self.reader.push(byte) {
            None => return,
            Some(Ok(frame)) => {
                LinkStatistics::count(&mut self.statistics.frames);
                ToController::read(&frame)
            }
            Some(Err(FrameError::Checksum { .. })) => return LinkStatistics::count(&mut self.statistics.bad_checksum),
            Some(Err(_)) => return LinkStatistics::count(&mut self.statistics.malformed),
        };
        match message {
            Ok(ToController::Hello(hello)) => self.hello(hello, now, handler),
            Ok(ToController::Request(request)) => self.request(&request, now, handler),
            Ok(ToController::EventTaken(taken)) => self.event_taken(taken, now),
            Ok(ToController::EmergencyStop(stop)) => self.stop(stop, now, handler),
            Ok(ToController::Beat(Beat { session })) => {
                let known = self.heard(session, now);
                self.due.beat = Some(BeatAnswer { session, known });
            }
            Err(_) => LinkStatistics::count(&mut self.statistics.not_understood),
        }
    }

    /// Puts in what has happened. Returns whether there was room; an event without room is lost and counted.
    pub fn post(&mut self, event: Event) -> bool {
        let room = self.events.push_back(event).is_ok();
        if !room {
            LinkStatistics::count(&mut self.statistics.events_lost);
        }
        room
    }

    /// Number of events that [`post`](Self::post) can still take: a scan waits for room rather than lose a field.
    pub fn event_room(&self) -> usize {
        EVENTS - self.events.len()
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

    /// When a good frame of the session came last, us; `None` without a session (none has begun, or the host has said goodbye).
    pub fn last_heard(&self) -> Option<u64> {
        self.session.as_ref().filter(|session| !session.ended).map(|session| session.heard)
    }

    /// What this end has seen.
    pub const fn statistics(&self) -> &LinkStatistics {
        &self.statistics
    }

    /// Whether this is the session; then its host was heard.
    fn heard(&mut self, id: u32, now: u64) -> bool {
        match &mut self.session {
            Some(session) if session.id == id && !session.ended => {
                session.heard = now;
                session.confirmed = true;
                true
            }
            _ => false,
        }
    }

    fn hello(&mut self, hello: Hello, now: u64, handler: &mut impl Handler) {
        let Hello { nonce, protocol } = hello;
        if protocol != PROTOCOL_VERSION {
            let refusal = ErrorCode::ProtocolVersion { expected: PROTOCOL_VERSION, found: protocol };
            self.due.hello = Some(HelloReply { nonce, result: Err(refusal) });
            return;
        }
        let current = self.session.as_ref().filter(|session| session.nonce == nonce && !session.ended).map(|session| session.id);
        let session = match current {
            Some(session) => {
                LinkStatistics::count(&mut self.statistics.repeated);
                session
            }
            None if self.nonces.iter().any(|&earlier| earlier == nonce) => return LinkStatistics::count(&mut self.statistics.late),
            None => self.begin(nonce, now, handler),
        };
        let boot = self.boot.unwrap_or(session);
        self.due.hello =
            Some(HelloReply { nonce, result: Ok(Welcome { session, boot, next_event: self.first_event, identity: handler.identity() }) });
    }

    fn begin(&mut self, nonce: u32, now: u64, handler: &mut impl Handler) -> u32 {
        let [a, b, c, d] = nonce.to_le_bytes();
        let [e, f, g, h, ..] = now.to_le_bytes();
        let made = crc32(&[a, b, c, d, e, f, g, h]);
        let id = if self.session.as_ref().is_some_and(|session| session.id == made) { made.wrapping_add(1) } else { made };
        self.session = Some(Session { id, nonce, expected: 0, reply: None, heard: now, confirmed: false, ended: false });
        self.boot.get_or_insert(id);
        if self.nonces.is_full() {
            self.nonces.pop_front();
        }
        // There is room: one was taken out.
        let _ = self.nonces.push_back(nonce);
        self.due = Due { stopped: self.due.stopped, ..Due::default() };
        self.event_sent = None;
        handler.session_begun(now);
        log!(info, "session {=u32:08x} begins", id);
        id
    }

    fn request(&mut self, request: &Request, now: u64, handler: &mut impl Handler) {
        let Request { session: id, sequence, ref command } = *request;
        let refuse = |code| Some(Reply { session: id, sequence, result: Err(code) });
        let Some(session) = self.session.as_mut().filter(|session| session.id == id) else {
            self.due.refusal = refuse(ErrorCode::NoSession);
            return;
        };
        session.confirmed = true;
        let ahead = sequence.wrapping_sub(session.expected);
        if ahead == 0 && !session.ended {
            session.heard = now;
            let result = handler.carry_out(command, &self.statistics, now);
            session.ended = matches!((command, &result), (Command::Goodbye, Ok(Answer::Done)));
            session.reply = Some(Reply { session: id, sequence, result });
            session.expected = sequence.wrapping_add(1);
            self.due.reply = true;
        } else if ahead == u32::MAX && session.reply.is_some() {
            session.heard = now;
            LinkStatistics::count(&mut self.statistics.repeated);
            self.due.reply = true;
        } else if session.ended {
            self.due.refusal = refuse(ErrorCode::NoSession);
        } else if ahead < 1 << 31 {
            session.heard = now;
            self.due.refusal = refuse(ErrorCode::OutOfOrder { expected: session.expected, found: sequence });
        } else {
            session.heard = now;
            LinkStatistics::count(&mut self.statistics.late);
        }
    }

    fn event_taken(&mut self, taken: EventTaken, now: u64) {
        if !self.heard(taken.session, now) || taken.sequence != self.first_event || self.events.is_empty() {
            return LinkStatistics::count(&mut self.statistics.late);
        }
        self.events.pop_front();
        self.first_event = self.first_event.wrapping_add(1);
        self.event_sent = None;
    }

    fn stop(&mut self, stop: EmergencyStop, now: u64, handler: &mut impl Handler) {
        let EmergencyStop { nonce } = stop;
        if self.last_stop == Some(nonce) {
            LinkStatistics::count(&mut self.statistics.repeated);
        } else {
            handler.emergency_stop(now);
            self.last_stop = Some(nonce);
        }
        self.due.stopped = Some(EmergencyStopped { nonce });
    }

    fn fill(&mut self, now: u64) {
        self.outbox.clear();
        if let Some(stopped) = self.due.stopped.take() {
            self.outbox.put(&stopped);
        } else if let Some(hello) = self.due.hello.take() {
            self.outbox.put(&hello);
        } else if let Some(refusal) = self.due.refusal.take() {
            self.outbox.put(&refusal);
        } else if core::mem::take(&mut self.due.reply) {
            if let Some(reply) = self.session.as_ref().and_then(|session| session.reply.as_ref()) {
                self.outbox.put(reply);
            }
        } else if let Some(beat) = self.due.beat.take() {
            self.outbox.put(&beat);
        } else {
            self.fill_event(now);
        }
    }

    fn fill_event(&mut self, now: u64) {
        let Some(session) = self.session.as_ref().filter(|session| session.confirmed && !session.ended) else { return };
        let Some(&event) = self.events.front() else { return };
        match self.event_sent {
            Some(sent) if now.saturating_sub(sent) < self.resend_us => return,
            Some(_) => LinkStatistics::count(&mut self.statistics.events_resent),
            None => {}
        }
        self.event_sent = Some(now);
        self.outbox.put(&EventMessage { session: session.id, sequence: self.first_event, event });
    }
}
