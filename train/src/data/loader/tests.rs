use super::*;
use crate::data::{Block, Dataset, ReaderOptions};
use crate::processes::Processes;
use crate::sampling::Sampling;
use image::{GrayImage, Luma};

/// Ten images of 20 x 20 px, four blocks of 8 px on each; z is 0 for the first six images, 1 for the other four. Image 2 has a validity
/// mask, and the masks of two images may be read.
struct Shop {
    folder: tempfile::TempDir,
    blocks: Arc<Vec<Block>>,
}

impl Shop {
    fn new() -> Self {
        let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        let images: Vec<(&str, u32, u32)> = names.iter().map(|name| (name.as_str(), 20, 20)).collect();
        let folder = crate::data::tests::folder(&images);
        std::fs::create_dir(folder.path().join("valid")).unwrap();
        let checked = GrayImage::from_fn(20, 20, |x, y| Luma([if (x + y) % 2 == 0 { 0 } else { 255 }]));
        checked.save(folder.path().join("valid/2.png")).unwrap();
        for name in ["1", "7"] {
            checked.save(folder.path().join(format!("masks/{name}.png"))).unwrap();
        }
        let mut blocks = Vec::new();
        for (i, name) in names.iter().enumerate() {
            for (x, y) in [(0, 0), (12, 0), (0, 12), (7, 5)] {
                let z = usize::from(i >= 6);
                blocks.push(Block { image: name.clone(), x, y, width: 8, height: 8, probability: 0.5, z });
            }
        }
        Self { folder, blocks: Arc::new(blocks) }
    }

    fn damage(&self, names: &[&str]) {
        for name in names {
            std::fs::write(self.folder.path().join(format!("images/{name}.png")), b"no image").unwrap();
        }
    }

    fn settings(&self, workers: usize, on_corrupt: OnCorrupt) -> LoaderSettings {
        let data = Dataset::open(&[self.folder.path().to_owned()]).unwrap();
        let with_masks = self.blocks.iter().map(|block| block.image == "1" || block.image == "7").collect();
        // A bound that holds three images: they come and go.
        let options = ReaderOptions { memory_bytes: 4000, with_masks, ..ReaderOptions::default() };
        LoaderSettings {
            reader: Arc::new(BlockReader::new(data, Arc::clone(&self.blocks), options).unwrap()),
            sampler: Arc::new(Sampler::new(&self.blocks, 5, 2, &Sampling::Balanced, 11).unwrap()),
            windows: None,
            augmentation: Augmentation { geometric: true, hed_jitter: 0.1, blur: 0.3, jpeg: 0.3 },
            seed: 11,
            share: Share::of(Processes::ALONE, 10),
            steps: 3..33,
            workers,
            ahead: 4,
            on_corrupt,
        }
    }

    fn batches(&self, workers: usize, on_corrupt: OnCorrupt) -> Vec<Batch> {
        Loader::start(self.settings(workers, on_corrupt)).collect::<Result<_>>().unwrap()
    }
}

#[test]
fn one_worker_and_four_give_the_same_batches_in_order() {
    let shop = Shop::new();
    let one = shop.batches(1, OnCorrupt::Stop);
    assert_eq!(one.iter().map(|batch| batch.step).collect::<Vec<_>>(), (3..33).collect::<Vec<_>>());
    assert!(one == shop.batches(4, OnCorrupt::Stop));
    let sampler = shop.settings(1, OnCorrupt::Stop).sampler;
    let (mut with_valid, mut with_classes) = (0, 0);
    for batch in &one {
        assert_eq!(batch.groups, sampler.groups(batch.step));
        assert_eq!(batch.images.len(), 10 * 64 * 3);
        let images: Vec<&str> = batch.groups.iter().flat_map(|g| &g.blocks).map(|&b| shop.blocks[b].image.as_str()).collect();
        assert_eq!(batch.valid.is_some(), images.contains(&"2"));
        assert_eq!(batch.classes.is_some(), images.contains(&"1") || images.contains(&"7"));
        // Half of the pixels where there is a mask, and the default where there is none.
        for (planes, of, default) in [(&batch.valid, &["2", "2"], 1), (&batch.classes, &["1", "7"], 255)] {
            for (plane, image) in planes.iter().flat_map(|planes| planes.chunks_exact(64)).zip(&images) {
                let ones = plane.iter().filter(|&&value| value == 1).count();
                assert!(if of.contains(image) { ones == 32 } else { plane.iter().all(|&value| value == default) });
            }
        }
        with_valid += usize::from(batch.valid.is_some());
        with_classes += usize::from(batch.classes.is_some());
    }
    assert!(with_valid > 0 && with_valid < 30 && with_classes > 0, "{with_valid} {with_classes}");
    // A run that goes on in the middle gets the same batches.
    let settings = LoaderSettings { steps: 20..33, ..shop.settings(2, OnCorrupt::Stop) };
    let rest: Vec<Batch> = Loader::start(settings).collect::<Result<_>>().unwrap();
    assert!(rest == one[17..]);
}

