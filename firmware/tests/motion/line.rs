//! Lines of up to three axes: straight to half a step, exact in number, each axis within its own bounds.

use crate::bounds::Bounds;
use lsr_firmware::{Axis, Line, PerAxis, Profile, Rate, StepEvent, Ticks};
use proptest::prelude::*;

fn rate() -> impl Strategy<Value = Rate> {
    // 3 ticks to 65 ms a step, and up to 17 s of ramp.
    ((1.6..16.0_f64, any::<u32>()), 1.0..24.0_f64).prop_map(|((interval, fraction), ramp)| {
        Rate::new(((2_f64.powf(interval) as u64) << 32) | u64::from(fraction), 2_f64.powf(ramp) as u32)
    })
}

fn rates() -> impl Strategy<Value = PerAxis<Rate>> {
    (rate(), rate(), rate()).prop_map(|(x, y, z)| PerAxis { x, y, z })
}

fn displacement() -> impl Strategy<Value = PerAxis<i32>> {
    let steps = || prop_oneof![Just(0), -5..6_i32, -900..901_i32];
    (steps(), steps(), steps()).prop_map(|(x, y, z)| PerAxis { x, y, z })
}

/// The times of one axis' steps, from the start on.
fn times_of(events: &[StepEvent], axis: Axis, start: Ticks) -> Vec<Ticks> {
    std::iter::once(start).chain(events.iter().filter(|event| event.steps(axis)).map(|event| event.at)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_line_is_straight_exact_and_within_bounds(by in displacement(), rates in rates(), window in 1..40_usize, before in 0..8_u8) {
        let start = 777;
        let line = Line::new(by, &rates, start, before);
        let events: Vec<StepEvent> = line.collect();
        let leader = Axis::ALL.into_iter().map(|axis| by.get(axis).unsigned_abs()).max().unwrap();
        prop_assert_eq!(events.len(), leader as usize);
        prop_assert_eq!(events.last().map_or(start, |event| event.at), line.end());
        for axis in Axis::ALL {
            let (steps, positive) = (i64::from(*by.get(axis)).abs(), *by.get(axis) > 0);
            prop_assert_eq!(line.moves(axis), steps > 0);
            let mut made = 0;
            for (i, event) in events.iter().enumerate() {
                made += i64::from(event.steps(axis));
                // An axis that stays keeps its direction pin.
                prop_assert_eq!(event.positive(axis), if steps > 0 { positive } else { before & axis.bit() != 0 });
                // Twice the distance from the line, in steps of 1 / N.
                let off = 2 * (made * i64::from(leader) - steps * (i as i64 + 1));
                prop_assert!(off.abs() <= i64::from(leader), "axis {axis} is {off}/{leader} half steps off the line");
            }
            prop_assert_eq!(made, steps);
            // The leader is on the curve, the others are within half a step of it at each end of a window.
            let half_steps = i128::from(steps < i64::from(leader));
            let rate = rates.get(axis);
            let bounds = Bounds {
                interval: (rate.interval().into(), 1 << 32),
                ramp_ticks: (rate.ramp().into(), 1),
                shorter: 1,
                longer: 2,
                half_steps,
            };
            // Of a follower the start is no step: it is left out.
            let times = times_of(&events, axis, start);
            for k in [1, 2, 3, window] {
                let kept = bounds.check(&times[usize::from(half_steps != 0)..], k);
                prop_assert!(kept.is_ok(), "axis {axis}: {:?}", kept);
            }
        }
    }

    /// A stop anywhere ends on the line, after the steps that were given out and the ramp.
    #[test]
    fn a_stop_stays_on_the_line(by in displacement(), rates in rates(), at in 0.0..1.0_f64) {
        let leader = Axis::ALL.into_iter().map(|axis| by.get(axis).unsigned_abs()).max().unwrap();
        let at = (f64::from(leader) * at) as usize;
        let whole: Vec<StepEvent> = Line::new(by, &rates, 0, 0).collect();
        let mut line = Line::new(by, &rates, 0, 0);
        let mut events: Vec<StepEvent> = line.by_ref().take(at).collect();
        line.stop();
        let rest = line.remaining() as usize;
        events.extend(line.by_ref());
        prop_assert_eq!(events.len(), at + rest);
        prop_assert!(rest <= at && rest <= whole.len() - at);
        for (stopped, whole) in events.iter().zip(&whole) {
            prop_assert_eq!(stopped.axes, whole.axes);
        }
        prop_assert_eq!(&events[..at], &whole[..at]);
        prop_assert!(events.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}

/// After a stop every step is due when the shortened profile says, the very next one included.
#[test]
fn a_stop_shortens_the_profile() {
    let rates = PerAxis::splat(Rate::new(50 << 32, 100_000));
    for at in [0, 1, 2, 300, 1_000, 1_001, 5_000, 8_999, 9_500] {
        let mut line = Line::new(PerAxis { x: 10_000, y: 0, z: 0 }, &rates, 70, 0);
        let mut profile = Profile::new(10_000, rates.x);
        let before: Vec<Ticks> = line.by_ref().take(at as usize).map(|event| event.at).collect();
        assert_eq!(before, (1..=at).map(|n| 70 + profile.time(n)).collect::<Vec<_>>());
        line.stop();
        profile.stop_after(at);
        assert_eq!(line.next_at(), (profile.steps() > at).then(|| 70 + profile.time(at + 1)));
        assert_eq!(line.remaining(), profile.steps() - at);
        let after: Vec<Ticks> = line.by_ref().map(|event| event.at).collect();
        assert_eq!(after, (at + 1..=profile.steps()).map(|n| 70 + profile.time(n)).collect::<Vec<_>>());
        assert_eq!((line.next_at(), line.end()), (None, 70 + profile.end()));
    }
}

/// One axis alone has the profile of its own rate.
#[test]
fn alone_an_axis_is_as_fast_as_it_may_be() {
    let rates = PerAxis { x: Rate::new(50 << 32, 100_000), y: Rate::new(400 << 32, 5_000), z: Rate::new(3 << 40, 9_000_000) };
    for axis in Axis::ALL {
        let mut by = PerAxis::splat(0);
        *by.get_mut(axis) = -12_345;
        let profile = Profile::new(12_345, *rates.get(axis));
        for (n, event) in (1..).zip(Line::new(by, &rates, 10, 7)) {
            assert_eq!((event.at, event.axes, event.direction), (10 + profile.time(n), axis.bit(), 7 & !axis.bit()));
        }
    }
}

/// A slow axis holds a fast one back by as much as it has to: z at a quarter of x' steps and a tenth of its speed.
#[test]
fn the_slowest_axis_sets_the_pace() {
    let rates = PerAxis { x: Rate::new(50 << 32, 100_000), y: Rate::new(50 << 32, 100_000), z: Rate::new(500 << 32, 100_000) };
    let times: Vec<Ticks> = Line::new(PerAxis { x: 40_000, y: 0, z: 10_000 }, &rates, 0, 0).map(|event| event.at).collect();
    // 125 ticks a step of x are 500 a step of z, and 2^-32 of a tick rounded up. It takes z its whole ramp to get there.
    assert_eq!(times[30_000] - times[10_000], 20_000 * 125);
    assert_eq!(times[39_999], 40_000 * 125 + 100_000);
}

#[test]
fn a_line_of_no_length_has_no_step() {
    let mut line = Line::new(PerAxis::splat(0), &PerAxis::splat(Rate::new(50 << 32, 1_000)), 5, 3);
    assert_eq!((line.next(), line.remaining(), line.end(), line.direction()), (None, 0, 5, 3));
    line.stop();
    assert_eq!(line.next(), None);
}
