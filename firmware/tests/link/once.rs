//! Exactly once: over lines that lose, double, delay and damage frames, with a controller that is reset in between.

use crate::board::{Board, end, job};
use crate::line::{Dice, Line};
use lsr_firmware::wire::{Answer, Client, ClientTiming, Event, Failure, Notice, Server};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Room for events at the controller.
const EVENTS: usize = 8;

#[derive(Debug, PartialEq)]
enum End {
    Answered(u32),
    Failed(Failure),
}

struct World {
    now: u64,
    dice: Dice,
    client: Client,
    server: Server<EVENTS>,
    board: Board,
    up: Line,
    down: Line,
    ends: BTreeMap<u32, End>,
    events: Vec<Event>,
    /// The job whose end has not been told.
    open: Option<u32>,
    stops: Vec<bool>,
    connections: u32,
}

impl World {
    fn new(percent: u64, seed: u64) -> Self {
        let mut world = Self {
            now: 1_000_000,
            dice: Dice(seed),
            client: Client::new(ClientTiming::default()),
            server: Server::new(200_000),
            board: Board::default(),
            up: Line::new(percent),
            down: Line::new(percent),
            ends: BTreeMap::new(),
            events: Vec::new(),
            open: None,
            stops: Vec::new(),
            connections: 0,
        };
        world.connect();
        world
    }

    fn connect(&mut self) {
        let nonce = self.dice.draw() as u32;
        self.client.connect(nonce, self.now);
    }

    fn step(&mut self) {
        self.now += 1_000;
        for byte in self.up.arrived(self.now) {
            self.server.receive(byte, self.now, &mut self.board);
        }
        for byte in self.down.arrived(self.now) {
            self.client.receive(byte, self.now);
        }
        self.board.tell(&mut self.server);
        self.client.poll(self.now);
        while let Some(notice) = self.client.notice() {
            self.note(notice);
        }
        let frame = self.client.transmit(self.now).to_vec();
        if !frame.is_empty() {
            self.client.transmitted(frame.len());
            self.up.send(&frame, self.now, &mut self.dice);
        }
        let frame = self.server.transmit(self.now).to_vec();
        if !frame.is_empty() {
            self.server.transmitted(frame.len());
            self.down.send(&frame, self.now, &mut self.dice);
        }
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Answered(Ok(Answer::Started { operation })) => self.close(End::Answered(operation)),
            Notice::Failed(failure) => self.close(End::Failed(failure)),
            Notice::Event(event) => self.events.push(event),
            Notice::Lost(_) => self.connect(),
            Notice::Connected { events_missed, .. } => {
                assert_eq!(events_missed, 0, "there is no other host");
                self.connections += 1;
            }
            Notice::Stopped => self.stops.push(true),
            Notice::StopUnanswered => self.stops.push(false),
            Notice::Answered(other) => panic!("{other:?}"),
        }
    }

    fn close(&mut self, end: End) {
        let job = self.open.take().expect("one notice for each command");
        assert_eq!(self.ends.insert(job, end), None);
    }

    /// Has jobs done, one after another; with a number of resets in between.
    fn work(&mut self, jobs: u32, resets_in_3_s: usize) -> u32 {
        let mut resets = 0;
        for number in 1..=jobs {
            while self.client.submit(job(number), self.now).is_err() {
                self.step();
            }
            self.open = Some(number);
            while self.open.is_some() {
                // Of 3,000 milliseconds so many.
                if self.dice.below(3_000) < resets_in_3_s {
                    // What the controller knew is gone; what is on the line is not.
                    self.server = Server::new(200_000);
                    self.board.ends.clear();
                    resets += 1;
                }
                self.step();
            }
        }
        resets
    }

    /// Every job was carried out once or is known to have failed.
    fn check(&self, jobs: u32) -> Result<(u32, u32), TestCaseError> {
        let mut counts = BTreeMap::<u32, u32>::new();
        self.board.jobs.iter().for_each(|&job| *counts.entry(job).or_default() += 1);
        let (mut answered, mut failed) = (0, 0);
        for number in 1..=jobs {
            let count = counts.get(&number).copied().unwrap_or(0);
            match self.ends.get(&number) {
                Some(End::Answered(operation)) => {
                    prop_assert_eq!((count, *operation), (1, number));
                    answered += 1;
                }
                Some(End::Failed(failure)) => {
                    prop_assert!(
                        count <= u32::from(*failure == Failure::Unknown),
                        "job {} was done {} times: {:?}",
                        number,
                        count,
                        failure
                    );
                    failed += 1;
                }
                None => prop_assert!(false, "nobody knows what became of job {}", number),
            }
        }
        prop_assert_eq!(counts.len(), counts.keys().filter(|&&job| (1..=jobs).contains(&job)).count());
        Ok((answered, failed))
    }
}

