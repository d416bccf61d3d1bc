//! Whatever the bits of the input, the answer is an error or finite numbers: never NaN, never a panic.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_core::{
    BlockMoments, Count, CountPrior, Distance, DistanceGradient, Error, Group, GroupMoments, LabelBins, Loss, Monitor, MonitorConfig,
    PixelGradient, Predicted, Preset, Real, Scheme, Stabilisers, Target, U8Sums, VarianceModel, Weights, distance_gradient,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const MODELS: [VarianceModel; 2] = [VarianceModel::CountFraction, VarianceModel::BernoulliMean];

/// How many results were numbers, so that the test cannot pass by refusing everything.
#[derive(Default)]
struct Tally {
    numbers: AtomicUsize,
    errors: AtomicUsize,
}

impl Tally {
    /// Counts a result; its error must have a message.
    fn take<T>(&self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                self.numbers.fetch_add(1, Relaxed);
                Some(value)
            }
            Err(error) => {
                self.errors.fetch_add(1, Relaxed);
                assert!(!error.to_string().is_empty());
                None
            }
        }
    }

    fn check(&self, what: &str) {
        let (numbers, errors) = (self.numbers.load(Relaxed), self.errors.load(Relaxed));
        println!("{what}: {numbers} results were finite numbers, {errors} were errors");
        assert!(numbers * 10 > errors && errors * 50 > numbers, "one-sided: {numbers} numbers, {errors} errors");
    }
}

fn finite<R: Real>(values: &[R]) -> Result<(), TestCaseError> {
    for value in values {
        prop_assert!(value.is_finite(), "{:?}", value);
    }
    Ok(())
}

fn finite_derivatives<R: Real>(by: DistanceGradient<R>) -> Result<(), TestCaseError> {
    finite(&[by.value, by.d_mean, by.d_variance, by.d_log_variance])
}

fn finite_block<R: Real>(block: &BlockMoments<R>) -> Result<(), TestCaseError> {
    finite(&[block.mean(), block.variance(MODELS[0]), block.variance(MODELS[1])])
}

fn finite_group<R: Real>(group: &GroupMoments<R>) -> Result<(), TestCaseError> {
    finite(&[group.mean(), group.between_variance(), group.within_variance(MODELS[0]), group.within_variance(MODELS[1])])
}

/// A line is finite at every probability.
fn finite_line<R: Real>(line: PixelGradient<R>) -> Result<(), TestCaseError> {
    finite(&[0.0, 1e-30, 0.3, 1.0].map(|p| line.at(R::from_f64(p))))
}

#[derive(Debug, Clone)]
struct Input<R> {
    blocks: Vec<Vec<(R, bool)>>,
    numbers: [R; 32],
    sums: (u32, u64, u64),
    rows: Vec<[(R, R); 2]>,
    label: usize,
    class: usize,
}

