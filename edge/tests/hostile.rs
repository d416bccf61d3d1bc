//! Damaged model files give an error or a model that runs: no panic, no hang.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod program;

use image::RgbImage;
use lsr_edge::{Interrupt, Model, Tiling, predict};
use program::unet;
use std::time::{Duration, Instant};

/// Damaged files tried; LSR_DAMAGED tries more.
const FILES: u32 = 300;

#[test]
fn damaged_models_are_refused_or_run() {
    let files = std::env::var("LSR_DAMAGED").map_or(FILES, |count| count.parse().unwrap());
    let good = std::fs::read(unet()).unwrap();
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut refused, mut failed, mut ran) = (0, 0, 0);
    let mut slowest = Duration::ZERO;
    for _ in 0..files {
        let mut bytes = good.clone();
        for _ in 0..1 + random(4) {
            // Nodes stand in the first 4.5 KB, names and metadata in the last 600 bytes; weights in between matter less.
            let at = match random(5) {
                0 => random(bytes.len()),
                1 => bytes.len() - 1 - random(600),
                _ => random(4500),
            };
            match random(4) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = random(256) as u8,
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random(256) as u8),
            }
        }
        let start = Instant::now();
        match Model::from_bytes("damaged", &bytes) {
            Err(_) => refused += 1,
            Ok(model) => {
                let side = model.metadata().alignment * 2;
                let pixels = vec![90; 3 * (side * side) as usize];
                match model.probabilities(&pixels, side, side) {
                    Ok(probabilities) => {
                        assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
                        ran += 1;
                    }
                    Err(_) => failed += 1,
                }
            }
        }
        slowest = slowest.max(start.elapsed());
    }
    println!("{refused} refused, {failed} failed when run, {ran} ran; the slowest took {slowest:?}");
    assert!(refused > 0 && ran > 0);
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let model = Model::open(&unet()).unwrap();
    for (bytes, height, width) in [(0, 0, 0), (3 * 17 * 16, 17, 16), (3 * 16 * 16 - 1, 16, 16), (9, 16, 16)] {
        let error = model.probabilities(&vec![0; bytes], height, width).unwrap_err();
        assert!(lsr_edge::one_line(&error).contains("multiples of 16"), "{error}");
    }
    let rule = Tiling::default().for_model(16, 107).unwrap();
    assert!(predict(&model, &RgbImage::new(0, 5), &rule, &Interrupt::default(), &|_| ()).is_err());
}
