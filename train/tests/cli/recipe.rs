//! A network from several folders by one file.

use crate::program::{Workshop, text_of};
use serde_json::Value;

const RECIPE: &str = r#"
um_per_px = 2.0
block_px = 16
stride_px = 8
annotated = 4

[[source]]
name = "slides"
folder = "tissue"
um_per_px = 1.0
images = ["000[0-3]"]
weight = 3
stretch = [0.8, 1.25]
licence = "CC0"

[[source]]
name = "drawn"
synthetic = { images = 2, size_px = 96, um_per_px = 1.0, seed = 9 }
block_px = 8
stride_px = 8
licence = "MIT"

[[judge]]
name = "slides"
folder = "tissue"
um_per_px = 1.0
images = ["000[45]"]

[fit]
count_target = "label"
window = 32
width = 4
depth = 2
learning_rate = 5e-3
ema = 0.9
field_um_per_px = 0.75
steps = 60
checkpoint_every = 5
"#;

fn shop() -> Workshop {
    let shop = Workshop::empty();
    shop.succeeds(&["synth", "--output", "data/tissue", "--images", "6", "--size", "96", "--um-per-px", "1", "--seed", "3"]);
    std::fs::write(shop.path("recipe.toml"), RECIPE).unwrap();
    shop
}

fn make<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["recipe", "recipe.toml", "--data", "data", "--output", output];
    arguments.extend(more);
    arguments
}

#[test]
fn the_same_recipe_gives_the_same_bytes_whatever_interrupts_it() {
    let shop = shop();
    let (table, _) = shop.succeeds(&make("whole", &[]));
    assert!(table.lines().any(|line| line.starts_with("| slides | 2 | ")), "{table}");

    let child = shop.start(&make("broken", &[]));
    while !shop.path("broken/run/checkpoints/step-00000005").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text_of(&output).1);
    assert!(!shop.path("broken/model.int8.onnx").exists());
    shop.succeeds(&make("broken", &[]));
    assert!(shop.read("whole/model.int8.onnx") == shop.read("broken/model.int8.onnx"));
    assert_eq!(shop.read("whole/figures.json"), shop.read("broken/figures.json"));

    let figures: Value = serde_json::from_slice(&shop.read("whole/figures.json")).unwrap();
    assert_eq!(figures["learned_from"], serde_json::json!(["slides", "drawn"]));
    assert_eq!(figures["steps"], 60);
    let model = String::from_utf8_lossy(&shop.read("whole/model.int8.onnx")).into_owned();
    assert!(model.contains("CC0 (slides); MIT (drawn)") && model.contains("lsr.field_um_per_px"));

    // Each source has label blocks of its own size.
    let blocks = String::from_utf8(shop.read("whole/run/blocks.csv")).unwrap();
    let sizes = |source: &str, side: &str| {
        let rows = blocks.lines().filter(|line| line.starts_with(source)).map(|line| line.split(',').collect::<Vec<_>>());
        rows.filter(|row| row[3..5] == [side, side]).count()
    };
    assert_eq!([sizes("drawn-", "8"), sizes("drawn-", "16")], [2 * 6 * 6, 0]);
    assert!(sizes("slides-", "16") > 0 && sizes("slides-", "8") == 0);

    // The masks have had their part before the training: it needs them no more.
    shop.scramble_masks("whole/data/slides/x0.8/masks");
    std::fs::remove_dir_all(shop.path("whole/run")).unwrap();
    shop.succeeds(&make("whole", &[]));
    assert!(shop.read("whole/model.int8.onnx") == shop.read("broken/model.int8.onnx"), "a mask was seen");

    shop.refuses(&make("whole", &["--steps", "61"]), &["begun with another recipe"]);
}

#[test]
fn a_source_that_is_left_out_is_judged_whole() {
    let shop = shop();
    let (table, _) = shop.succeeds(&make("held-out", &["--without", "slides", "--steps", "4"]));
    assert!(table.lines().any(|line| line.starts_with("| slides | 6 | ")), "{table}");
    shop.refuses(&make("none", &["--without", "slide"]), &["--without", "slides, drawn"]);
    assert!(!shop.path("none").exists());
}
