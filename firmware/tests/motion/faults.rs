//! What stops the stage by itself: limit switches, emergency, a missing permission, late steps, lost steps, failed pins. All latched.

use crate::sim::{Rig, axis, only, stage_config, to, um};
use embedded_hal::digital::{ErrorType, OutputPin};
use lsr_firmware::{
    Axes, Axis, AxisConfig, AxisPins, DriverTiming, MotionError, MotionEvent, MotionFault, MotionShared, NoEncoder, NoPin, Outcome,
    PerAxis, Polarity, Profile, Rate, Side, Stage, StageConfig, StageState, StepExecutor, StepQueue, Um,
};

use proptest::prelude::*;

const X: Axes = Axes::NONE.with(Axis::X);

fn running_at_full_speed() -> Rig {
    let mut rig = Rig::at(stage_config(), um(0));
    rig.stage.move_to(only(Axis::X, um(4_000))).unwrap();
    assert_eq!(rig.run_for(400_000), None);
    rig
}

/// After the fault: latched, refused by name, acknowledged, and what is homed.
fn latched(rig: &mut Rig, fault: MotionFault, homed: Axes) {
    assert_eq!(rig.finish(), Outcome::Failed(fault));
    let status = rig.stage.status();
    assert_eq!((status.state, status.fault, status.homed), (StageState::Faulted, Some(fault), homed));
    assert_eq!(rig.stage.move_to(to(10, 10, 10)), Err(MotionError::Faulted { fault }));
    assert_eq!(rig.stage.move_by(to(0, 0, 0)), Err(MotionError::Faulted { fault }));
    assert_eq!(rig.stage.home(Axes::ALL), Err(MotionError::Faulted { fault }));
}

/// The switch closes at a step, at any speed: there is no next one.
#[test]
fn a_limit_stops_within_a_step() {
    for at in [1, 2, 50, 999, 1_000, 1_001, 7_777, 15_999] {
        let mut rig = Rig::at(stage_config(), um(0));
        rig.change(Axis::X, |x| x.positive_switch = at);
        rig.stage.move_to(to(4_000, 2_000, 0)).unwrap();
        let fault = MotionFault::Limit { axis: Axis::X, side: Side::Positive };
        assert_eq!(rig.finish(), Outcome::Failed(fault));
        assert_eq!(rig.motor(Axis::X), at, "stopped at the step that closed the switch");
        // y stops with it, on the line, and positions are kept.
        assert!((rig.motor(Axis::Y) - at / 2).abs() <= 1);
        let counted = (i64::from(rig.stage.status().position.x.nm()), i64::from(rig.stage.status().position.y.nm()));
        assert_eq!(counted, (rig.motor(Axis::X) * 250, rig.motor(Axis::Y) * 250));
        assert!(rig.shared.switch_active(Axis::X, Side::Positive));
        // Away from the switch it goes on, once acknowledged: if it was slow enough that no step was lost.
        rig.acknowledge();
        let slow = at <= 9; // 500 um/s are 2,000 steps/s, reached with step 10.
        assert_eq!(rig.stage.status().homed.contains(Axis::X), slow || at == 15_999, "at {at}");
        if slow {
            assert_eq!(rig.stage.move_to(only(Axis::X, um(0))), Ok(()));
            assert_eq!(rig.finish(), Outcome::Arrived);
            assert_eq!(rig.motor(Axis::X), 0);
        }
    }
}