/// Everything that core computes, on one input.
fn everything<R: Real<Literal = R>>(input: &Input<R>, tally: &Tally) -> Result<(), TestCaseError> {
    let n = &input.numbers;
    let target = Target { mean: n[0], std: n[1] };
    let stabilisers = Stabilisers { variance_floor: n[2], log_offset: n[3], denominator_epsilon: n[4], dead_zone: n[5], rho_floor: n[6] };

    // Blocks: those that are accepted, and others that go in as moments or integer sums.
    let mut blocks = Vec::new();
    for pixels in &input.blocks {
        blocks.extend(tally.take(BlockMoments::from_masked(pixels.iter().copied())));
    }
    blocks.extend(tally.take(BlockMoments::from_parts(input.sums.0, n[7], n[8])));
    let (pixels, sum, sum_of_squares) = input.sums;
    let mut sums = U8Sums { pixels, sum, sum_of_squares };
    blocks.extend(tally.take(BlockMoments::from_u8_sums(sums)));
    sums.push_row(&[255; 9]);
    blocks.extend(tally.take(BlockMoments::from_u8_sums(sums.merge(sums))));
    for block in &blocks {
        finite_block(block)?;
    }
    let group: GroupMoments<R> = blocks.iter().collect();
    finite_group(&group)?;
    let other = tally.take(GroupMoments::from_parts(input.sums.0, n[9], n[10], n[11], n[12])).unwrap_or_default();
    finite_group(&other)?;
    let merged = group.merge(other).merge(other);
    finite_group(&merged)?;

    // Distances by themselves, and every loss.
    let predicted = Predicted { mean: n[13], variance: n[14], log_variance: n[15] };
    let rows: Vec<[Count<R>; 2]> = input.rows.iter().map(|row| row.map(|(mean, std)| Count { mean, std })).collect();
    let prior = tally.take(CountPrior::<R, 3, 2>::new(&rows, n[16], n[17])).unwrap_or_else(|| {
        let count = |mean: f64| Count { mean: R::from_f64(mean), std: R::from_f64(1e-3) };
        CountPrior::new(&[[count(0.25), count(0.75)]; 3], R::from_f64(0.0), R::from_f64(0.0)).unwrap()
    });
    for label in 0..prior.labels() {
        let target = prior.target(label, input.class % 2).unwrap();
        finite(&[target.mean, target.std])?;
    }
    let weights = Weights { class: [n[18], n[19]], label: (input.class > 2).then_some(&n[20..20 + input.rows.len()]) };
    let paired: Vec<[BlockMoments<R>; 2]> = blocks.iter().map(|&block| [block, block]).collect();
    let line = PixelGradient { at_zero: R::from_f64(0.5), slope: R::from_f64(-2.0) };
    for distance in Distance::ALL {
        for stabilisers in [stabilisers, Stabilisers::default(), Stabilisers::none()] {
            if let Some(by) = tally.take(distance_gradient(distance, predicted, target, &stabilisers)) {
                finite_derivatives(by)?;
            }
        }
    }
    let made =
        Scheme::ALL.into_iter().flat_map(|scheme| Distance::ALL.map(|distance| (scheme, distance))).filter_map(|(scheme, distance)| {
            let loss = tally.take(Loss::new(scheme, distance, MODELS[input.label % 2], stabilisers))?;
            Some(loss.with_log_variance(MODELS[input.class % 2]))
        });
    let losses: Vec<Loss<R>> = made.chain(Preset::ALL.map(Preset::loss)).collect();
    for loss in losses {
        for result in [loss.evaluate(&blocks, target), loss.evaluate_moments(&merged, target)] {
            let Some(result) = tally.take(result) else { continue };
            finite(&[result.value()])?;
            result.by_moments().map_or(Ok(()), finite_derivatives)?;
            // Blocks of the group, and one that may not be in it.
            for block in &blocks {
                if let Some(line) = tally.take(result.pixel_gradient(block)) {
                    finite_line(line)?;
                }
            }
        }
        let groups = [Group { label: input.label, blocks: &paired }, Group { label: 0, blocks: &paired }];
        let Some(batch) = tally.take(loss.evaluate_batch::<R, 2, 3, 2>(&groups, &prior, &weights)) else { continue };
        finite(&[batch.value()])?;
        for block in &blocks {
            if let Some(line) = tally.take(batch.pixel_gradient(input.label, input.class, block)) {
                finite_line(line)?;
            }
        }
    }
    for pixels in &input.blocks {
        let (p, valid): (Vec<R>, Vec<bool>) = pixels.iter().copied().unzip();
        let mut gradient = vec![R::from_f64(0.0); p.len()];
        if tally.take(line.fill(&p, Some(&valid), &mut gradient)).is_some() {
            finite(&gradient)?;
        }
    }

    // Labels and monitor.
    if let Some(bins) = tally.take(LabelBins::<R, 4>::new(&n[23..23 + input.class]))
        && let Some(label) = tally.take(bins.label(n[28]))
    {
        let (lower, upper) = bins.interval(label).unwrap();
        prop_assert!(n[28] >= lower && (n[28] < upper || (n[28] == upper && label + 1 == bins.labels())));
    }
    let solved = MonitorConfig::for_false_alarm_rate(n[29].to_f64() * 10.0, n[30].to_f64() * 0.1);
    let given = MonitorConfig { reference: n[29], threshold: n[30] };
    let config = match tally.take(solved) {
        Some(solved) => finite(&[solved.reference, solved.threshold]).map(|()| solved)?,
        None => given,
    };
    if let Some(mut monitor) = tally.take(Monitor::<R, 3>::new(&prior, input.class % 2, config)) {
        for block in blocks.iter().cycle().take(40) {
            if let Some(observation) = tally.take(monitor.observe(input.label, block)) {
                finite(&[observation.z_score])?;
            }
            finite_group(&monitor.moments(0).unwrap())?;
        }
        tally.take(monitor.acknowledge(input.label));
    }
    Ok(())
}

