//! A controller that writes down what it is told to do.

use lsr_firmware::Um;
use lsr_firmware::wire::{
    Answer, Command, Ending, Event, Handler, Identity, LinkStatistics, Outcome, PROTOCOL_VERSION, PerAxis, ResetReason, Server,
};
use std::collections::VecDeque;

pub(crate) const IDENTITY: Identity = Identity {
    protocol: PROTOCOL_VERSION,
    firmware: [0, 1, 0],
    axes: PerAxis { x: true, y: true, z: false },
    lights: 2,
    labels: 10,
    reset_reason: ResetReason::Watchdog,
    heartbeat_ms: 1_000,
};

/// `MoveBy` with x = n nm is job n: it is started as operation n, and its end is told.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) jobs: Vec<u32>,
    pub(crate) others: u64,
    pub(crate) stops: u32,
    pub(crate) sessions: u32,
    /// Ends of jobs that wait for room.
    pub(crate) ends: VecDeque<Event>,
}

impl Handler for Board {
    fn identity(&self) -> Identity {
        IDENTITY
    }

    fn carry_out(&mut self, command: &Command, _: &LinkStatistics, _: u64) -> Outcome {
        if let Command::MoveBy { offset: PerAxis { x: Some(x), y: None, z: None } } = command {
            let operation = x.nm() as u32;
            self.jobs.push(operation);
            self.ends.push_back(end(operation));
            return Ok(Answer::Started { operation });
        }
        self.others += 1;
        Ok(if *command == Command::Ping { Answer::Pong(IDENTITY) } else { Answer::Done })
    }

    fn emergency_stop(&mut self, _: u64) {
        self.stops += 1;
    }

    fn session_begun(&mut self, _: u64) {
        self.sessions += 1;
    }
}

impl Board {
    /// Gives the ends that have room to the server.
    pub(crate) fn tell<const N: usize>(&mut self, server: &mut Server<N>) {
        while server.event_room() > 0
            && let Some(event) = self.ends.pop_front()
        {
            assert!(server.post(event));
        }
    }
}

pub(crate) fn job(number: u32) -> Command {
    Command::MoveBy { offset: PerAxis { x: Some(Um::from_nm(number as i32)), y: None, z: None } }
}

pub(crate) fn end(operation: u32) -> Event {
    Event::Finished { operation, ending: Ending::Done, position: PerAxis::default() }
}
