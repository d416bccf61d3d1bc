//! Blocks that are seen in windows, and compared with their own labels.

use crate::program::{Workshop, text_of};
use serde_json::Value;

/// Six images with binary labels of overlapping blocks of 32 px.
fn shop() -> Workshop {
    let shop = Workshop::empty();
    shop.succeeds(&["synth", "--output", "data", "--images", "6", "--size", "96", "--seed", "3"]);
    let binary = ["label", "--data", "data", "--from-masks", "--binary", "--block", "32", "--stride", "16", "--output", "labels.csv"];
    shop.succeeds(&binary);
    let (_, error) = shop.succeeds(&["label", "--known", "labels.csv", "--output", "blocks.csv"]);
    assert!(error.starts_with("150 blocks in blocks.csv"), "{error}");
    shop.succeeds(&["prior", "estimate", "--data", "data", "--blocks", "blocks.csv", "--annotated", "4", "--output", "prior.csv"]);
    shop
}

fn fit<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--output", output];
    arguments.extend(["--depth", "2", "--window", "64", "--count-target", "label", "--learning-rate", "5e-3"]);
    if !more.contains(&"--width") {
        arguments.extend(["--width", "4"]);
    }
    arguments.extend(more);
    arguments
}

fn weights(shop: &Workshop, run: &str, step: usize) -> Vec<u8> {
    shop.read(&format!("{run}/checkpoints/step-{step:08}/model.bpk"))
}

#[test]
fn counts_learn_the_labels_and_masks_have_no_part_in_it() {
    let shop = shop();
    let flags = ["--steps", "150", "--schedule", "cosine", "--hed-jitter", "0.1"];
    shop.succeeds(&fit("run", &flags));
    let summary: Value = serde_json::from_slice(&shop.read("run/summary.json")).unwrap();
    let mean = |z: u64| {
        let labels = summary["labels"].as_array().unwrap();
        labels.iter().find(|label| label["z"] == z).unwrap()["mean"].as_f64().unwrap()
    };
    assert!(mean(9) - mean(0) > 0.2, "{summary}");

    shop.scramble_masks("data/masks");
    shop.succeeds(&fit("again", &flags));
    assert!(weights(&shop, "run", 150) == weights(&shop, "again", 150), "a mask was seen");
}

#[test]
fn blocks_of_several_sizes_lie_in_one_window() {
    let shop = shop();
    let finer = ["label", "--data", "data", "--images", "000[0-2]", "--from-masks", "--binary", "--block", "16", "--stride", "16"];
    shop.succeeds(&[&finer[..], &["--output", "finer.csv"]].concat());
    shop.succeeds(&["label", "--known", "finer.csv", "--output", "finer-blocks.csv"]);
    let rows = |name: &str| String::from_utf8(shop.read(name)).unwrap();
    let both = format!("{}{}", rows("blocks.csv"), rows("finer-blocks.csv").split_once('\n').unwrap().1);
    shop.write("blocks.csv", both);
    shop.succeeds(&fit("run", &["--steps", "60"]));
    let summary: Value = serde_json::from_slice(&shop.read("run/summary.json")).unwrap();
    let means: Vec<f64> = summary["labels"].as_array().unwrap().iter().map(|label| label["mean"].as_f64().unwrap()).collect();
    assert!(means[1] - means[0] > 0.1, "{summary}");
    // Block by block they cannot be put into one tensor.
    let alone = ["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--output", "alone", "--preset", "paper"];
    shop.refuses(&alone, &["blocks of one size (32 x 32 px, as the first) without --window", "16 x 16"]);
}

/// What boundaries cost makes masks smoother, where it is asked for.
#[test]
fn boundaries_become_shorter_where_they_cost_something() {
    let shop = shop();
    let boundaries = |run: &str, weight: &str| {
        shop.succeeds(&fit(run, &["--steps", "150", "--groups", "4", "--boundary-weight", weight]));
        let masks = format!("{run}-masks");
        shop.succeeds(&["evaluate", "--run", run, "--data", "data", "--output", &masks]);
        let length = |name: u32| {
            let mask = image::open(shop.path(&format!("{masks}/{name:04}.mask.png"))).unwrap().to_luma8();
            let at = |x, y| mask.get_pixel(x, y).0[0];
            let pixels = (0..95).flat_map(|y| (0..95).map(move |x| (x, y)));
            pixels.map(|(x, y)| u32::from(at(x, y) != at(x + 1, y)) + u32::from(at(x, y) != at(x, y + 1))).sum::<u32>()
        };
        (0..6).map(length).sum::<u32>()
    };
    let (free, costly, elsewhere) = (boundaries("free", "0"), boundaries("costly", "0:2"), boundaries("elsewhere", "0:0"));
    assert!(costly > 0 && 4 * costly < 3 * free, "{costly} px of boundaries where they cost something, {free} px where not");
    assert_eq!(elsewhere, free);
}

#[test]
fn an_interrupted_run_ends_with_the_same_bytes() {
    let shop = shop();
    let flags =
        ["--steps", "30", "--checkpoint-every", "5", "--groups", "4", "--groups-at-once", "2", "--ema", "0.9", "--boundary-weight", "0.5"];
    shop.succeeds(&fit("whole", &flags));
    let child = shop.start(&fit("broken", &flags));
    while !shop.path("broken/checkpoints/step-00000005").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text_of(&output).1);
    shop.succeeds(&["fit", "--resume", "--output", "broken"]);
    for file in ["metrics.jsonl", "summary.json", "checkpoints/step-00000030/model.bpk"] {
        assert!(shop.read(&format!("whole/{file}")) == shop.read(&format!("broken/{file}")), "{file} differs");
    }
}

