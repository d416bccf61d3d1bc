//! A quantised file as an integer network: what is understood, what is not and why, and that the same file in float arithmetic agrees.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod onnx;
mod program;

use lsr_edge::int8::Isa;
use lsr_edge::{Interrupt, Model, ProbabilityMap, Tiling, predict};
use onnx::{changed_file, graph, node};
use program::{blobs, fixture, run, unet};
use std::path::{Path, PathBuf};
use tract_onnx::pb::{AttributeProto, ModelProto, TensorProto};

fn int8() -> PathBuf {
    fixture("unet.int8.onnx")
}

fn changed(folder: &Path, change: impl FnOnce(&mut ModelProto)) -> PathBuf {
    changed_file(&int8(), folder, "changed.onnx", change)
}

fn map(model: &Model, image: &image::RgbImage) -> ProbabilityMap {
    let tiling = Tiling { max_tile: Some(model.default_tile()), overlap: None };
    let rule = tiling.for_model(model.metadata().alignment, model.metadata().context_px).unwrap();
    predict(model, image, &rule, &Interrupt::default(), &|_| ()).unwrap()
}

/// A ReLU that the rewriting does not know, and that is one.
fn disguise(model: &mut ModelProto) {
    let relu = node(model, "up0.block.1.relu");
    relu.op_type = "LeakyRelu".to_owned();
    relu.attribute = vec![AttributeProto { name: "alpha".to_owned(), r#type: 1, f: 0.0, ..AttributeProto::default() }];
}

#[test]
fn integers_agree_with_the_same_file_in_float_arithmetic() {
    let folder = tempfile::tempdir().unwrap();
    let integer = Model::open(&int8()).unwrap();
    let float = Model::open(&changed(folder.path(), disguise)).unwrap();
    assert!(integer.program().is_some() && float.program().is_none());
    let image = blobs(200, 120, 3);
    let (integers, floats) = (map(&integer, &image), map(&float, &image));
    // One step of the logits is at most 0.25 x scale as a probability; their scale is below 0.1.
    let step = 0.25 * 0.1 + 0.5 / 255.0;
    let within = integers.values().iter().zip(floats.values()).filter(|(a, b)| (*a - *b).abs() <= step).count();
    let share = within as f64 / floats.values().len() as f64;
    println!("{:.4} % of pixels within one step of the logits", 100.0 * share);
    assert!(share >= 0.999, "{share}");
    let cancer = floats.values().iter().filter(|p| **p >= 0.5).count() as f64 / floats.values().len() as f64;
    assert!((0.05..0.95).contains(&cancer), "the test image should give both classes, found {cancer}");
}

#[test]
fn every_instruction_set_gives_the_same_map_of_a_whole_image() {
    let image = blobs(333, 210, 9);
    let mut model = Model::open(&int8()).unwrap();
    let best = map(&model, &image);
    for isa in Isa::available() {
        model.use_isa(isa).unwrap();
        assert_eq!(model.card().execution.isa, Some(isa.name()));
        assert!(map(&model, &image) == best, "{}", isa.name());
        // Tiles see what the whole image sees.
        let rule = Tiling { max_tile: Some(304), overlap: Some(224) }.for_model(16, 107).unwrap();
        let tiled = predict(&model, &image, &rule, &Interrupt::default(), &|_| ()).unwrap();
        let worst = tiled.values().iter().zip(best.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "{}: {worst}", isa.name());
    }
}

#[test]
fn inspect_says_how_it_is_run_and_what_stands_in_the_way() {
    let said = run([Path::new("inspect"), &int8()]);
    said.expect(0, &[]);
    assert!(said.stdout.contains("runs in       int8 (") && said.stdout.contains("for an image of 240 x 240 px"), "{said:?}");
    let float = run([Path::new("inspect"), &unet()]);
    assert!(float.stdout.contains("runs in       float32\n") && !float.stdout.contains("not in int8"), "{float:?}");

    let folder = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut ModelProto), words: &[&str]| {
        let said = run([Path::new("inspect"), &changed(folder.path(), change)]);
        said.expect(0, &[]);
        for word in words.iter().chain(&["runs in       float32", "not in int8"]) {
            assert!(said.stdout.contains(word), "expected '{word}' in {said:?}");
        }
    };
    refused(&disguise, &["node 'up0.block.1.relu"]);
    let scale = |name: &'static str, factor: f32| {
        move |model: &mut ModelProto| {
            let tensor = graph(model).initializer.iter_mut().find(|tensor| tensor.name == name).unwrap();
            let value = f32::from_le_bytes(tensor.raw_data[..4].try_into().unwrap()) * factor;
            tensor.raw_data = value.to_le_bytes().to_vec();
        }
    };
    refused(&scale("pool1/scale", 1.5), &["node 'pool1'", "differ"]);
    refused(&scale("join1/scale", 1.5), &["node 'join1'", "differ"]);
    refused(&scale("up1/scale", 1.5), &["node 'up1'", "differ"]);
    refused(
        &|model| {
            let weights = graph(model).initializer.iter_mut().find(|tensor| tensor.name == "bottom.0.weight/zero").unwrap();
            weights.raw_data[3] = 5;
        },
        &["node 'bottom.0", "int8 with zero point 0"],
    );
    refused(
        &|model| {
            let node = node(model, "up2");
            node.attribute.iter_mut().find(|attribute| attribute.name == "mode").unwrap().s = b"linear".to_vec();
        },
        &["node 'up2'", "to the nearest"],
    );
}

