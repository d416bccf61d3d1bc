//! More than two classes: a synthetic land cover with four high-resolution classes, learned from sixteen low-resolution ones alone.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use image::{GrayImage, Luma, Rgb, RgbImage};
use lsr_core::Distance;
use lsr_tests::Silent;
use lsr_train::{Architecture, Block, Dataset, FitOptions, Prior, Run, RunFolder, choose_blocks, count_in_masks};
use std::path::Path;
use std::sync::atomic::AtomicBool;

const CLASSES: usize = 4;
const SIDE: u32 = 64;
const BLOCK: u32 = 16;
const IMAGES: u32 = 12;

/// A number in [0, 1) from a place and a purpose (splitmix64).
fn random(seed: u64) -> f32 {
    let z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
}

/// Class of a pixel: regions of the nearest of some scattered centres.
fn class_at(image: u32, x: u32, y: u32) -> u8 {
    let centre = |i: u64| {
        let key = u64::from(image) * 1000 + i * 10;
        (random(key) * SIDE as f32, random(key + 1) * SIDE as f32, (random(key + 2) * CLASSES as f32) as u8)
    };
    let distance = |c: &(f32, f32, u8)| (c.0 - x as f32).powi(2) + (c.1 - y as f32).powi(2);
    (0..14).map(centre).min_by(|a, b| distance(a).total_cmp(&distance(b))).map_or(0, |c| c.2)
}

/// Water, forest, field and town differ in colour, and overlap.
fn colour(class: u8, noise: impl Fn(u64) -> f32) -> Rgb<u8> {
    let base = [[60.0, 80.0, 150.0], [50.0, 110.0, 60.0], [150.0, 150.0, 80.0], [140.0, 120.0, 130.0]][usize::from(class)];
    Rgb(std::array::from_fn(|i| (base[i] + 70.0 * (noise(i as u64) - 0.5)) as u8))
}

fn draw(folder: &Path) {
    for part in ["images", "masks"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    for image in 0..IMAGES {
        let noise = |x: u32, y: u32| move |i: u64| random(u64::from(image * 10_000_000 + y * 1000 + x) * 8 + i + 77);
        let name = format!("{image:02}.png");
        RgbImage::from_fn(SIDE, SIDE, |x, y| colour(class_at(image, x, y), noise(x, y))).save(folder.join("images").join(&name)).unwrap();
        GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([class_at(image, x, y)])).save(folder.join("masks").join(&name)).unwrap();
    }
}

/// The sixteen low-resolution classes: the most frequent class of a block and how pure it is (below 55, 75, 95 % and above).
fn blocks() -> Vec<Block> {
    let mut all = Vec::new();
    for image in 0..IMAGES {
        for (y, x) in (0..SIDE).step_by(BLOCK as usize).flat_map(|y| (0..SIDE).step_by(BLOCK as usize).map(move |x| (y, x))) {
            let mut counts = [0_usize; CLASSES];
            for i in 0..BLOCK * BLOCK {
                counts[usize::from(class_at(image, x + i % BLOCK, y + i / BLOCK))] += 1;
            }
            let most = (0..CLASSES).max_by_key(|&class| counts[class]).unwrap();
            let share = counts[most] as f64 / f64::from(BLOCK * BLOCK);
            let purity = [0.55, 0.75, 0.95].iter().filter(|&&edge| share >= edge).count();
            let z = most * 4 + purity;
            all.push(Block { image: format!("{image:02}"), x, y, width: BLOCK, height: BLOCK, probability: share, z });
        }
    }
    all
}

#[test]
fn four_classes_are_learned_from_sixteen_labels_of_blocks() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("land");
    draw(&folder);
    let data = Dataset::open(std::slice::from_ref(&folder)).unwrap();
    let all = blocks();
    let labels: std::collections::BTreeSet<usize> = all.iter().map(|block| block.z).collect();
    assert_eq!(labels.len(), 16, "{labels:?}");
    let held_out = ["10", "11"];
    let training: Vec<Block> = all.into_iter().filter(|block| !held_out.contains(&block.image.as_str())).collect();
    let annotated = count_in_masks(&data, &choose_blocks(&training, 6, 1).unwrap(), CLASSES).unwrap();
    let prior = lsr_train::Estimate::new(&annotated, 0.02).unwrap().prior();
    prior.write(&work.path().join("prior.csv")).unwrap();
    assert_eq!(Prior::read(&work.path().join("prior.csv")).unwrap().classes(), CLASSES);
    lsr_train::write_blocks(&work.path().join("blocks.csv"), &training).unwrap();

    let options = FitOptions {
        data: vec![folder],
        blocks: Some(work.path().join("blocks.csv")),
        prior: Some(work.path().join("prior.csv")),
        distance: Some(Distance::Wasserstein2),
        network: Some(Architecture::FullResolution),
        width: Some(8),
        depth: Some(3),
        group: Some(3),
        groups: Some(8),
        steps: Some(150),
        learning_rate: Some(3e-3),
        seed: Some(1),
        um_per_px: Some(1.0),
        ..FitOptions::default()
    };
    let run = Run::create(options, &work.path().join("run")).unwrap();
    lsr_train::train(&run, &mut Silent, &AtomicBool::new(false)).unwrap();
    let run = RunFolder::open(&work.path().join("run")).unwrap();
    let new = data.select(&held_out.map(str::to_owned)).unwrap();
    let masks = work.path().join("masks");
    let result = lsr_train::evaluate(&run, &new, None, false, Some(&masks), |_| (), |text| println!("{text}")).unwrap();
    println!("{}", lsr_train::evaluation_table(&result));
    let accuracy = result.accuracy.unwrap();
    println!("accuracy {accuracy:.3}");
    // Chance is a quarter or so; the colours overlap.
    assert!(accuracy > 0.8, "{accuracy}");
    assert_eq!(result.classes.len(), CLASSES);
    assert!(result.classes.iter().all(|class| class.scores.iou.unwrap_or(1.0) > 0.4), "{:?}", result.classes);
    // The mask's grey value is the class.
    let mask = image::open(masks.join("10.mask.png")).unwrap().into_luma8();
    let agree = mask.enumerate_pixels().filter(|(x, y, pixel)| pixel.0[0] == class_at(10, *x, *y)).count();
    assert!(agree as f64 > 0.7 * f64::from(SIDE * SIDE), "{agree}");
    // A network of several outputs is exported as any other.
    lsr_train::export(&run, &work.path().join("land.onnx"), None, |text| println!("{text}")).unwrap();
    let model = lsr_edge::Model::open(&work.path().join("land.onnx")).unwrap();
    assert_eq!(model.metadata().class_names.len(), CLASSES);
}
