//! `lsr-edge segment` through the real binary: files, sizes, skipping, bad input.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod onnx;
mod program;

use onnx::{changed, set_head};
use program::{blobs, json, names, program, run, said, segment, unet};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// A folder with one image `a.png` of 96 x 64 px, and a path for outputs.
fn one_image() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempdir().unwrap();
    let (image, output) = (folder.path().join("a.png"), folder.path().join("out"));
    blobs(96, 64, 1).save(&image).unwrap();
    (folder, image, output)
}

/// What one image leaves in a folder: five files of its own, and the folder's tables.
const FILES_OF_A: [&str; 7] = ["a.geojson", "a.json", "a.mask.png", "a.overlay.png", "a.probability.png", "fields.csv", "fields.jsonl"];

#[test]
fn files_that_agree_with_each_other() {
    let (_folder, image, output) = one_image();
    let said = segment(&[&image], &output, &[]);
    said.expect(0, &[]);
    assert!(said.stdout.starts_with("1 written in "), "{said:?}");
    assert_eq!(names(&output), FILES_OF_A);

    let mask = image::open(output.join("a.mask.png")).unwrap().into_luma8();
    let probability = image::open(output.join("a.probability.png")).unwrap().into_luma8();
    let overlay = image::open(output.join("a.overlay.png")).unwrap().into_rgb8();
    assert_eq!((mask.dimensions(), probability.dimensions(), overlay.dimensions()), ((96, 64), (96, 64), (96, 64)));
    let cancer = mask.pixels().filter(|pixel| pixel.0 == [255]).count();
    assert!(cancer > 0 && cancer < 96 * 64 && mask.pixels().all(|pixel| pixel.0 == [0] || pixel.0 == [255]));
    // 0.5 lies between the levels 127 and 128, so here the bytes decide alike.
    assert!(mask.pixels().zip(probability.pixels()).all(|(m, p)| (m.0 == [255]) == (p.0[0] >= 128)));

    let record = json(&output.join("a.json"));
    assert_eq!(record["notice"], "research use only: not a medical device, not for diagnosis");
    assert_eq!(record["input"]["um_per_px_source"], "assumed from model");
    assert_eq!(record["input"]["um_per_px"], 1.0);
    assert_eq!((&record["input"]["width"], &record["input"]["height"]), (&96.into(), &64.into()));
    assert_eq!(record["settings"]["threshold"], 0.5);
    assert_eq!(record["cancer"]["mask_pixels"], cancer);
    let mean = probability.pixels().map(|p| f64::from(p.0[0])).sum::<f64>() / 255.0 / (96.0 * 64.0);
    assert!((record["cancer"]["count_fraction"].as_f64().unwrap() - mean).abs() < 1e-12);
    let sum: f64 = probability.pixels().map(|p| f64::from(p.0[0]) / 255.0).map(|p| p * (1.0 - p)).sum();
    assert!((record["cancer"]["count_std"].as_f64().unwrap() - sum.sqrt() / (96.0 * 64.0)).abs() < 1e-12);
    assert!((record["cancer"]["mask_area_mm2"].as_f64().unwrap() - cancer as f64 * 1e-6).abs() < 1e-15);
    for path in
        ["/model/sha256", "/model/metadata/class_names/1", "/input/sha256", "/lsr_edge", "/timings_ms/inference", "/network/tile_width"]
    {
        assert!(record.pointer(path).is_some(), "{path} in {record}");
    }
    let utc = record["began"]["utc"].as_str().unwrap();
    assert!(utc.ends_with('Z') && utc.as_bytes()[10] == b'T', "{utc}");
    assert!(record["began"]["monotonic_s"].as_f64().unwrap() > 0.0);
    assert_eq!(record["low_resolution"]["label"], serde_json::Value::Null);
}

