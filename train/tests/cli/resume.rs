//! An interrupted run goes on to the same bits as an unbroken one.

use crate::program::Workshop;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const STEPS: &str = "40";

fn fit<'a>(shop: &Workshop, output: &'a str) -> Vec<&'a str> {
    shop.fit(output, &["--steps", STEPS, "--checkpoint-every", "7", "--seed", "11"])
}

/// Waits until the run has written a checkpoint of at least this step.
fn wait_for_checkpoint(shop: &Workshop, child: &mut Child, run: &str, step: usize) {
    let started = Instant::now();
    while !shop.path(&format!("{run}/checkpoints/step-{step:08}/state.json")).exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint in two minutes");
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its checkpoint {step}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn assert_same_run(shop: &Workshop, run: &str, other: &str) {
    for file in
        ["metrics.jsonl", "summary.json", "config.toml", "checkpoints/step-00000040/model.bpk", "checkpoints/step-00000040/optimizer.bpk"]
    {
        assert!(shop.read(&format!("{run}/{file}")) == shop.read(&format!("{other}/{file}")), "{file} differs");
    }
    for run in [run, other] {
        shop.succeeds(&["export", "--run", run, "--output", &format!("{run}.onnx")]);
    }
    assert!(shop.read(&format!("{run}.onnx")) == shop.read(&format!("{other}.onnx")), "the networks differ");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let shop = Workshop::with_data();
    shop.succeeds(&fit(&shop, "a"));
    shop.succeeds(&fit(&shop, "b"));
    assert_same_run(&shop, "a", "b");
    shop.succeeds(&shop.fit("c", &["--steps", STEPS, "--checkpoint-every", "7", "--seed", "12"]));
    assert!(shop.read("a/checkpoints/step-00000040/model.bpk") != shop.read("c/checkpoints/step-00000040/model.bpk"));
}

#[test]
fn after_an_interrupt_a_run_ends_with_the_bytes_of_an_unbroken_one() {
    let shop = Workshop::with_data();
    shop.succeeds(&fit(&shop, "whole"));
    let mut child = shop.start(&fit(&shop, "broken"));
    wait_for_checkpoint(&shop, &mut child, "broken", 7);
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let (_, error) = crate::program::text_of(&output);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("--resume"), "{error}");
    shop.succeeds(&["fit", "--resume", "--output", "broken"]);
    assert_same_run(&shop, "whole", "broken");
}

#[test]
fn after_a_kill_a_run_ends_with_the_bytes_of_an_unbroken_one() {
    let shop = Workshop::with_data();
    shop.succeeds(&fit(&shop, "whole"));
    let mut child = shop.start(&fit(&shop, "broken"));
    // Twice: early, and between two checkpoints.
    wait_for_checkpoint(&shop, &mut child, "broken", 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut child = shop.start(&["fit", "--resume", "--output", "broken"]);
    wait_for_checkpoint(&shop, &mut child, "broken", 14);
    std::thread::sleep(Duration::from_millis(30));
    child.kill().unwrap();
    child.wait().unwrap();
    // What a kill in the middle of a checkpoint leaves behind.
    std::fs::create_dir(shop.path("broken/checkpoints/.lsr-a1b2c3.tmp")).unwrap();
    shop.write("broken/checkpoints/.lsr-a1b2c3.tmp/model.bpk", b"half");
    shop.write("broken/.lsr-d4e5f6.tmp", b"half");
    shop.succeeds(&["fit", "--resume", "--output", "broken"]);
    assert_same_run(&shop, "whole", "broken");
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_afresh() {
    let shop = Workshop::with_data();
    shop.succeeds(&fit(&shop, "whole"));
    shop.succeeds(&shop.fit("broken", &["--steps", "0", "--checkpoint-every", "7", "--seed", "11"]));
    std::fs::remove_dir_all(shop.path("broken/checkpoints/step-00000000")).unwrap();
    shop.succeeds(&["fit", "--resume", "--output", "broken", "--steps", STEPS]);
    assert_same_run(&shop, "whole", "broken");
}

#[test]
fn a_damaged_checkpoint_is_reported_and_the_one_before_it_is_taken() {
    let shop = Workshop::with_data();
    shop.succeeds(&fit(&shop, "whole"));
    shop.succeeds(&shop.fit("broken", &["--steps", "14", "--checkpoint-every", "7", "--seed", "11"]));
    let weights = "broken/checkpoints/step-00000014/model.bpk";
    let mut bytes = shop.read(weights);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    shop.write(weights, bytes);
    let (_, error) = shop.succeeds(&["fit", "--resume", "--output", "broken", "--steps", STEPS]);
    assert!(error.contains("step-00000014") && error.contains("damaged"), "{error}");
    assert_same_run(&shop, "whole", "broken");
}

#[test]
fn a_run_that_changed_underneath_is_not_continued() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "1"]));
    shop.refuses(&["fit", "--resume", "--output", "run", "--seed", "4"], &["--resume", "--steps and --device"]);
    shop.refuses(&["fit", "--resume", "--output", "other"], &["no run to resume"]);
    let image = shop.read("data/images/0000.png");
    shop.write("data/images/0000.png", shop.read("data/images/0001.png"));
    shop.refuses(&["fit", "--resume", "--output", "run", "--steps", "2"], &["data", "digest"]);
    shop.write("data/images/0000.png", image);
    shop.succeeds(&["fit", "--resume", "--output", "run", "--steps", "2"]);
}

