//! The rules of a session one by one, message by message.

use crate::board::{Board, IDENTITY, end, job};
use lsr_firmware::wire::{
    Answer, Beat, BeatAnswer, Client, ClientTiming, Command, EmergencyStop, EmergencyStopped, ErrorCode, EventMessage, EventTaken, Failure,
    FrameReader, Hello, HelloReply, Lost, Notice, PROTOCOL_VERSION, Reply, Request, Server, SubmitError, ToController, ToHost, Welcome,
};

/// A controller and the messages to and from it.
struct Peer {
    server: Server<4>,
    board: Board,
    now: u64,
}

impl Peer {
    fn new() -> Self {
        Self { server: Server::new(200_000), board: Board::default(), now: 5_000_000 }
    }

    fn give(&mut self, bytes: &[u8]) -> Vec<ToHost> {
        bytes.iter().for_each(|&byte| self.server.receive(byte, self.now, &mut self.board));
        self.board.tell(&mut self.server);
        let mut reader = FrameReader::<{ ToHost::MAX_CONTENT }>::new();
        let mut messages = Vec::new();
        loop {
            let bytes = self.server.transmit(self.now).to_vec();
            if bytes.is_empty() {
                return messages;
            }
            messages.extend(bytes.iter().filter_map(|&byte| Some(ToHost::read(&reader.push(byte)?.unwrap()).unwrap())));
            self.server.transmitted(bytes.len());
        }
    }

    fn say(&mut self, message: ToController) -> Vec<ToHost> {
        let mut buffer = [0; ToController::MAX_FRAME];
        let bytes = message.encode(&mut buffer).unwrap().to_vec();
        self.give(&bytes)
    }

    fn hello(&mut self, nonce: u32) -> Vec<ToHost> {
        self.say(ToController::Hello(Hello::new(nonce)))
    }

    fn session(&mut self, nonce: u32) -> Welcome {
        match self.hello(nonce)[..] {
            [ToHost::HelloReply(HelloReply { nonce: found, result: Ok(welcome) })] if found == nonce => welcome,
            ref other => panic!("{other:?}"),
        }
    }

    fn ask(&mut self, session: u32, sequence: u32, command: Command) -> Vec<ToHost> {
        self.say(ToController::Request(Request { session, sequence, command }))
    }
}

fn reply(session: u32, sequence: u32, result: Result<Answer, ErrorCode>) -> ToHost {
    ToHost::Reply(Reply { session, sequence, result })
}

#[test]
fn nothing_is_carried_out_before_a_hello() {
    let mut peer = Peer::new();
    assert_eq!(peer.ask(7, 0, job(1)), [reply(7, 0, Err(ErrorCode::NoSession))]);
    assert_eq!(peer.say(ToController::Beat(Beat { session: 7 })), [ToHost::BeatAnswer(BeatAnswer { session: 7, known: false })]);
    assert_eq!((peer.board.jobs.len(), peer.board.sessions, peer.server.last_heard()), (0, 0, None));
}

#[test]
fn another_version_gets_no_session() {
    let mut peer = Peer::new();
    let code = ErrorCode::ProtocolVersion { expected: PROTOCOL_VERSION, found: 3 };
    let refused = [ToHost::HelloReply(HelloReply { nonce: 9, result: Err(code) })];
    assert_eq!(peer.say(ToController::Hello(Hello { nonce: 9, protocol: 3 })), refused);
    assert_eq!(peer.board.sessions, 0);
}

#[test]
fn the_same_request_gets_the_same_reply_and_is_not_carried_out_again() {
    let mut peer = Peer::new();
    let Welcome { session, identity, .. } = peer.session(1);
    assert_eq!(identity, IDENTITY);
    let event = ToHost::EventMessage(EventMessage { session, sequence: 0, event: end(40) });
    let started = reply(session, 0, Ok(Answer::Started { operation: 40 }));
    assert_eq!(peer.ask(session, 0, job(40)), [started.clone(), event]);
    assert_eq!(peer.ask(session, 0, job(40)), [started]);
    assert_eq!(peer.board.jobs, [40]);
    // The one after it; then the first is late, and nobody waits for an answer to it.
    assert_eq!(peer.ask(session, 1, Command::Ping), [reply(session, 1, Ok(Answer::Pong(IDENTITY)))]);
    assert_eq!(peer.ask(session, 0, job(40)), []);
    assert_eq!((peer.board.jobs.len(), peer.server.statistics().late, peer.server.statistics().repeated), (1, 1, 1));
    // One that is too early has a predecessor that did not come.
    let code = ErrorCode::OutOfOrder { expected: 2, found: 3 };
    assert_eq!(peer.ask(session, 3, job(41)), [reply(session, 3, Err(code))]);
    assert_eq!(peer.board.jobs, [40]);
}

