//! What the model has learned from: fields that are unlike it are flagged, models that do not say it work as before, and what they say is checked.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod onnx;
mod program;

use image::{Rgb, RgbImage};
use lsr_core::reference::Features;
use lsr_core::{FieldView, Reference, ReferenceParts, Target};
use lsr_edge::Model;
use onnx::changed;
use program::{Said, blobs, json, program, run, said, unet};
use serde_json::{Value, json as value};
use std::path::{Path, PathBuf};
use tract_onnx::pb::{ModelProto, StringStringEntryProto};

const KEY: &str = "lsr.reference";
const TILE: u16 = 64;

fn set(model: &mut ModelProto, text: &str) {
    model.metadata_props.push(StringStringEntryProto { key: KEY.to_owned(), value: text.to_owned() });
}

/// The reference of the test network on blobs: what `lsr-train export --reference` writes.
fn reference() -> Reference {
    let model = Model::open(&unet()).unwrap();
    let targets = [Target { mean: 0.2, std: 0.1 }, Target { mean: 0.8, std: 0.1 }];
    let mut vectors: Vec<Features> = Vec::new();
    let rule = lsr_core::reference::CountRule { block_px: 32, targets: &targets };
    for seed in 0..16 {
        let image = blobs(128, 128, seed);
        let probabilities: Vec<u8> =
            model.probabilities(image.as_raw(), 128, 128).unwrap().iter().map(|p| (255.0 * p).round() as u8).collect();
        let view = FieldView::new(image.as_raw(), &probabilities, 128, 128).unwrap();
        let tiles = view.tiles(TILE.into());
        vectors.extend(tiles.filter_map(|tile| view.features(tile, rule, &mut [0; 64 * 64]).unwrap().features));
    }
    let parts =
        ReferenceParts { tile_px: TILE, block_px: 32, targets: &targets, vectors: &vectors, glass: false, quantile: 1.0, limit: 0.0 };
    let open = Reference::new(parts).unwrap();
    let left_out = vectors.iter().enumerate().map(|(i, tile)| open.nearest(tile, |other| other / 4 != i / 4).unwrap().distance);
    Reference::new(ReferenceParts { limit: left_out.fold(0.0, f32::max), ..parts }).unwrap()
}

fn with_reference(folder: &Path) -> PathBuf {
    changed(folder, "known.onnx", |model| set(model, &serde_json::to_string(&reference()).unwrap()))
}

fn segment(model: &Path, folder: &Path, flags: &[&str]) -> Said {
    let mut command = program();
    command.arg("segment").arg(folder.join("fields")).arg("--output").arg(folder.join("out")).arg("--model").arg(model).args(flags);
    said(command.output().unwrap())
}

fn distance(folder: &Path, name: &str) -> Value {
    json(&folder.join(format!("out/{name}.json")))["training_distance"].clone()
}

#[test]
fn fields_unlike_the_training_images_are_flagged_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let fields = folder.path().join("fields");
    std::fs::create_dir(&fields).unwrap();
    let model = with_reference(folder.path());
    // One that the model has learned from, one of another place and size, and what is none of them.
    let of = |name: &str, image: RgbImage| image.save(fields.join(format!("{name}.png"))).unwrap();
    of("learned", blobs(128, 128, 3));
    let known = blobs(200, 150, 77);
    of("inverted", RgbImage::from_fn(200, 150, |x, y| Rgb(known.get_pixel(x, y).0.map(|level| 255 - level / 2))));
    of("blurred", image::imageops::blur(&known, 4.0));
    of("known", known);
    of("noise", RgbImage::from_fn(200, 150, |x, y| Rgb([7, 11, 13].map(|k| (x * x * k + y * y * 31 + x * y * 17 * k) as u8))));
    of("glass", RgbImage::from_pixel(200, 150, Rgb([247, 246, 248])));
    let told = segment(&model, folder.path(), &[]);
    told.expect(0, &[]);
    assert!(told.stdout.starts_with("6 written, 4 of them flagged as unlike what the network has learned from, "), "{told:?}");
    let lines: Vec<&str> = told.stderr.lines().filter(|line| line.starts_with("flagged: ")).collect();
    assert!(lines.len() == 4 && lines.iter().all(|line| line.contains("limit")), "{told:?}");
    for (name, flagged) in [("learned", false), ("known", false), ("inverted", true), ("blurred", true), ("noise", true), ("glass", true)] {
        let found = distance(folder.path(), name);
        assert_eq!(found["flagged"], flagged, "{name}: {found}");
        assert_eq!(lines.iter().any(|line| line.contains(&format!("flagged: {name}: "))), flagged, "{name}");
        if name != "glass" {
            assert_eq!(found["distance"].as_f64().unwrap() > found["limit"].as_f64().unwrap(), flagged, "{name}: {found}");
        }
    }
    // The very same pixels have the very same features here and there.
    assert_eq!(distance(folder.path(), "learned")["distance"], 0.0);
    let (blurred, glass) = (distance(folder.path(), "blurred"), distance(folder.path(), "glass"));
    assert!(
        blurred["furthest"].to_string().contains("texture at 1 px: ") && blurred["furthest"].to_string().contains(" below the nearest")
    );
    assert_eq!((&glass["distance"], &glass["judged_tiles"]), (&Value::Null, &0.into()));
    assert!(glass["furthest"].to_string().contains("too little to judge"), "{glass}");
    let record = json(&folder.path().join("out/known.json"));
    assert_eq!(record["model"]["metadata"]["reference"]["tiles"], 64);
    assert!(record["model"]["metadata"]["reference"].get("vectors").is_none() && record["timings_ms"]["training_distance"].is_f64());
}

