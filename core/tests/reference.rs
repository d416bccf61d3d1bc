//! What a network knows: features against an independent program, and fields that are near and far.

#![cfg(feature = "serde")]
#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_core::reference::{CountRule, FEATURE_NAMES, FEATURES, Features, MIN_TILES, Tile};
use lsr_core::{Error, FieldView, Reference, ReferenceParts, Target};
use proptest::prelude::*;
use serde::Deserialize;

/// Optical density is rounded to 1/4096, entropy to 1/32768; what is made of them is off by no more than this.
const TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    width: usize,
    height: usize,
    glass: usize,
    vary: u32,
    block: usize,
    targets: Vec<(f32, f32)>,
    tissue: f32,
    features: Option<Features>,
}

/// A byte from a place, as in tests/golden/make_reference.py.
fn noise(x: usize, y: usize, channel: u32) -> u32 {
    let h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ channel.wrapping_mul(0xC2B2_AE3D);
    let h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    (h ^ (h >> 12)).wrapping_mul(0x297A_2D39) >> 24
}

fn places(width: usize, height: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)))
}

fn pixels(width: usize, height: usize, glass: usize, vary: u32) -> Vec<u8> {
    let pixel = |(x, y): (usize, usize)| match x < glass {
        true => [250, 248, 251],
        false => [(0, 110), (1, 60), (2, 120)].map(|(c, base)| (base + noise(x / 2, y / 2, c) * vary / 255) as u8),
    };
    places(width, height).flat_map(pixel).collect()
}

fn probabilities(width: usize, height: usize) -> Vec<u8> {
    places(width, height).map(|(x, y)| (noise(x / 8, y / 8, 7) * 3 / 4 + noise(x, y, 9) / 4) as u8).collect()
}

#[test]
fn features_agree_with_an_independent_program() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/reference.json")).unwrap();
    assert_eq!(golden.cases.len(), 6);
    for case in golden.cases {
        let (rgb, answer) = (pixels(case.width, case.height, case.glass, case.vary), probabilities(case.width, case.height));
        let targets: Vec<Target<f32>> = case.targets.iter().map(|&(mean, std)| Target { mean, std }).collect();
        let rule = CountRule { block_px: case.block, targets: &targets };
        let whole = Tile { x: 0, y: 0, width: case.width, height: case.height };
        let view = FieldView::new(&rgb, &answer, case.width, case.height).unwrap();
        let found = view.features(whole, rule, &mut vec![7; case.width * case.height]).unwrap();
        assert!((found.tissue - case.tissue).abs() < 1e-6, "{}", case.name);
        assert_eq!(found.features.is_some(), case.features.is_some(), "{}", case.name);
        for (i, (found, expected)) in found.features.into_iter().flatten().zip(case.features.into_iter().flatten()).enumerate() {
            assert!((found - expected).abs() < TOLERANCE, "{}: {}: {found}, not {expected}", case.name, FEATURE_NAMES[i]);
        }
    }
}

/// A tile inside a larger field has the features of the same pixels alone.
#[test]
fn a_tile_is_its_own_pixels() {
    let (width, height, tile) = (70, 50, Tile { x: 13, y: 9, width: 40, height: 33 });
    let (rgb, answer) = (pixels(width, height, 5, 90), probabilities(width, height));
    let inside = |x: usize, y: usize| (tile.x..tile.x + tile.width).contains(&x) && (tile.y..tile.y + tile.height).contains(&y);
    let cut: Vec<usize> = places(width, height).enumerate().filter(|(_, (x, y))| inside(*x, *y)).map(|(i, _)| i).collect();
    let (own_rgb, own_answer): (Vec<u8>, Vec<u8>) =
        (cut.iter().flat_map(|&i| rgb[3 * i..3 * i + 3].to_vec()).collect(), cut.iter().map(|&i| answer[i]).collect());
    let targets = [Target { mean: 0.3, std: 0.1 }];
    let rule = CountRule { block_px: 16, targets: &targets };
    let mut scratch = vec![0; 40 * 33];
    let found = FieldView::new(&rgb, &answer, width, height).unwrap().features(tile, rule, &mut scratch).unwrap();
    let whole = Tile { x: 0, y: 0, ..tile };
    assert_eq!(found, FieldView::new(&own_rgb, &own_answer, 40, 33).unwrap().features(whole, rule, &mut scratch).unwrap());
}