/// A label that was given is held against the count; another label makes the record out of date.
#[test]
fn a_label_agrees_or_not() {
    let (folder, image, output) = one_image();
    segment(&[&image], &output, &[]).expect(0, &[]);
    let record = json(&output.join("a.json"));
    let count = record["cancer"]["count_fraction"].as_f64().unwrap();
    let (labels, prior) = (folder.path().join("labels.csv"), folder.path().join("prior.csv"));
    fs::write(&prior, format!("z,class,mean,std\n1,0,0.5,0.1\n1,1,{count},0.05\n2,1,{},0.01\n", 0.5 * count)).unwrap();
    let with = |label: u64, flags: &[&str]| {
        fs::write(&labels, format!("name,label\na,{label}\n")).unwrap();
        let given = ["--labels", labels.to_str().unwrap(), "--prior", prior.to_str().unwrap()];
        segment(&[&image], &output, &[&given, flags].concat())
    };
    let outdated = with(1, &[]);
    assert!(outdated.stdout.contains("1 of them with another model, settings or version"), "{outdated:?}");
    with(1, &["--overwrite"]).expect(0, &[]);
    let found = json(&output.join("a.json"))["low_resolution"].clone();
    assert_eq!((&found["label"], &found["agrees"], &found["likeliest"]), (&1.into(), &true.into(), &1.into()), "{found}");
    assert!(found["z_score"].as_f64().unwrap().abs() < 1e-9);
    assert!(with(1, &[]).stdout.contains("1 skipped (done before) in"));
    let disagrees = with(2, &["--overwrite"]);
    disagrees.expect(0, &["disagrees: a: the count lies +", "from that of label 2; label 1 fits best"]);
    assert!(disagrees.stdout.contains("1 of them with a count that disagrees with their label"), "{disagrees:?}");
    let table = fs::read_to_string(output.join("fields.csv")).unwrap();
    assert!(table.contains("label,z_score,agrees,likeliest_label"), "{table}");
    with(3, &["--overwrite"]).expect(1, &["label 3: the count prior has no such label"]);
}

#[test]
fn the_embedded_model_needs_no_flag() {
    let (_folder, image, output) = one_image();
    run([Path::new("segment"), &image, Path::new("--output"), &output]).expect(0, &[]);
    assert_eq!(json(&output.join("a.json"))["model"]["name"], "embedded");
}

#[test]
fn folders_and_every_format() {
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir_all(input.join("deeper")).unwrap();
    let image = blobs(50, 40, 2);
    image.save(input.join("c.png")).unwrap();
    image.save(input.join("b.jpg")).unwrap();
    image.save(input.join("a.tiff")).unwrap();
    image::DynamicImage::ImageRgb8(image.clone()).into_rgba16().save(input.join("d.tif")).unwrap();
    image::DynamicImage::ImageRgb8(image.clone()).into_luma8().save(input.join("e.PNG")).unwrap();
    image.save(input.join("deeper/f.png")).unwrap();
    fs::write(input.join("notes.txt"), "not an image").unwrap();
    let said = segment(&[&input], &output, &[]);
    said.expect(0, &[]);
    assert!(said.stdout.starts_with("5 written"), "{said:?}");
    assert_eq!(
        names(&output).iter().filter(|name| name.ends_with(".json")).collect::<Vec<_>>(),
        ["a.json", "b.json", "c.json", "d.json", "e.json"]
    );
    // PNG, TIFF and 16-bit RGBA TIFF hold the same pixels.
    let mask = |name: &str| fs::read(output.join(format!("{name}.mask.png"))).unwrap();
    assert!(mask("c") == mask("a") && mask("c") == mask("d"));
}

