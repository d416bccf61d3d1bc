//! Random configurations and random plans: whatever is asked, the motors stay within limits and bounds, and the counts are true.

use crate::bounds::Bounds;
use crate::sim::{Edge, Rig};
use lsr_firmware::{Axes, Axis, AxisConfig, DriverTiming, Homing, MotionError, Outcome, PerAxis, Retraction, Side, StageConfig, Ticks, Um};
use proptest::collection::vec;
use proptest::prelude::*;

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Negative), Just(Side::Positive)]
}

/// Axes of 0.1 to 3 um a step, of 0.3 to 2 mm, up to 10,000 steps/s, with and without backlash, homed where they are.
fn axis() -> impl Strategy<Value = AxisConfig> {
    let mechanics = (prop_oneof![Just(48_u16), Just(200), Just(400)], 0..7_u32, 100..3_000_u32);
    let limits = (-1_000_000..1_000_000_i32, 300_000..2_000_000_i32);
    let speeds = (10..10_000_u32, 20_000..300_000_u32);
    let backlash = (prop_oneof![Just(0), 1..50_000_i32], side(), 0.0..1.0_f64);
    (mechanics, limits, speeds, backlash).prop_map(
        |((full, micro, step_nm), (min, range), (steps_per_s, ramp), (backlash, approach, at))| {
            let microsteps = 1 << micro;
            let travel = u32::from(full) * microsteps * step_nm + 7; // not a whole number of nanometres a step
            // At most what the shortest interval of 24 ticks and the profile allow.
            let speed = (u64::from(steps_per_s) * u64::from(step_nm) / 1_000).max(20) as u32;
            let acceleration = (u64::from(speed) * 1_000_000 / u64::from(ramp)).max(1) as u32;
            let low = if approach == Side::Positive { min + backlash } else { min };
            AxisConfig {
                full_steps_per_turn: full,
                microsteps: microsteps as u16,
                travel_per_turn: Um::from_nm(travel as i32),
                min: Um::from_nm(min),
                max: Um::from_nm(min + range),
                max_speed_um_per_s: speed,
                acceleration_um_per_s2: acceleration,
                sudden_stop_um_per_s: 100,
                backlash: Um::from_nm(backlash),
                approach,
                homing: Homing::Here { position: Um::from_nm(low + (f64::from(range - backlash) * at) as i32) },
                encoder_tolerance: None,
            }
        },
    )
}

fn stage() -> impl Strategy<Value = StageConfig> {
    (axis(), axis(), axis(), proptest::option::of((0..2_000_000, 0.0..1.0_f64, side()))).prop_map(|(x, y, z, retraction)| {
        let retraction = retraction.map(|(over, at, side)| {
            let (low, high) = range(&z);
            Retraction { over: Um::from_nm(over), to: Um::from_nm((low + ((high - low) as f64 * at) as i64) as i32), side }
        });
        StageConfig { axes: PerAxis { x, y, z }, retraction }
    })
}

/// Positions that can be asked for, in nanometres.
fn range(config: &AxisConfig) -> (i64, i64) {
    let (min, max, backlash) = (i64::from(config.min.nm()), i64::from(config.max.nm()), i64::from(config.backlash.nm()));
    if config.approach == Side::Positive { (min + backlash, max) } else { (min, max - backlash) }
}

#[derive(Debug, Clone, Copy)]
enum Plan {
    /// To somewhere in the range (0 to 1), to its very ends, or a little outside of it.
    To(PerAxis<Option<f64>>),
    /// By so many micrometres.
    By(PerAxis<Option<i32>>),
}

fn each<T: core::fmt::Debug + Clone>(one: impl Strategy<Value = T> + Clone) -> impl Strategy<Value = PerAxis<Option<T>>> {
    let one = proptest::option::of(one);
    (one.clone(), one.clone(), one).prop_map(|(x, y, z)| PerAxis { x, y, z })
}

fn plan() -> impl Strategy<Value = (Plan, Option<Ticks>)> {
    let plan =
        prop_oneof![each(prop_oneof![Just(0.0), Just(1.0), -0.1..1.1_f64]).prop_map(Plan::To), each(-300..300_i32).prop_map(Plan::By)];
    (plan, proptest::option::weighted(0.3, 0..1_000_000_u64))
}

