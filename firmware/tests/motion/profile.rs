//! Step times against exact rational arithmetic, and against the bounds that they must keep.

use crate::bounds::Bounds;
use lsr_firmware::{Profile, Rate, Ticks};
use proptest::prelude::*;

/// 2^32: intervals are given in its fractions of a tick.
const ONE: i128 = 1 << 32;

/// The profile's curve in exact arithmetic, from nothing but interval and ramp: times are compared as fractions, no square root is taken.
#[derive(Debug, Clone, Copy)]
struct Exact {
    /// 2^-32 ticks.
    interval: i128,
    half_ramp: i128,
}

impl Exact {
    fn of(rate: Rate) -> Self {
        Self { interval: rate.interval().into(), half_ramp: i128::from(rate.ramp().div_ceil(2)) }
    }

    /// Whether `t` ticks are the exact time of `n` steps from rest, rounded down.
    fn is_first_half(self, n: u32, t: Ticks) -> bool {
        let (n, t) = (i128::from(n), i128::from(t));
        // On the ramp n <= v h: n I <= h 2^32.
        if n * self.interval <= self.half_ramp * ONE {
            // t = floor sqrt(n C), C = 4 h I / 2^32
            let n_c = n * 4 * self.half_ramp * self.interval;
            t * t * ONE <= n_c && n_c < (t + 1) * (t + 1) * ONE
        } else {
            // t = floor(n I / 2^32 + h)
            let exact = n * self.interval + self.half_ramp * ONE;
            t * ONE <= exact && exact < (t + 1) * ONE
        }
    }

    /// Whether `t` ticks are the exact duration of `n` steps from rest to rest, rounded down.
    fn is_end(self, n: u32, t: Ticks) -> bool {
        let (n, t) = (i128::from(n), i128::from(t));
        if n * self.interval >= 2 * self.half_ramp * ONE {
            let exact = n * self.interval + 2 * self.half_ramp * ONE;
            t * ONE <= exact && exact < (t + 1) * ONE
        } else {
            // Twice the time of half of it: 2 sqrt(n/2 C) = sqrt(2 n C)
            let two_n_c = 8 * n * self.half_ramp * self.interval;
            t * t * ONE <= two_n_c && two_n_c < (t + 1) * (t + 1) * ONE
        }
    }

    fn bounds(self, longer: i128) -> Bounds {
        // The ramp is rounded up to an even number of ticks: what it is then is what is kept.
        Bounds { interval: (self.interval, ONE), ramp_ticks: (2 * self.half_ramp, 1), shorter: 1, longer, half_steps: 0 }
    }
}

/// All step times, the start included.
fn times(profile: &Profile) -> Vec<Ticks> {
    (0..=profile.steps()).map(|n| profile.time(n)).collect()
}

fn rates() -> impl Strategy<Value = Rate> {
    // Intervals of 2 ticks to 1 s and ramps of 2 ticks to 100 s, evenly over the orders of magnitude.
    ((1.0..20.0_f64, any::<u32>()), 1.0..26.6_f64).prop_map(|((interval, fraction), ramp)| {
        Rate::new(((2_f64.powf(interval) as u64) << 32) | u64::from(fraction), 2_f64.powf(ramp) as u32)
    })
}

