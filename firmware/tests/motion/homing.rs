//! Homing, and what is refused before it.

use crate::sim::{Rig, axis, only, stage_config, to, um};
use lsr_firmware::{
    Axes, Axis, AxisConfig, DriverTiming, Homing, MotionError, MotionFault, Outcome, PerAxis, Retraction, Side, StageConfig, StageState,
    SwitchHoming, Um,
};

fn rig(config: StageConfig) -> Rig {
    Rig::new(config, DriverTiming::default())
}

fn with(change: impl Fn(&mut AxisConfig)) -> StageConfig {
    let mut axis = axis();
    change(&mut axis);
    StageConfig { axes: PerAxis::splat(axis), retraction: None }
}

fn switch_homing(change: impl Fn(&mut SwitchHoming)) -> StageConfig {
    with(|config| {
        let Homing::Switch(homing) = &mut config.homing else { panic!() };
        change(homing);
    })
}

#[test]
fn nothing_moves_before_homing() {
    let mut rig = rig(stage_config());
    assert_eq!(rig.stage.move_to(to(1, 1, 1)), Err(MotionError::NotHomed { axis: Axis::X }));
    assert_eq!(rig.stage.move_by(only(Axis::Z, Um::ZERO)), Err(MotionError::NotHomed { axis: Axis::Z }));
    assert_eq!(rig.run_for(1_000_000), None);
    assert!(rig.take_edges().is_empty());
    // One axis is homed: the others still do not move.
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    assert_eq!(rig.stage.status().state, StageState::Homing);
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!(rig.stage.status().homed, Axes::NONE.with(Axis::X));
    assert_eq!(rig.stage.move_to(to(1, 1, 1)), Err(MotionError::NotHomed { axis: Axis::Y }));
    assert_eq!(rig.go(only(Axis::X, um(1))), Outcome::Arrived);
}

#[test]
fn a_switch_gives_the_position() {
    for start in [-900, 0, 12_345] {
        let mut rig = rig(stage_config());
        rig.change(Axis::X, |x| (x.motor, x.negative_switch) = (start, -1_000));
        rig.stage.home(Axes::ALL).unwrap();
        assert_eq!(rig.finish(), Outcome::Homed);
        let status = rig.stage.status();
        assert_eq!((status.homed, status.state, status.fault), (Axes::ALL, StageState::Idle, None));
        // The switch trips at step -1,000, which is -50 um; 150 um back are 600 steps.
        for axis in Axis::ALL {
            assert_eq!(rig.motor(axis), -400);
            assert_eq!(*status.position.get(axis), um(100));
        }
        // z first, then x, then y; never more than one at a time.
        let order: Vec<Axis> = rig.take_edges().into_iter().map(|edge| edge.axis).collect();
        let mut turns = order.clone();
        turns.dedup();
        assert_eq!(turns, [Axis::Z, Axis::X, Axis::Y]);
        // And from there on positions are true.
        assert_eq!(rig.go(to(0, 2_000, 4_000)), Outcome::Arrived);
        assert_eq!((rig.motor(Axis::X), rig.motor(Axis::Y), rig.motor(Axis::Z)), (-800, 7_200, 15_200));
    }
}

#[test]
fn it_starts_from_an_active_switch() {
    let mut rig = rig(stage_config());
    rig.change(Axis::X, |x| x.motor = -1_200);
    rig.run_for(5_000);
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!(rig.motor(Axis::X), -400);
    // It never went further into the switch.
    assert!(rig.take_edges().iter().all(|edge| edge.motor >= -1_200));
}