#[test]
fn a_corrupt_image_stops_the_loader_with_its_path() {
    let shop = Shop::new();
    shop.damage(&["4"]);
    for workers in [1, 4] {
        let mut loader = Loader::start(shop.settings(workers, OnCorrupt::Stop));
        let error = loader.by_ref().find_map(|batch| batch.err()).unwrap().to_string();
        assert!(error.contains("images/4.png") && error.contains("cannot be decoded"), "{error}");
        assert!(loader.next().is_none(), "after an error there is nothing");
    }
}

#[test]
fn corrupt_images_are_replaced_by_their_label_and_reported_once() {
    let shop = Shop::new();
    shop.damage(&["0", "3", "8"]);
    let one = shop.batches(1, OnCorrupt::Skip);
    assert!(one == shop.batches(4, OnCorrupt::Skip), "replacements do not depend on the threads");
    let sampler = shop.settings(1, OnCorrupt::Skip).sampler;
    let mut replaced = 0;
    for batch in &one {
        for (group, drawn) in batch.groups.iter().zip(sampler.groups(batch.step)) {
            for (&block, &drawn_block) in group.blocks.iter().zip(&drawn.blocks) {
                assert_eq!(shop.blocks[block].z, group.label);
                let bad = |block: usize| ["0", "3", "8"].contains(&shop.blocks[block].image.as_str());
                assert!(!bad(block));
                assert_eq!(block != drawn_block, bad(drawn_block), "only what cannot be read is replaced");
                replaced += usize::from(bad(drawn_block));
            }
            assert_eq!(group.blocks.iter().collect::<BTreeSet<_>>().len(), 5, "no block twice while there are others");
        }
    }
    assert!(replaced > 20, "{replaced}");
    let mut reported: Vec<&str> = one.iter().flat_map(|batch| &batch.skipped).map(|skipped| skipped.image.as_str()).collect();
    reported.sort_unstable();
    assert_eq!(reported, ["0", "3", "8"]);
    let reason = &one.iter().find_map(|batch| batch.skipped.first()).unwrap().reason;
    assert!(reason.contains("images/") && reason.contains("cannot be decoded"), "{reason}");
}

#[test]
fn a_label_without_a_readable_block_is_an_error() {
    let shop = Shop::new();
    shop.damage(&["6", "7", "8", "9"]);
    let error = Loader::start(shop.settings(2, OnCorrupt::Skip)).find_map(|batch| batch.err()).unwrap().to_string();
    assert!(error.contains("none of 16 blocks of z 1") && error.contains("cannot be decoded"), "{error}");
}

#[test]
fn blocks_without_a_valid_pixel_are_replaced_whatever_the_setting() {
    let shop = Shop::new();
    GrayImage::new(20, 20).save(shop.folder.path().join("valid/2.png")).unwrap();
    for on_corrupt in [OnCorrupt::Stop, OnCorrupt::Skip] {
        let batches = shop.batches(2, on_corrupt);
        assert!(batches.iter().flat_map(|b| &b.groups).flat_map(|g| &g.blocks).all(|&block| shop.blocks[block].image != "2"));
        assert!(batches.iter().flat_map(|b| &b.skipped).any(|skipped| skipped.image == "2" && skipped.reason.contains("no valid pixel")));
    }
}

