//! `quantize`: the int8 file, what is said about it, and what is refused.

use crate::program::Workshop;
use serde_json::Value;

/// `quantize` on the small data with further flags.
fn quantize<'a>(run: &'a str, output: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    [&["quantize", "--run", run, "--calibration", "data", "--output", output], flags].concat()
}

/// A run of 40 steps with masks: enough for logits on both sides of 0.
fn trained(shop: &Workshop) {
    let flags = ["--steps", "40", "--mask-fraction", "1", "--count-weight", "0", "--learning-rate", "0.01", "--width", "4", "--group", "4"];
    let base = ["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--output", "run", "--depth", "2"];
    shop.succeeds(&[&base[..], &flags].concat());
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_trained_network_keeps_its_masks_in_8_bits() {
    let shop = Workshop::with_data();
    trained(&shop);
    let (out, table) =
        shop.succeeds(&quantize("run", "m.int8.onnx", &["--images", "000[0-3]", "--validate", "data", "--validate-images", "000[45]"]));
    let report = json(&out);
    assert!(report["difference"]["pixel_agreement"].as_f64().unwrap() > 0.985, "{report}");
    assert!(report["difference"]["probability_error"].as_f64().unwrap() < 0.02, "{report}");
    assert_eq!(report["calibration"]["images"], 4);
    let pooled = &report["validation"]["pooled"];
    let dice = |which: &str| pooled[which]["whole"]["dice"].as_f64().unwrap();
    assert!((dice("float") - dice("int8")).abs() < 0.02 && dice("float") > 0.3, "{pooled}");
    assert_eq!(report["validation"]["images"].as_array().unwrap().len(), 2);
    for part in ["as trained", "equalised", "same class", "0004", "all images", "m.int8.onnx written"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    // The scores before are those of `evaluate`.
    let (evaluated, _) = shop.succeeds(&["evaluate", "--run", "run", "--data", "data", "--images", "000[45]"]);
    let (expected, found) = (&json(&evaluated)["pooled"]["masked"]["dice"], &pooled["float"]["masked"]["dice"]);
    assert!((expected.as_f64().unwrap() - found.as_f64().unwrap()).abs() < 1e-3, "{expected} {found}");
    // The file says what it was made of.
    shop.succeeds(&["export", "--run", "run", "--output", "m.onnx"]);
    let (float, int8) = (shop.read("m.onnx"), shop.read("m.int8.onnx"));
    assert_eq!(report["float_bytes"].as_u64().unwrap(), float.len() as u64);
    let text = String::from_utf8_lossy(&int8);
    for key in ["lsr.um_per_px", "lsr.threshold", "lsr.quantized", "QuantizeLinear", report["quantized"]["float_sha256"].as_str().unwrap()]
    {
        assert!(text.contains(key), "{key}");
    }
    assert!(!String::from_utf8_lossy(&float).contains("lsr.quantized"));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "0"]));
    let flags = ["--count", "2", "--seed", "5", "--fine-tune", "3"];
    let (first, _) = shop.succeeds(&quantize("run", "a.onnx", &flags));
    let (second, _) = shop.succeeds(&quantize("run", "b.onnx", &flags));
    assert!(first == second && shop.read("a.onnx") == shop.read("b.onnx"));
    shop.succeeds(&quantize("run", "c.onnx", &["--count", "2", "--seed", "6"]));
    assert!(shop.read("a.onnx") != shop.read("c.onnx"));
    // No mask is looked at.
    std::fs::remove_dir_all(shop.path("data/masks")).unwrap();
    shop.succeeds(&quantize("run", "d.onnx", &flags));
    assert!(shop.read("a.onnx") == shop.read("d.onnx"));
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn every_network_has_an_int8_file() {
    let shop = Workshop::with_data();
    for (run, flags) in [("transposed", &["--up", "transposed"][..]), ("full", &["--network", "full_resolution"])] {
        shop.succeeds(&shop.fit(run, &[&["--steps", "0"], flags].concat()));
        let (out, _) = shop.succeeds(&quantize(run, "m.onnx", &["--ranges", "percentile", "--percentile", "99.9", "--equalise", "on"]));
        let report = json(&out);
        assert_eq!((&report["quantized"]["method"], &report["quantized"]["percentile"]), (&"percentile".into(), &99.9.into()));
        assert_eq!(report["quantized"]["equalised"], true);
        assert!(report["difference"]["probability_error"].as_f64().unwrap() < 0.05, "{report}");
    }
}