/// Tiles of 32 px of one field of 320 x 320 px, no two alike.
fn vectors() -> Vec<Features> {
    let (rgb, answer) = (pixels(320, 320, 0, 90), probabilities(320, 320));
    let view = FieldView::new(&rgb, &answer, 320, 320).unwrap();
    let rule = CountRule { block_px: 16, targets: &[] };
    view.tiles(32).filter_map(|tile| view.features(tile, rule, &mut [0; 32 * 32]).unwrap().features).collect()
}

/// The largest distance of a tile from all others.
fn limit(vectors: &[Features]) -> f32 {
    let reference = Reference::new(parts(vectors)).unwrap();
    let left_out = |(i, tile): (usize, &Features)| reference.nearest(tile, |other| other != i).unwrap().distance;
    vectors.iter().enumerate().map(left_out).fold(0.0, f32::max)
}

fn parts(vectors: &[Features]) -> ReferenceParts<'_> {
    ReferenceParts { tile_px: 32, block_px: 16, targets: &[], vectors, glass: false, quantile: 0.99, limit: 6.0 }
}

#[test]
fn a_known_field_is_near_and_a_strange_one_is_far_whatever_its_size() {
    let vectors = vectors();
    let reference = Reference::new(ReferenceParts { limit: limit(&vectors), ..parts(&vectors) }).unwrap();
    let mut scratch = vec![0; 32 * 32];
    let mut judge = |rgb: &[u8], width: usize, height: usize| {
        let answer = probabilities(width, height);
        reference.judge(&FieldView::new(rgb, &answer, width, height).unwrap(), &mut scratch).unwrap()
    };
    let same = judge(&pixels(64, 64, 0, 90), 64, 64);
    assert_eq!((same.distance, same.flagged, same.tiles, same.judged, same.beyond), (Some(0.0), false, 4, 4, 0));
    for (width, height) in [(450, 390), (32, 32)] {
        let known = judge(&pixels(width, height, 0, 91), width, height);
        assert!(!known.flagged, "{width} x {height}: {known:?}");
        let inverted: Vec<u8> = pixels(width, height, 0, 91).iter().map(|level| 255 - level).collect();
        let noisy: Vec<u8> = places(width, height).flat_map(|(x, y)| [0, 1, 2].map(|c| noise(x, y, c) as u8)).collect();
        let even = vec![120; 3 * width * height];
        for (what, rgb) in [("inverted", inverted), ("noise", noisy), ("even", even)] {
            let far = judge(&rgb, width, height);
            assert!(far.flagged && far.beyond == far.judged, "{what}, {width} x {height}: {far:?}");
        }
    }
    let glass = judge(&pixels(64, 64, 64, 0), 64, 64);
    assert_eq!((glass.distance, glass.flagged, glass.judged), (None, true, 0));
    let knows_glass = Reference::new(ReferenceParts { glass: true, ..parts(&vectors) }).unwrap();
    let (rgb, answer) = (pixels(64, 64, 64, 0), probabilities(64, 64));
    assert!(!knows_glass.judge(&FieldView::new(&rgb, &answer, 64, 64).unwrap(), &mut [0; 1024]).unwrap().flagged);
}

