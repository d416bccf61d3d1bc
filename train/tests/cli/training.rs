//! What `fit` can do beside the plain loop: validation, averages, queues, masks, caches, parts of a batch.

use crate::program::Workshop;
use serde_json::Value;

/// The lines of a run's JSON-lines file.
fn lines(shop: &Workshop, file: &str) -> Vec<Value> {
    let text = String::from_utf8(shop.read(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn losses(shop: &Workshop, run: &str) -> Vec<f64> {
    lines(shop, &format!("{run}/metrics.jsonl")).iter().map(|line| line["loss"].as_f64().unwrap()).collect()
}

fn summary(shop: &Workshop, run: &str) -> Value {
    serde_json::from_slice(&shop.read(&format!("{run}/summary.json"))).unwrap()
}

/// The network of a run's last step.
fn weights(shop: &Workshop, run: &str, step: usize) -> Vec<u8> {
    shop.read(&format!("{run}/checkpoints/step-{step:08}/model.bpk"))
}

#[test]
fn a_batch_in_parts_and_recomputed_activations_give_the_same_training() {
    let shop = Workshop::with_data();
    // Group normalisation sees each block by itself, so that parts of a batch change nothing but the order of sums.
    let flags = ["--norm", "group", "--groups", "4", "--steps", "6", "--seed", "2"];
    let run = |name: &'static str, more: &[&str]| {
        shop.succeeds(&shop.fit(name, &[&flags[..], more].concat()));
        losses(&shop, name)
    };
    let whole = run("whole", &[]);
    for (name, more) in [("parts", ["--groups-at-once", "1"]), ("recomputed", ["--gradient-checkpointing", "true"])] {
        let other = run(name, &more);
        // f32 sums in another order, and six steps of an optimiser that divides by the gradient's size.
        let worst = whole.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-3 * whole[0].abs(), "{name}: {whole:?} {other:?}");
    }
    // A run whose activations are computed again goes on from a checkpoint like any other.
    let started = ["--norm", "group", "--groups", "4", "--steps", "3", "--seed", "2", "--gradient-checkpointing", "true"];
    shop.succeeds(&shop.fit("resumed", &started));
    shop.succeeds(&["fit", "--resume", "--output", "resumed", "--steps", "6"]);
    assert!(weights(&shop, "resumed", 6) == weights(&shop, "recomputed", 6));
    assert!((whole[0] - whole[5]).abs() > 1e-3 * whole[0].abs(), "nothing was learned: {whole:?}");
    shop.refuses(&shop.fit("x", &["--groups", "4", "--groups-at-once", "3"]), &["groups_at_once", "divisor of the 4 groups"]);
}

#[test]
fn a_run_that_no_longer_improves_stops_and_keeps_its_best_network() {
    let shop = Workshop::with_data();
    // Without learning (and without BatchNorm's running statistics, which change all the same) no validation is better than the first.
    let flags =
        ["--norm", "group", "--steps", "50", "--learning-rate", "0", "--validation", "0005", "--validate-every", "2", "--patience", "3"];
    let (_, error) = shop.succeeds(&shop.fit("run", &flags));
    assert!(error.contains("validation: counts are"), "{error}");
    let summary = summary(&shop, "run");
    assert_eq!(summary["steps"], 8, "the first validation, and three that are no better");
    assert!(summary["stopped_early"].as_str().unwrap().contains("3 validations"));
    let validations = lines(&shop, "run/validation.jsonl");
    assert_eq!(validations.iter().map(|line| line["step"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4, 6, 8]);
    assert!(validations.iter().all(|line| line["count_mismatch"].as_f64().unwrap() > 0.0 && line["labels"][0]["z"].is_u64()));
    assert!(validations[0].get("masked_dice").is_none(), "masks are not looked at");
    // What is evaluated is the best network, that of step 2.
    let (out, _) = shop.succeeds(&["evaluate", "--run", "run", "--data", "data"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["step"], 2);
    // A run that stopped early has nothing to go on with.
    shop.succeeds(&["fit", "--resume", "--output", "run"]);
    assert_eq!(lines(&shop, "run/validation.jsonl").len(), 4);
    shop.refuses(&shop.fit("x", &["--patience", "3"]), &["validation", "none"]);
    shop.refuses(&shop.fit("x", &["--validation", "000*"]), &["validation", "no block to train on"]);
}

#[test]
fn stopping_on_dice_opens_the_masks_of_validation_images_alone() {
    let shop = Workshop::with_data();
    let flags = ["--steps", "4", "--validation", "0005", "--validate-every", "2", "--stop-on", "dice"];
    for name in ["0000", "0001", "0002", "0003", "0004"] {
        std::fs::remove_file(shop.path(&format!("data/masks/{name}.png"))).unwrap();
    }
    shop.succeeds(&shop.fit("run", &flags));
    let validations = lines(&shop, "run/validation.jsonl");
    assert!(validations.len() == 2 && validations.iter().all(|line| line["masked_dice"].is_f64()), "{validations:?}");
    std::fs::remove_file(shop.path("data/masks/0005.png")).unwrap();
    shop.refuses(&shop.fit("other", &flags), &["masks/0005.png", "No such file"]);
}

#[test]
fn averages_and_queues_survive_a_kill_to_the_byte() {
    let shop = Workshop::with_data();
    let flags = ["--seed", "3", "--ema", "0.9", "--queue", "20", "--checkpoint-every", "4", "--validation", "0005", "--hed-jitter", "0.05"];
    let more = ["--blur", "0.3", "--jpeg", "0.3", "--class-weights", "1,2", "--label-weights", "0:0.5", "--schedule", "cosine"];
    let flags = [&flags[..], &more].concat();
    shop.succeeds(&shop.fit("whole", &[&flags[..], &["--steps", "12"]].concat()));
    // The cosine depends on the number of steps: a run that is cut short must have been started for all of them.
    let mut child = shop.start(&shop.fit("broken", &[&flags[..], &["--steps", "12"]].concat()));
    // Only the newest two are kept: a run that is faster than this loop has the later ones.
    let has = |step: usize| shop.path(&format!("broken/checkpoints/step-{step:08}/state.json")).exists();
    while !has(4) && !has(8) && !has(12) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended without a checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    shop.succeeds(&["fit", "--resume", "--output", "broken"]);
    let last = "checkpoints/step-00000012";
    for file in ["metrics.jsonl", "validation.jsonl", "summary.json"]
        .map(str::to_owned)
        .into_iter()
        .chain(["model.bpk", "optimizer.bpk", "ema.bpk", "state.json"].map(|file| format!("{last}/{file}")))
    {
        assert!(shop.read(&format!("whole/{file}")) == shop.read(&format!("broken/{file}")), "{file} differs");
    }
    assert!(shop.read(&format!("whole/{last}/ema.bpk")) != shop.read(&format!("whole/{last}/model.bpk")));
    // The queue changes the statistics, and intra has none.
    shop.succeeds(&shop.fit("without", &["--seed", "3", "--steps", "3"]));
    shop.succeeds(&shop.fit("with", &["--seed", "3", "--steps", "3", "--queue", "20"]));
    let (without, with) = (losses(&shop, "without"), losses(&shop, "with"));
    assert!(without[0] == with[0], "the queue is empty at first");
    assert!(without[2] != with[2], "{without:?} {with:?}");
    shop.refuses(&shop.fit("x", &["--queue", "20", "--scheme", "intra"]), &["queue", "intra"]);
}

#[test]
fn a_weakly_supervised_run_has_the_same_bytes_whatever_the_masks_say() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("a", &["--steps", "5", "--validation", "0005"]));
    // The masks of another tissue under the same names.
    shop.succeeds(&["synth", "--output", "other", "--images", "6", "--size", "96", "--seed", "99"]);
    for name in 0..6 {
        let mask = shop.read(&format!("other/masks/{name:04}.png"));
        assert!(mask != shop.read(&format!("data/masks/{name:04}.png")));
        shop.write(&format!("data/masks/{name:04}.png"), mask);
    }
    shop.succeeds(&shop.fit("b", &["--steps", "5", "--validation", "0005"]));
    assert!(weights(&shop, "a", 5) == weights(&shop, "b", 5));
    for file in ["metrics.jsonl", "validation.jsonl", "config.toml", "summary.json"] {
        assert!(shop.read(&format!("a/{file}")) == shop.read(&format!("b/{file}")), "{file} differs");
    }
    // With masks it is another matter: that shows that this test can fail.
    let mixed = ["--steps", "5", "--mask-fraction", "0.5", "--cross-entropy-weight", "0.5"];
    shop.succeeds(&shop.fit("c", &mixed));
    shop.refuses(&["fit", "--resume", "--output", "missing"], &["no run to resume"]);
    shop.write("data/masks/0000.png", shop.read("other/masks/0001.png"));
    shop.refuses(&["fit", "--resume", "--output", "c", "--steps", "6"], &["data", "digest"]);
    shop.succeeds(&shop.fit("d", &mixed));
    assert!(weights(&shop, "c", 5) != weights(&shop, "d", 5));
    assert!(lines(&shop, "c/metrics.jsonl").iter().any(|line| line["cross_entropy"].is_f64()));
}

#[test]
fn full_supervision_learns_from_masks_alone() {
    let shop = Workshop::with_data();
    let flags = ["--steps", "60", "--mask-fraction", "1", "--count-weight", "0", "--learning-rate", "0.01", "--width", "4"];
    let base =
        ["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--output", "run", "--depth", "2", "--group", "4"];
    shop.succeeds(&[&base[..], &flags].concat());
    let loss = losses(&shop, "run");
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(mean(&loss[40..]) < 0.9 * mean(&loss[..5]), "{loss:?}");
    let (out, _) = shop.succeeds(&["evaluate", "--run", "run", "--data", "data"]);
    let result: Value = serde_json::from_str(&out).unwrap();
    let dice = |name: &str| result[name]["whole"]["dice"].as_f64().unwrap();
    assert!(dice("pooled") > dice("all_cancer") + 0.05, "{result}");
    shop.refuses(&shop.fit("x", &["--count-weight", "0"]), &["count_weight", "--mask-fraction"]);
}

#[test]
fn a_cache_gives_the_same_network_as_the_images() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("images", &["--steps", "4"]));
    shop.succeeds(&shop.fit("cached", &["--steps", "4", "--cache", "blocks.cache", "--workers", "3", "--image-memory", "1"]));
    assert!(weights(&shop, "images", 4) == weights(&shop, "cached", 4));
    assert!(shop.path("blocks.cache").exists());
    // Other blocks under the same name: the file is made anew, and says so.
    shop.succeeds(&["label", "--data", "data", "--from-masks", "--block", "32", "--stride", "16", "--output", "blocks.csv"]);
    shop.succeeds(&["prior", "estimate", "--data", "data", "--blocks", "blocks.csv", "--annotated", "4", "--output", "prior.csv"]);
    let (_, error) = shop.succeeds(&shop.fit("again", &["--steps", "1", "--cache", "blocks.cache"]));
    assert!(error.contains("blocks.cache") && error.contains("anew"), "{error}");
    let timing: Value = serde_json::from_slice(&shop.read("cached/timing.json")).unwrap();
    assert!(timing["steps"] == 4 && timing["waiting_share"].as_f64().unwrap() <= 1.0, "{timing}");
}

