//! Moves: where they end, when their steps are, from which side they come, and what is refused.

use crate::sim::{Edge, Rig, axis, here, only, stage_config, to, um};
use lsr_firmware::{
    Axes, Axis, AxisConfig, DriverTiming, Homing, Line, MotionError, Outcome, PerAxis, Rate, Retraction, Side, StageConfig, StageState, Um,
};

fn with(change: impl Fn(&mut AxisConfig)) -> StageConfig {
    let mut axis = axis();
    change(&mut axis);
    StageConfig { axes: PerAxis::splat(axis), retraction: None }
}

/// 20,000 steps/s reached in 100 ms: the rate of `sim::axis`.
fn rate() -> Rate {
    Rate::new(50 << 32, 100_000)
}

#[test]
fn steps_come_when_they_are_planned() {
    let mut rig = Rig::at(stage_config(), um(0));
    let before = rig.now;
    assert_eq!(rig.go(to(3_000, 1_111, 7)), Outcome::Arrived);
    let edges = rig.take_edges();
    // The line, planned anew from the time of its first step.
    let by = PerAxis { x: 12_000, y: 4_444, z: 28 };
    let line = |start| Line::new(by, &PerAxis::splat(rate()), start, 0);
    let first = line(0).next().unwrap().at;
    let start = edges[0].at - first;
    let planned: Vec<(u64, Axis)> = line(start)
        .flat_map(|event| Axis::ALL.into_iter().filter(move |axis| event.steps(*axis)).map(move |axis| (event.at, axis)))
        .collect();
    let seen: Vec<(u64, Axis)> = edges.iter().map(|edge| (edge.at, edge.axis)).collect();
    assert_eq!(seen, planned, "to the tick");
    // It begins at once: a round of the main loop (0.7 ms), 2 ms ahead, the drivers' own 2.02 ms.
    assert!(start - before <= 700 + 2_000 + 2_020, "{}", start - before);
    assert_eq!((rig.motor(Axis::X), rig.motor(Axis::Y), rig.motor(Axis::Z)), (12_000, 4_444, 28));
    assert_eq!(rig.stage.status().position, PerAxis { x: um(3_000), y: um(1_111), z: um(7) });
    assert_eq!(rig.stage.status().state, StageState::Idle);
}

/// The main loop's rhythm does not show at the pins, as long as the queue does not run empty (64 steps at 50 ticks).
#[test]
fn a_busy_main_loop_disturbs_no_step() {
    let times = |poll_every| {
        let mut rig = Rig::at(stage_config(), um(0));
        rig.poll_every = poll_every;
        assert_eq!(rig.go(to(4_000, 100, 0)), Outcome::Arrived);
        let edges = rig.take_edges();
        edges.iter().map(|edge| edge.at - edges[0].at).collect::<Vec<_>>()
    };
    let calm = times(100);
    assert_eq!(calm.len(), 16_400);
    assert_eq!(times(3_000), calm);
    assert_eq!(times(1_237), calm);
}

#[test]
fn beyond_the_limits_nothing_moves() {
    let mut rig = Rig::at(with(|config| config.backlash = um(10)), um(500));
    let outside = |axis, asked| MotionError::OutsideLimits { axis, min: um(10), max: um(4_000), asked };
    // The approach from below needs 10 um.
    assert_eq!(rig.stage.range(Axis::Y), (um(10), um(4_000)));
    assert_eq!(rig.stage.move_to(only(Axis::Y, Um::from_nm(9_999))), Err(outside(Axis::Y, Um::from_nm(9_999))));
    assert_eq!(rig.stage.move_to(to(20, 20, 4_001)), Err(outside(Axis::Z, um(4_001))));
    assert_eq!(rig.stage.move_by(only(Axis::X, um(-491))), Err(outside(Axis::X, um(9))));
    assert_eq!(rig.stage.move_by(only(Axis::X, Um::MAX)), Err(outside(Axis::X, Um::MAX)));
    assert_eq!(rig.stage.move_to(PerAxis::splat(None)), Err(MotionError::NoAxis));
    rig.shared.permit(false);
    assert_eq!(rig.stage.move_to(to(20, 20, 20)), Err(MotionError::Forbidden));
    assert_eq!(outside(Axis::Z, um(4_001)).to_string(), "axis z: 4001.000 um is outside 10.000 um to 4000.000 um");
    assert_eq!(rig.run_for(100_000), None);
    assert!(rig.take_edges().is_empty());
}