fn holds(percent: u64, seed: u64, jobs: u32) -> Result<World, TestCaseError> {
    let mut world = World::new(percent, seed);
    world.work(jobs, 0);
    world.check(jobs)?;
    let expected: Vec<Event> = world.board.jobs.iter().map(|&operation| end(operation)).collect();
    for _ in 0..600_000 {
        if world.events.len() == expected.len() {
            break;
        }
        world.step();
    }
    prop_assert_eq!(&world.events, &expected, "once and in order");
    // Nothing that is still on the line does anything.
    let jobs = world.board.jobs.len();
    (0..3_000).for_each(|_| world.step());
    prop_assert_eq!((world.board.jobs.len(), world.events.len()), (jobs, expected.len()));
    Ok(world)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn a_bad_line_carries_every_command_out_once(seed in any::<u64>()) {
        holds(1, seed, 200)?;
    }

    #[test]
    fn a_terrible_line_carries_every_command_out_once_or_says_that_it_failed(seed in any::<u64>()) {
        holds(20, seed, 60)?;
    }

    /// The controller forgets everything, over and over: still nothing is done twice, and no event comes twice or in the wrong order.
    #[test]
    fn resets_carry_nothing_out_twice(seed in any::<u64>(), percent in prop::sample::select(vec![1_u64, 20])) {
        let mut world = World::new(percent, seed);
        world.work(60, 10);
        world.check(60)?;
        (0..5_000).for_each(|_| world.step());
        let mut jobs = world.board.jobs.iter();
        for event in &world.events {
            prop_assert!(jobs.any(|&operation| end(operation) == *event), "{:?} came twice or in the wrong order", event);
        }
    }

    /// An emergency stop needs no session and arrives once.
    #[test]
    fn an_emergency_stop_arrives_once(seed in any::<u64>(), percent in prop::sample::select(vec![1_u64, 20])) {
        let mut world = World::new(percent, seed);
        for number in 0..20 {
            let nonce = world.dice.draw() as u32;
            world.client.emergency_stop(nonce, world.now);
            while world.stops.len() <= number {
                world.step();
            }
            (0..1_500).for_each(|_| world.step());
        }
        let arrived = world.stops.iter().filter(|&&stopped| stopped).count() as u32;
        prop_assert!((arrived..=20).contains(&world.board.stops), "{} said to have arrived, {} did", arrived, world.board.stops);
        let enough = if percent == 1 { 20 } else { 15 };
        prop_assert!(arrived >= enough);
    }
}

/// The figures behind the properties: how often each way out is taken, so that none of them holds for want of cases.
#[test]
fn the_lines_do_what_they_are_said_to_do() {
    for (percent, jobs) in [(1, 2_000), (20, 600)] {
        let world = holds(percent, 7, jobs).unwrap();
        let (answered, failed) = world.check(jobs).unwrap();
        let link = world.server.statistics();
        println!(
            "{percent} %: {answered} answered, {failed} failed, {} sessions, {:.1} s, {link:?}",
            world.connections,
            world.now as f64 / 1e6
        );
        assert!(link.bad_checksum > 0 && link.repeated > 0 && link.events_resent > 0 && link.late > 0);
        assert!(percent == 20 || failed == 0);
        assert!(answered >= jobs * 9 / 10);
    }
    let mut world = World::new(1, 8);
    let resets = world.work(300, 15);
    let (answered, failed) = world.check(300).unwrap();
    println!("{resets} resets: {answered} answered, {failed} failed, {} sessions", world.connections);
    assert!(resets > 10 && failed > 5 && answered > 200);
}
