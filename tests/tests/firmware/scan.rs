//! A scan that loses its host in the middle.

use crate::board::Board;
use crate::pico::{LIGHT, Pico, STEP, TRIGGER, um};
use lsr_firmware::wire::{Answer, Command, Ending, Event, Fault, LightLevel, ScanOrder, ScanPlan, TriggerPulse};

const SNAKE: [u32; 12] = [0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11];

pub(crate) fn plan() -> ScanPlan {
    ScanPlan {
        x: um(500),
        y: um(500),
        z: None,
        columns: 4,
        rows: 3,
        pitch_x: um(400),
        pitch_y: um(300),
        order: ScanOrder::Snake,
        first_visit: 0,
        settle_ms: 0,
        trigger: TriggerPulse { width_us: 500, delay_before_us: 0, delay_after_us: 5_000 },
        light: Some(LightLevel { channel: 0, permille: 400 }),
    }
}

/// Fields in the order of their exposures; the pulse's number is theirs, from 1 on.
fn fields(pico: &Pico) -> Vec<u32> {
    let exposed = pico.events.iter().filter_map(|event| match event {
        Event::FieldExposed { field, exposure } => Some((*field, exposure)),
        _ => None,
    });
    let found: Vec<_> = exposed.collect();
    for (number, (field, exposure)) in (1..).zip(&found) {
        let (column, row) = ((field % 4) as i32, (field / 4) as i32);
        assert_eq!((exposure.position.x, exposure.position.y), (um(500 + 400 * column), um(500 + 300 * row)));
        assert_eq!(exposure.trigger_id, number);
    }
    found.into_iter().map(|(field, _)| field).collect()
}

#[test]
fn a_scan_that_loses_its_host_stops_and_goes_on_with_every_field_once() {
    let Some(mut pico) = Pico::homed() else { return };
    let operation = pico.start_operation(Command::Scan(plan()));
    while fields(&pico).len() < 3 {
        pico.run(10_000);
    }
    let gone = pico.now;
    pico.host = false;
    pico.run(1_700_000);
    let last = pico.edges.iter().filter(|edge| STEP.contains(&edge.pin) || edge.pin == TRIGGER).map(|edge| edge.at / 1000).max().unwrap();
    println!("the last edge came {} ms after the host was gone", (last - gone) / 1000);
    assert!(last < gone + 1_250_000);
    let light = pico.edges.iter().rev().find(|edge| edge.pin == LIGHT).unwrap();
    assert!(!light.high, "the light is on");
    pico.connect();
    let fault = Fault::HostLost { heartbeat_ms: 1_000 };
    assert_eq!(pico.ending(operation), Ending::Faulted(fault));
    let done = fields(&pico);
    assert_eq!(done, SNAKE[..done.len()], "fields that were exposed while nobody listened are told to the next host");
    assert_eq!(pico.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    assert_eq!(pico.go(Command::Scan(ScanPlan { first_visit: done.len() as u32, ..plan() })), Ending::Done);
    assert_eq!(fields(&pico), SNAKE);
    assert_eq!(pico.rises(TRIGGER).len(), 12, "one pulse a field");
}
