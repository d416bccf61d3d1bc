use super::*;
use crate::data::ImageSource;
use crate::data::{Block, Dataset, ReaderOptions};
use crate::sampling::Sampling;
#[test]
#[ignore]
fn measure() {
    let folder = std::path::PathBuf::from("/work/shared/data/camelyon");
    let data = Dataset::open(&[folder]).unwrap();
    let mut blocks = Vec::new();
    for (i, name) in data.names().enumerate() {
        for y in 0..4 {
            for x in 0..4 {
                blocks.push(Block { image: name.to_owned(), x: x * 128, y: y * 128, width: 128, height: 128, probability: 0.0, z: i % 4 });
            }
        }
    }
    let blocks = Arc::new(blocks);
    let cache = tempfile::tempdir().unwrap();
    let cached = Some(cache.path().join("c"));
    let begun = Instant::now();
    let names: Vec<&str> = data.names().collect();
    data.digest(names.iter().copied()).unwrap();
    println!("digest {:?}", begun.elapsed());
    for (what, cache, memory, augmentation) in [
        ("images, all in memory, turned", None, 1 << 30, Augmentation::default()),
        ("images, bound of 8 images, turned", None, 8 * 512 * 512 * 3, Augmentation::default()),
        ("images, nothing kept, turned", None, 0, Augmentation::default()),
        ("cache, turned", cached.clone(), 0, Augmentation::default()),
        ("cache, turned, hed", cached.clone(), 0, Augmentation { hed_jitter: 0.05, ..Augmentation::default() }),
        (
            "cache, turned, hed, blur .3, jpeg .3",
            cached.clone(),
            0,
            Augmentation { hed_jitter: 0.05, blur: 0.3, jpeg: 0.3, ..Augmentation::default() },
        ),
    ] {
        for workers in [1, 2] {
            let begun = Instant::now();
            let reader = Arc::new(
                BlockReader::new(
                    data.clone(),
                    blocks.clone(),
                    ReaderOptions { memory_bytes: memory, cache: cache.clone(), ..ReaderOptions::default() },
                )
                .unwrap(),
            );
            let opened = begun.elapsed();
            let sampler = Arc::new(Sampler::new(&blocks, 15, 2, &Sampling::Balanced, 1).unwrap());
            let steps = if cache.is_none() && memory < 1 << 30 {
                40
            } else if augmentation.jpeg > 0.0 {
                200
            } else {
                2000
            };
            let loader = Loader::start(LoaderSettings {
                reader,
                sampler,
                augmentation,
                seed: 1,
                steps: 0..steps,
                workers,
                ahead: 8,
                on_corrupt: OnCorrupt::Stop,
            });
            let begun = Instant::now();
            let n = loader.map(|b| b.unwrap().images.len() / (128 * 128 * 3)).sum::<usize>();
            println!("{what}, {workers} workers: {:.0} blocks/s (opened in {opened:?})", n as f64 / begun.elapsed().as_secs_f64());
        }
    }
    let rgb: Vec<u8> = (0..240 * 240 * 3).map(|i| (i * 7 % 256) as u8).collect();
    for (what, a) in [
        ("geometric", Augmentation::default()),
        ("hed", Augmentation { hed_jitter: 0.1, ..Augmentation::NONE }),
        ("blur", Augmentation { blur: 1.0, ..Augmentation::NONE }),
        ("jpeg", Augmentation { jpeg: 1.0, ..Augmentation::NONE }),
    ] {
        let begun = Instant::now();
        let mut p = crate::data::BlockPixels { rgb: rgb.clone(), valid: None, classes: None };
        for i in 0..200 {
            a.apply(&mut p, (240, 240), 1, i, 0).unwrap();
        }
        println!("{what}: {:.3} ms per 240 x 240 block", begun.elapsed().as_secs_f64() * 5.0);
    }
}
#[test]
#[ignore]
fn slide() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    std::fs::copy("/work/shared/data/slides/cmu-1-small-region.svs", folder.path().join("images/s.tif")).unwrap();
    let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
    println!("{:?}", data.size("s"));
    let whole = data.image("s").unwrap();
    let source = crate::data::tests::windowed(&folder.path().join("images/s.tif"));
    let begun = Instant::now();
    let mut worst = 0;
    for i in 0..40_u32 {
        let (x, y) = (i * 47 % 1900, i * 67 % 2700);
        let a = source.window(x, y, 240, 240).unwrap();
        let b = image::imageops::crop_imm(&whole, x, y, 240, 240).to_image();
        worst = worst.max(a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap());
    }
    println!("worst {worst}, {:?} a window", begun.elapsed() / 40);
}