/// Kills a run at a random moment, 20 times, until it has come through.
#[test]
fn twenty_kills_at_random_moments_change_nothing() {
    let shop = Workshop::with_data();
    let flags = ["--steps", STEPS, "--checkpoint-every", "3", "--seed", "11"];
    shop.succeeds(&shop.fit("whole", &flags));
    // A fixed sequence of moments (splitmix64), so that a failure can be looked at again.
    let mut state = 20_u64;
    let mut random = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)) >> 32
    };
    let (mut kills, mut finished) = (0, 0);
    while kills < 20 {
        assert!(finished < 200, "the kills come too late");
        let begun = shop.path("broken/config.toml").exists();
        let arguments = if begun { vec!["fit", "--resume", "--output", "broken"] } else { shop.fit("broken", &flags) };
        let mut child = shop.start(&arguments);
        // From before the first file to about the end of the run.
        std::thread::sleep(Duration::from_millis(random() % 300));
        if child.try_wait().unwrap().is_some() {
            // It came through before the kill: it must be whole, and the next one begins anew.
            finished += 1;
            assert_same_run(&shop, "whole", "broken");
            std::fs::remove_dir_all(shop.path("broken")).unwrap();
            std::fs::remove_file(shop.path("broken.onnx")).unwrap();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    if shop.path("broken/config.toml").exists() {
        shop.succeeds(&["fit", "--resume", "--output", "broken"]);
    } else {
        shop.succeeds(&shop.fit("broken", &flags));
    }
    println!("{kills} kills, and {finished} runs that came through before theirs");
    assert_same_run(&shop, "whole", "broken");
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_run_of_a_machine_with_a_gpu_goes_on_on_one_without() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "2"]));
    let evaluate = ["evaluate", "--run", "run", "--data", "data"];
    let (here, _) = shop.succeeds(&evaluate);
    // Checkpoints have no device in them: the settings alone say where a run was trained.
    let config = String::from_utf8(shop.read("run/config.toml")).unwrap();
    shop.write("run/config.toml", config.replace("device = \"cpu\"", "device = \"cuda:1\""));
    let (there, warning) = shop.succeeds(&evaluate);
    assert_eq!(here, there);
    assert!(warning.contains("trained on cuda:1") && warning.contains("--features cuda"), "{warning}");
    shop.refuses(&["fit", "--resume", "--output", "run", "--steps", "3"], &["cuda:1 was asked for", "--features cuda"]);
    shop.succeeds(&["fit", "--resume", "--output", "run", "--steps", "3", "--device", "cpu"]);
    shop.succeeds(&["report", "--run", "run"]);
}
