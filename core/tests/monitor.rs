//! The monitor raises false alarms as rarely as it says, finds a drift as fast as a CUSUM can, and keeps an alarm until it is acknowledged.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_core::{BlockMoments, Count, CountPrior, Drift, Monitor, MonitorConfig};

/// SplitMix64 (Steele et al. 2014) and Box-Muller: the same normal numbers on every machine and in every year.
struct Normal {
    state: u64,
    spare: Option<f64>,
}

impl Normal {
    fn new(seed: u64) -> Self {
        Self { state: seed, spare: None }
    }

    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        self.spare.take().unwrap_or_else(|| {
            let (radius, angle) = ((-2.0 * (1.0 - self.uniform()).ln()).sqrt(), std::f64::consts::TAU * self.uniform());
            self.spare = Some(radius * angle.sin());
            radius * angle.cos()
        })
    }
}

const ETA: f64 = 0.5;
const RHO: f64 = 0.03;
const PIXELS: u32 = 57_600;
const BERNOULLI: f64 = 0.1;

/// One label with N(0.5, 0.03^2).
fn monitor(config: MonitorConfig<f64>) -> Monitor<f64, 1> {
    let prior = CountPrior::<f64, 1, 1>::new(&[[Count { mean: ETA, std: RHO }]], 0.0, 0.0).unwrap();
    Monitor::new(&prior, 0, config).unwrap()
}

/// A field whose count lies `shift` standard deviations from the prior's mean, the field's own variance included.
fn field(shift: f64) -> BlockMoments<f64> {
    let deviation = (RHO * RHO + BERNOULLI / f64::from(PIXELS)).sqrt();
    BlockMoments::from_parts(PIXELS, ETA + shift * deviation, BERNOULLI).unwrap()
}

/// Mean number of fields from a fresh (or acknowledged) start to an alarm.
fn run_length(config: MonitorConfig<f64>, shift: f64, alarms: u32, seed: u64) -> f64 {
    let mut normal = Normal::new(seed);
    let mut monitor = monitor(config);
    let (mut fields, mut found) = (0_u64, 0);
    while found < alarms {
        fields += 1;
        if monitor.observe(0, &field(shift + normal.next())).unwrap().alarm.is_some() {
            found += 1;
            monitor.acknowledge(0).unwrap();
        }
    }
    fields as f64 / f64::from(alarms)
}

/// The measured rate is the stated one to 15 %: 5,000 alarms leave 1.4 % of chance, the rest is Siegmund's approximation.
#[test]
fn false_alarms_come_as_rarely_as_stated() {
    for (shift, rate) in
        [(0.5, 1.0 / 200.0), (1.0, 1.0 / 50.0), (1.0, 1.0 / 200.0), (1.0, 1.0 / 1000.0), (2.0, 1.0 / 200.0), (2.0, 1.0 / 1000.0)]
    {
        let config = MonitorConfig::for_false_alarm_rate(shift, rate).unwrap();
        let measured = 1.0 / run_length(config, 0.0, 5_000, 1);
        println!("shift {shift}: stated {rate:.5}, measured {measured:.5}, ratio {:.3}", measured / rate);
        assert!((measured / rate - 1.0).abs() < 0.15, "shift {shift}: stated {rate}, measured {measured}");
    }
}

/// The default's one false alarm in 10,000 fields, measured over 500 of them: 15 % is three standard errors.
#[test]
fn the_default_has_one_false_alarm_in_ten_thousand_fields() {
    let measured = run_length(MonitorConfig::default(), 0.0, 500, 2);
    println!("default: {measured:.0} fields to a false alarm");
    assert!((measured / 10_000.0 - 1.0).abs() < 0.15, "{measured}");
}

#[test]
fn the_default_threshold_is_the_solvers() {
    let solved = MonitorConfig::<f64>::for_false_alarm_rate(1.0, 1e-4).unwrap();
    let default = MonitorConfig::<f64>::default();
    assert_eq!(solved.reference, default.reference);
    assert!((solved.threshold - default.threshold).abs() < 1e-3, "{} instead of {}", default.threshold, solved.threshold);
}

/// Rarer alarms need a higher threshold, over the whole range that is allowed.
#[test]
fn thresholds_ascend_as_alarms_get_rarer() {
    for shift in [0.1, 0.5, 1.0, 2.0, 5.0, 10.0] {
        let mut below = 0.0;
        for exponent in 1..=9 {
            let config = MonitorConfig::<f64>::for_false_alarm_rate(shift, 10.0_f64.powi(-exponent)).unwrap();
            assert!(config.threshold >= below && config.threshold <= 1000.0, "shift {shift}, 1e-{exponent}: {}", config.threshold);
            below = config.threshold;
            monitor(config);
        }
    }
}