/// The last steps to every target come from the side of the approach, and take up the play.
#[test]
fn targets_are_approached_from_one_side() {
    for approach in [Side::Positive, Side::Negative] {
        let sign = if approach == Side::Positive { 1 } else { -1 };
        let mut rig = Rig::at(with(|config| (config.backlash, config.approach) = (um(5), approach)), um(2_000));
        for target in [2_100, 2_090, 2_091, 1_000, 1_000, 1_004, 3_000, 2_999, 2_000] {
            rig.take_edges();
            assert_eq!(rig.go(only(Axis::X, um(target))), Outcome::Arrived);
            assert_eq!(rig.motor(Axis::X), i64::from(target - 2_000) * 4);
            let edges = rig.take_edges();
            // 5 um are 20 steps.
            let turn = edges.iter().rposition(|edge| edge.by != sign).map_or(0, |last| last + 1);
            let tail: &[Edge] = &edges[turn..];
            assert!(edges.is_empty() || (turn == 0 || tail.len() == 20), "{} steps towards {target}", tail.len());
        }
        // There already, the play taken up: nothing to do.
        assert_eq!(rig.go(only(Axis::X, um(2_000))), Outcome::Arrived);
        assert!(rig.take_edges().is_empty());
    }
}

/// A move that was stopped on its way back has not taken up the play; the next one does, even to the very place.
#[test]
fn a_stop_in_between_is_remembered() {
    let mut rig = Rig::at(with(|config| config.backlash = um(5)), um(2_000));
    assert_eq!(rig.go(only(Axis::X, um(3_000))), Outcome::Arrived);
    rig.stage.move_to(only(Axis::X, um(1_000))).unwrap();
    rig.run_for(150_000);
    rig.stage.stop();
    assert_eq!(rig.finish(), Outcome::Stopped);
    let position = rig.stage.status().position.x;
    rig.take_edges();
    assert_eq!(rig.go(only(Axis::X, position)), Outcome::Arrived);
    let steps: Vec<i64> = rig.take_edges().iter().map(|edge| edge.by).collect();
    assert_eq!(steps, [[-1; 20], [1; 20]].concat());
    assert_eq!(rig.stage.status().position.x, position);
}

#[test]
fn z_retracts_before_long_moves_only() {
    let retraction = Some(Retraction { over: um(500), to: um(1_000), side: Side::Negative });
    let mut rig = Rig::at(StageConfig { retraction, ..stage_config() }, um(2_000));
    let order = |rig: &mut Rig| {
        let mut axes: Vec<(Axis, i64)> = rig.take_edges().iter().map(|edge| (edge.axis, edge.by)).collect();
        axes.dedup();
        axes
    };
    // 300 and 400 um are 500 um: not longer. z stays.
    assert_eq!(rig.go(PerAxis { x: Some(um(2_300)), y: Some(um(2_400)), z: None }), Outcome::Arrived);
    assert!(order(&mut rig).iter().all(|(axis, _)| *axis != Axis::Z));
    // Longer by a micrometre, z not asked for: away, across, and back.
    assert_eq!(rig.go(only(Axis::X, um(2_801))), Outcome::Arrived);
    assert_eq!(order(&mut rig), [(Axis::Z, -1), (Axis::X, 1), (Axis::Z, 1)]);
    assert_eq!(rig.stage.status().position.z, um(2_000));
    // z asked for, too: it gets there last.
    assert_eq!(rig.go(PerAxis { x: Some(um(100)), y: None, z: Some(um(1_500)) }), Outcome::Arrived);
    assert_eq!(order(&mut rig), [(Axis::Z, -1), (Axis::X, -1), (Axis::Z, 1)]);
    // It is out of the way already: it goes down after x, not with it.
    assert_eq!(rig.go(only(Axis::Z, um(900))), Outcome::Arrived);
    order(&mut rig);
    assert_eq!(rig.go(PerAxis { x: Some(um(1_000)), y: None, z: Some(um(1_200)) }), Outcome::Arrived);
    assert_eq!(order(&mut rig), [(Axis::X, 1), (Axis::Z, 1)]);
    assert_eq!(rig.stage.status().position, PerAxis { x: um(1_000), y: um(2_400), z: um(1_200) });
}