/// Blocks of which nothing is valid are left out, and the others go on.
#[test]
fn blocks_without_a_valid_pixel_do_not_count() {
    let shop = shop();
    std::fs::create_dir(shop.path("data/valid")).unwrap();
    for name in 0..6 {
        let left = image::GrayImage::from_fn(96, 96, |x, _| image::Luma([if x < 40 { 0 } else { 255 }]));
        left.save(shop.path(&format!("data/valid/{name:04}.png"))).unwrap();
    }
    shop.succeeds(&fit("run", &["--steps", "5"]));
    let metrics = String::from_utf8(shop.read("run/metrics.jsonl")).unwrap();
    for line in metrics.lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        assert!(report["loss"].as_f64().unwrap().is_finite(), "{line}");
    }
}

/// A window whose blocks have no valid pixel, though it has some itself, is replaced by another one.
#[test]
fn windows_without_a_block_that_counts_are_replaced() {
    let shop = shop();
    std::fs::create_dir(shop.path("data/valid")).unwrap();
    let right = image::GrayImage::from_fn(96, 96, |x, _| image::Luma([if x < 40 { 0 } else { 255 }]));
    right.save(shop.path("data/valid/0000.png")).unwrap();
    // Of that image, the block in the corner alone.
    let blocks = String::from_utf8(shop.read("blocks.csv")).unwrap();
    let kept: Vec<&str> = blocks.lines().filter(|line| !line.starts_with("0000,") || line.starts_with("0000,0,0,")).collect();
    assert_eq!(kept.len(), 1 + 1 + 5 * 25);
    shop.write("blocks.csv", kept.join("\n"));
    shop.succeeds(&fit("run", &["--steps", "150", "--groups", "2", "--groups-at-once", "1", "--width", "2"]));
    let metrics = String::from_utf8(shop.read("run/metrics.jsonl")).unwrap();
    assert!(metrics.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().is_some_and(f64::is_finite)));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let shop = shop();
    let refused = |flags: &[&str], parts: &[&str]| {
        let mut arguments = fit("x", &["--steps", "1"]);
        arguments.retain(|argument| *argument != "--window" && *argument != "64");
        arguments.extend(flags);
        shop.refuses(&arguments, parts);
    };
    refused(&["--window", "16"], &["window", "at least a block's side (32 x 32 px)", "16"]);
    refused(&["--window", "128"], &["window", "at most 96 x 96 px, the size of '0000'", "128"]);
    refused(&["--window", "50"], &["window", "multiples of 4 px", "50"]);
    refused(&["--window", "64", "--group", "3"], &["group", "1 with --window", "3"]);
    refused(&["--window", "64", "--queue", "5"], &["queue", "--count-target label", "5"]);
    refused(&["--window", "64", "--label-threshold", "1.5"], &["label_threshold", "0.01 to 0.99", "1.5"]);
    refused(&["--window", "64", "--label-softness", "0"], &["label_softness", "0"]);
    refused(&["--window", "64", "--boundary-weight", "0:1,1:1"], &["boundary_weight", "folders of data, 0 to 0", "1"]);
    let mut alone = fit("x", &["--steps", "1", "--scheme", "intra", "--boundary-weight", "0.5"]);
    alone.retain(|argument| !["--window", "64", "--count-target", "label"].contains(argument));
    shop.refuses(&alone, &["boundary_weight", "0 without --window", "0.5"]);
    let mut prior = fit("x", &["--steps", "1", "--scheme", "intra_inter"]);
    prior.retain(|argument| *argument != "--count-target" && *argument != "label");
    shop.refuses(&prior, &["scheme", "intra, or --count-target label, with --window", "intra_inter"]);
    // With the count prior, each block is compared by itself.
    let mut prior = fit("prior", &["--steps", "2", "--scheme", "intra", "--distance", "wasserstein2"]);
    prior.retain(|argument| *argument != "--count-target" && *argument != "label");
    shop.succeeds(&prior);
}

#[test]
fn labels_in_windows_are_what_fit_does_unless_it_is_told_otherwise() {
    let shop = shop();
    let base = ["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--width", "2", "--depth", "2", "--steps", "1"];
    let settings = |output: &str, more: &[&str]| {
        shop.succeeds(&[&base[..], &["--output", output], more].concat());
        let text = String::from_utf8(shop.read(&format!("{output}/config.toml"))).unwrap();
        toml::from_str::<toml::Table>(&text).unwrap()
    };
    let best = settings("best", &[]);
    assert_eq!((best["count_target"].as_str(), best["window"].as_integer()), (Some("label"), Some(64)));
    assert_eq!((best["group"].as_integer(), best["groups"].as_integer()), (Some(1), Some(8)));
    assert_eq!((best["ema"].as_float(), best["augmentation"]["hed_jitter"].as_float()), (Some(0.99), Some(0.3)));
    let gentler = settings("gentler", &["--hed-jitter", "0.1"]);
    assert_eq!((gentler["count_target"].as_str(), gentler["augmentation"]["hed_jitter"].as_float()), (Some("label"), Some(0.1)));

    let paper = settings("paper", &["--preset", "paper"]);
    assert_eq!((paper["count_target"].as_str(), paper["window"].as_integer()), (Some("prior"), Some(0)));
    assert_eq!((paper["group"].as_integer(), paper["groups"].as_integer()), (Some(15), Some(2)));
    assert_eq!((paper["learning_rate"].as_float(), paper["augmentation"]["hed_jitter"].as_float()), (Some(1e-3), Some(0.0)));
    assert_eq!((paper["scheme"].as_str(), paper["distance"].as_str()), (Some("intra_inter"), Some("max_product")));
    assert!(!paper.contains_key("ema") && !paper.contains_key("clip_norm"));
}