#[test]
fn pixels_that_are_not_valid_count_for_nothing() {
    let shop = Workshop::with_data();
    std::fs::create_dir(shop.path("data/valid")).unwrap();
    // Half of image 1 is a pen mark, all of image 2.
    let half = image::GrayImage::from_fn(96, 96, |x, _| image::Luma([if x < 48 { 0 } else { 255 }]));
    half.save(shop.path("data/valid/0001.png")).unwrap();
    image::GrayImage::new(96, 96).save(shop.path("data/valid/0002.png")).unwrap();
    let (_, error) = shop.succeeds(&shop.fit("run", &["--steps", "60"]));
    assert!(error.contains("skipped '0002'") && error.contains("no valid pixel"), "{error}");
    // Labels and counts are those of the valid pixels: a block without one has no label, half a block is counted by its half.
    let label = ["label", "--data", "data", "--from-masks", "--block", "96", "--output", "whole.csv"];
    shop.succeeds(&label);
    let rows = String::from_utf8(shop.read("whole.csv")).unwrap();
    assert!(!rows.contains("\n0002,") && rows.lines().count() == 6, "{rows}");
    let mask = image::open(shop.path("data/masks/0001.png")).unwrap().into_luma8();
    let cancer = mask.enumerate_pixels().filter(|(x, _, pixel)| *x >= 48 && pixel.0[0] >= 128).count() as f64 / (48.0 * 96.0);
    let stated: f64 = rows.lines().find(|row| row.starts_with("0001,")).unwrap().split(',').nth(5).unwrap().parse().unwrap();
    assert!((stated - cancer).abs() < 1e-6, "{stated} {cancer}");
    // What lies under the pen does not change anything.
    let mut image = image::open(shop.path("data/images/0001.png")).unwrap().into_rgb8();
    let evaluated = |shop: &Workshop| shop.succeeds(&["evaluate", "--run", "run", "--data", "data", "--images", "0001"]).0;
    let before: Value = serde_json::from_str(&evaluated(&shop)).unwrap();
    assert_eq!(before["pooled"]["whole"]["pixels"], 48 * 96);
    for pixel in image.enumerate_pixels_mut().filter(|(x, _, _)| *x < 10).map(|(_, _, pixel)| pixel) {
        pixel.0 = [0, 0, 0];
    }
    image.save(shop.path("data/images/0001.png")).unwrap();
    let after: Value = serde_json::from_str(&evaluated(&shop)).unwrap();
    // 48 - 10 px: further than this network of depth 2 sees.
    assert_eq!(before["pooled"], after["pooled"]);
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "6", "--validation", "0005", "--validate-every", "2"]));
    let page = String::from_utf8(shop.read("run/report.html")).unwrap();
    for part in ["<svg", "data:image/png;base64,", "Research use only", "validation image", "wasserstein2", "learning_rate"] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["<script", "<link", "@import", "src=\"http", "src=\"//"] {
        assert!(!page.contains(outside), "{outside}");
    }
    shop.succeeds(&["report", "--run", "run", "--output", "page.html"]);
    assert!(shop.read("page.html").starts_with(b"<!DOCTYPE html>"));
    shop.refuses(&["report", "--run", "nowhere"], &["nowhere", "no run here"]);
}
