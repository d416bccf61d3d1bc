//! Every system side by side, at a toy size: all rows, resumption, and what training may know.

use crate::program::{Workshop, text_of};
use std::process::Command;
use std::time::{Duration, Instant};

const ROWS: usize = 17;

/// A reproduction of a few steps on six images of 96 px.
fn reproduce<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["reproduce", "--data", "data", "--test", "0004", "0005", "--output", output, "--scale", "1", "--block", "32"];
    arguments.extend(["--width", "2", "--depth", "2", "--group", "3", "--groups", "2", "--steps", "3", "--classifier-steps", "5"]);
    arguments.extend(["--annotated", "4"]);
    arguments.extend(more);
    arguments
}

#[test]
fn a_reproduction_has_every_row_and_resumes_to_the_same_numbers() {
    let shop = Workshop::with_data();
    let (_, error) = shop.succeeds(&reproduce("whole", &["--seeds", "2"]));
    assert!(error.contains("seed 1: full supervision"), "{error}");
    let table = String::from_utf8(shop.read("whole/table.md")).unwrap();
    let results = table.split("## ").find(|part| part.starts_with("Results")).unwrap();
    assert_eq!(results.lines().filter(|line| line.starts_with('|')).count(), ROWS + 2, "{results}");
    for row in [
        "low-resolution model",
        "intra (Eq. 5)",
        "inter (Eq. 9)",
        "intra+inter (Eq. 9, 11)",
        "Wasserstein",
        "own labels, in windows",
        "full supervision, in windows",
    ] {
        assert!(results.contains(row), "{row}");
    }
    assert!(table.contains("## Collapsed systems"), "{table}");
    for file in ["report.html", "results.csv", "figures/masks.png", "figures/masks.svg", "figures/boundaries.png", "figures/boundaries.svg"]
    {
        assert!(!shop.read(&format!("whole/{file}")).is_empty(), "{file}");
    }

    // Interrupted in the middle of a system, killed in the middle of another, and gone on with, several systems at a time.
    let child = shop.start(&reproduce("broken", &["--seeds", "2"]));
    wait_for(&shop, "broken/seed-0/intra/run/config.toml");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (_, error) = text_of(&output);
    assert!(output.status.code() == Some(130) && error.contains("run the same command again"), "{error}");
    let mut child2 = shop.start(&reproduce("broken", &["--seeds", "2", "--jobs", "2"]));
    wait_for(&shop, "broken/seed-0/overlap/run/config.toml");
    child2.kill().unwrap();
    child2.wait().unwrap();
    shop.succeeds(&reproduce("broken", &["--seeds", "2", "--jobs", "2"]));
    for file in ["table.md", "results.json", "figures/masks.png", "seed-1/wasserstein2/run/checkpoints/step-00000003/model.bpk"] {
        assert!(shop.read(&format!("whole/{file}")) == shop.read(&format!("broken/{file}")), "{file} differs");
    }
    // What is there is not made again, and other settings have no place there.
    let started = Instant::now();
    let (_, error) = shop.succeeds(&reproduce("whole", &["--seeds", "2"]));
    assert!(!error.contains("full supervision"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30));
    shop.refuses(&reproduce("whole", &["--seeds", "2", "--learning-rate", "0.1"]), &["settings.toml", "another --output"]);
    shop.refuses(&["reproduce", "--data", "data", "--output", "x", "--block", "100"], &["--block", "multiple of 16"]);
    shop.refuses(&reproduce("x", &["--seeds", "0"]), &["--seeds", "1 to 1000"]);
    // A choice of systems has the numbers that these have among all.
    shop.succeeds(&reproduce("some", &["--seeds", "1", "--systems", "low_resolution,labels,labels_turned"]));
    let row = |report: &str, key: &str| shop.read(&format!("{report}/seed-0/{key}/masks/0005.png"));
    for key in ["low_resolution", "labels", "labels_turned"] {
        assert!(row("some", key) == row("whole", key), "{key} differs");
    }
    shop.refuses(&reproduce("x", &["--systems", "labels_turned"]), &["--systems", "'labels' too", "labels_turned"]);
    shop.refuses(&reproduce("x", &["--systems", "magic"]), &["--systems", "low_resolution", "magic"]);
}

fn wait_for(shop: &Workshop, file: &str) {
    let started = Instant::now();
    while !shop.path(file).exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no {file} in two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn no_pixel_mask_reaches_a_weakly_supervised_system() {
    let shop = Workshop::with_data();
    shop.succeeds(&reproduce("a", &["--seeds", "1"]));
    // Between the labels and the training, every mask of the experiment is replaced by noise: classifier, labels and prior are what they were.
    for part in [
        "settings.toml",
        "seed-0/blocks.csv",
        "seed-0/test-blocks.csv",
        "seed-0/prior.csv",
        "seed-0/known-blocks.csv",
        "seed-0/known-prior.csv",
    ] {
        std::fs::create_dir_all(shop.path("b/seed-0")).unwrap();
        shop.write(&format!("b/{part}"), shop.read(&format!("a/{part}")));
    }
    for folder in ["images", "masks", "valid"] {
        std::fs::create_dir_all(shop.path(&format!("b/data/{folder}"))).unwrap();
    }
    for name in 0..6 {
        shop.write(&format!("b/data/images/{name:04}.png"), shop.read(&format!("a/data/images/{name:04}.png")));
    }
    shop.scramble_masks("b/data/masks");
    shop.succeeds(&reproduce("b", &["--seeds", "1"]));
    let weights = |report: &str, system: &str| shop.read(&format!("{report}/seed-0/{system}/run/checkpoints/step-00000003/model.bpk"));
    let weak = [
        "intra",
        "inter",
        "intra_inter",
        "paper_code",
        "lsr_iclr",
        "overlap",
        "kl_predicted_target",
        "kl_target_predicted",
        "wasserstein2",
        "labels",
        "labels_alone",
        "labels_one_stain",
        "labels_any_boundaries",
    ];
    for system in weak {
        assert!(weights("a", system) == weights("b", system), "{system} has seen a mask");
    }
    // Full supervision has: this test can fail.
    for system in ["supervised", "supervised_windows"] {
        assert!(weights("a", system) != weights("b", system), "{system} has not seen its masks");
    }
}