#[test]
fn scales_and_zero_points_out_of_range_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |tensor: &str, change: &dyn Fn(&mut TensorProto), words: &[&str]| {
        let path = changed(folder.path(), |model| {
            change(graph(model).initializer.iter_mut().find(|candidate| candidate.name == tensor).unwrap());
        });
        let said = run([Path::new("inspect"), &path]);
        said.expect(1, &["error: model", &format!("tensor '{tensor}'")]);
        said.expect(1, words);
    };
    for (bad, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (-0.5, "-0.5"), (0.0, "is 0"), (1e-42, "positive number")] {
        refused("down0.0/scale", &|tensor| tensor.raw_data = bad.to_le_bytes().to_vec(), &["a scale is", word]);
        refused("bottom.0.weight/scale", &|tensor| tensor.raw_data[..4].copy_from_slice(&bad.to_le_bytes()), &["a scale is", word]);
    }
    refused(
        "down0.0/zero",
        &|tensor| {
            tensor.raw_data.clear();
            tensor.int32_data = vec![300];
        },
        &["300"],
    );
    refused("down0.0/zero", &|tensor| (tensor.data_type, tensor.raw_data) = (6, vec![0; 4]), &["a zero point must be uint8 or int8"]);
    refused("bottom.0.weight/q", &|tensor| tensor.data_location = Some(1), &["external data"]);
    refused("bottom.0.weight/q", &|tensor| tensor.dims[0] = 1 << 40, &["does not fit"]);
}

#[test]
fn sums_that_could_leave_32_bits_are_left_to_float_arithmetic() {
    let folder = tempfile::tempdir().unwrap();
    let path = changed(folder.path(), |model| {
        let bias = graph(model).initializer.iter_mut().find(|tensor| tensor.name == "bottom.0.bias/q").unwrap();
        bias.raw_data[..4].copy_from_slice(&i32::MAX.to_le_bytes());
    });
    let model = Model::open(&path).unwrap();
    assert!(model.program().is_none());
    let refusal = &model.card().execution.not_integer[0];
    assert!(refusal.node.starts_with("bottom.0") && refusal.reason.contains("32 bits"), "{refusal:?}");
}

#[test]
fn an_instruction_set_is_chosen_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (image, out) = (folder.path().join("field.png"), folder.path().join("out"));
    blobs(64, 48, 1).save(&image).unwrap();
    let arguments = |isa: &'static str, model: PathBuf| {
        let words = [Path::new("segment"), &image, Path::new("--output"), &out, Path::new("--overwrite")];
        run(words.into_iter().chain([Path::new("--isa"), Path::new(isa), Path::new("--model"), &model]))
    };
    arguments("scalar", int8()).expect(0, &[]);
    arguments("mmx", int8()).expect(1, &["--isa mmx", "scalar"]);
    arguments("scalar", unet()).expect(1, &["expected a network in integers"]);
}

#[test]
fn bench_measures_what_it_says() {
    let model = int8();
    let said = run([Path::new("bench"), Path::new("--model"), &model]
        .into_iter()
        .chain(["--sizes", "64,100", "--threads", "1,2", "--isa", "all", "--seconds", "0.01", "--profile", "--json"].map(Path::new)));
    said.expect(0, &[]);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 2 * 2 * Isa::available().len());
    for result in results {
        let number = |key: &str| result[key].as_f64().unwrap_or_else(|| panic!("{key} in {result}"));
        assert!(number("median_ms") > 0.0 && number("p95_ms") >= number("median_ms"), "{result}");
        assert!(number("max_ms") >= number("p99_ms") && number("p99_ms") >= number("p95_ms"), "{result}");
        assert!(number("cpu_ms") > 0.0 && number("peak_rss_mb") > 1.0 && number("macs") > 1e5, "{result}");
        assert!((number("fields_per_s") * number("median_ms") / 1e3 - 1.0).abs() < 1e-9, "{result}");
        assert!(number("executed_macs") < number("macs") && number("mm2_per_s") > 0.0, "{result}");
        assert_eq!(number("int8_peak_gmacs") > 0.0, result["isa"] != "scalar", "{result}");
        assert!(result["layers"].as_array().unwrap().len() > 20, "{result}");
    }
    // 100 is no multiple of 16.
    assert_eq!(results[results.len() - 1]["size"], 112);
    run(["bench", "--sizes", "0"]).expect(1, &["--sizes 0"]);
    run(["bench", "--threads", "0"]).expect(1, &["--threads 0"]);
    run(["bench", "--isa", "mmx"]).expect(1, &["--isa mmx"]);
    run(["bench", "--seconds", "NaN"]).expect(1, &["--seconds"]);
}
