//! What a network has learned from goes with its file: the features of training are those of the microscope, in f32 and in integers.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use image::{Rgb, RgbImage};
use lsr_core::Distance;
use lsr_edge::{Input, Interrupt, Listener, Model, Options, Outcome, Segmenter, TrainingDistance};
use lsr_tests::Silent;
use lsr_train::{Dataset, FitOptions, LabelSettings, Prior, QuantizeObserver, QuantizeSettings, ReferenceSettings, Run, RunFolder};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Tile of half an image.
const SETTINGS: ReferenceSettings = ReferenceSettings { tile_px: 64, quantile: 1.0, seed: 0 };

/// Distance that rounding makes. An untrained network has nearly the same entropy everywhere, which is measured in units of its small spread.
const NOTHING: f64 = 0.2;

struct Quiet;

impl QuantizeObserver for Quiet {
    fn stage(&mut self, _: &str, _: usize) {}
    fn step(&mut self) {}
    fn warn(&mut self, text: &str) {
        println!("warning: {text}");
    }
}

/// A network that has hardly been trained, on twelve images of synthetic tissue.
fn run(work: &Path, tissue: &Path) -> (RunFolder, Dataset) {
    lsr_train::write_synthetic(tissue, 12, 128, 1.0, 7, |_| ()).unwrap();
    let data = Dataset::open(&[tissue.to_owned()]).unwrap();
    let labels = LabelSettings { block_px: 32, stride_px: 32, noise: 0.0, seed: 1 };
    let blocks = lsr_train::label_from_masks(&data, labels).unwrap();
    lsr_train::write_blocks(&work.join("blocks.csv"), &blocks).unwrap();
    Prior::from_masks(&data, &blocks, 12, 1).unwrap().write(&work.join("prior.csv")).unwrap();
    let options = FitOptions {
        data: vec![tissue.to_owned()],
        blocks: Some(work.join("blocks.csv")),
        prior: Some(work.join("prior.csv")),
        distance: Some(Distance::Wasserstein2),
        group: Some(4),
        steps: Some(3),
        width: Some(2),
        depth: Some(2),
        ..FitOptions::default()
    };
    lsr_train::train(&Run::create(options, &work.join("run")).unwrap(), &mut Silent, &AtomicBool::new(false)).unwrap();
    (RunFolder::open(&work.join("run")).unwrap(), data.without_masks())
}

/// What the microscope says of an image file.
fn at_the_microscope(model: &Path, image: &Path, output: &Path) -> TrainingDistance {
    std::fs::create_dir_all(output).unwrap();
    let options = Options { overwrite: true, ..Options::default() };
    let segmenter = Segmenter::new(Model::open(model).unwrap(), output, &options, Interrupt::default()).unwrap();
    let input = Input { path: image.to_owned(), name: "a".to_owned() };
    match segmenter.segment(&input, Listener::NONE).unwrap() {
        Outcome::Written(written) => written.training_distance.unwrap(),
        Outcome::Skipped { .. } => unreachable!("nothing is skipped where all is overwritten"),
    }
}

#[test]
fn training_and_microscope_see_the_same_features() {
    let work = tempfile::tempdir().unwrap();
    let (work, tissue) = (work.path(), work.path().join("tissue"));
    let (run, data) = run(work, &tissue);
    let (float, int8, output) = (work.join("model.onnx"), work.join("model.int8.onnx"), work.join("out"));
    lsr_train::export(&run, &float, Some((&data, &SETTINGS)), |text| println!("warning: {text}")).unwrap();
    let settings = QuantizeSettings { reference: Some(SETTINGS), ..QuantizeSettings::default() };
    let report = lsr_train::quantize(&run, &data, None, &settings, &int8, &mut Quiet, &AtomicBool::new(false)).unwrap();
    assert_eq!(report.reference.unwrap().tiles, 48);

    // The very numbers, through the file.
    let config = run.config().unwrap();
    let device = burn::tensor::Device::flex();
    let network = run.network(&config, &device, |_| ()).unwrap().network;
    let made = lsr_train::make_reference(&run, &config, &network, &data, &SETTINGS, &device).unwrap();
    let model = Model::open(&float).unwrap();
    assert_eq!(model.metadata().reference.as_ref().unwrap().reference(), &made);
    assert_eq!(made.parts().targets.len(), Prior::read(&work.join("prior.csv")).unwrap().labels().count());
    assert_eq!(made.parts().block_px, 32);

    // Images that it has learned from lie on their own tiles: 4 digits of a feature and rounding of probabilities are all that is between.
    for model in [&float, &int8] {
        for name in data.names() {
            let found = at_the_microscope(model, data.path(name).unwrap(), &output);
            assert!(found.distance.unwrap() < NOTHING && !found.flagged, "{name}: {found:?}");
        }
        // Others are flagged.
        let image = data.image("0003").unwrap();
        let noise = |x: u32, y: u32, k: u32| (x * x * k + y * y * 31 + x * y * 17 * k) as u8;
        for (what, strange) in [
            ("inverted", RgbImage::from_fn(128, 128, |x, y| Rgb(image.get_pixel(x, y).0.map(|level| 255 - level)))),
            ("noise", RgbImage::from_fn(128, 128, |x, y| Rgb([7, 11, 13].map(|k| noise(x, y, k))))),
            ("blurred", image::imageops::blur(&image, 6.0)),
        ] {
            let path = work.join(format!("{what}.png"));
            strange.save(&path).unwrap();
            let found = at_the_microscope(model, &path, &output);
            assert!(found.flagged && found.tiles_beyond_limit > 2, "{what}: {found:?}");
        }
    }
}

#[test]
fn the_same_images_give_the_same_bytes_and_none_give_no_key() {
    let work = tempfile::tempdir().unwrap();
    let (run, data) = run(work.path(), &work.path().join("tissue"));
    let file = |name: &str, reference: Option<(&Dataset, &ReferenceSettings)>| {
        let path = work.path().join(name);
        lsr_train::export(&run, &path, reference, |_| ()).unwrap();
        std::fs::read(path).unwrap()
    };
    let (first, second, none) = (file("a.onnx", Some((&data, &SETTINGS))), file("b.onnx", Some((&data, &SETTINGS))), file("c.onnx", None));
    assert!(first == second && first.len() > none.len() && first.len() - none.len() < 30_000);
    assert!(Model::from_bytes("c", &none).unwrap().metadata().reference.is_none());
    let one = data.select(&["0003".to_owned()]).unwrap();
    let error = lsr_train::export(&run, &work.path().join("d.onnx"), Some((&one, &SETTINGS)), |_| ()).unwrap_err().to_string();
    assert!(error.contains("--reference") && error.contains("at least two images") && !work.path().join("d.onnx").exists(), "{error}");
}
