//! A host that is gone, an emergency button, a switch on the way, a chip that was reset.

use crate::board::Board;
use crate::pico::{LIGHT, Pico, STEP, to};
use lsr_firmware::wire::{Answer, Command, Ending, ErrorCode, Fault, LightLevel, ResetReason, StopSource};
use lsr_firmware::{Axis, Side};
use serde_json::json;

fn lit_and_moving() -> Option<(Pico, u32)> {
    let mut pico = Pico::homed()?;
    let level = LightLevel { channel: 0, permille: 500 };
    assert_eq!(pico.ask(Command::Light { level, ramp_ms: 0 }), Ok(Answer::Done));
    let operation = pico.start_operation(to(40_000, 0, 0));
    pico.run(500_000);
    assert!(pico.rises(STEP[0]).len() > 1_000);
    Some((pico, operation))
}

#[test]
fn without_its_host_the_stage_stops_in_the_dark_and_still_knows_where_it_is() {
    let Some((mut pico, operation)) = lit_and_moving() else { return };
    let gone = pico.now;
    pico.host = false;
    pico.run(1_600_000);
    let last = pico.rises(STEP[0]).last().unwrap() / 1000;
    println!("the last step came {} ms after the host was gone", (last - gone) / 1000);
    // Heartbeat 1 s, 64 steps in the queue (5 ms), ramp 200 ms.
    assert!((gone + 900_000..gone + 1_250_000).contains(&last));
    pico.edges.clear();
    pico.run(100_000);
    assert!(pico.edges.is_empty(), "steps or light after the fault: {:?}", pico.edges.first());
    pico.connect();
    let fault = Fault::HostLost { heartbeat_ms: 1_000 };
    assert_eq!(pico.ending(operation), Ending::Faulted(fault));
    assert_eq!(pico.refused(to(0, 0, 0)), ErrorCode::Faulted { fault });
    let says = f64::from(pico.status().position.x.nm()) / 1e3;
    assert!((says - pico.carriage_um(Axis::X)).abs() < 0.32, "{says} um and {} um", pico.carriage_um(Axis::X));
    assert_eq!(pico.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    assert_eq!(pico.go(to(1_000, 0, 0)), Ending::Done);
    assert!((pico.carriage_um(Axis::X) - 1_000.0).abs() < 0.32);
}

#[test]
fn the_button_ends_all_steps_at_once() {
    let Some((mut pico, operation)) = lit_and_moving() else { return };
    pico.press_button(true);
    let pressed = pico.now * 1000;
    pico.run(300_000);
    let late = pico.rises(STEP[0]).into_iter().filter(|&at| at > pressed).map(|at| at - pressed).max().unwrap_or(0);
    println!("the last step came {} us after the button", late / 1000);
    assert!(late < 1_500_000, "the main loop reads the button every millisecond: {late} ns");
    let fault = Fault::EmergencyStop { source: StopSource::Button };
    assert_eq!(pico.ending(operation), Ending::Faulted(fault));
    let light = pico.edges.iter().rev().find(|edge| edge.pin == LIGHT).unwrap();
    assert!(!light.high);
    assert_eq!(pico.refused(Command::AcknowledgeFault), ErrorCode::FaultPersists { fault });
    pico.press_button(false);
    pico.run(2_000);
    assert_eq!(pico.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    assert_eq!(pico.refused(to(0, 0, 0)), ErrorCode::NotHomed { axis: Axis::X }, "stopped from full speed: its place is not known");
}

#[test]
fn a_switch_on_the_way_stops_the_axis_within_a_step() {
    let Some(mut pico) = Pico::homed() else { return };
    assert_eq!(pico.go(to(5_000, 0, 0)), Ending::Done);
    // The switch at the negative end now trips at 3,000 steps from the old one.
    let axis = |first: u8, position: i64, switch_at: i64| json!({ "step": first, "dir": first + 1, "limit": first + 2, "positive": 1, "position": position, "switchAt": switch_at, "pressed": 1 });
    let positions = pico.positions.clone();
    pico.chip.ask(&json!({ "axes": [axis(2, positions[0], 3_000), axis(5, positions[1], 0), axis(8, positions[2], 0)] }));
    let ending = pico.go(to(0, 0, 0));
    assert_eq!(ending, Ending::Faulted(Fault::LimitHit { axis: Axis::X, side: Side::Negative }));
    assert!((2_999..=3_000).contains(&pico.positions[0]), "stopped at step {}", pico.positions[0]);
}

/// The hardware watchdog is fed by the main loop alone, and only while the step interrupt lives.
#[test]
fn a_step_interrupt_that_dies_resets_the_board() {
    const NVIC_ICER: u32 = 0xE000_E180;
    let Some((mut pico, _)) = lit_and_moving() else { return };
    let dies = pico.now;
    pico.chip.ask(&json!({ "poke": [NVIC_ICER, 1] }));
    while pico.stopped.is_none() && pico.now < dies + 1_000_000 {
        pico.run(500);
    }
    println!("the watchdog resets the board {} ms after the interrupt has died", (pico.now - dies) / 1000);
    assert_eq!(pico.stopped.as_deref(), Some("watchdog"));
    assert!(pico.now < dies + 110_000);
    assert!(pico.rises(STEP[0]).last().unwrap() / 1000 <= dies);
    pico.reset("watchdog");
    pico.run(20_000);
    pico.connect();
    assert_eq!(pico.status().reset_reason, ResetReason::Watchdog);
}

#[test]
fn after_a_reset_nothing_is_homed_and_the_host_is_told_why() {
    let Some(mut pico) = Pico::homed() else { return };
    pico.reset("watchdog");
    pico.run(20_000);
    pico.connect();
    let status = pico.status();
    assert_eq!(status.reset_reason, ResetReason::Watchdog);
    assert!(!status.homed.x);
    assert_eq!(pico.refused(to(1, 1, 1)), ErrorCode::NotHomed { axis: Axis::X });
}
