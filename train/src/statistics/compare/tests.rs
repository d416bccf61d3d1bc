//! Against values worked out by hand, and coverage on simulated test sets.

use super::super::{ImageCounts, SeedCounts};
use super::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn counts(true_positive: u64, false_positive: u64, false_negative: u64) -> Confusion {
    Confusion { true_positive, false_positive, false_negative, true_negative: 10 }
}

fn image(name: usize, masked: Confusion) -> ImageCounts {
    ImageCounts { image: format!("{name:04}"), masked, whole: masked.merge(counts(10, 0, 0)) }
}

fn system(key: &str, seeds: &[&[Confusion]]) -> SystemCounts {
    let run = |(seed, images): (usize, &&[Confusion])| SeedCounts {
        seed: seed as u64,
        images: images.iter().enumerate().map(|(name, &masked)| image(name, masked)).collect(),
    };
    SystemCounts { key: key.to_owned(), name: format!("system {key}"), seeds: seeds.iter().enumerate().map(run).collect() }
}

fn roles() -> Roles {
    Roles { low_resolution: Some("a".to_owned()), supervised: Some("c".to_owned()) }
}

fn close(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-12)
}

#[test]
fn scores_are_pooled_over_images_then_averaged_over_seeds() {
    // Seed 0: 4 of TP, 2 of FP, 2 of FN together: Dice 8/12, IoU 4/8. Seed 1: 6, 0, 2: Dice 12/14, IoU 6/8.
    let both = [system("a", &[&[counts(1, 2, 0), counts(3, 0, 2)], &[counts(2, 0, 1), counts(4, 0, 1)]])];
    let found = compare(&both, &Roles::default(), Bootstrap { resamples: 400, seed: 3 }).unwrap();
    let own = &found.systems[0];
    let (first, second) = (8.0 / 12.0, 12.0 / 14.0);
    assert!(close(own.seeds[0].masked_dice, first) && close(own.seeds[1].masked_dice, second));
    assert!(close(own.masked_dice.mean, (first + second) / 2.0));
    assert!(close(own.masked_dice.sd, (second - first) / 2.0_f64.sqrt()));
    assert!(close(own.masked_iou.mean, (0.5 + 0.75) / 2.0));
    // Each image adds 10 true positives outside the band: 24 and 26 of TP.
    assert!(close(own.whole_dice.mean, (48.0 / 52.0 + 52.0 / 54.0) / 2.0));
    // Two images have three resamples: only the first, both, only the second. The interval is the span of those.
    let only = |a: f64, b: f64| (a + b) / 2.0;
    let interval = own.masked_dice.interval.unwrap();
    assert!((interval.low - only(2.0 / 4.0, 4.0 / 5.0)).abs() < 1e-12, "{interval:?}");
    assert!((interval.high - only(6.0 / 8.0, 8.0 / 9.0)).abs() < 1e-12, "{interval:?}");
    assert_eq!((found.images, own.masked_dice.undefined_resamples, found.differences.len()), (2, 0, 0));
}

#[test]
fn differences_are_paired_and_turn_round() {
    // B is better than A on every image, by less than images differ among each other.
    let a: Vec<Confusion> = (0..20).map(|i| counts(10 + 4 * i, 40, 40)).collect();
    let b: Vec<Confusion> = (0..20).map(|i| counts(10 + 4 * i, 36, 40)).collect();
    let c: Vec<Confusion> = (0..20).map(|i| counts(10 + 4 * i, 20, 40)).collect();
    let systems = [system("a", &[&a]), system("b", &[&b]), system("c", &[&c])];
    let found = compare(&systems, &roles(), Bootstrap::default()).unwrap();
    let pair = found.difference("b", "a").unwrap();
    let dice = |fp: f64| 1920.0 / (1920.0 + 20.0 * fp + 800.0);
    assert!(close(pair.estimate, dice(36.0) - dice(40.0)));
    assert_eq!(pair.above_zero, Some(1.0));
    let interval = pair.interval.unwrap();
    assert!(interval.low > 0.0 && interval.high - interval.low < 0.01, "paired: {interval:?}");
    let own = found.systems[0].masked_dice.interval.unwrap();
    assert!(own.high - own.low > 0.05, "unpaired: {own:?}");

    let reverse = found.difference("a", "b").unwrap();
    assert_eq!((reverse.above_zero, reverse.below_zero), (Some(0.0), Some(1.0)));
    assert_eq!(reverse.interval.unwrap(), Interval { low: -interval.high, high: -interval.low });
    assert!(found.difference("a", "x").is_none());

    let gap = &found.gap_closed[0];
    assert_eq!((gap.key.as_str(), found.gap_closed.len()), ("b", 1));
    assert!(close(gap.share, (dice(36.0) - dice(40.0)) / (dice(20.0) - dice(40.0))));
    let ends = gap.interval.unwrap();
    assert!(ends.low < gap.share.unwrap() && gap.share.unwrap() < ends.high && ends.low > 0.15 && ends.high < 0.25, "{ends:?}");
}

