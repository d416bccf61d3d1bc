//! Homing, a long move step by step, refusals, light and trigger.

use crate::board::Board;
use crate::pico::{LIGHT, NM_PER_STEP, Pico, STEP, TRIGGER, to, um};
use lsr_firmware::wire::{
    Answer, AxisSettings, Command, Ending, ErrorCode, Event, LightLevel, PerAxis, ResetReason, StageState, TriggerPulse,
};
use lsr_firmware::{Axis, AxisConfig};

#[test]
fn the_stage_homes_against_its_switches() {
    let Some(mut pico) = Pico::start() else { return };
    let status = pico.status();
    assert_eq!((status.state, status.fault), (StageState::Idle, None));
    assert!(matches!(status.reset_reason, ResetReason::PowerOn | ResetReason::External), "{:?}", status.reset_reason);
    assert_eq!(pico.refused(to(1, 1, 1)), ErrorCode::NotHomed { axis: Axis::X });
    assert!(pico.rises(STEP[0]).is_empty(), "a step before homing");
    assert_eq!(pico.go(Command::Home { axes: PerAxis::splat(true) }), Ending::Done);
    let status = pico.status();
    assert_eq!(status.homed, PerAxis::splat(true));
    for axis in Axis::ALL {
        let (says, is) = (f64::from(status.position.get(axis).nm()) / 1e3, pico.carriage_um(axis));
        assert!((says - is).abs() <= NM_PER_STEP / 1e3, "{axis} says {says} um and is at {is} um");
    }
}

#[test]
fn limits_that_are_exchanged_are_refused_by_name_and_change_nothing() {
    let Some(mut pico) = Pico::homed() else { return };
    let Ok(Answer::AxisSettings(settings)) = pico.ask(Command::AxisSettings { axis: Axis::Y }) else { panic!("no settings") };
    let (min, max) = (settings.config.max, settings.config.min);
    let exchanged = AxisSettings { config: AxisConfig { min, max, ..settings.config }, ..settings };
    let ErrorCode::Configuration { error } = pico.refused(Command::ConfigureAxis(exchanged)) else { panic!("another refusal") };
    let text = error.to_string();
    assert!(text.starts_with("axis y: max (nm): expected 50000") && text.ends_with("found 0"), "{text}");
    assert_eq!(pico.ask(Command::AxisSettings { axis: Axis::Y }), Ok(Answer::AxisSettings(settings)));
    assert!(pico.status().homed.y);
}

#[test]
fn a_move_of_ten_millimetres_has_every_step_at_its_time() {
    let Some(mut pico) = Pico::homed() else { return };
    assert_eq!(pico.go(to(1_000, 0, 0)), Ending::Done);
    pico.edges.clear();
    assert_eq!(pico.go(to(11_000, 0, 0)), Ending::Done);
    let rises = pico.rises(STEP[0]);
    assert_eq!(rises.len(), 32_000, "10 mm are 32,000 steps of 0.3125 um");
    // The trapezoid, from its closed form: 64,000 steps/s^2 and 12,800 steps/s.
    let (acceleration, speed) = (20_000e3 / NM_PER_STEP, 4_000e3 / NM_PER_STEP);
    let ramp = speed * speed / (2.0 * acceleration);
    let n = rises.len() as f64;
    let total = 2.0 * speed / acceleration + (n - 2.0 * ramp) / speed;
    let time = |step: f64| {
        if step <= ramp {
            (2.0 * step / acceleration).sqrt()
        } else if step <= n - ramp {
            speed / acceleration + (step - ramp) / speed
        } else {
            total - (2.0 * (n - step) / acceleration).sqrt()
        }
    };
    let mut worst: f64 = 0.0;
    for (i, pair) in rises.windows(2).enumerate() {
        let (planned, found) = (time(i as f64 + 2.0) - time(i as f64 + 1.0), (pair[1] - pair[0]) as f64 * 1e-9);
        worst = worst.max((found - planned).abs() * 1e6);
    }
    println!("32,000 steps; intervals differ from the trapezoid by {worst:.2} us at most");
    assert!(worst <= 2.0, "{worst} us");
    assert!((pico.carriage_um(Axis::X) - 11_000.0).abs() < 0.32, "{}", pico.carriage_um(Axis::X));
    let asked = um(80_000);
    let refused = pico.refused(to(80_000, 0, 0));
    assert_eq!(refused, ErrorCode::OutsideLimits { axis: Axis::X, minimum: um(0), maximum: um(75_000), asked });
}

#[test]
fn the_camera_gets_its_pulse_after_the_stage_has_settled_and_the_light_its_duty_cycle() {
    let Some(mut pico) = Pico::homed() else { return };
    let level = LightLevel { channel: 0, permille: 250 };
    assert_eq!(pico.ask(Command::Light { level, ramp_ms: 0 }), Ok(Answer::Done));
    let moving = pico.start_operation(to(500, 0, 0));
    let pulse = TriggerPulse { width_us: 400, delay_before_us: 1_000, delay_after_us: 2_000 };
    assert_eq!(pico.refused(Command::Trigger(pulse)), ErrorCode::Busy { state: StageState::Moving });
    assert_eq!(pico.ending(moving), Ending::Done);
    let operation = pico.start_operation(Command::Trigger(pulse));
    assert_eq!(pico.ending(operation), Ending::Done);
    let last_step = *pico.rises(STEP[0]).last().unwrap();
    let trigger: Vec<_> = pico.edges.iter().filter(|edge| edge.pin == TRIGGER).copied().collect();
    let [rise, fall] = trigger[..] else { panic!("{trigger:?}") };
    assert!(rise.high && !fall.high);
    assert!(rise.at - last_step >= 51_000_000, "50 ms of rest and 1 ms of delay: {} ns", rise.at - last_step);
    let width = (fall.at - rise.at) as f64 / 1e3;
    // The main loop sees to the pin's fall: it wakes every millisecond at least.
    assert!((400.0..1_500.0).contains(&width), "{width} us");
    let told = pico
        .events
        .iter()
        .any(|event| matches!(event, Event::Exposed(exposure) if exposure.operation == operation && exposure.trigger_id == 1));
    assert!(told, "{:?}", pico.events);
    // A quarter of each period of 50 us.
    pico.edges.clear();
    pico.run(10_000);
    let edges: Vec<_> = pico.edges.iter().filter(|edge| edge.pin == LIGHT).collect();
    let high: u64 = edges.windows(2).filter(|pair| pair[0].high).map(|pair| pair[1].at - pair[0].at).sum();
    let span = edges.last().unwrap().at - edges.first().unwrap().at;
    let duty = high as f64 / span as f64;
    assert!((duty - 0.25).abs() < 0.01, "{duty}");
}
