//! Priors, bins and settings in files: what is written is read back, and what is wrong is refused as if it were constructed (feature `serde`).

#![cfg(feature = "serde")]

use lsr_core::{
    Confusion, Count, CountPrior, Distance, Drift, LabelBins, MonitorConfig, Observation, Preset, Scheme, Stabilisers, U8Sums,
    VarianceModel,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{from_str, json, to_string, to_value};

type Prior = CountPrior<f64, 10, 2>;

#[test]
fn table_1_survives_a_file() {
    let prior = Prior::table_1();
    let text = to_string(&prior).unwrap();
    assert!(text.starts_with(r#"{"rows":[[{"mean":1.0,"std":0.001},{"mean":0.0,"std":0.001}],"#), "{text}");
    assert_eq!(from_str::<Prior>(&text).unwrap(), prior);
    let single = CountPrior::<f32, 10, 2>::table_1();
    assert_eq!(from_str::<CountPrior<f32, 10, 2>>(&to_string(&single).unwrap()).unwrap(), single);
}

#[test]
fn the_papers_bins_survive_a_file() {
    let bins = LabelBins::<f64, 9>::paper();
    let text = to_string(&bins).unwrap();
    assert_eq!(text, r#"{"edges":[0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.95]}"#);
    assert_eq!(from_str::<LabelBins<f64, 9>>(&text).unwrap(), bins);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    /// Any prior and any bins come back to the bit.
    #[test]
    fn priors_and_bins_come_back(rows in vec((0.0..=1.0_f64, 1e-9..=1.0_f64, 1e-9..=1.0_f64), 1..=10), mut edges in vec(1e-6..0.999_f64, 0..9)) {
        let rows: Vec<[Count<f64>; 2]> =
            rows.into_iter().map(|(mean, a, b)| [Count { mean, std: a }, Count { mean: 1.0 - mean, std: b }]).collect();
        let prior = Prior::new(&rows, 0.0, 0.02).unwrap();
        prop_assert_eq!(&from_str::<Prior>(&to_string(&prior).unwrap()).unwrap(), &prior);
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let bins = LabelBins::<f64, 9>::new(&edges).unwrap();
        prop_assert_eq!(&from_str::<LabelBins<f64, 9>>(&to_string(&bins).unwrap()).unwrap(), &bins);
    }

    /// Any text: an error or a checked prior, never a panic.
    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{}:,"a-z0-9.eE+-]{0,60}"#, bytes in vec(any::<u8>(), 0..60)) {
        let _ = from_str::<Prior>(&text);
        let _ = serde_json::from_slice::<Prior>(&bytes);
        let _ = serde_json::from_slice::<LabelBins<f32, 9>>(&bytes);
    }
}

/// Every check of the constructor stands between a file and a prior, with the constructor's words.
#[test]
fn a_bad_prior_is_refused_by_name() {
    let good = json!({"mean": 0.5, "std": 0.1});
    for (rows, message) in [
        (json!([]), "rows of the count prior: expected length 1, found 0"),
        (json!([[good, good], [good]]), "classes of a prior's row: expected length 2, found 1"),
        (json!([[{"mean": 1.5, "std": 0.1}, good]]), "count prior, z 0, class 0: expected a mean in [0, 1], found 1.5"),
        (json!([[good, {"mean": 0.5, "std": 0.0}]]), "count prior, z 0, class 1: expected a standard deviation in (0, 1], found 0"),
        (json!([[good, {"mean": 0.5, "std": -0.1}]]), "count prior, z 0, class 1: expected a standard deviation in (0, 1], found -0.1"),
        (json!([[good, good], [good, {"mean": 0.25, "std": 0.1}]]), "count prior, z 1: class means must sum to 1 within 0.01, found 0.75"),
        (json!([[good, {"mean": 0.5}]]), "missing field `std`"),
        (json!([[good, {"mean": 0.5, "sd": 0.1}]]), "unknown field `sd`, expected `mean` or `std`"),
        (json!([[good, {"mean": null, "std": 0.1}]]), "invalid type: null, expected f64"),
        (json!(vec![json!([good, good]); 11]), "invalid length 11"),
        (json!([[good, good, good]]), "invalid length 3"),
    ] {
        let error = from_str::<Prior>(&json!({ "rows": rows }).to_string()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error:?} instead of {message:?}");
    }
    for (text, message) in [
        (r#"{"rows":[[{"mean":0.5,"std":NaN}]]}"#, "expected value"),
        (r#"{"rows":[[{"mean":0.5,"std":1e999}]]}"#, "number out of range"),
        (r#"{"rows":[[{"mean":1.0,"std":0.1}]],"sum_tolerance":-1}"#, "sum_tolerance: expected a value in [0, 1], found -1"),
        (r#"{"rows":[[{"mean":1.0,"std":0.1}]],"floor":0}"#, "unknown field `floor`"),
        (r#"{"rows":[[{"mean":1.0,"std":0.1}]"#, "EOF while parsing"),
        ("", "EOF while parsing"),
    ] {
        let error = from_str::<Prior>(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error:?} instead of {message:?}");
    }
}

/// The tolerance is written, so that a prior which was accepted once is accepted when read; without one the default holds.
#[test]
fn the_tolerance_is_part_of_the_file() {
    let loose = Prior::new(&[[Count { mean: 0.6, std: 0.1 }, Count { mean: 0.3, std: 0.1 }]], 0.0, 0.2).unwrap();
    assert_eq!(from_str::<Prior>(&to_string(&loose).unwrap()).unwrap(), loose);
    let mut value = to_value(&loose).unwrap();
    value.as_object_mut().unwrap().remove("sum_tolerance");
    let error = serde_json::from_value::<Prior>(value).unwrap_err().to_string();
    assert!(error.starts_with("count prior, z 0: class means must sum to 1 within 0.01, found 0.89"), "{error}");
}

#[test]
fn bad_bins_are_refused_by_name() {
    for (text, message) in [
        (r#"{"edges":[0.3,0.2]}"#, "bin edge 1: expected edges that ascend strictly inside (0, 1), found 0.2"),
        (r#"{"edges":[1.0]}"#, "bin edge 0: expected edges that ascend strictly inside (0, 1), found 1"),
        (r#"{"edges":[0.1,0.2,0.3,0.4,0.5]}"#, "invalid length 5"),
        (r#"{"edges":[0.1],"more":1}"#, "unknown field `more`"),
        ("{}", "missing field `edges`"),
    ] {
        let error = from_str::<LabelBins<f32, 4>>(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error:?} instead of {message:?}");
    }
}

/// The names in files are the names of flags.
#[test]
fn names_in_files_are_names_of_flags() {
    for scheme in Scheme::ALL {
        assert_eq!(to_value(scheme).unwrap(), scheme.name());
        assert_eq!(scheme.name().parse::<Scheme>().unwrap(), scheme);
        assert_eq!(scheme.to_string(), scheme.name());
    }
    for distance in Distance::ALL {
        assert_eq!(to_value(distance).unwrap(), distance.name());
        assert_eq!(distance.name().parse::<Distance>().unwrap(), distance);
        assert_eq!(distance.to_string(), distance.name());
    }
    for preset in Preset::ALL {
        assert_eq!(to_value(preset).unwrap(), preset.name());
        assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
        assert_eq!(preset.to_string(), preset.name());
    }
    assert_eq!(to_value(VarianceModel::BernoulliMean).unwrap(), "bernoulli_mean");
    assert_eq!(to_value(VarianceModel::CountFraction).unwrap(), "count_fraction");
}

/// Stabilisers may name only what differs from the default; a misspelt one is not passed over.
#[test]
fn settings_survive_a_file() {
    let stabilisers = Stabilisers::<f64> { log_offset: 0.03, ..Stabilisers::default() };
    assert_eq!(from_str::<Stabilisers<f64>>(r#"{"log_offset":0.03}"#).unwrap(), stabilisers);
    assert_eq!(from_str::<Stabilisers<f64>>(&to_string(&stabilisers).unwrap()).unwrap(), stabilisers);
    assert!(from_str::<Stabilisers<f64>>(r#"{"log_ofset":0.03}"#).is_err());
    let config = MonitorConfig::<f32>::default();
    assert_eq!(from_str::<MonitorConfig<f32>>(&to_string(&config).unwrap()).unwrap(), config);
    assert!(from_str::<MonitorConfig<f32>>(r#"{"reference":0.5}"#).is_err());
    let observation = Observation { z_score: -2.5_f64, alarm: Some(Drift::Below) };
    assert_eq!(from_str::<Observation<f64>>(&to_string(&observation).unwrap()).unwrap(), observation);
    let sums = U8Sums { pixels: 2, sum: 300, sum_of_squares: 50_000 };
    assert_eq!(from_str::<U8Sums>(&to_string(&sums).unwrap()).unwrap(), sums);
    let score = Confusion { true_positive: 1, false_positive: 2, false_negative: 3, true_negative: u64::MAX };
    assert_eq!(from_str::<Confusion>(&to_string(&score).unwrap()).unwrap(), score);
}