#[test]
fn what_is_undefined_is_said_and_never_nan() {
    // Nothing true and nothing predicted in the first image: half of the resamples of one image each would be undefined, here 1 in 4.
    let sparse = [counts(0, 0, 0), counts(5, 1, 1)];
    let nothing = [counts(0, 0, 0), counts(0, 0, 0)];
    let systems = [system("a", &[&sparse]), system("b", &[&nothing]), system("c", &[&sparse])];
    let found = compare(&systems, &roles(), Bootstrap { resamples: 400, seed: 1 }).unwrap();
    let own = found.systems[0].masked_dice;
    assert!(close(own.mean, 10.0 / 12.0) && own.sd.is_none() && own.interval.is_none());
    assert!((60..140).contains(&own.undefined_resamples), "{}", own.undefined_resamples);
    assert_eq!(found.systems[1].masked_dice.mean, None);
    assert_eq!(found.systems[1].masked_dice.undefined_resamples, 400);
    let pair = found.difference("b", "a").unwrap();
    assert_eq!((pair.estimate, pair.interval, pair.above_zero), (None, None, None));
    // A and C agree: no difference either way, and no gap to close.
    let same = found.difference("c", "a").unwrap();
    assert_eq!((same.estimate, same.above_zero, same.below_zero), (Some(0.0), Some(0.0), Some(0.0)));
    assert_eq!((found.gap_closed[0].share, found.gap_closed[0].interval), (None, None));
    assert!(!super::super::json(&found).unwrap().contains("NaN"));
}

#[test]
fn a_role_that_no_system_has_is_refused() {
    let error = compare(&[system("a", &[&[counts(1, 1, 1)]])], &roles(), Bootstrap::default()).unwrap_err();
    assert_eq!(error.to_string(), "role: expected one of a, found c");
}

#[test]
fn the_seed_decides_and_the_order_of_images_does_not() {
    let images: Vec<Confusion> = (0..9).map(|i| counts(20 + i, 3 * i, 9 - i)).collect();
    let forth = [system("a", &[&images])];
    let mut back = forth.clone();
    back[0].seeds[0].images.reverse();
    let run = |systems: &[SystemCounts], seed| compare(systems, &Roles::default(), Bootstrap { resamples: 300, seed }).unwrap();
    assert_eq!(run(&forth, 5), run(&back, 5));
    assert_ne!(run(&forth, 5).systems, run(&forth, 6).systems);
}

/// An image of a simulated hospital: more or less cancer, found more or less well.
fn simulated(random: &mut ChaCha8Rng) -> Confusion {
    let cancer = 1000.0 + 9000.0 * random.random::<f64>();
    let recall = 0.4 + 0.5 * random.random::<f64>();
    let spurious = cancer * 0.6 * random.random::<f64>();
    counts((cancer * recall) as u64, spurious as u64, (cancer * (1.0 - recall)) as u64)
}

#[test]
fn the_interval_covers_the_truth_about_95_times_in_100() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let everyone = (0..200_000).fold(Confusion::default(), |sum, _| sum.merge(simulated(&mut random)));
    let truth = everyone.dice().unwrap();
    let trials = 300;
    let covered = (0..trials)
        .filter(|&trial| {
            let images: Vec<Confusion> = (0..42).map(|_| simulated(&mut random)).collect();
            let found = compare(&[system("a", &[&images])], &Roles::default(), Bootstrap { resamples: 400, seed: trial }).unwrap();
            let interval = found.systems[0].masked_dice.interval.unwrap();
            (interval.low..=interval.high).contains(&truth)
        })
        .count() as f64
        / trials as f64;
    // 0.95 less what percentile intervals of 42 images are known to fall short (about 0.02), within 3 standard errors (0.013) of 300 trials.
    assert!((0.89..=0.985).contains(&covered), "covered {covered}");
}
