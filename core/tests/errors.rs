//! Every error can be reached, and says what is wrong, where, and with which value.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

use lsr_core::{
    BlockAccumulator, BlockMoments, Confusion, Count, CountPrior, Distance, Error, Group, GroupMoments, LabelBins, Loss, Monitor,
    MonitorConfig, PixelGradient, Predicted, Preset, Scheme, Stabilisers, Target, U8Sums, VarianceModel, Weights, distance_gradient,
};
use std::collections::BTreeSet;

const VARIANTS: [&str; 16] = [
    "ProbabilityOutOfRange",
    "ParameterOutOfRange",
    "NotFinite",
    "EmptyBlock",
    "TooFewBlocks",
    "NeedsBlocks",
    "LengthMismatch",
    "TooMany",
    "EdgeNotAscending",
    "UnknownLabel",
    "UnknownClass",
    "PriorMean",
    "PriorStd",
    "PriorRowSum",
    "ImpossibleMoments",
    "UnknownName",
];

fn name(error: &Error) -> &'static str {
    match error {
        Error::ProbabilityOutOfRange { .. } => VARIANTS[0],
        Error::ParameterOutOfRange { .. } => VARIANTS[1],
        Error::NotFinite { .. } => VARIANTS[2],
        Error::EmptyBlock { .. } => VARIANTS[3],
        Error::TooFewBlocks { .. } => VARIANTS[4],
        Error::NeedsBlocks { .. } => VARIANTS[5],
        Error::LengthMismatch { .. } => VARIANTS[6],
        Error::TooMany { .. } => VARIANTS[7],
        Error::EdgeNotAscending { .. } => VARIANTS[8],
        Error::UnknownLabel { .. } => VARIANTS[9],
        Error::UnknownClass { .. } => VARIANTS[10],
        Error::PriorMean { .. } => VARIANTS[11],
        Error::PriorStd { .. } => VARIANTS[12],
        Error::PriorRowSum { .. } => VARIANTS[13],
        Error::ImpossibleMoments { .. } => VARIANTS[14],
        Error::UnknownName { .. } => VARIANTS[15],
        // The enum is non_exhaustive, so that the compiler asks for this arm; the next test sees a variant that is not listed above.
        other => panic!("an error that this test does not know: {other:?}"),
    }
}

/// The list above is the enum: its variants are the lines of the source that open one.
#[test]
fn the_list_of_variants_is_complete() {
    let source = include_str!("../src/error.rs");
    let body = source.split_once("pub enum Error {").unwrap().1.split_once("\n}").unwrap().0;
    let variants: Vec<&str> =
        body.lines().filter_map(|line| line.strip_prefix("    ").filter(|rest| rest.starts_with(char::is_uppercase))).collect();
    let names: Vec<&str> = variants.iter().map(|line| line.split([' ', '(', ',']).next().unwrap()).collect();
    assert_eq!(names, VARIANTS);
}

fn refused<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

fn rows(values: &[[(f64, f64); 2]]) -> Vec<[Count<f64>; 2]> {
    values.iter().map(|row| row.map(|(mean, std)| Count { mean, std })).collect()
}

fn prior(values: &[[(f64, f64); 2]], floor: f64) -> Result<CountPrior<f64, 3, 2>, Error> {
    CountPrior::new(&rows(values), floor, 0.01)
}