#[test]
fn a_file_gives_the_same_reference_back() {
    let vectors = vectors();
    let targets = [Target { mean: 0.25, std: 0.1 }, Target { mean: 0.8, std: 0.2 }];
    let reference = Reference::new(ReferenceParts { targets: &targets, ..parts(&vectors) }).unwrap();
    let text = serde_json::to_string(&reference).unwrap();
    let back: Reference = serde_json::from_str(&text).unwrap();
    assert_eq!(back, reference);
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert!(FEATURE_NAMES.iter().all(|name| text.contains(name) && name.len() <= 48));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let vectors = vectors();
    let refused = |parts: ReferenceParts<'_>| Reference::new(parts).unwrap_err().to_string();
    let good = parts(&vectors);
    for (wrong, name) in [
        (ReferenceParts { tile_px: 31, ..good }, "tile_px"),
        (ReferenceParts { tile_px: 4097, ..good }, "tile_px"),
        (ReferenceParts { block_px: 7, ..good }, "block_px"),
        (ReferenceParts { limit: f32::NAN, ..good }, "limit"),
        (ReferenceParts { limit: -1.0, ..good }, "limit"),
        (ReferenceParts { quantile: 1.1, ..good }, "quantile"),
        (ReferenceParts { vectors: &vectors[..MIN_TILES - 1], ..good }, "number of reference tiles"),
        (ReferenceParts { targets: &[Target { mean: 0.5, std: 0.0 }], ..good }, "rho of the counts"),
        (ReferenceParts { targets: &[Target { mean: f32::NAN, std: 0.1 }], ..good }, "eta of the counts"),
        (ReferenceParts { targets: &[Target { mean: 0.5, std: 0.1 }; 65], ..good }, "labels of a reference"),
        (ReferenceParts { vectors: &[[f32::INFINITY; FEATURES]; 5], ..good }, "feature of a reference tile"),
    ] {
        let error = refused(wrong);
        assert!(error.contains(name), "{name}: {error}");
    }
    let text = serde_json::to_string(&Reference::new(good).unwrap()).unwrap();
    for (from, to, part) in [
        ("\"format\":1", "\"format\":2", "format"),
        ("\"texture at 4 px\"", "\"texture at 5 px\"", "texture at 4 px"),
        ("\"limit\":6.0", "\"limit\":1e39", "out of range"),
        ("\"limit\":6.0", "\"limit\":2e6", "limit"),
        ("\"glass\":false", "\"glass\":false,\"more\":1", "more"),
        ("\"tile_px\":32", "\"tile_px\":70000", "70000"),
    ] {
        assert!(text.contains(from), "{text}");
        let error = serde_json::from_str::<Reference>(&text.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_tile_beyond_its_field_and_a_short_scratch_are_refused() {
    let (rgb, answer) = (pixels(20, 20, 0, 50), probabilities(20, 20));
    let view = FieldView::new(&rgb, &answer, 20, 20).unwrap();
    let rule = CountRule { block_px: 8, targets: &[] };
    let whole = Tile { x: 0, y: 0, width: 20, height: 20 };
    let short = view.features(whole, rule, &mut [0; 399]).unwrap_err();
    assert_eq!(short, Error::LengthMismatch { name: "scratch", expected: 400, found: 399 });
    for beyond in [Tile { x: 1, ..whole }, Tile { y: usize::MAX, ..whole }] {
        assert!(view.features(beyond, rule, &mut [0; 400]).is_err());
    }
    let empty = Tile { width: 0, ..whole };
    assert_eq!(view.features(empty, rule, &mut []).unwrap().features, None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Any bytes, any size: finite features, no panic.
    #[test]
    fn features_are_numbers(width in 1_usize..40, height in 1_usize..40, block in 0_usize..50, seed in any::<u64>(), eta in 0.0_f32..=1.0) {
        let byte = |i: usize| (seed.wrapping_mul(i as u64 | 1).wrapping_add(seed >> 7) >> 33) as u8;
        let rgb: Vec<u8> = (0..3 * width * height).map(byte).collect();
        let answer: Vec<u8> = (0..width * height).map(|i| byte(i + 77)).collect();
        let targets = [Target { mean: eta, std: 0.01 }];
        let view = FieldView::new(&rgb, &answer, width, height)?;
        let whole = Tile { x: 0, y: 0, width, height };
        let found = view.features(whole, CountRule { block_px: block, targets: &targets }, &mut vec![0; width * height])?;
        for value in found.features.into_iter().flatten() {
            prop_assert!(value.is_finite());
        }
    }
}
