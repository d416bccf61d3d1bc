//! The network that is inside lsr-edge, on fields that it has not seen: what its card says of it.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_edge::{Interrupt, Listener, Model, Options, Outcome, Segmenter, find_inputs};
use lsr_tests::data::shared_data;
use lsr_train::{BandScores, Dataset, Scores, count_mask, write_synthetic};
use std::path::Path;

/// Pixels of 1 um that lie this near to a true boundary are those of masked scores.
const BAND_PX: f64 = 128.0;

/// Scores of the masks that lsr-edge writes for some images of a folder, without any flag.
fn scores(folder: &Path, images: &[&str]) -> BandScores {
    let images: Vec<String> = images.iter().map(|&pattern| pattern.to_owned()).collect();
    let data = Dataset::open(&[folder.to_owned()]).unwrap().select(&images).unwrap();
    let work = tempfile::tempdir().unwrap();
    let segmenter = Segmenter::new(Model::embedded().unwrap(), work.path(), &Options::default(), Interrupt::default()).unwrap();
    let (inputs, failures) = find_inputs(&[folder.join("images")]);
    assert!(failures.is_empty());
    let counts = data.names().map(|name| {
        let input = inputs.iter().find(|input| input.name == name).unwrap();
        assert!(matches!(segmenter.segment(input, Listener::NONE).unwrap(), Outcome::Written { .. }));
        let mask = image::open(work.path().join(format!("{name}.mask.png"))).unwrap().into_luma8();
        let predicted: Vec<bool> = mask.iter().map(|&level| level > 0).collect();
        let truth = data.known_classes(name, mask.dimensions(), 2).unwrap();
        count_mask(&predicted, &truth, None, mask.width() as usize, BAND_PX)
    });
    counts.reduce(lsr_train::Counts::merge).unwrap().scores()
}

fn dice(scores: &Scores) -> f64 {
    scores.dice.unwrap()
}

#[test]
fn held_out_metastases_are_found() {
    let Some(data) = shared_data() else { return };
    let found = scores(&data.join("camelyon"), &["1069[4-9]", "1007[23]"]);
    println!("{found:?}");
    assert!(dice(&found.masked) >= 0.80, "masked Dice {}", dice(&found.masked));
}

#[test]
fn synthetic_tumours_of_another_series_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("tissue");
    write_synthetic(&folder, 24, 512, 1.0, 1, |_| ()).unwrap();
    let found = scores(&folder, &[]);
    println!("{found:?}");
    assert!(dice(&found.whole) >= 0.90, "Dice {}", dice(&found.whole));
}