#[test]
fn each_approach_ends_at_the_switch() {
    let mut rig = rig(stage_config());
    rig.stage.home(Axes::NONE.with(Axis::Y)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    let edges = rig.take_edges();
    // To the switch and not a step further, 600 back, 600 to it, 600 back.
    let lowest = edges.iter().map(|edge| edge.motor).min().unwrap();
    assert_eq!(lowest, -1_000);
    let mut legs = vec![0_i64];
    for pair in edges.windows(2) {
        if pair[0].by != pair[1].by {
            legs.push(pair[0].motor);
        }
    }
    assert_eq!(legs[1..], [-1_000, -400, -1_000]);
    // The second approach is slow: 100 um/s are 2,500 ticks a step.
    let slow = edges.windows(2).filter(|pair| pair[1].at - pair[0].at == 2_500 && pair[1].by < 0).count();
    assert!(slow > 590, "{slow} slow steps");
}

/// The switch that was found first is not there again: a loose contact.
#[test]
fn a_switch_has_to_be_found_twice() {
    let mut rig = rig(stage_config());
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    while rig.motor(Axis::X) > -1_000 {
        assert_eq!(rig.run_for(100), None);
    }
    rig.run_for(5_000);
    rig.change(Axis::X, |x| x.negative_switch = -100_000);
    assert_eq!(rig.finish(), Outcome::Failed(MotionFault::SwitchNotFound { axis: Axis::X, side: Side::Negative }));
    assert_eq!((rig.motor(Axis::X), rig.stage.status().homed), (-1_600, Axes::NONE), "twice 600 steps from where it had backed off to");
}

/// Contacts that bounce for 15 ms after the axis has backed off: the switch is asked later.
#[test]
fn a_bouncing_switch_is_waited_for() {
    let homed = |bounces: Vec<u64>| {
        let mut rig = rig(stage_config());
        rig.change(Axis::X, |x| x.glitches = bounces.into_iter().map(|at| (Side::Negative, at, at + 15_000)).collect());
        rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
        assert_eq!(rig.finish(), Outcome::Homed);
        assert_eq!(rig.motor(Axis::X), -400);
        rig.take_edges()
    };
    let edges = homed(Vec::new());
    // The last step of each way back: before a turn, and the very last.
    let mut ends: Vec<u64> = edges.windows(2).filter(|pair| pair[0].by > 0 && pair[1].by < 0).map(|pair| pair[0].at).collect();
    ends.extend(edges.last().map(|edge| edge.at));
    assert_eq!(ends.len(), 2);
    assert_eq!(homed(ends), edges);
}

#[test]
fn the_positive_end_works_alike() {
    let mut rig = rig(switch_homing(|homing| (homing.side, homing.switch_at) = (Side::Positive, um(4_050))));
    rig.change(Axis::Z, |z| z.positive_switch = 3_000);
    rig.stage.home(Axes::NONE.with(Axis::Z)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!((rig.motor(Axis::Z), rig.stage.status().position.z), (2_400, um(3_900)));
}

#[test]
fn a_far_switch_takes_too_long() {
    let mut rig = rig(switch_homing(|homing| homing.timeout_ms = 1_500));
    rig.change(Axis::X, |x| x.negative_switch = -19_000);
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    let start = rig.now;
    let fault = MotionFault::HomingTimeout { axis: Axis::X, timeout_ms: 1_500 };
    assert_eq!(rig.finish(), Outcome::Failed(fault));
    // 40 ms of ramp from 2,000 um/s, a round of the main loop, and what was queued (65 steps of 125 us).
    let steps = rig.take_edges();
    let last = steps.last().unwrap().at - start;
    assert!((1_500_000..1_500_000 + 40_000 + 8_125 + 2_000).contains(&last), "{last}");
    let status = rig.stage.status();
    assert_eq!((status.homed, status.state, status.fault), (Axes::NONE, StageState::Faulted, Some(fault)));
    assert_eq!(rig.stage.home(Axes::ALL), Err(MotionError::Faulted { fault }));
    rig.acknowledge();
    assert_eq!(rig.stage.move_to(to(1, 1, 1)), Err(MotionError::NotHomed { axis: Axis::X }));
}

#[test]
fn a_missing_switch_is_a_fault() {
    let mut rig = rig(stage_config());
    rig.change(Axis::X, |x| x.negative_switch = -1_000_000);
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    assert_eq!(rig.finish(), Outcome::Failed(MotionFault::SwitchNotFound { axis: Axis::X, side: Side::Negative }));
    assert_eq!(rig.motor(Axis::X), -20_000, "5,000 um of search");
    assert_eq!(rig.stage.status().homed, Axes::NONE);
}

#[test]
fn a_switch_that_stays_active_is_a_fault() {
    // From the start: after backing off once.
    let mut rig = rig(stage_config());
    rig.change(Axis::Y, |y| y.negative_stuck = Some(true));
    rig.run_for(5_000);
    rig.stage.home(Axes::ALL).unwrap();
    let stuck = Outcome::Failed(MotionFault::SwitchStuck { axis: Axis::Y, side: Side::Negative });
    assert_eq!(rig.finish(), stuck);
    assert_eq!(rig.motor(Axis::Y), 600);
    assert_eq!(rig.stage.status().homed, Axes::NONE.with(Axis::X).with(Axis::Z), "the others were done before");

    // From the first hit on.
    let mut rig = self::rig(stage_config());
    rig.stage.home(Axes::NONE.with(Axis::Y)).unwrap();
    while rig.motor(Axis::Y) > -1_000 {
        assert_eq!(rig.run_for(100), None);
    }
    rig.change(Axis::Y, |y| y.negative_stuck = Some(true));
    assert_eq!(rig.finish(), stuck);
    assert_eq!(rig.motor(Axis::Y), -400);

    // From the second hit on: the position would be known, but not whether the switch works.
    let mut rig = self::rig(stage_config());
    rig.stage.home(Axes::NONE.with(Axis::Y)).unwrap();
    for back_off in [-400, i64::MAX] {
        while rig.motor(Axis::Y) > -1_000 {
            assert_eq!(rig.run_for(100), None);
        }
        while rig.motor(Axis::Y) < back_off.min(-999) {
            assert_eq!(rig.run_for(100), None);
        }
    }
    rig.change(Axis::Y, |y| y.negative_stuck = Some(true));
    assert_eq!(rig.finish(), stuck);
    assert_eq!((rig.motor(Axis::Y), rig.stage.status().homed), (-400, Axes::NONE));
}

#[test]
fn the_other_switch_is_a_fault_while_homing() {
    let mut rig = rig(stage_config());
    // Its back-off would be 600 steps.
    rig.change(Axis::X, |x| x.positive_switch = -900);
    rig.change(Axis::X, |x| x.motor = -950);
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    assert_eq!(rig.finish(), Outcome::Failed(MotionFault::Limit { axis: Axis::X, side: Side::Positive }));
    assert_eq!(rig.motor(Axis::X), -900);
    // It is put right, and homed after the acknowledgement.
    rig.change(Axis::X, |x| x.positive_switch = 100_000);
    rig.acknowledge();
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
}

#[test]
fn homing_can_be_stopped() {
    let mut rig = rig(stage_config());
    rig.stage.home(Axes::ALL).unwrap();
    assert_eq!(rig.run_for(100_000), None);
    rig.stage.stop();
    assert_eq!(rig.stage.status().state, StageState::Stopping);
    assert_eq!(rig.finish(), Outcome::Stopped);
    assert_eq!(rig.stage.status().homed, Axes::NONE);
    rig.stage.home(Axes::ALL).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!(rig.motor(Axis::X), -400);
    // Once begun, an axis is not homed until it is again.
    rig.stage.home(Axes::NONE.with(Axis::X)).unwrap();
    assert_eq!(rig.stage.status().homed, Axes::ALL.without(Axis::X));
    assert_eq!(rig.run_for(100_000), None);
    rig.stage.stop();
    assert_eq!(rig.finish(), Outcome::Stopped);
    assert_eq!(rig.stage.status().homed, Axes::ALL.without(Axis::X));
}

#[test]
fn without_a_switch_it_is_where_it_was_put() {
    let mut rig = Rig::at(stage_config(), um(1_234));
    assert_eq!(rig.stage.status().position, PerAxis::splat(um(1_234)));
    assert!(rig.take_edges().is_empty());
    assert_eq!(rig.go(only(Axis::X, um(1_235))), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::X), 4);
}

#[test]
fn z_leaves_the_sample_before_x_and_y_are_homed() {
    let retraction = Some(Retraction { over: um(500), to: um(300), side: Side::Negative });
    let mut rig = rig(StageConfig { retraction, ..stage_config() });
    let x_y = Axes::NONE.with(Axis::X).with(Axis::Y);
    assert_eq!(rig.stage.home(x_y), Err(MotionError::NotHomed { axis: Axis::Z }));
    rig.stage.home(Axes::NONE.with(Axis::Z)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!(rig.go(only(Axis::Z, um(4_000))), Outcome::Arrived);
    rig.take_edges();
    rig.stage.home(x_y).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    let edges = rig.take_edges();
    let first = edges.iter().position(|edge| edge.axis != Axis::Z).unwrap();
    assert!(edges[first..].iter().all(|edge| edge.axis != Axis::Z));
    assert_eq!((first, rig.stage.status().position.z), (4 * 3_700, um(300)));
}

#[test]
fn what_cannot_be_homed_is_refused() {
    let mut rig = rig(stage_config());
    assert_eq!(rig.stage.home(Axes::NONE), Err(MotionError::NoAxis));
    rig.shared.permit(false);
    assert_eq!(rig.stage.home(Axes::ALL), Err(MotionError::Forbidden));
    rig.shared.permit(true);
    rig.stage.home(Axes::ALL).unwrap();
    assert_eq!(rig.stage.home(Axes::ALL), Err(MotionError::Busy));
    assert_eq!(rig.stage.move_to(to(1, 1, 1)), Err(MotionError::Busy));
    assert_eq!(rig.stage.configure(Axis::X, axis()), Err(MotionError::Busy));
    assert_eq!(rig.stage.release(), Err(MotionError::Busy));
}