/// A drift of the shift that was asked for is found after (h + 1.166) / k - 1/(2 k^2) fields on average (Siegmund; 15 %), to either side.
#[test]
fn a_drift_of_one_standard_deviation_is_found_in_time() {
    for rate in [1.0 / 200.0, 1.0 / 1000.0, 1e-4] {
        let config = MonitorConfig::<f64>::for_false_alarm_rate(1.0, rate).unwrap();
        // ARL = (exp(-2 d b) + 2 d b - 1) / (2 d^2) with drift d = shift - k = 1/2, b = h + 1.166
        let b = config.threshold + 1.166;
        let expected = ((-b).exp() + b - 1.0) / 0.5;
        for shift in [1.0, -1.0] {
            let measured = run_length(config, shift, 4_000, 3);
            println!("rate {rate}: drift {shift} found after {measured:.2} fields, expected {expected:.2}");
            assert!((measured / expected - 1.0).abs() < 0.15, "{measured} instead of {expected}");
        }
    }
}

/// The z-score divides by the prior's and the field's own variance together.
#[test]
fn a_fields_own_uncertainty_counts() {
    let mut monitor = monitor(MonitorConfig::default());
    // 9 pixels: v = 0.18 / 9 = 0.02, rho^2 = 0.0009
    let small = BlockMoments::from_parts(9, 0.7, 0.18).unwrap();
    let expected = (0.7 - ETA) / (RHO * RHO + 0.02_f64).sqrt();
    assert!((monitor.observe(0, &small).unwrap().z_score - expected).abs() < 1e-12);
    for shift in [-3.0, -0.5, 0.0, 2.0] {
        assert!((monitor.observe(0, &field(shift)).unwrap().z_score - shift).abs() < 1e-12);
    }
}

/// An alarm stays through any number of good fields, in its first direction, until it is acknowledged; then the sum starts anew.
#[test]
fn an_alarm_stays_until_it_is_acknowledged() {
    let mut monitor = monitor(MonitorConfig { reference: 0.5, threshold: 4.0 });
    assert_eq!(monitor.observe(0, &field(4.5)).unwrap().alarm, None); // 4.5 - 0.5 is not above 4
    assert_eq!(monitor.observe(0, &field(1.0)).unwrap().alarm, Some(Drift::Above));
    for _ in 0..100 {
        assert_eq!(monitor.observe(0, &field(0.0)).unwrap().alarm, Some(Drift::Above));
        assert_eq!(monitor.observe(0, &field(-3.0)).unwrap().alarm, Some(Drift::Above));
    }
    assert_eq!(monitor.alarm(0).unwrap(), Some(Drift::Above));
    monitor.acknowledge(0).unwrap();
    assert_eq!(monitor.alarm(0).unwrap(), None);
    assert_eq!(monitor.moments(0).unwrap().blocks(), 202, "the running moments stay");
    assert_eq!(monitor.observe(0, &field(-4.0)).unwrap().alarm, None, "the sums began at 0");
    assert_eq!(monitor.observe(0, &field(-4.0)).unwrap().alarm, Some(Drift::Below));
}

/// Labels do not touch each other, and moments of two devices merge to those of one that saw everything.
#[test]
fn labels_are_apart_and_devices_merge() {
    let prior = CountPrior::<f64, 10, 2>::table_1();
    let new = || Monitor::<f64, 10>::new(&prior, 1, MonitorConfig::default()).unwrap();
    let (mut one, mut other, mut all) = (new(), new(), new());
    for k in 0..40 {
        let field = BlockMoments::from_parts(1_000, 0.6 + 0.005 * f64::from(k), 0.1).unwrap();
        if k % 3 == 0 { one.observe(9, &field) } else { other.observe(9, &field) }.unwrap();
        all.observe(9, &field).unwrap();
    }
    for label in 0..9 {
        assert_eq!(all.moments(label).unwrap().blocks(), 0);
        assert_eq!(all.alarm(label).unwrap(), None);
    }
    let merged = one.moments(9).unwrap().merge(other.moments(9).unwrap());
    let whole = all.moments(9).unwrap();
    assert_eq!(merged.blocks(), whole.blocks());
    assert!((merged.mean() - whole.mean()).abs() < 1e-15 && (merged.between_variance() - whole.between_variance()).abs() < 1e-15);
}