/// Every way to be refused, with the message.
fn cases() -> Vec<(Error, &'static str)> {
    let none = Stabilisers::none();
    let block = |p: &[f64]| BlockMoments::from_probabilities(p).unwrap();
    let (one, other) = (block(&[0.2, 0.4]), block(&[0.6, 0.1]));
    let flat = block(&[1.0, 1.0]);
    let target = Target { mean: 0.5, std: 0.1 };
    let good = [(0.7, 0.1), (0.3, 0.1)];
    let loss = |scheme| Loss::<f64>::new(scheme, Distance::MaxProduct, VarianceModel::CountFraction, none).unwrap();
    let (intra, inter, both) = (loss(Scheme::Intra), loss(Scheme::Inter), loss(Scheme::IntraInter));
    let bins = LabelBins::<f64, 9>::paper();
    let table = CountPrior::<f64, 10, 2>::table_1();
    let paired = [[one, other], [other, one]];
    let group = Group { label: 9, blocks: &paired };
    let weights = Weights::default();
    let batch = both.evaluate_batch::<f64, 2, 10, 2>(&[group], &table, &weights).unwrap();
    let line = PixelGradient { at_zero: 1.0, slope: 1.0 };
    let stabilised = |stabilisers| refused(Loss::<f64>::new(Scheme::Intra, Distance::Overlap, VarianceModel::CountFraction, stabilisers));
    let with_target = |mean, std| refused(both.evaluate(&paired[0], Target { mean, std }));
    let sums = |pixels, sum, sum_of_squares| refused(BlockMoments::<f64>::from_u8_sums(U8Sums { pixels, sum, sum_of_squares }));
    let derivatives = |mean, variance, log_variance| {
        refused(distance_gradient(Distance::Overlap, Predicted { mean, variance, log_variance }, target, &Stabilisers::default()))
    };
    let config = |reference, threshold| refused(Monitor::<f64, 10>::new(&table, 1, MonitorConfig { reference, threshold }));
    let parts = |mean, between, fraction, bernoulli| refused(GroupMoments::<f64>::from_parts(3, mean, between, fraction, bernoulli));
    let mut monitor = Monitor::<f64, 10>::new(&table, 1, MonitorConfig::default()).unwrap();
    let tiny = CountPrior::<f32, 1, 1>::new(&[[Count { mean: 0.5, std: 1e-40 }]], 0.0, 0.0).unwrap();
    let mut of_tiny = Monitor::<f32, 1>::new(&tiny, 0, MonitorConfig::default()).unwrap();
    let certain = BlockMoments::<f32>::from_probabilities(&[1.0]).unwrap();

    vec![
        // pixels
        (refused(BlockMoments::from_probabilities(&[0.5, 1.5])), "probability 1: expected a value in [0, 1], found 1.5"),
        (refused(BlockMoments::from_probabilities(&[f32::NAN])), "probability 0: expected a value in [0, 1], found NaN"),
        (
            refused(BlockMoments::from_masked([(9.0_f64, false), (f64::INFINITY, true)])),
            "probability 1: expected a value in [0, 1], found inf",
        ),
        (refused(BlockMoments::<f64>::from_probabilities(&[])), "block without a valid pixel (0 given, all masked out)"),
        (refused(BlockMoments::from_masked([(0.5_f64, false); 3])), "block without a valid pixel (3 given, all masked out)"),
        (refused(BlockAccumulator::<f32>::new().finish()), "block without a valid pixel (0 given, all masked out)"),
        (refused(BlockMoments::<f32>::from_u8(&[])), "block without a valid pixel (0 given, all masked out)"),
        (sums(0, 0, 0), "block without a valid pixel (0 given, all masked out)"),
        (sums(u32::MAX, 1, 1), "pixels: at most 4294967294 fit, found 4294967295"),
        (sums(2, 511, 511), "moments that no probabilities have: sum of q = 511"),
        (sums(2, 10, 9), "moments that no probabilities have: sum of q^2 = 9"),
        (sums(2, 10, 2551), "moments that no probabilities have: sum of q^2 = 2551"),
        (sums(2, 100, 4999), "moments that no probabilities have: sum of q^2 = 4999"),
        (refused(BlockMoments::from_parts(0, 0.5, 0.1)), "block without a valid pixel (0 given, all masked out)"),
        (refused(BlockMoments::from_parts(4, -0.5, 0.1)), "moments that no probabilities have: mean = -0.5"),
        (refused(BlockMoments::from_parts(4, 0.5, 0.26)), "moments that no probabilities have: bernoulli variance = 0.26"),
        (refused(BlockMoments::from_parts(4, 0.5, f64::NAN)), "moments that no probabilities have: bernoulli variance = NaN"),
        (parts(1.5, 0.0, 0.0, 0.0), "moments that no probabilities have: mean of the group = 1.5"),
        (parts(0.5, 0.3, 0.1, 0.1), "moments that no probabilities have: between-variance = 0.3"),
        (parts(0.5, 0.1, 0.1, -0.1), "moments that no probabilities have: within-variance (bernoulli_mean) = -0.1"),
        (parts(0.5, 0.1, 0.2, 0.1), "moments that no probabilities have: within-variance (count_fraction) = 0.2"),
        (refused(GroupMoments::from_parts(0, 0.5, 0.0, 0.0, 0.0)), "moments that no probabilities have: mean of the group = 0.5"),
        // labels
        (refused(bins.label(-0.25)), "probability 0: expected a value in [0, 1], found -0.25"),
        (refused(bins.label(f64::NAN)), "probability 0: expected a value in [0, 1], found NaN"),
        (refused(bins.interval(10)), "low-resolution class 10: expected one of 0..10"),
        (refused(LabelBins::<f64, 4>::new(&[0.2, 0.2])), "bin edge 1: expected edges that ascend strictly inside (0, 1), found 0.2"),
        (refused(LabelBins::<f64, 4>::new(&[0.0])), "bin edge 0: expected edges that ascend strictly inside (0, 1), found 0"),
        (refused(LabelBins::<f64, 4>::new(&[0.5, 1.0])), "bin edge 1: expected edges that ascend strictly inside (0, 1), found 1"),
        (refused(LabelBins::<f64, 4>::new(&[f64::NAN])), "bin edge 0: expected edges that ascend strictly inside (0, 1), found NaN"),
        (refused(LabelBins::<f64, 2>::new(&[0.1, 0.2, 0.3])), "bin edges: at most 2 fit, found 3"),
        // priors
        (refused(prior(&[[(1.5, 0.1), (0.3, 0.1)]], 0.0)), "count prior, z 0, class 0: expected a mean in [0, 1], found 1.5"),
        (refused(prior(&[good, [(0.7, 0.1), (f64::NAN, 0.1)]], 0.0)), "count prior, z 1, class 1: expected a mean in [0, 1], found NaN"),
        (refused(prior(&[[(0.7, 0.0), (0.3, 0.1)]], 0.0)), "count prior, z 0, class 0: expected a standard deviation in (0, 1], found 0"),
        (
            refused(prior(&[[(0.7, f64::NEG_INFINITY), (0.3, 0.1)]], 1e-3)),
            "count prior, z 0, class 0: expected a standard deviation in (0, 1], found -inf",
        ),
        (
            refused(prior(&[[(0.7, 0.1), (0.3, f64::NAN)]], 0.5)),
            "count prior, z 0, class 1: expected a standard deviation in (0, 1], found NaN",
        ),
        (refused(prior(&[[(0.7, 0.1), (0.3, 1.5)]], 0.0)), "count prior, z 0, class 1: expected a standard deviation in (0, 1], found 1.5"),
        (refused(prior(&[[(0.5, 0.1), (0.25, 0.1)]], 0.0)), "count prior, z 0: class means must sum to 1 within 0.01, found 0.75"),
        (refused(prior(&[], 0.0)), "rows of the count prior: expected length 1, found 0"),
        (refused(prior(&[good; 4], 0.0)), "labels: at most 3 fit, found 4"),
        (refused(prior(&[good], -1.0)), "rho_floor: expected a value in [0, 1], found -1"),
        (refused(CountPrior::<f64, 3, 2>::new(&rows(&[good]), 0.0, f64::NAN)), "sum_tolerance: expected a value in [0, 1], found NaN"),
        (refused(CountPrior::<f64, 3, 1>::new(&rows(&[good]), 0.0, 0.01)), "classes: at most 1 fit, found 2"),
        (
            refused(CountPrior::<f64, 3, 2>::new(&[&rows(&[good])[0][..], &rows(&[good])[0][..1]], 0.0, 0.01)),
            "classes of a prior's row: expected length 2, found 1",
        ),
        (refused(table.target(10, 0)), "low-resolution class 10: expected one of 0..10"),
        (refused(table.target(0, 2)), "high-resolution class 2: expected one of 0..2"),
        (refused(table.one_against_rest(7)), "high-resolution class 7: expected one of 0..2"),
        // losses
        (stabilised(Stabilisers { variance_floor: -1.0, ..none }), "variance_floor: expected a value in [0, 1], found -1"),
        (stabilised(Stabilisers { log_offset: 2.0, ..none }), "log_offset: expected a value in [0, 1], found 2"),
        (stabilised(Stabilisers { denominator_epsilon: f64::NAN, ..none }), "denominator_epsilon: expected a value in [0, 1], found NaN"),
        (stabilised(Stabilisers { dead_zone: 101.0, ..none }), "dead_zone: expected a value in [0, 100], found 101"),
        (stabilised(Stabilisers { rho_floor: f64::INFINITY, ..none }), "rho_floor: expected a value in [0, 1], found inf"),
        (with_target(1.25, 0.1), "target mean: expected a value in [0, 1], found 1.25"),
        (with_target(0.5, -0.1), "target standard deviation: expected a value in [0, 1], found -0.1"),
        (with_target(0.5, f64::NAN), "target standard deviation: expected a value in [0, 1], found NaN"),
        (refused(intra.evaluate(&paired[0], Target { mean: f64::NAN, std: 0.1 })), "target mean: expected a value in [0, 1], found NaN"),
        (refused(inter.evaluate(&[one], target)), "scheme inter needs groups of at least 2 blocks, found 1"),
        (refused(intra.evaluate::<f64>(&[], target)), "scheme intra needs groups of at least 1 blocks, found 0"),
        (refused(both.evaluate::<f64>(&[], target)), "scheme intra_inter needs groups of at least 1 blocks, found 0"),
        (
            refused(intra.evaluate_moments(&[one, other].iter().collect(), target)),
            "scheme intra needs the moments of every block, not of the group alone",
        ),
        (refused(inter.evaluate(&[one, one], target)), "distance is not finite (-inf): a stabiliser is too small for this number type"),
        (
            refused(intra.with_distance(Distance::KlTargetPredicted).evaluate(&[flat], target)),
            "distance is not finite (NaN): a stabiliser is too small for this number type",
        ),
        (derivatives(f64::NAN, 0.1, 0.1), "predicted mean: expected a value in [-inf, inf], found NaN"),
        (derivatives(0.5, f64::NAN, 0.1), "predicted variance: expected a value in [0, inf], found NaN"),
        (derivatives(0.5, 0.1, -0.1), "predicted variance of the logarithm: expected a value in [0, inf], found -0.1"),
        (refused(line.fill(&[0.5, 0.5], None, &mut [0.0])), "gradient: expected length 2, found 1"),
        (refused(line.fill(&[0.5, 0.5], Some(&[true]), &mut [0.0; 2])), "validity mask: expected length 2, found 1"),
        (
            refused(line.fill(&[f64::NAN, f64::NAN], Some(&[false, true]), &mut [0.0; 2])),
            "probability 1: expected a value in [0, 1], found NaN",
        ),
        // batches
        (
            refused(both.evaluate_batch::<f64, 2, 10, 2>(&[], &table, &weights)),
            "scheme intra_inter needs groups of at least 1 blocks, found 0",
        ),
        (refused(both.evaluate_batch::<f64, 1, 10, 2>(&[group; 2], &table, &weights)), "groups: at most 1 fit, found 2"),
        (
            refused(both.evaluate_batch::<f64, 2, 10, 2>(&[Group { label: 10, ..group }], &table, &weights)),
            "low-resolution class 10: expected one of 0..10",
        ),
        (
            refused(both.evaluate_batch::<f64, 2, 10, 3>(&[], &CountPrior::new(&rows(&[good]), 0.0, 0.01).unwrap(), &Weights::default())),
            "classes of the count prior: expected length 3, found 2",
        ),
        (
            refused(both.evaluate_batch::<f64, 2, 10, 2>(&[group], &table, &Weights { label: Some(&[1.0; 9]), ..weights })),
            "label weights: expected length 10, found 9",
        ),
        (
            refused(both.evaluate_batch::<f64, 2, 10, 2>(&[group], &table, &Weights { class: [1.0, -1.0], ..weights })),
            "class weight: expected a value in [0, 1000000], found -1",
        ),
        (
            refused(both.evaluate_batch::<f64, 2, 10, 2>(&[group], &table, &Weights { label: Some(&[f64::NAN; 10]), ..weights })),
            "label weight: expected a value in [0, 1000000], found NaN",
        ),
        (refused(batch.pixel_gradient(1, 0, &one)), "groups of the batch: expected length 1, found 2"),
        (refused(batch.pixel_gradient(usize::MAX, 0, &one)), "groups of the batch: expected length 1, found 18446744073709551615"),
        (refused(batch.pixel_gradient(0, 2, &one)), "high-resolution class 2: expected one of 0..2"),
        // scores
        (refused(Confusion::from_masks(&[true], &[], &[true])), "truth: expected length 1, found 0"),
        (refused(Confusion::from_masks(&[true], &[true], &[])), "region: expected length 1, found 0"),
        // monitor
        (config(0.0, 5.0), "reference: expected a value in [0.001, 5], found 0"),
        (config(0.5, f64::NAN), "threshold: expected a value in [0.001, 1000], found NaN"),
        (refused(MonitorConfig::<f64>::for_false_alarm_rate(f64::NAN, 0.01)), "shift: expected a value in [0.1, 10], found NaN"),
        (
            refused(MonitorConfig::<f64>::for_false_alarm_rate(1.0, 0.0)),
            "false_alarm_rate: expected a value in [0.000000001, 0.1], found 0",
        ),
        (refused(Monitor::<f64, 10>::new(&table, 2, MonitorConfig::default())), "high-resolution class 2: expected one of 0..2"),
        (refused(Monitor::<f64, 9>::new(&table, 1, MonitorConfig::default())), "labels: at most 9 fit, found 10"),
        (refused(monitor.observe(10, &one)), "low-resolution class 10: expected one of 0..10"),
        (refused(monitor.acknowledge(11)), "low-resolution class 11: expected one of 0..10"),
        (refused(monitor.moments(12)), "low-resolution class 12: expected one of 0..10"),
        (refused(monitor.alarm(13)), "low-resolution class 13: expected one of 0..10"),
        (refused(of_tiny.observe(0, &certain)), "z-score is not finite (inf): a stabiliser is too small for this number type"),
        // names
        (refused("median".parse::<Scheme>()), "scheme 'median': expected one of intra, inter, intra_inter"),
        (
            refused("Overlap".parse::<Distance>()),
            "distance 'Overlap': expected one of max_product, joint_max, overlap, kl_predicted_target, kl_target_predicted, wasserstein2, \
             code_max_product, code_joint_max",
        ),
        (
            refused("a name that is far too long to be held whole".parse::<Preset>()),
            "preset 'a name that is far too long to b': expected one of paper, paper_literal, paper_code, lsr_iclr, lsr_early",
        ),
        (
            refused("é".repeat(40).parse::<Preset>()),
            "preset 'éééééééééééééééé': expected one of paper, paper_literal, paper_code, lsr_iclr, lsr_early",
        ),
    ]
}