fn steps() -> impl Strategy<Value = u32> {
    prop_oneof![0..10_u32, 0..3_000_u32]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// Every time is the exact one, rounded down; the second half is the first one mirrored, to the tick.
    #[test]
    fn times_are_exact_and_symmetric(rate in rates(), steps in steps()) {
        let (profile, exact) = (Profile::new(steps, rate), Exact::of(rate));
        prop_assert_eq!(profile.steps(), steps);
        prop_assert!(exact.is_end(steps, profile.end()));
        prop_assert_eq!(profile.time(0), 0);
        prop_assert_eq!(profile.time(steps), profile.end());
        for n in 0..=steps / 2 {
            prop_assert!(exact.is_first_half(n, profile.time(n)), "step {n} at {}", profile.time(n));
            if 2 * n != steps {
                prop_assert_eq!(profile.time(steps - n), profile.end() - profile.time(n));
            }
        }
    }

    /// Neither speed nor acceleration exceeds its bound, over any window, with the allowance that the profile's documentation derives.
    #[test]
    fn bounds_are_kept(rate in rates(), steps in steps(), window in 1..50_usize) {
        let times = times(&Profile::new(steps, rate));
        let bounds = Exact::of(rate).bounds(2);
        for k in [1, 2, window] {
            let kept = bounds.check(&times, k);
            prop_assert!(kept.is_ok(), "{:?}", kept);
        }
    }

    /// A stop leaves what is under way, is within the ramp, and keeps the bounds.
    #[test]
    fn a_stop_is_a_ramp(rate in rates(), steps in steps(), at in 0.0..1.0_f64, window in 1..50_usize) {
        let whole = Profile::new(steps, rate);
        let at = (f64::from(steps) * at) as u32;
        let mut stopped = whole;
        stopped.stop_after(at);
        let exact = Exact::of(rate);
        // v^2 / 2a = v h steps, and those that it took to get there.
        let ramp = u32::try_from(exact.half_ramp * ONE / exact.interval).unwrap();
        let most = (ramp + 1).min(at);
        prop_assert!(stopped.steps() >= at && stopped.steps() <= steps);
        prop_assert!(stopped.steps() - at <= most, "{} steps after {at}, expected at most {most}", stopped.steps() - at);
        // What was given out stands; the rest follows from it.
        let times: Vec<Ticks> = (0..=at).map(|n| whole.time(n)).chain((at + 1..=stopped.steps()).map(|n| stopped.time(n))).collect();
        let bounds = exact.bounds(4);
        for k in [1, window] {
            let kept = bounds.check(&times, k);
            prop_assert!(kept.is_ok(), "{:?}", kept);
        }
        // It ends as it began: with the ramp's first interval, and the tick that a stop adds where it begins.
        if stopped.steps() < steps && at > 0 {
            let added = Ticks::from(stopped.steps() == at + 1);
            prop_assert_eq!(times[times.len() - 1] - times[times.len() - 2], whole.time(1) + added);
        }
        // Stopping again changes nothing.
        let mut again = stopped;
        again.stop_after(at + (stopped.steps() - at) / 2);
        prop_assert_eq!(again, stopped);
    }
}

/// 10^7 steps, every one of them against exact rational arithmetic: no drift, not a tick.
#[test]
fn ten_million_steps_do_not_drift() {
    // Intervals just above, just below and far from a whole number of ticks; ramps of 0.3 s and of 50 s, even and odd.
    for (interval, ramp) in [((75 << 32) + 1, 300_000), ((74 << 32) + 0xffff_ffff, 299_999), ((1_234 << 32) + 0x5555_5556, 50_000_000)] {
        let rate = Rate::new(interval, ramp);
        let steps = 10_000_000;
        let (profile, exact) = (Profile::new(steps, rate), Exact::of(rate));
        for n in 0..=steps / 2 {
            assert!(exact.is_first_half(n, profile.time(n)), "step {n} at {}", profile.time(n));
        }
        assert!(exact.is_end(steps, profile.end()));
        // Far beyond the middle, where times are counted from the end: within a tick of n / v + h as well.
        let n = 9_000_001;
        let ideal = i128::from(n) * exact.interval + exact.half_ramp * ONE;
        assert!((i128::from(profile.time(n)) * ONE - ideal).abs() < ONE);
    }
}

/// By hand: 10,000 steps/s reached in 100 ms are 100,000 steps/s^2 and 500 steps of ramp.
#[test]
fn a_profile_by_hand() {
    let profile = Profile::new(10_000, Rate::new(100 << 32, 100_000));
    assert_eq!(profile.time(1), 4_472); // sqrt(2 / 100,000) s = 4.47214 ms
    assert_eq!(profile.time(100), 44_721); // sqrt(200 / 100,000) s
    assert_eq!(profile.time(500), 100_000);
    assert_eq!(profile.time(501), 100_100);
    assert_eq!(profile.time(5_000), 550_000);
    assert_eq!(profile.end(), 1_100_000);
    // A triangle: 400 steps, 200 of them up.
    let profile = Profile::new(400, Rate::new(100 << 32, 100_000));
    assert_eq!(profile.time(200), 63_245); // sqrt(400 / 100,000) s = 63.2456 ms
    assert_eq!(profile.end(), 126_491);
}

/// The largest numbers there are do not overflow (the test profile checks).
#[test]
fn extremes() {
    for interval in [0, 2 << 32, u64::MAX] {
        for ramp in [0, 1, u32::MAX] {
            for steps in [0, 1, 2, 3, u32::MAX] {
                let mut profile = Profile::new(steps, Rate::new(interval, ramp));
                let middle = profile.steps() / 2;
                assert!(profile.time(middle) <= profile.time(profile.steps()));
                assert_eq!(profile.time(u32::MAX), profile.end());
                profile.stop_after(middle);
                assert!(profile.time(middle) <= profile.end());
            }
        }
    }
}
