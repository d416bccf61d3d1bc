//! The whole journey, from tissue to a mask at the microscope. Read this first: every step has the name that it has everywhere else.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use image::GrayImage;
use lsr_core::Distance;
use lsr_edge::{Interrupt, Listener, Model, Options, Outcome, Segmenter, find_inputs};
use lsr_tests::Silent;
use lsr_tests::data::shared_data;
use lsr_train::{Dataset, Evaluation, FitOptions, LabelSettings, Prior, Run, RunFolder};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What differs between synthetic and real tissue.
struct Tissue {
    folder: PathBuf,
    train: Vec<String>,
    validate: Vec<String>,
    um_per_px: Option<f64>,
    block_px: u32,
    width: usize,
    depth: usize,
    steps: usize,
}

/// Block labels -> training -> network -> ONNX -> masks; gives back what `evaluate` says, and the share of pixels on which the edge agrees with it.
fn journey(tissue: &Tissue, work: &Path) -> (Evaluation, f64) {
    // Tissue and its block labels: all that training may know, but for the few blocks that an expert annotates.
    let data = Dataset::open(std::slice::from_ref(&tissue.folder)).unwrap();
    let training = data.clone().select(&tissue.train).unwrap();
    let settings = LabelSettings { block_px: tissue.block_px, stride_px: tissue.block_px / 2, noise: 0.0, seed: 1 };
    let blocks = lsr_train::label_from_masks(&training, settings).unwrap();
    lsr_train::write_blocks(&work.join("blocks.csv"), &blocks).unwrap();
    let prior = Prior::from_masks(&training, &blocks, 12, 1).unwrap();
    prior.write(&work.join("prior.csv")).unwrap();

    // Label super-resolution.
    let options = FitOptions {
        data: vec![tissue.folder.clone()],
        blocks: Some(work.join("blocks.csv")),
        prior: Some(work.join("prior.csv")),
        distance: Some(Distance::Wasserstein2),
        group: Some(8),
        steps: Some(tissue.steps),
        width: Some(tissue.width),
        depth: Some(tissue.depth),
        seed: Some(1),
        um_per_px: tissue.um_per_px,
        ..FitOptions::default()
    };
    let run = Run::create(options, &work.join("run")).unwrap();
    let summary = lsr_train::train(&run, &mut Silent, &AtomicBool::new(false)).unwrap();
    assert_eq!(summary.steps, tissue.steps);

    // How good is it, where it has not learned?
    let run = RunFolder::open(&work.join("run")).unwrap();
    let held_out = data.select(&tissue.validate).unwrap();
    let masks = work.join("evaluated");
    let evaluation = lsr_train::evaluate(&run, &held_out, None, false, Some(&masks), |_| (), |text| println!("warning: {text}")).unwrap();

    // To the microscope.
    lsr_train::export(&run, &work.join("model.onnx"), None, |text| println!("warning: {text}")).unwrap();
    let model = Model::open(&work.join("model.onnx")).unwrap();
    let segmented = work.join("segmented");
    std::fs::create_dir(&segmented).unwrap();
    let segmenter = Segmenter::new(model, &segmented, &Options::default(), Interrupt::default()).unwrap();
    let (inputs, failures) = find_inputs(&[tissue.folder.join("images")]);
    assert!(failures.is_empty());
    let (mut same, mut all) = (0_u64, 0_u64);
    for name in held_out.names() {
        let input = inputs.iter().find(|input| input.name == name).unwrap();
        let outcome = segmenter.segment(input, Listener::NONE).unwrap();
        assert!(matches!(outcome, Outcome::Written(written) if written.cancer.is_some()));
        let read = |folder: &Path| -> GrayImage { image::open(folder.join(format!("{name}.mask.png"))).unwrap().into_luma8() };
        let (ours, theirs) = (read(&segmented), read(&masks));
        assert_eq!(ours.dimensions(), theirs.dimensions());
        same += ours.as_raw().iter().zip(theirs.as_raw()).filter(|(a, b)| a == b).count() as u64;
        all += ours.as_raw().len() as u64;
    }
    (evaluation, same as f64 / all as f64)
}

#[test]
fn synthetic_tissue_from_block_labels_to_masks() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("tissue");
    lsr_train::write_synthetic(&folder, 24, 128, 1.0, 7, |_| ()).unwrap();
    let tissue = Tissue {
        folder,
        train: vec!["000?".into(), "001[0-7]".into()],
        validate: vec!["001[89]".into(), "002?".into()],
        um_per_px: None,
        block_px: 32,
        width: 6,
        depth: 2,
        steps: 200,
    };
    let (evaluation, agreement) = journey(&tissue, work.path());
    println!("{}", lsr_train::evaluation_table(&evaluation));
    println!("agreement of edge and training: {agreement:.6}");
    assert!(agreement > 0.999);
    // It has learned where the cancer is from block labels alone: better than any constant answer.
    let dice = |scores: &lsr_train::BandScores| scores.whole.dice.unwrap_or(0.0);
    let constant = dice(&evaluation.all_cancer).max(dice(&evaluation.no_cancer));
    assert!(dice(&evaluation.pooled) > constant + 0.05, "{} against {constant}", dice(&evaluation.pooled));
}

#[test]
fn real_tissue_from_block_labels_to_masks() {
    let Some(data) = shared_data() else { return };
    let work = tempfile::tempdir().unwrap();
    let tissue = Tissue {
        folder: data.join("camelyon"),
        train: vec!["1067[0-5]".into()],
        validate: vec!["1069[4-6]".into()],
        um_per_px: Some(1.0),
        block_px: 128,
        width: 4,
        depth: 4,
        // Enough to move every weight; README has a run that is long enough to learn.
        steps: 4,
    };
    let (evaluation, agreement) = journey(&tissue, work.path());
    println!("{}", lsr_train::evaluation_table(&evaluation));
    println!("agreement of edge and training: {agreement:.6}");
    assert_eq!(evaluation.images.len(), 3);
    assert!(agreement > 0.999);
}