#[test]
fn what_exists_is_skipped_or_replaced() {
    let (folder, image, output) = one_image();
    segment(&[&image], &output, &[]).expect(0, &[]);
    let marked = output.join("a.mask.png");
    fs::write(&marked, b"marked").unwrap();

    let said = segment(&[&image], &output, &[]);
    said.expect(0, &[]);
    assert!(said.stdout.starts_with("0 written, 1 skipped (done before) in"), "{said:?}");
    assert_eq!(fs::read(&marked).unwrap(), b"marked");

    let said = segment(&[&image], &output, &["--threshold", "0.3"]);
    said.expect(0, &[]);
    assert!(said.stdout.contains("1 of them with another model, settings or version: --overwrite"), "{said:?}");
    assert_eq!(fs::read(&marked).unwrap(), b"marked");

    segment(&[&image], &output, &["--overwrite"]).expect(0, &[]);
    assert_ne!(fs::read(&marked).unwrap(), b"marked");

    // Pictures without a record were left by a run that was killed.
    fs::write(&marked, b"half").unwrap();
    fs::remove_file(output.join("a.json")).unwrap();
    let said = segment(&[&image], &output, &[]);
    assert!(said.stdout.starts_with("1 written"), "{said:?}");
    assert_ne!(fs::read(&marked).unwrap(), b"half");

    // Another image of the same name is no reason to skip, and not overwritten unasked.
    let other = folder.path().join("elsewhere");
    fs::create_dir(&other).unwrap();
    blobs(30, 30, 8).save(other.join("a.png")).unwrap();
    segment(&[&other.join("a.png")], &output, &[]).expect(1, &["elsewhere", "a.json is about another image", "--overwrite"]);
    fs::write(output.join("a.json"), "{}").unwrap();
    segment(&[&image], &output, &[]).expect(1, &["no record of lsr-edge", "--overwrite"]);
    assert_eq!(names(&output), FILES_OF_A);
}

#[test]
fn two_inputs_of_one_name_are_named() {
    let (folder, image, output) = one_image();
    let second = folder.path().join("a.jpg");
    blobs(30, 30, 9).save(&second).unwrap();
    let said = segment(&[&image, &second, &image], &output, &[]);
    said.expect(1, &["failed:", "a.jpg: would write the same files as", "a.png", "--output"]);
    assert!(said.stdout.starts_with("1 written, 1 failed"), "{said:?}");
}

#[test]
fn masks_have_the_size_of_the_input_at_any_pixel_size() {
    let (_folder, image, output) = one_image();
    for (um_per_px, width, height) in [("0.25", 24, 16), ("0.7", 67, 45), ("1", 96, 64), ("3", 288, 192), ("0.001", 1, 1)] {
        segment(&[&image], &output, &["--um-per-px", um_per_px, "--overwrite"]).expect(0, &[]);
        let record = json(&output.join("a.json"));
        assert_eq!((&record["network"]["width"], &record["network"]["height"]), (&width.into(), &height.into()), "{um_per_px}");
        assert_eq!(record["input"]["um_per_px_source"], "flag --um-per-px");
        assert_eq!(record["input"]["um_per_px"].as_f64(), um_per_px.parse().ok());
        for name in ["a.mask.png", "a.probability.png", "a.overlay.png"] {
            assert_eq!(image::image_dimensions(output.join(name)).unwrap(), (96, 64), "{name} at {um_per_px}");
        }
    }
}

#[test]
fn a_tiled_image_gives_the_mask_of_one_pass() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("a.png");
    blobs(700, 330, 7).save(&image).unwrap();
    let (whole, tiled) = (folder.path().join("whole"), folder.path().join("tiled"));
    segment(&[&image], &whole, &[]).expect(0, &[]);
    segment(&[&image], &tiled, &["--tile", "512"]).expect(0, &[]);
    let record = json(&tiled.join("a.json"));
    assert_eq!((&record["network"]["tile_columns"], &record["network"]["same_as_one_pass"]), (&2.into(), &true.into()));
    let bytes = |output: &Path| image::open(output.join("a.mask.png")).unwrap().into_luma8().into_raw();
    let differing = bytes(&whole).iter().zip(bytes(&tiled)).filter(|(a, b)| **a != *b).count();
    assert!(differing <= 2, "{differing} pixels differ; only those within rounding of the threshold may");
}