/// Bursts of interference shorter than the window, many of them, at any phase of the steps.
#[test]
fn glitches_are_ignored() {
    let mut rig = Rig::at(stage_config(), um(0));
    let now = rig.now;
    let glitches: Vec<_> = (0..800).map(|i| (Side::Positive, now + i * 1_003, now + i * 1_003 + 19)).collect();
    rig.change(Axis::X, |x| x.glitches = glitches);
    assert_eq!(rig.go(only(Axis::X, um(4_000))), Outcome::Arrived);
    assert!(rig.now > now + 800 * 1_003);
    assert_eq!(rig.motor(Axis::X), 16_000);

    // In time with the steps, at the step and at its pulse's end: the look in between says otherwise.
    let mut rig = running_at_full_speed();
    let step = rig.take_edges().last().unwrap().at;
    let glitches = (0..5_000).map(|i| (Side::Positive, step + 50 * i - 1, step + 50 * i + 5)).collect();
    rig.change(Axis::X, |x| x.glitches = glitches);
    assert_eq!(rig.finish(), Outcome::Arrived);

    // One as long as two windows and the interval between two steps is no glitch.
    let mut rig = running_at_full_speed();
    let now = rig.now;
    rig.change(Axis::X, |x| x.glitches = vec![(Side::Positive, now, now + 50 + 2 * 20)]);
    latched(&mut rig, MotionFault::Limit { axis: Axis::X, side: Side::Positive }, Axes::ALL.without(Axis::X));
    // The switch behind is not asked.
    let mut rig = running_at_full_speed();
    let now = rig.now;
    rig.change(Axis::X, |x| x.glitches = vec![(Side::Negative, now, now + 100_000)]);
    assert_eq!(rig.finish(), Outcome::Arrived);
}

#[test]
fn an_emergency_stop_lets_no_step_begin() {
    let mut rig = running_at_full_speed();
    rig.take_edges();
    // From an interrupt, without the main loop's help.
    rig.hung = true;
    rig.shared.emergency_stop();
    rig.interrupt();
    assert_eq!(rig.run_for(10_000), None);
    assert!(rig.take_edges().is_empty());
    rig.hung = false;
    latched(&mut rig, MotionFault::EmergencyStop, Axes::ALL.without(Axis::X));
    rig.acknowledge();
    assert_eq!(rig.stage.acknowledge(), Err(MotionError::NoFault));
    assert_eq!(rig.stage.move_to(only(Axis::X, um(10))), Err(MotionError::NotHomed { axis: Axis::X }));
    assert_eq!(rig.go(only(Axis::Y, um(10))), Outcome::Arrived);
}

#[test]
fn from_a_low_speed_an_emergency_stop_costs_no_step() {
    let config = StageConfig { axes: PerAxis::splat(AxisConfig { sudden_stop_um_per_s: 5_000, ..axis() }), retraction: None };
    let mut rig = Rig::at(config, um(0));
    rig.stage.move_to(only(Axis::X, um(4_000))).unwrap();
    assert_eq!(rig.run_for(400_000), None);
    rig.stage.emergency_stop();
    rig.interrupt();
    // A round of the main loop to hear of it, and a call of the executor to drop what is queued.
    let told = rig.run_for(1_000 + 2 * 700);
    assert_eq!(told, Some(MotionEvent::Finished(Outcome::Failed(MotionFault::EmergencyStop))));
    assert_eq!(rig.stage.status().homed, Axes::ALL);
    rig.acknowledge();
    assert_eq!(rig.go(only(Axis::X, um(0))), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::X), 0);
}

#[test]
fn at_rest_an_emergency_stop_is_told_and_latched() {
    let mut rig = Rig::at(stage_config(), um(0));
    assert_eq!(rig.stage.acknowledge(), Err(MotionError::NoFault));
    rig.shared.emergency_stop();
    assert_eq!(rig.run_for(5_000), Some(MotionEvent::Fault(MotionFault::EmergencyStop)));
    assert_eq!(rig.run_for(5_000), None, "told once");
    assert_eq!(rig.stage.move_to(to(1, 1, 1)), Err(MotionError::Faulted { fault: MotionFault::EmergencyStop }));
    // Acknowledged; the button is pressed again: again a fault.
    rig.acknowledge();
    rig.shared.emergency_stop();
    assert_eq!(rig.run_for(5_000), Some(MotionEvent::Fault(MotionFault::EmergencyStop)));
    rig.acknowledge();
    assert_eq!(rig.go(to(1, 1, 1)), Outcome::Arrived);
}

