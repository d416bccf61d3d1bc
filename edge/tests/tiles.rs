//! The mask must not depend on how an image is cut.
//!
//! Tolerances, against one pass over the whole image, and in brackets the worst that was measured over three images. The network is a
//! U-Net of depth 4 (context 107 px) with random weights, which use more of their context than trained ones do.
//!
//! | tile | overlap | probabilities | pixels of the mask that agree |
//! |---|---|---|---|
//! | 512 px and more | default: a margin of a whole context | within 1e-5 (1.4e-6) | all that are not within 1e-5 of the threshold (all) |
//! | 256 px | 240 px: the same | the same | the same |
//! | 256 px | default: two thirds of a tile, margin 72 px | 99.9 % within 2/255 (99.999 %) | 99.9 % (99.993 %) |
//! | 192 px | default: two thirds of a tile, margin 56 px | 98 % within 2/255 (98.5 %) | 99.8 % (99.896 %) |

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod program;

use image::RgbImage;
use lsr_edge::{Interrupt, Model, ProbabilityMap, Tiling, predict};
use program::{blobs, unet};

struct Agreement {
    largest: f32,
    within_two_levels: f64,
    masks: f64,
}

fn map(model: &Model, image: &RgbImage, max_tile: u32, overlap: Option<u32>) -> ProbabilityMap {
    let metadata = model.metadata();
    let rule = Tiling { max_tile: Some(max_tile), overlap }.for_model(metadata.alignment, metadata.context_px).unwrap();
    predict(model, image, &rule, &Interrupt::default(), &|_| ()).unwrap()
}

fn compare(whole: &ProbabilityMap, tiled: &ProbabilityMap, threshold: f32) -> Agreement {
    let pairs = || whole.values().iter().zip(tiled.values());
    let share = |agree: &dyn Fn(f32, f32) -> bool| pairs().filter(|(a, b)| agree(**a, **b)).count() as f64 / whole.values().len() as f64;
    Agreement {
        largest: pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
        within_two_levels: share(&|a, b| (a - b).abs() <= 2.0 / 255.0),
        masks: share(&|a, b| (a >= threshold) == (b >= threshold)),
    }
}

#[test]
fn tiles_with_a_margin_of_the_context_equal_one_pass() {
    let model = Model::open(&unet()).unwrap();
    let large = blobs(700, 1090, 3);
    // Tiles of 256 px that overlap by 240 px move on by 16 px only.
    let small = blobs(330, 300, 3);
    for (image, tile, overlap) in [(&large, 512, None), (&large, 640, None), (&large, 1024, None), (&small, 256, Some(240))] {
        let whole = map(&model, image, 4096, None);
        let share = |of: &dyn Fn(f32) -> bool| whole.values().iter().filter(|p| of(**p)).count() as f64 / whole.values().len() as f64;
        let cancer = share(&|p| p >= 0.5);
        assert!((0.05..0.95).contains(&cancer), "the test image should give both classes, found {cancer}");
        let seen = compare(&whole, &map(&model, image, tile, overlap), 0.5);
        println!("tile {tile}: largest difference {:e}, masks agree {}", seen.largest, seen.masks);
        assert!(seen.largest <= 1e-5, "tile {tile}: {}", seen.largest);
        assert!(seen.masks >= 1.0 - share(&|p| (p - 0.5).abs() <= 1e-5), "tile {tile}: {}", seen.masks);
    }
}

#[test]
fn small_tiles_are_within_the_stated_tolerance() {
    let model = Model::open(&unet()).unwrap();
    for seed in [4, 5, 6] {
        let image = blobs(700, 500, seed);
        let whole = map(&model, &image, 4096, None);
        for (tile, levels, masks) in [(256, 0.999, 0.999), (192, 0.98, 0.998)] {
            let seen = compare(&whole, &map(&model, &image, tile, None), 0.5);
            println!(
                "tile {tile}: largest difference {}, within 2/255 {}, masks agree {}",
                seen.largest, seen.within_two_levels, seen.masks
            );
            assert!(seen.within_two_levels >= levels, "tile {tile}: {}", seen.within_two_levels);
            assert!(seen.masks >= masks, "tile {tile}: {}", seen.masks);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let model = Model::open(&unet()).unwrap();
    let image = blobs(600, 400, 5);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| map(&model, &image, 256, None))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn sizes_that_are_no_multiple_of_the_alignment_keep_their_size() {
    let model = Model::open(&unet()).unwrap();
    for (width, height) in [(1, 1), (15, 17), (3, 200), (129, 31)] {
        let map = map(&model, &blobs(width, height, 6), 64, None);
        assert_eq!((map.width(), map.height()), (width, height));
        assert!(map.values().iter().all(|p| (0.0..=1.0).contains(p)));
    }
}
