//! Moves, light, trigger and monitor as a host sees them.

use crate::bench::{Bench, to, um};
use lsr_firmware::wire::{
    Answer, AxisSettings, Command, Direction, Ending, ErrorCode, Event, FieldSummary, LightLevel, ResetReason, Setting, StageState,
    TriggerPulse,
};
use lsr_firmware::{Axis, ConfigField, PerAxis};

#[test]
fn nothing_moves_before_homing_and_everything_where_it_was_sent_after_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(to(1, 1, 1)), ErrorCode::NotHomed { axis: Axis::X });
    assert_eq!(bench.steps(), 0);
    let status = bench.status();
    assert_eq!((status.state, status.fault, status.reset_reason), (StageState::Idle, None, ResetReason::PowerOn));

    assert_eq!(bench.go(Command::Home { axes: PerAxis::splat(true) }), Ending::Done);
    assert_eq!(bench.go(to(12_345, 678, 9)), Ending::Done);
    let status = bench.status();
    assert_eq!(status.position, PerAxis { x: um(12_345), y: um(678), z: um(9) });
    for axis in Axis::ALL {
        assert_eq!(bench.carriage(axis), *status.position.get(axis), "the motor of {axis} is where the status says");
    }
    let asked = um(20_001);
    assert_eq!(bench.refused(to(20_001, 0, 0)), ErrorCode::OutsideLimits { axis: Axis::X, minimum: um(0), maximum: um(20_000), asked });
}

#[test]
fn what_is_under_way_is_stopped_by_its_ramp_and_not_disturbed() {
    let mut bench = Bench::homed();
    let operation = bench.start(to(15_000, 0, 0));
    bench.run(500_000);
    assert_eq!(bench.refused(to(1, 1, 1)), ErrorCode::Busy { state: StageState::Moving });
    assert_eq!(bench.refused(Command::Goodbye), ErrorCode::Busy { state: StageState::Moving });
    assert_eq!(bench.ask(Command::Stop), Ok(Answer::Done));
    assert_eq!(bench.ending(operation), Ending::Stopped);
    let status = bench.status();
    assert_eq!(bench.carriage(Axis::X), status.position.x);
    assert!(status.homed.x && status.position.x > um(1_000) && status.position.x < um(15_000));
}

#[test]
fn a_bad_configuration_is_refused_by_the_field_s_name() {
    let mut bench = Bench::homed();
    let Ok(Answer::AxisSettings(settings)) = bench.ask(Command::AxisSettings { axis: Axis::Z }) else { panic!() };
    let mut swapped = settings;
    (swapped.config.min, swapped.config.max) = (settings.config.max, settings.config.min);
    let refused = bench.refused(Command::ConfigureAxis(swapped));
    let ErrorCode::Configuration { error } = refused else { panic!("{refused}") };
    assert!([ConfigField::Min, ConfigField::Max].iter().any(|field| error.to_string().contains(field.name())), "{error}");
    assert_eq!(bench.ask(Command::AxisSettings { axis: Axis::Z }), Ok(Answer::AxisSettings(settings)), "nothing has changed");
    assert!(bench.status().homed.z);
    let slower = AxisSettings { config: lsr_firmware::AxisConfig { max_speed_um_per_s: 2_000, ..settings.config }, ..settings };
    assert_eq!(bench.ask(Command::ConfigureAxis(slower)), Ok(Answer::Done));
    assert!(!bench.status().homed.z, "an axis of other mechanics must be homed again");
}

#[test]
fn light_follows_its_ramp_and_keeps_its_ceiling() {
    let mut bench = Bench::new();
    let set = |permille, ramp_ms| Command::Light { level: LightLevel { channel: 0, permille }, ramp_ms };
    assert_eq!(bench.ask(set(800, 100)), Ok(Answer::Done));
    bench.run(50_000);
    assert!((300..=500).contains(&bench.world.borrow().light), "{}", bench.world.borrow().light);
    bench.run(100_000);
    assert_eq!(bench.status().light[0], 800);
    assert_eq!(bench.refused(set(801, 0)), ErrorCode::LightAboveCeiling { channel: 0, ceiling: 800, asked: 801 });
    let level = LightLevel { channel: 3, permille: 1 };
    assert_eq!(bench.refused(Command::Light { level, ramp_ms: 0 }), ErrorCode::UnknownLight { channels: 1, found: 3 });
    assert_eq!(bench.world.borrow().light, 800);
    assert_eq!(bench.ask(Command::Goodbye), Ok(Answer::Done));
    assert_eq!(bench.world.borrow().light, 0, "whoever leaves puts the light out");
}

const PULSE: TriggerPulse = TriggerPulse { width_us: 1_000, delay_before_us: 2_000, delay_after_us: 3_000 };

#[test]
fn the_camera_is_triggered_after_the_stage_has_settled_and_never_on_the_way() {
    let mut bench = Bench::homed();
    let moving = bench.start(to(2_000, 0, 0));
    bench.run(100_000);
    assert_eq!(bench.refused(Command::Trigger(PULSE)), ErrorCode::Busy { state: StageState::Moving });
    assert_eq!(bench.ending(moving), Ending::Done);
    let last_step = bench.world.borrow().steps.last().unwrap().0;
    let operation = bench.start(Command::Trigger(PULSE));
    assert_eq!(bench.refused(to(0, 0, 0)), ErrorCode::TriggerPending);
    assert_eq!(bench.ending(operation), Ending::Done);
    let edges = bench.world.borrow().trigger.clone();
    // The first is the pin's level at the start.
    let [(_, false), (rise, true), (fall, false)] = edges[..] else { panic!("{edges:?}") };
    assert!(rise - last_step >= 20_000 + 2_000, "settling time and delay: {}", rise - last_step);
    assert!((1_000..1_000 + 2 * 200).contains(&(fall - rise)), "{}", fall - rise);
    let exposures: Vec<_> =
        bench.events.iter().filter_map(|event| if let Event::Exposed(exposure) = event { Some(exposure) } else { None }).collect();
    let [exposure] = exposures[..] else { panic!("{exposures:?}") };
    assert_eq!((exposure.operation, exposure.trigger_id, exposure.time_us, exposure.position.x), (operation, 1, rise, um(2_000)));
    let wide = TriggerPulse { width_us: 0, ..PULSE };
    assert!(matches!(bench.refused(Command::Trigger(wide)), ErrorCode::OutOfRange { setting: Setting::TriggerWidth, .. }));
}

#[test]
fn fields_are_judged_and_an_alarm_is_told_once_and_shown() {
    let mut bench = Bench::new();
    // Label 9 expects 70 +- 5 %: nothing at all is far below.
    let field = FieldSummary { label: 9, pixels: 10_000, sum: 0, sum_of_squares: 0 };
    let mut alarms = 0;
    for _ in 0..20 {
        let Ok(Answer::Consistency(found)) = bench.ask(Command::Field(field)) else { panic!() };
        assert!(found.z_score < -5.0);
        alarms += usize::from(found.alarm == Some(Direction::Below));
    }
    bench.run(10_000);
    assert!(alarms > 0 && bench.world.borrow().lamp);
    let told = bench.events.iter().filter(|event| matches!(event, Event::Alarm { label: 9, direction: Direction::Below })).count();
    assert_eq!(told, 1);
    assert_eq!(bench.ask(Command::AcknowledgeAlarm { label: 9 }), Ok(Answer::Done));
    assert!(!bench.world.borrow().lamp && !bench.status().alarm);
    assert_eq!(bench.refused(Command::Moments { label: 10 }), ErrorCode::UnknownLabel { labels: 10, found: 10 });
}