/// The button is pressed while another fault is latched: acknowledging that one does not release it.
#[test]
fn an_emergency_stop_outlives_another_fault() {
    let mut rig = Rig::at(stage_config(), um(0));
    rig.change(Axis::X, |x| x.positive_switch = 5);
    rig.stage.move_to(only(Axis::X, um(100))).unwrap();
    latched(&mut rig, MotionFault::Limit { axis: Axis::X, side: Side::Positive }, Axes::ALL);
    rig.shared.emergency_stop();
    rig.run_for(5_000);
    rig.stage.acknowledge().unwrap();
    assert_eq!(rig.run_for(5_000), Some(MotionEvent::Fault(MotionFault::EmergencyStop)));
    rig.acknowledge();
    assert_eq!(rig.go(only(Axis::X, um(0))), Outcome::Arrived);
}

/// A move that is begun before the executor has taken note of the acknowledgement loses no step.
#[test]
fn a_move_right_after_the_acknowledgement_is_whole() {
    let mut rig = Rig::at(stage_config(), um(0));
    rig.shared.emergency_stop();
    rig.run_for(5_000);
    rig.stage.acknowledge().unwrap();
    rig.stage.move_to(only(Axis::X, um(1_000))).unwrap();
    assert_eq!(rig.stage.poll(rig.now), None, "the executor has not been called since");
    assert_eq!(rig.finish(), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::X), 4_000);
    // In one go, from the ramp's first step on.
    let profile = Profile::new(4_000, Rate::new(50 << 32, 100_000));
    for (edge, n) in rig.take_edges().windows(2).zip(1..) {
        assert_eq!(edge[1].at - edge[0].at, profile.time(n + 1) - profile.time(n));
    }
}

#[test]
fn without_permission_no_step_begins() {
    let mut rig = running_at_full_speed();
    rig.take_edges();
    rig.hung = true;
    rig.shared.permit(false);
    assert_eq!(rig.run_for(3_000), None);
    assert!(rig.take_edges().is_empty());
    rig.hung = false;
    latched(&mut rig, MotionFault::Forbidden, Axes::ALL.without(Axis::X));
    rig.acknowledge();
    assert_eq!(rig.stage.move_to(only(Axis::Y, um(1))), Err(MotionError::Forbidden));
    rig.shared.permit(true);
    assert_eq!(rig.go(only(Axis::Y, um(1))), Outcome::Arrived);
    // At rest it is no fault.
    rig.shared.permit(false);
    assert_eq!(rig.run_for(10_000), None);
    assert_eq!(rig.stage.status().state, StageState::Idle);
}

/// The main loop hangs in the middle of a move: the queue runs empty, and what comes too late is not made up for in a burst.
#[test]
fn late_steps_are_a_fault() {
    let mut rig = running_at_full_speed();
    rig.hung = true;
    let before = rig.motor(Axis::X);
    assert_eq!(rig.run_for(20_000), None);
    assert!(rig.motor(Axis::X) - before <= 65);
    rig.take_edges();
    rig.hung = false;
    let Outcome::Failed(MotionFault::Late { late_us }) = rig.finish() else { panic!() };
    assert!((50..=20_000).contains(&late_us), "{late_us}");
    assert!(rig.take_edges().is_empty());
    // It ran out of steps at full speed: x may be anywhere.
    assert_eq!(rig.stage.status().homed, Axes::ALL.without(Axis::X));
}

