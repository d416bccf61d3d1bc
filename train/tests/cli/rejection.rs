//! `rejection` and `export --reference`: what they write, and what they refuse.

use crate::program::Workshop;
use serde_json::Value;

fn measure<'a>(output: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    let base = ["rejection", "--run", "run", "--reference", "data", "--reference-images", "000[0-3]", "--data", "data"];
    [&base[..], &["--images", "000[45]", "--reference-tile", "48", "--field", "64", "--output", output], flags].concat()
}

#[test]
fn curves_of_fields_as_they_are_distorted_and_of_other_tissue() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "2"]));
    shop.succeeds(&["synth", "--output", "other", "--images", "2", "--size", "96", "--seed", "9"]);
    // Masks of what the network has learned from are not looked at.
    std::fs::remove_file(shop.path("data/masks/0001.png")).unwrap();
    let (table, _) = shop.succeeds(&measure("out", &["--other", "other"]));
    for part in ["as they are", "blurred, sigma 4 px", "JPEG of quality 5", "pixel size wrong, x2", "other", "ideal order", "random order"]
    {
        assert!(table.contains(part), "{part}: {table}");
    }
    let report: Value = serde_json::from_slice(&shop.read("out/rejection.json")).unwrap();
    assert_eq!(report["reference_tiles"], 16);
    let kinds = report["kinds"].as_array().unwrap();
    // Two images of four fields, with eight faults; two of other tissue.
    assert_eq!((kinds.len(), &kinds[0]["fields"], &kinds[9]["kind"], &kinds[9]["fields"]), (10, &8.into(), &"other".into(), &8.into()));
    for curves in report["curves"].as_array().unwrap() {
        let number = |of: &Value| of["area"].as_f64().unwrap();
        let fields = curves["fields"].as_u64().unwrap() as usize;
        assert!(curves["scores"].as_array().unwrap().len() == 4 && fields <= 80);
        for score in curves["scores"].as_array().unwrap() {
            assert_eq!(score["kept"].as_array().unwrap().len(), fields);
            assert!(number(score) <= number(&curves["ideal"]) + 1e-9, "no order is better than the ideal one: {curves}");
            let all = score["kept"][fields - 1].as_f64().unwrap();
            assert!((all - curves["random"].as_f64().unwrap()).abs() < 1e-9, "with all fields kept every order is the same");
        }
    }
    let rows = String::from_utf8(shop.read("out/fields.csv")).unwrap();
    assert_eq!(rows.lines().count(), 81);
    assert!(rows.starts_with("image,field,kind,dice,masked_dice,accuracy,flagged,combined,appearance,entropy,"), "{rows}");
    for name in ["dice", "masked-dice", "pixel-accuracy"] {
        assert!(shop.read(&format!("out/rejection-{name}.png")).starts_with(b"\x89PNG"));
        assert!(shop.read(&format!("out/rejection-{name}.svg")).starts_with(b"<svg"));
    }
    shop.succeeds(&measure("again", &["--other", "other"]));
    assert!(
        shop.read("again/rejection.json") == shop.read("out/rejection.json")
            && shop.read("again/fields.csv") == shop.read("out/fields.csv")
    );
}

#[test]
fn what_cannot_be_measured_is_refused_by_name() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "0"]));
    shop.refuses(&measure("out", &["--reference-quantile", "2"]), &["--reference-quantile", "0.5 to 1"]);
    let tile = ["export", "--run", "run", "--reference", "data", "--output", "m.onnx", "--reference-tile", "8"];
    shop.refuses(&tile, &["--reference-tile", "32 to 4096"]);
    shop.refuses(
        &["export", "--run", "run", "--reference", "data", "--images", "0001", "--output", "m.onnx"],
        &["--reference", "two images"],
    );
    shop.refuses(&["export", "--run", "run", "--reference", "nowhere", "--output", "m.onnx"], &["nowhere/images"]);
    assert!(!shop.path("m.onnx").exists() && !shop.path("out").exists());
    // The masks of the measured images are needed.
    std::fs::remove_file(shop.path("data/masks/0004.png")).unwrap();
    shop.refuses(&measure("out", &[]), &["masks/0004.png"]);
    // A file that knows is as reproducible as one that does not.
    for name in ["a.onnx", "b.onnx"] {
        shop.succeeds(&["export", "--run", "run", "--reference", "data", "--reference-tile", "48", "--output", name]);
    }
    shop.succeeds(&["export", "--run", "run", "--output", "c.onnx"]);
    assert!(shop.read("a.onnx") == shop.read("b.onnx") && shop.read("a.onnx") != shop.read("c.onnx"));
    assert!(String::from_utf8_lossy(&shop.read("a.onnx")).contains("lsr.reference"));
    // Calibration images that are too few for it cost the file nothing else.
    let (_, error) = shop.succeeds(&["quantize", "--run", "run", "--calibration", "data", "--images", "0001", "--output", "d.onnx"]);
    assert!(error.contains("will not know which fields are unlike"), "{error}");
    let quantize = ["quantize", "--run", "run", "--calibration", "data", "--output"];
    shop.succeeds(&[&quantize[..], &["e.onnx"]].concat());
    shop.succeeds(&[&quantize[..], &["f.onnx", "--no-reference"]].concat());
    let knows = |name: &str| String::from_utf8_lossy(&shop.read(name)).contains("lsr.reference");
    assert_eq!(["d.onnx", "e.onnx", "f.onnx"].map(knows), [false, true, false]);
}