#[test]
fn mistakes_in_the_settings_are_not_skipped() {
    let shop = Shop::new();
    let mut settings = shop.settings(1, OnCorrupt::Skip);
    let data = Dataset::open(&[shop.folder.path().to_owned()]).unwrap().without_masks();
    let options = ReaderOptions { with_masks: vec![true; 40], ..ReaderOptions::default() };
    settings.reader = Arc::new(BlockReader::new(data, Arc::clone(&shop.blocks), options).unwrap());
    // A closed mask is no damaged image: skipping would hide that the run may not read it.
    let error = Loader::start(settings).find_map(|batch| batch.err()).unwrap().to_string();
    assert!(error.starts_with("masks: ") && error.contains("masks are closed"), "{error}");
}

#[test]
fn at_most_so_many_batches_are_made_ahead_and_dropping_ends_the_threads() {
    let shop = Shop::new();
    let settings = LoaderSettings { steps: 0..1_000_000, ahead: 3, ..shop.settings(4, OnCorrupt::Stop) };
    let mut loader = Loader::start(settings);
    for _ in 0..5 {
        loader.next().unwrap().unwrap();
    }
    assert_eq!(loader.issued, 8, "five that were taken and three ahead");
    std::thread::sleep(Duration::from_millis(100));
    assert!(loader.finished.len() + loader.early.len() <= 3);
    // Batches lie ready: taking one is not waiting.
    let before = loader.waited();
    loader.next().unwrap().unwrap();
    assert!(loader.waited() - before < Duration::from_millis(50));
    let begun = Instant::now();
    drop(loader);
    assert!(begun.elapsed() < Duration::from_secs(2));
    let settings = LoaderSettings { steps: 5..5, ..shop.settings(2, OnCorrupt::Stop) };
    assert!(Loader::start(settings).next().is_none());
}

#[test]
fn a_panic_becomes_an_error() {
    let maker = Maker::new(Shop::new().settings(1, OnCorrupt::Stop), Arc::default());
    let error = maker.guarded::<()>(7, || panic!("decoder fell over {}", 9)).unwrap_err().to_string();
    assert_eq!(error, "step 7: a thread that loads blocks has failed: decoder fell over 9");
}

#[test]
fn the_shares_of_several_processes_are_the_batch_of_one() {
    let shop = Shop::new();
    let whole = shop.batches(2, OnCorrupt::Stop);
    // Ten blocks over three processes: the groups of five lie across their borders.
    let shares: Vec<Vec<Batch>> = (0..3)
        .map(|rank| {
            let share = Share::of(Processes { rank, count: 3, local_rank: rank }, 10);
            let settings = LoaderSettings { share, ..shop.settings(1, OnCorrupt::Stop) };
            Loader::start(settings).collect::<Result<_>>().unwrap()
        })
        .collect();
    let area = 64;
    for (step, whole) in whole.iter().enumerate() {
        let parts: Vec<&Batch> = shares.iter().map(|batches| &batches[step]).collect();
        assert!(parts.iter().all(|part| part.groups == whole.groups && part.step == whole.step));
        assert_eq!(parts.iter().flat_map(|part| part.images.clone()).collect::<Vec<_>>(), whole.images);
        // A share without masks has no plane; the whole batch then says the same of each pixel.
        let plane = |part: &Batch, plane: fn(&Batch) -> &Option<Vec<u8>>, default: u8| {
            plane(part).clone().unwrap_or_else(|| vec![default; part.images.len() / 3 / area * area])
        };
        let valid: Vec<u8> = parts.iter().flat_map(|part| plane(part, |batch| &batch.valid, 1)).collect();
        assert_eq!(valid, plane(whole, |batch| &batch.valid, 1));
        let classes: Vec<u8> = parts.iter().flat_map(|part| plane(part, |batch| &batch.classes, 255)).collect();
        assert_eq!(classes, plane(whole, |batch| &batch.classes, 255));
    }
}