#[test]
fn a_hello_that_comes_again_begins_no_other_session() {
    let mut peer = Peer::new();
    let first = peer.session(1);
    peer.ask(first.session, 0, Command::Ping);
    peer.now += 1;
    assert_eq!(peer.session(1), first);
    peer.ask(first.session, 1, Command::Ping);
    assert_eq!((peer.board.others, peer.board.sessions), (2, 1));
    let second = peer.session(2);
    assert_ne!(second.session, first.session);
    assert_eq!(second.boot, first.boot);
    // The first host's hello comes late, and its requests too.
    assert_eq!(peer.hello(1), []);
    assert_eq!(peer.ask(first.session, 2, job(1)), [reply(first.session, 2, Err(ErrorCode::NoSession))]);
    assert_eq!((peer.board.jobs.len(), peer.board.sessions), (0, 2));
    assert_eq!(peer.say(ToController::Beat(Beat { session: second.session })).len(), 1);
}

#[test]
fn after_a_reset_the_same_hello_is_another_session() {
    let (mut peer, mut reset) = (Peer::new(), Peer::new());
    let before = peer.session(1);
    reset.now += 1;
    let after = reset.session(1);
    assert_ne!((before.session, before.boot), (after.session, after.boot));
    assert_eq!(reset.ask(before.session, 0, job(1)), [reply(before.session, 0, Err(ErrorCode::NoSession))]);
}

#[test]
fn an_event_is_sent_until_it_is_taken() {
    let mut peer = Peer::new();
    peer.board.ends.extend([end(1), end(2)]);
    assert_eq!(peer.give(&[]), [], "there is no host");
    let Welcome { session, next_event, .. } = peer.session(1);
    assert_eq!(next_event, 0);
    let event = |sequence, operation| ToHost::EventMessage(EventMessage { session, sequence, event: end(operation) });
    let known = ToHost::BeatAnswer(BeatAnswer { session, known: true });
    assert_eq!(peer.say(ToController::Beat(Beat { session })), [known, event(0, 1)]);
    peer.now += 199_999;
    assert_eq!(peer.give(&[]), []);
    peer.now += 1;
    assert_eq!(peer.give(&[]), [event(0, 1)]);
    // Taken by another session, or another one taken: no.
    assert_eq!(peer.say(ToController::EventTaken(EventTaken { session: session ^ 1, sequence: 0 })), []);
    assert_eq!(peer.say(ToController::EventTaken(EventTaken { session, sequence: 1 })), []);
    assert_eq!(peer.say(ToController::EventTaken(EventTaken { session, sequence: 0 })), [event(1, 2)]);
    assert_eq!(peer.say(ToController::EventTaken(EventTaken { session, sequence: 0 })), []);
    // The next host is told what this one has not taken.
    let next = peer.session(2);
    assert_eq!(next.next_event, 1);
    let beat = peer.say(ToController::Beat(Beat { session: next.session }));
    assert_eq!(beat[1..], [ToHost::EventMessage(EventMessage { session: next.session, sequence: 1, event: end(2) })]);
}

#[test]
fn an_event_without_room_is_counted() {
    let mut peer = Peer::new();
    let room: Vec<bool> = (0..6).map(|operation| peer.server.post(end(operation))).collect();
    assert_eq!((room, peer.server.event_room()), (vec![true, true, true, true, false, false], 0));
    assert_eq!(peer.server.statistics().events_lost, 2);
}

#[test]
fn any_host_can_stop_everything_once() {
    let mut peer = Peer::new();
    let stop = |nonce| ToController::EmergencyStop(EmergencyStop { nonce });
    for _ in 0..2 {
        assert_eq!(peer.say(stop(4)), [ToHost::EmergencyStopped(EmergencyStopped { nonce: 4 })]);
    }
    assert_eq!(peer.board.stops, 1);
    peer.say(stop(5));
    assert_eq!(peer.board.stops, 2);
}

#[test]
fn goodbye_ends_the_session_and_its_answer_is_repeated() {
    let mut peer = Peer::new();
    let Welcome { session, .. } = peer.session(1);
    assert_eq!(peer.server.last_heard(), Some(5_000_000));
    peer.now += 9;
    for _ in 0..2 {
        assert_eq!(peer.ask(session, 0, Command::Goodbye), [reply(session, 0, Ok(Answer::Done))]);
        assert_eq!(peer.server.last_heard(), None);
    }
    assert_eq!(peer.ask(session, 1, job(1)), [reply(session, 1, Err(ErrorCode::NoSession))]);
    assert_eq!(peer.board.jobs, []);
    assert_eq!(peer.hello(1), [], "the hello of a session that is over is late");
}