#[test]
fn a_pin_that_fails_is_a_fault() {
    let mut rig = running_at_full_speed();
    rig.change(Axis::X, |x| x.broken = true);
    latched(&mut rig, MotionFault::Pin { axis: Axis::X }, Axes::ALL.without(Axis::X));
    rig.change(Axis::X, |x| x.broken = false);
    rig.acknowledge();
    // The pulse that another axis has begun in the same event is as long as any.
    let mut diagonal = Rig::at(stage_config(), um(0));
    diagonal.stage.move_to(to(1_000, 1_000, 0)).unwrap();
    assert_eq!(diagonal.run_for(100_000), None);
    diagonal.change(Axis::Y, |y| y.broken = true);
    latched(&mut diagonal, MotionFault::Pin { axis: Axis::Y }, Axes::ALL.without(Axis::X).without(Axis::Y));
    let x = diagonal.world.borrow().axes.x.clone();
    assert_eq!(x.lowered_at - x.raised_at, 3);
    assert_eq!(rig.go(only(Axis::Y, um(100))), Outcome::Arrived);
}

fn with_encoders(tolerance: Um, backlash: Um) -> StageConfig {
    StageConfig { axes: PerAxis::splat(AxisConfig { encoder_tolerance: Some(tolerance), backlash, ..axis() }), retraction: None }
}