/// An axis' motor in exact arithmetic: nanometres times steps a turn.
struct Scale {
    travel: i128,
    per_turn: i128,
    /// Where it was homed, in steps.
    home: i128,
}

impl Scale {
    fn new(config: &AxisConfig, position: Um) -> Self {
        let travel = i128::from(config.travel_per_turn.nm());
        let per_turn = i128::from(config.full_steps_per_turn) * i128::from(config.microsteps);
        // The stage says where it is to the nearest nanometre, steps are larger: the step is known.
        let home = (i128::from(position.nm()) * per_turn * 2 + travel).div_euclid(2 * travel);
        Self { travel, per_turn, home }
    }

    fn is_within(&self, config: &AxisConfig, motor: i64) -> bool {
        let position = (self.home + i128::from(motor)) * self.travel;
        (i128::from(config.min.nm()) * self.per_turn..=i128::from(config.max.nm()) * self.per_turn).contains(&position)
    }

    /// Speed and acceleration of the configuration as fractions of ticks a step.
    fn bounds(&self, config: &AxisConfig) -> Bounds {
        // um/s * 1000 * per_turn / travel steps/s.
        let interval = (1_000_000 * self.travel, i128::from(config.max_speed_um_per_s) * 1_000 * self.per_turn);
        let ramp = (i128::from(config.max_speed_um_per_s) * 1_000_000, i128::from(config.acceleration_um_per_s2));
        // Several legs: each one's times are off by -1 to 3 ticks (the 3 only after a stop). Followers are half a step off.
        Bounds { interval, ramp_ticks: ramp, shorter: 4, longer: 4, half_steps: 1 }
    }
}