/// Only frames of the session say that its host is there.
#[test]
fn the_host_is_heard_by_its_own_frames() {
    let mut peer = Peer::new();
    let Welcome { session, .. } = peer.session(1);
    let mut heard = |after: u64, message: ToController| {
        peer.now = after;
        peer.say(message);
        peer.server.last_heard().unwrap()
    };
    assert_eq!(heard(6_000_000, ToController::Beat(Beat { session: session ^ 1 })), 5_000_000);
    assert_eq!(heard(6_000_001, ToController::EmergencyStop(EmergencyStop { nonce: 1 })), 5_000_000);
    assert_eq!(heard(6_000_002, ToController::Request(Request { session: session ^ 1, sequence: 0, command: Command::Ping })), 5_000_000);
    assert_eq!(heard(6_000_003, ToController::Beat(Beat { session })), 6_000_003);
    assert_eq!(heard(6_000_004, ToController::Request(Request { session, sequence: 0, command: Command::Ping })), 6_000_004);
    assert_eq!(heard(6_000_005, ToController::EventTaken(EventTaken { session, sequence: 0 })), 6_000_005);
}

/// A line that echoes: a controller does not obey what it has said itself.
#[test]
fn an_echo_does_nothing() {
    let mut peer = Peer::new();
    let Welcome { session, .. } = peer.session(1);
    let mut buffer = [0; ToHost::MAX_FRAME];
    for message in [
        ToHost::EmergencyStopped(EmergencyStopped { nonce: 1 }),
        ToHost::BeatAnswer(BeatAnswer { session, known: true }),
        reply(session, 0, Ok(Answer::Started { operation: 1 })),
    ] {
        let bytes = message.encode(&mut buffer).unwrap().to_vec();
        assert_eq!(peer.give(&bytes), []);
    }
    assert_eq!((peer.board.stops, peer.board.others, peer.server.statistics().not_understood), (0, 0, 3));
}

/// The host's end without any controller: what it sends, when, and what it says in the end.
#[test]
fn a_host_gives_up_by_name() {
    let timing = ClientTiming { retry_us: 100, tries: 3, beat_us: 1_000, silence_us: 5_000 };
    let mut client = Client::new(timing);
    assert_eq!(client.submit(job(1), 0), Err(SubmitError::NoSession));
    client.connect(1, 0);
    let mut frames = 0;
    for now in 0..=300 {
        client.poll(now);
        let length = client.transmit(now).len();
        client.transmitted(length);
        frames += u32::from(length > 0);
    }
    assert_eq!((frames, client.notice(), client.notice()), (3, Some(Notice::Lost(Lost::NoAnswer)), None));
    client.emergency_stop(1, 1_000);
    for now in 1_000..=1_300 {
        client.poll(now);
        let length = client.transmit(now).len();
        client.transmitted(length);
    }
    assert_eq!((client.notice(), client.notice()), (Some(Notice::StopUnanswered), None));
}

/// A command that never left is known not to have been carried out; one that did is not known to.
#[test]
fn a_closed_line_fails_what_is_under_way() {
    for (sent, failure) in [(false, Failure::NotSent), (true, Failure::Unknown)] {
        let (mut client, mut peer) = (Client::new(ClientTiming::default()), Peer::new());
        client.connect(1, 0);
        let bytes = client.transmit(0).to_vec();
        client.transmitted(bytes.len());
        let mut buffer = [0; ToHost::MAX_FRAME];
        for message in peer.give(&bytes) {
            message.encode(&mut buffer).unwrap().iter().for_each(|&byte| client.receive(byte, 0));
        }
        assert!(matches!(client.notice(), Some(Notice::Connected { events_missed: 0, .. })));
        client.submit(job(1), 0).unwrap();
        assert_eq!(client.submit(job(2), 0), Err(SubmitError::Busy));
        if sent {
            assert!(!client.transmit(0).is_empty());
        }
        client.close();
        assert_eq!(client.notice(), Some(Notice::Failed(failure)));
        assert_eq!((client.notice(), client.notice()), (Some(Notice::Lost(Lost::Closed)), None));
        assert!(!client.is_connected() && client.transmit(1).is_empty());
    }
}
