//! What happens when something goes wrong.

use crate::bench::{Bench, to, um};
use lsr_firmware::wire::{Answer, Command, Ending, ErrorCode, Event, Fault, LightLevel, StopSource};
use lsr_firmware::{Axis, Side};

/// 5 mm/s and 50 mm/s^2: the ramp takes 100 ms.
const RAMP_US: u64 = 100_000;

fn lit_and_moving() -> (Bench, u32) {
    let mut bench = Bench::homed();
    let level = LightLevel { channel: 0, permille: 500 };
    assert_eq!(bench.ask(Command::Light { level, ramp_ms: 0 }), Ok(Answer::Done));
    let operation = bench.start(to(18_000, 0, 0));
    bench.run(500_000);
    assert!(bench.steps() > 1_000 && bench.world.borrow().light == 500);
    (bench, operation)
}

#[test]
fn without_its_host_the_stage_stops_by_its_ramp_in_the_dark_and_knows_where_it_is() {
    let (mut bench, operation) = lit_and_moving();
    let gone = bench.now;
    bench.host = false;
    bench.run(3_000_000);
    let last = bench.world.borrow().steps.last().unwrap().0;
    // The heartbeat, what is in the queue, and the ramp.
    assert!((gone + 800_000..gone + 1_000_000 + RAMP_US + 30_000).contains(&last), "{} us after the host", last - gone);
    assert_eq!(bench.world.borrow().light, 0);

    bench.connect();
    let fault = Fault::HostLost { heartbeat_ms: 1_000 };
    assert_eq!(bench.ending(operation), Ending::Faulted(fault), "the next host is told how it ended");
    assert_eq!(bench.refused(to(0, 0, 0)), ErrorCode::Faulted { fault });
    let level = LightLevel { channel: 0, permille: 1 };
    assert_eq!(bench.refused(Command::Light { level, ramp_ms: 0 }), ErrorCode::Faulted { fault });
    let status = bench.status();
    assert_eq!(status.fault, Some(fault));
    assert_eq!(bench.carriage(Axis::X), status.position.x, "the position is still true");
    assert!(status.homed.x);
    assert_eq!(bench.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    assert_eq!(bench.go(to(1_000, 0, 0)), Ending::Done);
    assert_eq!(bench.carriage(Axis::X), um(1_000));
    assert_eq!(bench.refused(Command::AcknowledgeFault), ErrorCode::NoFault);
}

#[test]
fn an_emergency_stop_ends_all_steps_at_once() {
    let (mut bench, operation) = lit_and_moving();
    bench.controller.button(true);
    bench.run(1_000);
    let steps = bench.steps();
    assert_eq!(bench.world.borrow().light, 0);
    bench.run(500_000);
    assert_eq!(bench.steps(), steps, "a step after the emergency stop");
    let fault = Fault::EmergencyStop { source: StopSource::Button };
    assert_eq!(bench.ending(operation), Ending::Faulted(fault));
    assert!(bench.events.contains(&Event::Faulted(fault)));
    assert_eq!(bench.refused(Command::AcknowledgeFault), ErrorCode::FaultPersists { fault }, "the button is still pressed");
    bench.controller.button(false);
    assert_eq!(bench.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    // Stopped from full speed without a ramp: nobody knows how far it slipped.
    assert_eq!(bench.refused(to(0, 0, 0)), ErrorCode::NotHomed { axis: Axis::X });
    assert_eq!(bench.ask(Command::EmergencyStop), Ok(Answer::Done));
    assert_eq!(bench.status().fault, Some(Fault::EmergencyStop { source: StopSource::Host }));
}

#[test]
fn a_limit_switch_stops_the_stage_where_it_is_hit() {
    let mut bench = Bench::homed();
    let hit = *bench.world.borrow().motors.get(Axis::Y) + 4_000;
    *bench.world.borrow_mut().positive_switch.get_mut(Axis::Y) = hit;
    let ending = bench.go(to(0, 10_000, 0));
    let fault = Fault::LimitHit { axis: Axis::Y, side: Side::Positive };
    assert_eq!(ending, Ending::Faulted(fault));
    assert!(*bench.world.borrow().motors.get(Axis::Y) <= hit + 1, "more than one step into the switch");
    assert_eq!(bench.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    assert_eq!(bench.status().fault, None);
}

#[test]
fn a_step_interrupt_that_no_longer_comes_is_a_fault_that_lasts_as_long() {
    let mut bench = Bench::homed();
    let level = LightLevel { channel: 0, permille: 500 };
    assert_eq!(bench.ask(Command::Light { level, ramp_ms: 0 }), Ok(Answer::Done));
    bench.interrupts = false;
    bench.run(100_000);
    assert_eq!(bench.world.borrow().light, 0);
    assert_eq!(bench.status().fault, Some(Fault::ExecutorSilent));
    assert_eq!(bench.refused(Command::AcknowledgeFault), ErrorCode::FaultPersists { fault: Fault::ExecutorSilent });
    bench.interrupts = true;
    bench.run(10_000);
    assert_eq!(bench.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    assert_eq!(bench.go(to(100, 0, 0)), Ending::Done);
}