/// That the steps of an axis between two turns belong to a motion within its bounds.
fn check_bounds(edges: &[Edge], axis: Axis, bounds: &Bounds, window: usize) -> Result<(), String> {
    let own: Vec<&Edge> = edges.iter().filter(|edge| edge.axis == axis).collect();
    for run in own.chunk_by(|a, b| a.by == b.by) {
        let times: Vec<Ticks> = run.iter().map(|edge| edge.at).collect();
        for k in [1, 2, 3, window] {
            bounds.check(&times, k).map_err(|error| format!("axis {axis}: {error}"))?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn whatever_is_asked(config in stage(), plans in vec(plan(), 1..6), window in 4..60_usize, poll_every in 50..1_000_u64) {
        prop_assert_eq!(config.validate(&DriverTiming::default()), Ok(()));
        let mut rig = Rig::new(config, DriverTiming::default());
        for axis in Axis::ALL {
            rig.change(axis, |axis| (axis.negative_switch, axis.positive_switch) = (i64::MIN, i64::MAX));
        }
        rig.poll_every = poll_every;
        prop_assert_eq!(rig.stage.move_to(PerAxis::splat(Some(Um::ZERO))), Err(MotionError::NotHomed { axis: Axis::X }));
        rig.stage.home(Axes::ALL).unwrap();
        prop_assert_eq!(rig.finish(), Outcome::Homed);
        let position = rig.stage.status().position;
        let scales = PerAxis::from_fn(|axis| Scale::new(config.axes.get(axis), *position.get(axis)));
        let mut all = Vec::new();
        for (plan, stop) in plans {
            let (before, motors) = (rig.stage.status().position, PerAxis::from_fn(|axis| rig.motor(axis)));
            let target = match plan {
                Plan::To(to) => PerAxis::from_fn(|axis| {
                    let (low, high) = range(config.axes.get(axis));
                    to.get(axis).map(|at| Um::from_nm(low as i32 + ((high - low) as f64 * at) as i32))
                }),
                Plan::By(by) => PerAxis::from_fn(|axis| by.get(axis).map(|by| Um::from_um(by).unwrap())),
            };
            let begun = match plan {
                Plan::To(_) => rig.stage.move_to(target),
                Plan::By(_) => rig.stage.move_by(target),
            };
            let asked = |axis: &Axis| target.get(*axis).is_some();
            match begun {
                Err(MotionError::NoAxis) => prop_assert!(!Axis::ALL.iter().any(asked)),
                Err(MotionError::OutsideLimits { axis, min, max, asked }) => {
                    prop_assert_eq!((i64::from(min.nm()), i64::from(max.nm())), range(config.axes.get(axis)));
                    prop_assert!(asked < min || asked > max);
                    if let Plan::To(_) = plan {
                        prop_assert_eq!(Some(asked), *target.get(axis));
                    }
                }
                Err(error) => prop_assert!(false, "{error}"),
                Ok(()) => {
                    if let Some(after) = stop {
                        let early = rig.run_for(after);
                        if early.is_none() {
                            rig.stage.stop();
                            let edges = rig.world.borrow().edges.len();
                            let outcome = rig.finish();
                            prop_assert!(matches!(outcome, Outcome::Stopped | Outcome::Arrived), "{outcome:?}");
                            // The leader's ramp is at most the longest of the three, from at most the shortest interval; and what was queued.
                            let stopping = &rig.world.borrow().edges[edges..];
                            let interval = |axis| {
                                let bounds = scales.get(axis).bounds(config.axes.get(axis));
                                bounds.interval.0 as f64 / bounds.interval.1 as f64
                            };
                            let ramp = |axis| {
                                let config = config.axes.get(axis);
                                f64::from(config.max_speed_um_per_s) / f64::from(config.acceleration_um_per_s2) * 1e6
                            };
                            let longest = Axis::ALL.map(ramp).into_iter().fold(0.0, f64::max) + 2.0;
                            let shortest = Axis::ALL.map(interval).into_iter().fold(f64::INFINITY, f64::min);
                            let most = longest / 2.0 / shortest + 1.0 + 65.0;
                            for axis in Axis::ALL {
                                let steps = stopping.iter().filter(|edge| edge.axis == axis).count();
                                prop_assert!(steps as f64 <= most, "{steps} steps to stop, expected at most {most}");
                            }
                        }
                    } else {
                        prop_assert_eq!(rig.finish(), Outcome::Arrived);
                        for axis in Axis::ALL.into_iter().filter(asked) {
                            let target = match plan {
                                Plan::To(_) => i64::from(target.get(axis).unwrap().nm()),
                                Plan::By(_) => i64::from(before.get(axis).nm()) + i64::from(target.get(axis).unwrap().nm()),
                            };
                            let found = i64::from(rig.stage.status().position.get(axis).nm());
                            let step = i64::try_from(scales.get(axis).travel / scales.get(axis).per_turn).unwrap() + 1;
                            // Half a step, but at an end of the range up to two: limit and backlash are rounded to whole steps inwards. A relative
                            // move starts from where the axis was sent, which is as far from where it is.
                            let steps = if matches!(plan, Plan::To(_)) { 2 } else { 3 };
                            prop_assert!((found - target).abs() <= steps * step, "axis {axis} at {found} instead of {target}");
                        }
                    }
                }
            }
            let edges = rig.take_edges();
            for axis in Axis::ALL {
                // Steps counted are steps made, and positions are what was counted.
                let made: i64 = edges.iter().filter(|edge| edge.axis == axis).map(|edge| edge.by).sum();
                prop_assert_eq!(motors.get(axis) + made, rig.motor(axis));
                let scale = scales.get(axis);
                let exact = (scale.home + i128::from(rig.motor(axis))) * scale.travel;
                let shown = i128::from(rig.stage.status().position.get(axis).nm()) * scale.per_turn;
                prop_assert!((2 * (exact - shown)).abs() <= scale.per_turn);
            }
            all.extend(edges);
        }
        for edge in &all {
            prop_assert!(scales.get(edge.axis).is_within(config.axes.get(edge.axis), edge.motor), "outside limits: {edge:?}");
        }
        for axis in Axis::ALL {
            let bounds = scales.get(axis).bounds(config.axes.get(axis));
            let kept = check_bounds(&all, axis, &bounds, window);
            prop_assert!(kept.is_ok(), "{:?}", kept);
        }
    }
}