/// z was stopped where it cannot be sent, between the limit and the way of the approach: it comes back there, and not past the limit.
#[test]
fn z_comes_back_within_the_limits() {
    let retraction = Some(Retraction { over: um(500), to: um(1_000), side: Side::Positive });
    let mut rig = Rig::at(StageConfig { retraction, ..with(|config| config.backlash = um(100)) }, um(2_000));
    assert_eq!(rig.go(only(Axis::Z, um(500))), Outcome::Arrived);
    rig.stage.move_to(only(Axis::Z, um(100))).unwrap();
    while rig.stage.status().position.z > um(40) {
        assert_eq!(rig.run_for(100), None);
    }
    rig.stage.stop();
    assert_eq!(rig.finish(), Outcome::Stopped);
    let stopped = rig.stage.status().position.z;
    assert!(stopped < um(40));
    rig.take_edges();
    assert_eq!(rig.go(only(Axis::X, um(100))), Outcome::Arrived);
    assert_eq!(rig.stage.status().position.z, stopped);
    let lowest = rig.take_edges().iter().filter(|edge| edge.axis == Axis::Z).map(|edge| edge.motor).min();
    assert_eq!(lowest, Some(-8_000), "the limit is 2,000 um below where it started");
}

/// z that had to get out of the way is still where it was sent, not where the nearest step is.
#[test]
fn retraction_does_not_forget_where_z_was_sent() {
    let retraction = Some(Retraction { over: um(500), to: um(0), side: Side::Negative });
    let mut rig = Rig::at(StageConfig { retraction, ..with(|config| config.travel_per_turn = um(960)) }, um(0));
    assert_eq!(rig.go(only(Axis::Z, Um::from_nm(100_100))), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::Z), 334); // 333.67 steps of 0.3 um
    assert_eq!(rig.go(only(Axis::X, um(900))), Outcome::Arrived);
    rig.stage.move_by(only(Axis::Z, Um::from_nm(-100))).unwrap();
    assert_eq!(rig.finish(), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::Z), 333);
}

#[test]
fn retraction_can_be_changed_at_rest() {
    let mut rig = Rig::at(stage_config(), um(1_000));
    let retraction = Retraction { over: um(100), to: um(500), side: Side::Negative };
    assert!(matches!(rig.stage.set_retraction(Some(Retraction { to: um(4_001), ..retraction })), Err(MotionError::Config { .. })));
    assert_eq!(rig.stage.config().retraction, None);
    rig.stage.set_retraction(Some(retraction)).unwrap();
    rig.stage.move_to(only(Axis::X, um(2_000))).unwrap();
    assert_eq!(rig.stage.set_retraction(None), Err(MotionError::Busy));
    assert_eq!(rig.finish(), Outcome::Arrived);
    let z = |rig: &mut Rig| rig.take_edges().iter().filter(|edge| edge.axis == Axis::Z).map(|edge| edge.motor).min();
    assert_eq!(z(&mut rig), Some(-2_000));
    rig.stage.set_retraction(None).unwrap();
    assert_eq!(rig.go(only(Axis::X, um(1_000))), Outcome::Arrived);
    assert_eq!(z(&mut rig), None);
    assert_eq!(rig.stage.status().homed, Axes::ALL);
}

