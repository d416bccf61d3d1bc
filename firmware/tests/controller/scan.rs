//! Scans that the controller carries out by itself.

use crate::bench::{Bench, to, um};
use lsr_firmware::wire::{Answer, Command, Ending, ErrorCode, Event, Fault, LightLevel, ScanOrder, ScanPlan, TriggerPulse};
use lsr_firmware::{Axis, Um};

const PULSE: TriggerPulse = TriggerPulse { width_us: 500, delay_before_us: 0, delay_after_us: 1_000 };

fn plan() -> ScanPlan {
    ScanPlan {
        x: um(1_000),
        y: um(2_000),
        z: None,
        columns: 4,
        rows: 3,
        pitch_x: um(300),
        pitch_y: um(-200),
        order: ScanOrder::Snake,
        first_visit: 0,
        settle_ms: 30,
        trigger: PULSE,
        light: Some(LightLevel { channel: 0, permille: 700 }),
    }
}

/// Fields in the order of their exposures, each checked against where the stage stood.
fn fields(bench: &Bench) -> Vec<u32> {
    let exposed = bench.events.iter().filter_map(|event| match event {
        Event::FieldExposed { field, exposure } => Some((*field, exposure)),
        _ => None,
    });
    let (fields, ids): (Vec<u32>, Vec<u32>) = exposed
        .map(|(field, exposure)| {
            let (column, row) = ((field % 4) as i32, (field / 4) as i32);
            assert_eq!((exposure.position.x, exposure.position.y), (um(1_000 + 300 * column), um(2_000 - 200 * row)), "field {field}");
            assert_eq!(exposure.light[0], 700);
            (field, exposure.trigger_id)
        })
        .unzip();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    fields
}

const SNAKE: [u32; 12] = [0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11];

#[test]
fn a_snake_visits_every_field_once_after_it_has_settled() {
    let mut bench = Bench::homed();
    assert_eq!(bench.go(to(0, 0, 40)), Ending::Done);
    assert_eq!(bench.go(Command::Scan(plan())), Ending::Done);
    assert_eq!(fields(&bench), SNAKE);
    let status = bench.status();
    assert_eq!((status.position.z, status.light[0], status.scan), (um(40), 0, None), "z stays, the light goes off");
    // Between the last step before each pulse and the pulse: the plan's rest, which is longer than the stage's.
    let world = bench.world.borrow();
    for (rise, _) in world.trigger.iter().filter(|(_, high)| *high) {
        let before = world.steps.iter().map(|(at, _)| *at).filter(|at| at < rise).max().unwrap();
        assert!(rise - before >= 30_000, "{} us after a step", rise - before);
    }
}

#[test]
fn a_scan_pauses_repeats_goes_on_and_is_aborted() {
    let mut bench = Bench::homed();
    let operation = bench.start(Command::Scan(plan()));
    assert_eq!(bench.refused(to(0, 0, 0)), ErrorCode::ScanRunning);
    while fields(&bench).len() < 3 {
        bench.run(10_000);
    }
    assert_eq!(bench.ask(Command::PauseScan), Ok(Answer::Done));
    bench.run(1_000_000);
    let done = fields(&bench);
    let paused = Event::ScanPaused { operation, next_visit: done.len() as u32 };
    assert_eq!(bench.events.iter().filter(|event| **event == paused).count(), 1, "{:?}", bench.events);
    assert!(bench.status().scan.unwrap().paused);
    assert_eq!(bench.refused(Command::RepeatField { field: 12 }), ErrorCode::UnknownField { fields: 12, found: 12 });
    assert_eq!(bench.ask(Command::RepeatField { field: 1 }), Ok(Answer::Done));
    assert_eq!(bench.ask(Command::ResumeScan), Ok(Answer::Done));
    assert_eq!(bench.refused(Command::ResumeScan), ErrorCode::ScanNotPaused);
    while fields(&bench).len() < done.len() + 3 {
        bench.run(10_000);
    }
    assert_eq!(bench.ask(Command::AbortScan), Ok(Answer::Done));
    assert_eq!(bench.ending(operation), Ending::Stopped);
    let mut expected = SNAKE.to_vec();
    expected.insert(done.len(), 1);
    let seen = fields(&bench);
    assert_eq!(seen, expected[..seen.len()], "the repeated field before the next one");
    assert_eq!(bench.refused(Command::AbortScan), ErrorCode::NoScan);
}

#[test]
fn a_scan_that_was_cut_off_goes_on_where_it_was() {
    let mut bench = Bench::homed();
    let operation = bench.start(Command::Scan(plan()));
    while fields(&bench).len() < 5 {
        bench.run(10_000);
    }
    bench.host = false;
    bench.run(3_000_000);
    assert_eq!(bench.world.borrow().light, 0);
    bench.connect();
    assert_eq!(bench.ending(operation), Ending::Faulted(Fault::HostLost { heartbeat_ms: 1_000 }));
    assert_eq!(bench.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    // Fields that were exposed while nobody listened were told to the next host: none is missing.
    let done = fields(&bench);
    assert_eq!(done, SNAKE[..done.len()]);
    assert_eq!(bench.go(Command::Scan(ScanPlan { first_visit: done.len() as u32, ..plan() })), Ending::Done);
    assert_eq!(fields(&bench), SNAKE);
}

#[test]
fn a_scan_that_cannot_be_is_refused_before_anything_happens() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(Command::Scan(plan())), ErrorCode::NotHomed { axis: Axis::X });
    let mut bench = Bench::homed();
    let beyond = ScanPlan { columns: 100, ..plan() };
    assert!(matches!(bench.refused(Command::Scan(beyond)), ErrorCode::OutsideLimits { axis: Axis::X, .. }));
    assert_eq!(bench.refused(Command::Scan(ScanPlan { first_visit: 12, ..plan() })), ErrorCode::UnknownField { fields: 12, found: 12 });
    for empty in [ScanPlan { columns: 0, ..plan() }, ScanPlan { rows: 0, ..plan() }, ScanPlan { pitch_x: Um::MAX, ..plan() }] {
        assert!(matches!(bench.refused(Command::Scan(empty)), ErrorCode::OutOfRange { .. }));
    }
    let glaring = ScanPlan { light: Some(LightLevel { channel: 0, permille: 900 }), ..plan() };
    assert!(matches!(bench.refused(Command::Scan(glaring)), ErrorCode::LightAboveCeiling { .. }));
    assert_eq!((bench.steps(), bench.world.borrow().light), (0, 0));
}