/// Numbers as they should be (`tame`), mostly so, or any bits at all.
fn inputs<R: Real<Literal = R> + 'static>(any_bits: BoxedStrategy<R>) -> impl Strategy<Value = Input<R>> {
    let extreme = [0.0, -0.0, 1.0, 0.5, 1e-3, 1e-20, 1e-38, 1e-44, 1e-200, 5e-324, 1.0 - 1e-7, 1.0 + 1e-7, -1e-9, 1e38, 1e300, f64::MAX];
    let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let tame = prop_oneof![6 => 0.0..=1.0_f64, 1 => (-44.0..0.0_f64).prop_map(|e| 10.0_f64.powf(e)), 1 => Just(0.0), 1 => Just(1.0)]
        .prop_map(R::from_f64)
        .boxed();
    let named = prop::sample::select([&extreme[..], &strange[..]].concat()).prop_map(R::from_f64);
    let mixed = prop_oneof![40 => tame.clone(), 1 => named.clone(), 1 => any_bits.clone()].boxed();
    let wild = prop_oneof![1 => tame.clone(), 1 => named, 2 => any_bits].boxed();
    let numbers = prop_oneof![2 => Just(tame), 2 => Just(mixed), 1 => Just(wild)];
    numbers.prop_flat_map(|number| {
        let count = number.clone();
        // Means that sum to 1, if the first is a fraction.
        let row = (number.clone(), count.clone(), count).prop_map(|(mean, a, b)| [(mean, a), (R::from_f64(1.0) - mean, b)]);
        let honest = vec(any::<u8>(), 1..9).prop_map(|bytes| {
            let mut sums = U8Sums::default();
            sums.push_row(&bytes);
            (sums.pixels, sums.sum, sums.sum_of_squares)
        });
        (
            vec(vec((number.clone(), prop::bool::weighted(0.9)), 0..5), 0..4),
            vec(number, 32).prop_map(|numbers| <[R; 32]>::try_from(numbers).unwrap()),
            prop_oneof![2 => honest, 1 => any::<(u32, u64, u64)>(), 1 => Just((u32::MAX - 1, u64::MAX, u64::MAX))],
            vec(row, 0..4),
            0..4_usize,
            0..5_usize,
        )
            .prop_map(|(blocks, numbers, sums, rows, label, class)| Input { blocks, numbers, sums, rows, label, class })
    })
}

fn run<R: Real<Literal = R> + 'static>(what: &str, cases: u32, any_bits: BoxedStrategy<R>) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let tally = Tally::default();
    proptest::test_runner::TestRunner::new(config).run(&inputs(any_bits), |input| everything(&input, &tally)).unwrap();
    tally.check(what);
}

#[test]
fn no_bits_of_f32_make_nan_or_panic() {
    run("f32", 20_000, any::<u32>().prop_map(f32::from_bits).boxed());
}

#[test]
fn no_bits_of_f64_make_nan_or_panic() {
    run("f64", 20_000, any::<u64>().prop_map(f64::from_bits).boxed());
}