#[test]
fn a_long_move_needs_z_to_be_homed() {
    let retraction = Some(Retraction { over: um(500), to: um(1_000), side: Side::Negative });
    let axes = PerAxis::splat(AxisConfig { homing: Homing::Here { position: um(0) }, ..axis() });
    let mut rig = Rig::new(StageConfig { axes, retraction }, DriverTiming::default());
    rig.stage.home(Axes::NONE.with(Axis::X).with(Axis::Y)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!(rig.go(only(Axis::X, um(500))), Outcome::Arrived);
    assert_eq!(rig.stage.move_to(only(Axis::X, um(1_001))), Err(MotionError::NotHomed { axis: Axis::Z }));
}

/// A third of a step, 3,000 times: relative moves go on from where they were sent, not from the step that is nearest to it.
#[test]
fn relative_moves_do_not_drift() {
    let mut rig = Rig::at(with(|config| config.travel_per_turn = um(960)), um(0));
    for _ in 0..300 {
        rig.stage.move_by(only(Axis::X, Um::from_nm(100))).unwrap();
        assert_eq!(rig.finish(), Outcome::Arrived);
    }
    assert_eq!(rig.motor(Axis::X), 100); // 30 um in steps of 0.3 um
    assert_eq!(rig.stage.status().position.x, um(30));
    // After a stop they go on from where the axis is.
    rig.stage.move_by(only(Axis::X, um(1_000))).unwrap();
    rig.run_for(100_000);
    rig.stage.stop();
    assert_eq!(rig.finish(), Outcome::Stopped);
    let stopped = rig.motor(Axis::X);
    rig.stage.move_by(only(Axis::X, um(3))).unwrap();
    assert_eq!(rig.finish(), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::X), stopped + 10);
}

/// At full speed: the ramp and what is queued (64 and the one that the executor has in hand). 20,000 steps/s at 200,000 steps/s^2 are 1,000 steps.
#[test]
fn a_stop_takes_the_ramp_and_the_queue() {
    let mut rig = Rig::at(stage_config(), um(0));
    rig.stage.move_to(only(Axis::X, um(4_000))).unwrap();
    rig.run_for(400_000);
    let before = rig.motor(Axis::X);
    rig.stage.stop();
    assert_eq!((rig.stage.status().state, rig.stage.status().moving), (StageState::Stopping, true));
    assert_eq!(rig.stage.move_to(to(0, 0, 0)), Err(MotionError::Busy));
    assert_eq!(rig.finish(), Outcome::Stopped);
    let steps = rig.motor(Axis::X) - before;
    assert!((1_000..=1_000 + 1 + 65).contains(&steps), "{steps}");
    // The position is true: back to where it came from.
    assert_eq!(rig.stage.status().homed, Axes::ALL);
    assert_eq!(rig.go(only(Axis::X, um(0))), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::X), 0);
    // At rest it is nothing.
    rig.stage.stop();
    assert_eq!((rig.stage.status().state, rig.run_for(10_000)), (StageState::Idle, None));
}

/// Slow steps are not queued for longer than 20 ms: here 2.5 ms each, and 2 ms of ramp.
#[test]
fn slow_moves_stop_as_soon() {
    let mut rig = Rig::at(with(|config| config.max_speed_um_per_s = 100), um(0));
    rig.stage.move_to(only(Axis::X, um(100))).unwrap();
    assert_eq!(rig.run_for(500_000), None);
    let before = rig.now;
    rig.stage.stop();
    assert_eq!(rig.run_for(20_000 + 2 * 2_500 + 2_000 + 700).map(|event| format!("{event:?}")), Some("Finished(Stopped)".into()));
    let steps = rig.take_edges().into_iter().filter(|edge| edge.at > before).count();
    assert!(steps <= 20_000 / 2_500 + 2, "{steps}");
    // However slow: the executor is called every millisecond, and can be seen to be.
    let mut rig = Rig::at(with(|config| config.max_speed_um_per_s = 1), um(0));
    rig.poll_every = 10_000;
    rig.stage.move_to(only(Axis::X, um(100))).unwrap();
    let calls = rig.shared.executor_calls();
    assert_eq!(rig.run_for(2_000_000), None);
    assert!(rig.take_edges().len() < 10 && rig.shared.executor_calls() - calls >= 2_000);
}