/// 8 um are 32 steps: from the first step that is lost beyond them, the next look at the encoder (every 0.7 ms: 14 steps) stops the axis.
#[test]
fn lost_steps_are_a_fault() {
    let mut rig = Rig::at(with_encoders(um(8), Um::ZERO), um(0));
    assert_eq!(rig.go(to(3_000, 3_000, 10)), Outcome::Arrived);
    rig.stage.move_to(to(100, 100, 10)).unwrap();
    assert_eq!(rig.run_for(300_000), None);
    rig.take_edges();
    rig.change(Axis::Y, |y| y.blocked = true);
    let Outcome::Failed(MotionFault::LostSteps { axis: Axis::Y, tolerance, found }) = rig.finish() else { panic!() };
    assert_eq!(tolerance, um(8));
    // It was to go down: it is too high.
    assert!(found > um(8) && found <= Um::from_nm(8_250 + 14 * 250), "{found}");
    let lost = rig.take_edges().iter().filter(|edge| edge.axis == Axis::Y).count();
    assert!((33..=33 + 28).contains(&lost), "{lost} steps");
    assert!(!rig.stage.status().homed.contains(Axis::Y));
    rig.acknowledge();
    assert_eq!(rig.stage.move_to(only(Axis::Y, um(10))), Err(MotionError::NotHomed { axis: Axis::Y }));
    rig.change(Axis::Y, |y| y.blocked = false);
    rig.stage.home(Axes::NONE.with(Axis::Y)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!(rig.go(only(Axis::Y, um(10))), Outcome::Arrived);
}

/// Someone moves the stage by hand while it rests.
#[test]
fn a_push_is_noticed() {
    let mut rig = Rig::at(with_encoders(um(8), Um::ZERO), um(0));
    rig.change(Axis::Z, |z| z.motor += 32);
    assert_eq!(rig.run_for(5_000), None, "8 um are allowed");
    rig.change(Axis::Z, |z| z.motor += 1);
    let fault = MotionFault::LostSteps { axis: Axis::Z, tolerance: um(8), found: Um::from_nm(8_250) };
    assert_eq!(rig.stage.poll(rig.now), Some(MotionEvent::Fault(fault)));
    // The executor has not stopped yet: it is asked to, and must not be found stopped after the acknowledgement.
    assert_eq!(rig.stage.acknowledge(), Err(MotionError::Busy));
    rig.acknowledge();
    assert_eq!(rig.go(only(Axis::X, um(1))), Outcome::Arrived);
    assert_eq!(fault.to_string(), "axis z has lost steps: the encoder is off by 8.250 um, expected at most 8.000 um");
}

/// What happens to the stage while another fault is latched is told after that one, and the stage's own stop is not taken for the button.
#[test]
fn a_push_during_another_fault_is_noticed_after_it() {
    let mut rig = Rig::at(with_encoders(um(8), Um::ZERO), um(0));
    let into_the_switch = |rig: &mut Rig| {
        rig.change(Axis::X, |x| x.positive_switch = 5);
        rig.stage.move_to(only(Axis::X, um(100))).unwrap();
        assert_eq!(rig.finish(), Outcome::Failed(MotionFault::Limit { axis: Axis::X, side: Side::Positive }));
    };
    into_the_switch(&mut rig);
    rig.change(Axis::Z, |z| z.motor += 40);
    assert_eq!(rig.run_for(5_000), None);
    rig.stage.acknowledge().unwrap();
    let lost = MotionFault::LostSteps { axis: Axis::Z, tolerance: um(8), found: um(10) };
    assert_eq!(rig.run_for(5_000), Some(MotionEvent::Fault(lost)));
    rig.acknowledge();
    assert_eq!(rig.stage.status().homed, Axes::ALL.without(Axis::Z));
    into_the_switch(&mut rig);
    rig.shared.emergency_stop();
    rig.run_for(5_000);
    rig.stage.acknowledge().unwrap();
    assert_eq!(rig.run_for(5_000), Some(MotionEvent::Fault(MotionFault::EmergencyStop)));
}

#[test]
fn play_is_not_lost_steps() {
    let mut rig = Rig::at(with_encoders(um(6), um(5)), um(2_000));
    for target in [2_500, 2_000, 2_001, 1_999, 2_002] {
        assert_eq!(rig.go(to(target, target, target)), Outcome::Arrived);
    }
}

#[test]
fn an_encoder_that_cannot_be_read_is_a_fault() {
    let mut rig = Rig::at(with_encoders(um(8), Um::ZERO), um(0));
    *rig.silent.borrow_mut() = true;
    let fault = MotionFault::EncoderSilent { axis: Axis::X };
    assert_eq!(rig.run_for(5_000), Some(MotionEvent::Fault(fault)));
    assert_eq!(rig.stage.status().homed, Axes::ALL.without(Axis::X));
    // Nor can the axis be homed without it.
    *rig.silent.borrow_mut() = false;
    rig.acknowledge();
    *rig.silent.borrow_mut() = true;
    rig.stage.home(X).unwrap();
    let silent = rig.run_for(100_000);
    assert!(matches!(silent, Some(MotionEvent::Finished(Outcome::Failed(MotionFault::EncoderSilent { .. })))), "{silent:?}");
    assert!(!rig.stage.status().homed.contains(Axis::X));
}

/// Asked for while the pulse of the last step is high, or right after it: the stage is where it was sent, and the stop is told all the same, once.
#[test]
fn an_emergency_stop_at_the_last_step() {
    let arrives = {
        let mut rig = Rig::at(stage_config(), um(2_000));
        rig.stage.move_to(to(616, 616, 616)).unwrap();
        (0..).find(|_| rig.run_for(1) == Some(MotionEvent::Finished(Outcome::Arrived))).unwrap()
    };
    let mut at_target = 0;
    for (at, hung) in (arrives - 100..arrives).flat_map(|at| [(at, false), (at, true)]) {
        let mut rig = Rig::at(stage_config(), um(2_000));
        rig.stage.move_to(to(616, 616, 616)).unwrap();
        assert_eq!(rig.run_for(at), None);
        rig.hung = hung;
        rig.shared.emergency_stop();
        let failed = MotionEvent::Finished(Outcome::Failed(MotionFault::EmergencyStop));
        assert_eq!(rig.run_for(1_000), (!hung).then_some(failed));
        rig.hung = false;
        assert_eq!(rig.run_for(10_000), hung.then_some(failed));
        at_target += usize::from(rig.stage.status().position == PerAxis::splat(um(616)));
        rig.acknowledge();
        assert_eq!(rig.go(to(600, 600, 600)), Outcome::Arrived);
    }
    assert!(at_target > 0, "no stop came after the last step had begun");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// At any time of any move, from any context: the step whose pulse has begun is the last, what was counted was made, and after the
    /// acknowledgement nothing that was queued comes back.
    #[test]
    fn an_emergency_stop_at_any_time(x in 0..4_000, y in 0..4_000, z in 0..4_000, at in 0..1_200_000_u64, hung in any::<bool>()) {
        let mut rig = Rig::at(stage_config(), um(2_000));
        rig.stage.move_to(to(x, y, z)).unwrap();
        if rig.run_for(at).is_none() {
            let before = rig.take_edges();
            rig.hung = hung;
            rig.shared.emergency_stop();
            // The main loop may hear of it at once, or not at all while it hangs.
            let heard = rig.run_for(1_000);
            rig.hung = false;
            let failed = Outcome::Failed(MotionFault::EmergencyStop);
            prop_assert!(heard.is_none() || (heard == Some(MotionEvent::Finished(failed)) && !hung));
            if heard.is_none() {
                prop_assert_eq!(rig.finish(), failed);
            }
            rig.acknowledge();
            prop_assert_eq!(rig.run_for(100_000), None);
            prop_assert!(rig.take_edges().is_empty());
            for axis in Axis::ALL {
                let made: i64 = before.iter().filter(|edge| edge.axis == axis).map(|edge| edge.by).sum();
                prop_assert_eq!(i64::from(rig.stage.status().position.get(axis).nm()), 2_000_000 + 250 * made);
            }
        }
    }

    /// A switch anywhere on the way of either of two axes, at any speed: no step beyond it.
    #[test]
    fn a_limit_anywhere(x in 1..16_000_i64, y in 1..16_000_i64, to_x in 0..4_001, to_y in 0..4_001) {
        let mut rig = Rig::at(stage_config(), um(0));
        rig.change(Axis::X, |axis| axis.positive_switch = x);
        rig.change(Axis::Y, |axis| axis.positive_switch = y);
        let reached = i64::from(to_x) * 4 <= x && i64::from(to_y) * 4 <= y;
        let outcome = rig.go(to(to_x, to_y, 0));
        match outcome {
            Outcome::Arrived => prop_assert!(reached),
            Outcome::Failed(MotionFault::Limit { axis, side: Side::Positive }) => {
                prop_assert!(!reached);
                prop_assert_eq!(rig.motor(axis), if axis == Axis::X { x } else { y });
            }
            other => prop_assert!(false, "{other:?}"),
        }
        prop_assert!(rig.motor(Axis::X) <= x && rig.motor(Axis::Y) <= y);
    }
}

struct Loose;

impl ErrorType for Loose {
    type Error = core::convert::Infallible;
}

impl OutputPin for Loose {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn missing_switches_and_encoders_are_named() {
    let pins = || AxisPins {
        step: Loose,
        direction: Loose,
        enable: None::<NoPin>,
        negative_limit: None::<NoPin>,
        positive_limit: None::<NoPin>,
        polarity: Polarity::default(),
    };
    let (timing, shared) = (DriverTiming::default(), MotionShared::new());
    let queue: StepQueue = StepQueue::new();
    let (producer, consumer) = queue.split().unwrap();
    let mut executor = StepExecutor::new(timing, &shared, consumer, (pins(), pins(), pins())).unwrap();
    let mut stage = Stage::<NoEncoder>::new(stage_config(), timing, &shared, producer, PerAxis::splat(None)).unwrap();
    shared.permit(true);
    assert!(!shared.has_switch(Axis::Z, Side::Negative));
    assert_eq!(stage.home(Axes::NONE.with(Axis::Z)), Err(MotionError::NoSwitch { axis: Axis::Z, side: Side::Negative }));
    assert_eq!(stage.poll(0), None);
    // At rest it wants to be called every millisecond, and counts.
    assert_eq!((executor.on_timer(0), executor.on_timer(1_000)), (1_000, 2_000));
    assert_eq!(shared.executor_calls(), 2);

    let queue: StepQueue = StepQueue::new();
    let (producer, _) = queue.split().unwrap();
    let refused = Stage::<NoEncoder>::new(with_encoders(um(8), Um::ZERO), timing, &shared, producer, PerAxis::splat(None));
    assert_eq!(refused.map(|_| ()), Err(MotionError::NoEncoder { axis: Axis::X }));
}