#[test]
fn fine_tuning_brings_the_masks_nearer() {
    let shop = Workshop::with_data();
    trained(&shop);
    // Coarse ranges leave something to be learned.
    let coarse = ["--ranges", "percentile", "--percentile", "90", "--equalise", "off", "--fine-tune", "30", "--learning-rate", "0.001"];
    let (out, table) = shop.succeeds(&quantize("run", "m.onnx", &coarse));
    let report = json(&out);
    let error = |when: &str| report["fine_tuning"][when]["probability_error"].as_f64().unwrap();
    assert!(error("after") < 0.8 * error("before"), "{report}");
    assert!(
        report["fine_tuning"]["kept"] == true && report["quantized"]["fine_tuning_steps"] == 30 && table.contains("fine-tuned"),
        "{report}"
    );
    // What makes it worse is not kept.
    let (out, error) = shop.succeeds(&quantize("run", "w.onnx", &["--fine-tune", "2", "--learning-rate", "0.5"]));
    assert!(json(&out)["quantized"]["fine_tuning_steps"] == 0 && error.contains("weights are as before"), "{error}");
}

#[test]
fn what_cannot_be_quantised_is_refused_by_name() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "0"]));
    for (flags, parts) in [
        (["--percentile", "101"], ["--percentile", "50 to 100"]),
        (["--percentile", "NaN"], ["--percentile", "NaN"]),
        (["--count", "0"], ["--count", "at least 1"]),
        (["--learning-rate", "-1"], ["--learning-rate", "-1"]),
        (["--images", "x*"], ["--images", "'x*'"]),
        (["--validate", "nowhere"], ["nowhere/images", "No such file"]),
    ] {
        // A negative number looks like a flag.
        let flags = if flags[1] == "-1" { vec!["--learning-rate=-1"] } else { flags.to_vec() };
        shop.refuses(&quantize("run", "m.onnx", &flags), &parts);
    }
    shop.refuses(&quantize("nowhere", "m.onnx", &[]), &["nowhere", "no run here"]);
    shop.refuses(&["quantize", "--run", "run", "--calibration", "empty", "--output", "m.onnx"], &["empty/images", "No such file"]);
    shop.write("file", b"in the way");
    shop.refuses(&quantize("run", "file/m.onnx", &[]), &["file/m.onnx"]);
    shop.succeeds(&shop.fit("group", &["--steps", "0", "--norm", "group"]));
    shop.refuses(&quantize("group", "m.onnx", &[]), &["--norm batch", "group normalisation"]);
    std::fs::create_dir_all(shop.path("blank/images")).unwrap();
    image::RgbImage::from_pixel(64, 64, image::Rgb([240, 240, 240])).save(shop.path("blank/images/a.png")).unwrap();
    let blank = ["quantize", "--run", "run", "--calibration", "blank", "--output", "m.onnx"];
    shop.refuses(&blank, &["calibration images", "one colour everywhere"]);
    let whole = shop.read("data/images/0001.png");
    shop.write("data/images/0001.png", &whole[..whole.len() / 2]);
    shop.refuses(&quantize("run", "m.onnx", &[]), &["images/0001.png", "cannot be decoded"]);
    assert!(!shop.path("m.onnx").exists());
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[cfg(unix)]
#[test]
fn an_interruption_writes_nothing() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "0"]));
    let mut child = shop.start(&quantize("run", "m.onnx", &["--fine-tune", "100000"]));
    // The handler is set before the first tile is read; a signal that came sooner would end the process without a word.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!shop.path("m.onnx").exists());
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
}
