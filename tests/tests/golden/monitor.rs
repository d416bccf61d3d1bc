//! The monitor in f64 and f32 against 60-digit arithmetic: sums, counts, z-scores, alarms and the moments of each label.

use lsr_core::{BlockMoments, CountPrior, Drift, Monitor, MonitorConfig, Real, U8Sums, VarianceModel};
use lsr_tests::monitor_cases::{Field, Group, Judge, MonitorCases};
use lsr_tests::share_of_allowed;
use std::collections::BTreeSet;

fn cases() -> MonitorCases {
    MonitorCases::own().unwrap_or_else(|error| panic!("{error}"))
}

/// Core itself.
struct OnHost<R> {
    monitor: Monitor<R, 10>,
}

impl<R: Real> OnHost<R> {
    fn new() -> Self {
        Self { monitor: Monitor::new(&CountPrior::<R, 10, 2>::table_1(), 1, MonitorConfig::default()).unwrap() }
    }
}

impl<R: Real> Judge for OnHost<R> {
    fn acknowledge(&mut self, label: u8) {
        self.monitor.acknowledge(label.into()).unwrap();
    }

    fn observe(&mut self, field: &Field) -> (f64, Option<Drift>) {
        let found = self.monitor.observe(field.label.into(), &BlockMoments::from_u8_sums(field.sums()).unwrap()).unwrap();
        (found.z_score.to_f64(), found.alarm)
    }

    fn group(&mut self, label: u8) -> Group {
        let moments = self.monitor.moments(label.into()).unwrap();
        Group {
            label,
            fields: moments.blocks(),
            mean: moments.mean().to_f64(),
            between_variance: moments.between_variance().to_f64(),
            count_fraction: moments.within_variance(VarianceModel::CountFraction).to_f64(),
            bernoulli_mean: moments.within_variance(VarianceModel::BernoulliMean).to_f64(),
        }
    }
}

fn holds<R: Real>(name: &str, unit: f64) {
    let cases = cases();
    let worst = cases.hold(&mut OnHost::<R>::new(), unit).unwrap_or_else(|error| panic!("{name}: {error}"));
    println!(
        "{name}: {} fields, largest error of a z-score {:.2} and of a moment {:.2} of what is allowed",
        cases.fields.len(),
        worst.z_score,
        worst.group
    );
    for (number, field) in cases.fields.iter().enumerate() {
        let block = BlockMoments::<R>::from_u8_sums(field.sums()).unwrap();
        let count_fraction = block.variance(VarianceModel::CountFraction);
        for (what, found, expected) in [
            ("mean", block.mean(), field.mean),
            ("bernoulli_mean", block.variance(VarianceModel::BernoulliMean), field.bernoulli_mean),
            ("count_fraction", count_fraction, field.count_fraction),
        ] {
            // A quotient of integers is rounded once, or twice on its way to f32; the pixels' number and another quotient add three.
            share_of_allowed(found.to_f64(), expected, 4.0 * unit * expected)
                .unwrap_or_else(|error| panic!("{name}, field {number}: {what} {error}"));
        }
    }
}

#[test]
fn the_monitor_in_f64_holds_the_golden_values() {
    holds::<f64>("f64", 2.0_f64.powi(-53));
}

#[test]
fn the_monitor_in_f32_holds_the_golden_values() {
    holds::<f32>("f32", 2.0_f64.powi(-24));
}

#[test]
fn integer_sums_are_exact_however_the_pixels_come() {
    let mut pushed = 0_u64;
    for (number, field) in cases().fields.iter().enumerate() {
        // A field of 4 G pixels is only summed.
        if field.pixels > 1 << 25 {
            continue;
        }
        let mut pixels = Vec::new();
        field.for_each_run(|value, count| pixels.extend(std::iter::repeat_n(value, count as usize)));
        for row in [pixels.len(), 240, 7, 65_537] {
            let mut sums = U8Sums::default();
            pixels.chunks(row).for_each(|row| sums.push_row(row));
            assert_eq!(sums, field.sums(), "field {number} in rows of {row}");
        }
        pushed += u64::from(field.pixels);
    }
    println!("{pushed} pixels, each in four ways");
    assert!(pushed > 1_000_000);
}

#[test]
fn the_file_is_about_the_default_monitor_and_covers_what_can_happen() {
    let cases = cases();
    let config = MonitorConfig::<f64>::default();
    assert_eq!((cases.reference, cases.threshold), (config.reference, config.threshold));
    let prior = CountPrior::<f64, 10, 2>::table_1();
    for (label, target) in cases.prior.iter().enumerate() {
        let expected = prior.target(label, 1).unwrap();
        assert_eq!((target.eta, target.rho), (expected.mean, expected.std), "label {label}");
    }
    assert!(cases.fields.len() >= 60);
    let alarms: BTreeSet<_> = cases.fields.iter().map(|field| format!("{:?}", field.alarm)).collect();
    assert_eq!(alarms.len(), 3, "{alarms:?}");
    assert!(cases.fields.iter().any(|field| field.pixels == 1) && cases.fields.iter().any(|field| field.pixels == u32::MAX - 1));
    assert!(cases.fields.iter().any(|field| field.sum == 0) && cases.fields.iter().any(|field| field.sum == 255 * u64::from(field.pixels)));
}

/// The comparison itself fails on a wrong alarm, a wrong score and a wrong moment.
#[test]
fn a_wrong_value_of_the_monitor_fails() {
    let hold = |change: fn(&mut MonitorCases)| {
        let mut cases = cases();
        change(&mut cases);
        cases.hold(&mut OnHost::<f64>::new(), 2.0_f64.powi(-53)).map(|_| ())
    };
    assert_eq!(hold(|_| {}), Ok(()));
    for (change, message) in [
        ((|cases| cases.fields[3].alarm = Some(Drift::Above)) as fn(&mut MonitorCases), "field 3: alarm"),
        (|cases| cases.fields[5].z_score += 1e-13, "field 5: z-score"),
        (|cases| cases.fields[5].z_score = f64::NAN, "field 5: z-score"),
        (|cases| cases.groups[2].mean += 1e-14, "label 2: mean"),
        (|cases| cases.groups[7].between_variance *= 1.0 + 1e-13, "label 7: between-variance"),
        (|cases| cases.groups[9].count_fraction *= 1.0 + 1e-14, "label 9: within-variance (count_fraction)"),
        (|cases| cases.groups[0].fields += 1, "label 0: "),
    ] {
        let error = hold(change).unwrap_err();
        assert!(error.starts_with(message), "{error:?} instead of {message:?}");
    }
}