/// Motors that need 50 ms to come to their current: the pins assert that they get them.
#[test]
fn motors_are_given_time_to_wake() {
    let mut rig = Rig::new(here(stage_config(), um(0)), DriverTiming { enable_us: 50_000, ..DriverTiming::default() });
    rig.stage.home(Axes::ALL).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    let before = rig.now;
    assert_eq!(rig.go(only(Axis::Y, um(1))), Outcome::Arrived);
    assert!(rig.take_edges()[0].at - before >= 50_000);
}

#[test]
fn a_new_configuration_has_to_be_homed() {
    let mut rig = Rig::at(stage_config(), um(1_000));
    let bad = AxisConfig { max: um(-1), ..axis() };
    assert!(matches!(rig.stage.configure(Axis::Y, bad), Err(MotionError::Config { .. })));
    assert_eq!(
        rig.stage.configure(Axis::Y, AxisConfig { encoder_tolerance: Some(um(1)), ..axis() }),
        Err(MotionError::NoEncoder { axis: Axis::Y })
    );
    assert_eq!((rig.stage.status().homed, rig.stage.config().axes.y.max), (Axes::ALL, um(4_000)), "refused: nothing has changed");
    let good = AxisConfig { max: um(100), homing: Homing::Here { position: um(50) }, ..axis() };
    rig.stage.configure(Axis::Y, good).unwrap();
    assert_eq!(rig.stage.config().axes.y, good);
    assert_eq!(rig.stage.move_to(only(Axis::Y, um(60))), Err(MotionError::NotHomed { axis: Axis::Y }));
    assert_eq!(rig.go(only(Axis::X, um(60))), Outcome::Arrived);
    rig.stage.home(Axes::NONE.with(Axis::Y)).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    assert_eq!(rig.go(only(Axis::Y, um(60))), Outcome::Arrived);
    assert_eq!(rig.motor(Axis::Y), 40);
}

#[test]
fn motors_without_current_forget_their_position() {
    let mut rig = Rig::at(stage_config(), um(1_000));
    assert_eq!(rig.go(to(1_010, 1_010, 1_010)), Outcome::Arrived);
    assert!(rig.world.borrow().axes.x.energised);
    rig.stage.release().unwrap();
    rig.run_for(2_000);
    assert!(!rig.world.borrow().axes.x.energised);
    assert_eq!(rig.stage.status().homed, Axes::NONE);
    rig.stage.home(Axes::ALL).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    // The pins assert that there is current before the first step.
    let before = rig.now;
    rig.take_edges();
    assert_eq!(rig.go(to(1_001, 1_000, 1_000)), Outcome::Arrived);
    assert!(rig.take_edges()[0].at - before >= 2_000, "enable_us");
    // Also while a fault is latched.
    rig.stage.emergency_stop();
    rig.run_for(5_000);
    rig.stage.release().unwrap();
    rig.run_for(2_000);
    assert!(!rig.world.borrow().axes.z.energised && rig.stage.status().fault.is_some());
    rig.acknowledge();
    // Nor do they know whether their play is taken up.
    let mut rig = Rig::at(with(|config| config.backlash = um(5)), um(1_000));
    assert_eq!(rig.go(only(Axis::X, um(1_100))), Outcome::Arrived);
    rig.stage.release().unwrap();
    rig.run_for(2_000);
    rig.stage.home(Axes::ALL).unwrap();
    assert_eq!(rig.finish(), Outcome::Homed);
    rig.take_edges();
    assert_eq!(rig.go(only(Axis::X, um(1_001))), Outcome::Arrived);
    let steps: Vec<i64> = rig.take_edges().iter().map(|edge| edge.by).collect();
    assert_eq!(steps, [[-1; 16].as_slice(), &[1; 20]].concat(), "from 1,000 um to 996, and up to 1,001");
}