#[test]
fn threshold_moves_the_mask() {
    let (_folder, image, output) = one_image();
    let pixels = |threshold: &str| {
        segment(&[&image], &output, &["--overwrite", "--threshold", threshold]).expect(0, &[]);
        json(&output.join("a.json"))["cancer"]["mask_pixels"].as_u64().unwrap()
    };
    let (low, high) = (pixels("0.1"), pixels("0.9"));
    assert!(low > high, "{low} {high}");
}

#[test]
fn bad_images_are_listed_and_the_good_ones_done() {
    let (folder, image, output) = one_image();
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let png = fs::read(&image).unwrap();
    let jpg = folder.path().join("whole.jpg");
    blobs(64, 64, 3).save(&jpg).unwrap();
    let jpg = fs::read(jpg).unwrap();
    let truncated = at("truncated.png", &png[..png.len() / 2]);
    let truncated_jpg = at("truncated_jpg.jpg", &jpg[..jpg.len() / 2]);
    let empty = at("empty.png", b"");
    let text = at("text.png", b"this is no image at all");
    // A PNG header that claims 100,000 x 100,000 px.
    let mut huge = png.clone();
    huge[16..24].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]);
    let crc = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    let huge = at("huge.png", &huge);
    let missing = folder.path().join("missing.png");
    let bare = folder.path().join("bare");
    fs::create_dir(&bare).unwrap();
    let said = segment(&[&truncated, &truncated_jpg, &empty, &text, &huge, &missing, &bare, &image], &output, &[]);
    assert!(said.stdout.starts_with("1 written, 7 failed"), "{said:?}");
    said.expect(
        1,
        &[
            "truncated.png: damaged or unsupported image",
            "truncated_jpg.jpg: damaged or unsupported image: the JPEG data end too early",
            "empty.png: not a PNG, JPEG or TIFF image",
            "text.png: not a PNG, JPEG or TIFF image",
            "huge.png: the image has 100000 x 100000 px, more than 128 Mpx",
            "missing.png: cannot read",
            "bare has no PNG, JPEG or TIFF images",
        ],
    );
    assert_eq!(names(&output), FILES_OF_A);
}

/// CRC-32 of a PNG chunk.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg())))
}

#[test]
fn bad_flags() {
    let (_folder, image, output) = one_image();
    let refused = |flags: &[&str], code: i32, words: &[&str]| {
        segment(&[&image], &output, flags).expect(code, words);
        assert!(!output.exists(), "{flags:?}");
    };
    refused(&["--threshold", "0"], 1, &["--threshold 0", "(0, 1)"]);
    refused(&["--threshold", "1"], 1, &["--threshold 1", "(0, 1)"]);
    refused(&["--threshold", "NaN"], 1, &["--threshold NaN"]);
    refused(&["--um-per-px", "0"], 1, &["--um-per-px 0"]);
    refused(&["--um-per-px=-1"], 1, &["--um-per-px -1"]);
    refused(&["--um-per-px", "inf"], 1, &["--um-per-px inf"]);
    refused(&["--tile", "16"], 1, &["--tile 16", "at least 32"]);
    refused(&["--tile", "0"], 1, &["--tile 0"]);
    refused(&["--tile", "64", "--overlap", "64"], 1, &["--overlap 64", "at most 48"]);
    refused(&["--tile", "64", "--overlap", "4294967295"], 1, &["--overlap"]);
    refused(&["--nonsense"], 2, &["--nonsense"]);
    run(["segment", "--output", "x"]).expect(2, &["<INPUT>"]);
    segment(&[&image], &output, &["--tile", "4294967295"]).expect(0, &[]);
    segment(&[&image], &output, &["--um-per-px", "900", "--overwrite"])
        .expect(1, &["a.png: the image at the model's pixel size has 86400 x 57600"]);
}