#[test]
fn every_error_is_reached_and_says_what_is_wrong() {
    let mut reached = BTreeSet::new();
    for (error, message) in cases() {
        assert_eq!(error.to_string(), message);
        reached.insert(name(&error));
    }
    assert_eq!(reached, BTreeSet::from(VARIANTS));
}

/// A group without spread has a gradient that is refused by name too, wherever the value happens to be finite.
#[test]
fn a_derivative_that_overflows_is_refused() {
    let predicted = Predicted { mean: 0.5_f32, variance: 1e-21, log_variance: 1e-21 };
    let target = Target { mean: 0.5, std: 0.1 };
    let error = refused(distance_gradient(Distance::KlTargetPredicted, predicted, target, &Stabilisers::none()));
    assert_eq!(name(&error), "NotFinite");
    assert!(error.to_string().starts_with("derivative of the distance by the variance is not finite"), "{error}");
}

/// dL/dp is a line in p: both of its numbers can be finite in f32 while its far end (p = 1) is not.
#[test]
fn a_gradient_that_overflows_at_one_end_is_refused() {
    let loss = Loss::<f32>::new(Scheme::Intra, Distance::KlPredictedTarget, VarianceModel::CountFraction, Stabilisers::none()).unwrap();
    let block = BlockMoments::from_probabilities(&[0.25_f32]).unwrap();
    // R = 3e-39: dD/dm = -2.5e38, dD/dS = 1.7e38, so dL/dp is -0.8e38 at p = 0 and -4.2e38 at p = 1; the largest f32 is 3.4e38.
    let group = loss.evaluate(&[block], Target { mean: 1.0, std: 5.477e-20 }).unwrap();
    let error = refused(group.pixel_gradient(&block));
    assert_eq!(error.to_string(), "gradient is not finite (-inf): a stabiliser is too small for this number type");
}

/// What an error leaves behind: a field that was refused does not count.
#[test]
fn a_refused_field_is_not_counted() {
    let prior = CountPrior::<f32, 1, 1>::new(&[[Count { mean: 0.5, std: 1e-40 }]], 0.0, 0.0).unwrap();
    let mut monitor = Monitor::<f32, 1>::new(&prior, 0, MonitorConfig::default()).unwrap();
    monitor.observe(0, &BlockMoments::from_probabilities(&[1.0]).unwrap()).unwrap_err();
    assert_eq!(monitor.moments(0).unwrap().blocks(), 0);
    assert_eq!(monitor.alarm(0).unwrap(), None);
}