#[test]
fn a_field_is_judged_at_the_models_pixel_size() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("fields")).unwrap();
    let model = with_reference(folder.path());
    let twice = image::imageops::resize(&blobs(128, 128, 3), 256, 256, image::imageops::FilterType::Nearest);
    twice.save(folder.path().join("fields/a.png")).unwrap();
    // Pixels of half the model's size, said and not said.
    segment(&model, folder.path(), &["--um-per-px", "0.5"]).expect(0, &[]);
    let said = distance(folder.path(), "a");
    segment(&model, folder.path(), &["--overwrite"]).expect(0, &["flagged: a: "]);
    let not_said = distance(folder.path(), "a");
    assert_eq!((&said["tiles"], &not_said["tiles"]), (&4.into(), &16.into()));
    // Resampling leaves something of itself behind in pixels as random as these, a wrong pixel size more.
    let of = |found: &Value| found["distance"].as_f64().unwrap();
    assert!(of(&not_said) > of(&said) + 1.0, "{said} {not_said}");
}

#[test]
fn a_model_that_does_not_say_it_works_as_before() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("fields")).unwrap();
    blobs(96, 64, 1).save(folder.path().join("fields/a.png")).unwrap();
    let told = segment(&unet(), folder.path(), &[]);
    told.expect(0, &[]);
    assert!(told.stdout.starts_with("1 written in ") && told.stderr.is_empty(), "{told:?}");
    let record = json(&folder.path().join("out/a.json"));
    assert_eq!((&record["training_distance"], &record["model"]["metadata"]["reference"]), (&Value::Null, &Value::Null));
    assert!(record.as_object().unwrap().contains_key("training_distance"));
    let inspected = run([Path::new("inspect"), &unet()]);
    assert!(inspected.stdout.contains("learned from  not stated: no field is flagged"), "{inspected:?}");
}

#[test]
fn inspect_says_what_a_model_has_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let model = with_reference(folder.path());
    let told = run([Path::new("inspect"), &model]);
    told.expect(0, &[]);
    assert!(told.stdout.contains("learned from  64 tiles of 64 px; a field beyond distance "), "{told:?}");
    let told = run([Path::new("inspect"), &model, Path::new("--json")]);
    let card: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&card["metadata"]["reference"]["tile_px"], &card["metadata"]["reference"]["quantile"]), (&64.into(), &1.0.into()));
}

#[test]
fn a_reference_that_cannot_be_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let good = serde_json::to_value(reference()).unwrap();
    let with = |key: &str, to: Value| {
        let mut changed = good.clone();
        changed[key] = to;
        changed.to_string()
    };
    let tile = good["tiles"][0].clone();
    for (text, words) in [
        (String::new(), "EOF"),
        ("null".to_owned(), "null"),
        ("[".repeat(5000), "invalid type"),
        ("1".repeat(100_001), "more than the 100000"),
        (with("format", value!(2)), "format"),
        (with("tile_px", value!(0)), "tile_px"),
        (with("tile_px", value!(65_535)), "tile_px"),
        (with("tile_px", value!(-1)), "-1"),
        (with("block_px", value!(0)), "block_px"),
        (with("limit", value!(-1.0)), "limit"),
        (with("limit", value!("NaN")), "NaN"),
        (with("limit", Value::Null), "null"),
        (with("quantile", value!(7)), "quantile"),
        (with("counts", value!([[0.5, 0.0]])), "rho"),
        (with("counts", value!([[2.0, 0.1]])), "eta"),
        (with("counts", value!(vec![[0.5, 0.1]; 65])), "65"),
        (with("features", value!(["a"])), "features"),
        (with("features", value!(vec!["x".repeat(30_000)])), "string"),
        (with("tiles", value!([])), "number of reference tiles"),
        (with("tiles", value!(vec![tile.clone(); 201])), "201"),
        (with("tiles", value!([[1.0, 2.0], [3.0]])), "length"),
        (with("tiles", value!(vec![vec![1e30; 11]; 5])), "feature of a reference tile"),
        (with("another", value!(1)), "another"),
    ] {
        let path = changed(folder.path(), "bad.onnx", |model| set(model, &text));
        let told = run([Path::new("inspect"), &path]);
        told.expect(1, &["error: model", "bad.onnx", "metadata key 'lsr.reference': "]);
        assert!(told.stderr.lines().count() == 1 && told.stderr.len() < 600, "{told:?}");
        assert!(words == "65" || words == "201" || told.stderr.contains(words), "{words}: {told:?}");
    }
    // What is odd but can be: equal tiles, which have no spread.
    let equal = changed(folder.path(), "equal.onnx", |model| set(model, &with("tiles", value!(vec![tile; 200]))));
    std::fs::create_dir(folder.path().join("fields")).unwrap();
    blobs(96, 64, 1).save(folder.path().join("fields/a.png")).unwrap();
    segment(&equal, folder.path(), &[]).expect(0, &["flagged: a: "]);
}