#[test]
fn bad_models_stop_before_anything_is_written() {
    let (folder, image, output) = one_image();
    let model = folder.path().join("m.onnx");
    for (bytes, words) in [(&b""[..], "the file is empty"), (&[0xFF_u8; 3000][..], "not an ONNX file")] {
        fs::write(&model, bytes).unwrap();
        let said = program().args(["segment", "--model"]).arg(&model).arg(&image).arg("--output").arg(&output).output().unwrap();
        program::said(said).expect(1, &["error: model", "m.onnx", words]);
        assert!(!output.exists());
    }
}

#[test]
fn numbers_that_are_none_are_refused_by_name() {
    let (folder, image, output) = one_image();
    for (name, value) in [("nan.onnx", f32::NAN), ("inf.onnx", f32::INFINITY)] {
        let model = changed(folder.path(), name, |model| set_head(model, |_| value));
        let output = program().args(["segment", "--model"]).arg(&model).arg(&image).arg("--output").arg(&output).output().unwrap();
        said(output).expect(1, &["a.png: model", name, "output 'logits' is", "class 0, row 0, column 0"]);
    }
    assert!(names(&output).is_empty());
    // Large logits are fine: probabilities of exactly 0 and 1.
    let model = changed(folder.path(), "steep.onnx", |model| set_head(model, |w| 1e4 * w));
    said(program().args(["segment", "--model"]).arg(&model).arg(&image).arg("--output").arg(&output).output().unwrap()).expect(0, &[]);
}

#[test]
fn output_folders_that_cannot_be_written() {
    let (folder, image, _) = one_image();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    segment(&[&image], &file, &[]).expect(1, &["error: output folder", "file cannot be written to", "--output"]);
    segment(&[&image], &file.join("below"), &[]).expect(1, &["error: output folder"]);
}

/// A limit on file sizes stands for a full disk: writes fail half-way.
#[cfg(unix)]
#[test]
fn a_write_that_fails_half_way_leaves_nothing() {
    let (_folder, image, output) = one_image();
    let script = r#"trap '' XFSZ; ulimit -f 4; exec "$0" "$@""#;
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_lsr-edge"), "segment"])
        .arg(&image)
        .arg("--output")
        .arg(&output)
        .arg("--model")
        .arg(unet());
    let said = said(command.output().unwrap());
    said.expect(1, &["failed:", "a.png: cannot write", "File too large"]);
    // What was whole before is there, what failed is not, and without a record nobody takes it for finished.
    assert!(names(&output).iter().all(|name| FILES_OF_A.contains(&name.as_str()) && name != "a.json"), "{:?}", names(&output));
    segment(&[&image], &output, &[]).expect(0, &[]);
    assert_eq!(names(&output), FILES_OF_A);
}

#[cfg(unix)]
#[test]
fn outputs_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, image, output) = one_image();
    segment(&[&image], &output, &[]).expect(0, &[]);
    // What a plain write in this process's umask gives.
    let plain = output.join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&output.join("a.json")), mode(&plain));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_cleanly() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&input).unwrap();
    for index in 0..60 {
        blobs(700, 600, index).save(input.join(format!("{index:02}.png"))).unwrap();
    }
    let mut child = program()
        .args(["segment", "--tile", "128"])
        .arg(&input)
        .arg("--output")
        .arg(&output)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let records = || if output.exists() { names(&output).iter().filter(|name| name.ends_with(".json")).count() } else { 0 };
    let start = Instant::now();
    while records() == 0 && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let asked = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(asked.elapsed() < Duration::from_secs(30), "it did not stop");
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = said(child.wait_with_output().unwrap());
    said.expect(130, &[]);
    assert!(said.stdout.contains("not done"), "{said:?}");
    let done = records();
    assert!((1..60).contains(&done), "{done}");
    for name in names(&output) {
        assert!(!name.ends_with(".tmp"), "{name}");
        if let Some(name) = name.strip_suffix(".json") {
            for kind in ["mask", "probability", "overlay"] {
                image::open(output.join(format!("{name}.{kind}.png"))).unwrap();
            }
        }
    }
}
