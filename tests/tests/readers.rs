//! What lsr-edge writes, opened by programs of others.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

mod memory;
#[path = "../../edge/tests/slide_file/mod.rs"]
mod slide_file;

use lsr_edge::scan::PlanFile;
use lsr_firmware::Scan;
use lsr_tests::data::shared_data;
use lsr_tests::{skip, workspace_root};
use memory::{stated_mb, watched};
use serde_json::Value;
use slide_file::{SlideFile, Stored};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python that has them: `LSR_READERS`.
fn python() -> Option<PathBuf> {
    let python = env::var_os("LSR_READERS").map(PathBuf::from);
    if python.is_none() {
        skip("readers", "LSR_READERS does not name a Python with tests/readers/requirements.txt (.ci/readers.sh makes one)");
    }
    python
}

/// What a script of tests/readers says of a file.
fn read(python: &Path, script: &str, file: &Path) -> Value {
    let script = workspace_root().join("tests/readers").join(script);
    let output = Command::new(python).arg(script).arg(file).output().unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Every region of the samples is a valid polygon for GEOS, of the area that it says, and lies where the mask is.
#[test]
fn regions_are_valid_polygons_where_the_mask_is() {
    let Some(python) = python() else { return };
    let output = tempfile::tempdir().unwrap();
    let samples = workspace_root().join("edge/samples");
    let program = Command::new(env!("CARGO_BIN_EXE_lsr-edge-under-test"))
        .args(["segment".as_ref(), samples.as_os_str(), "--output".as_ref(), output.path().as_os_str()])
        .output()
        .unwrap();
    assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
    for name in ["field-1", "field-2"] {
        let found = read(&python, "read_geojson.py", &output.path().join(format!("{name}.geojson")));
        assert_eq!((&found["errors"], &found["invalid"]), (&serde_json::json!([]), &serde_json::json!([])), "{name}");
        let areas = numbers(&found["areas"]);
        assert!(areas.len() > 3, "{name}: {areas:?}");
        assert_eq!(areas, numbers(&found["said"]), "{name}");
        assert_eq!(found["ids"], areas.len(), "{name}");
        let mask = image::open(output.path().join(format!("{name}.mask.png"))).unwrap().into_luma8();
        for point in found["centre"].as_array().unwrap().iter().map(numbers) {
            assert_eq!(mask.get_pixel(point[0] as u32, point[1] as u32).0, [255], "{name}: {point:?}");
        }
        assert_eq!(areas.iter().sum::<f64>(), mask.pixels().filter(|pixel| pixel.0 == [255]).count() as f64, "{name}");
    }
}

/// lsr-edge with the network that calls dark pixels cancer, at 2 um/px.
fn segment(inputs: &[&Path], output: &Path, flags: &[&str]) {
    let dark = workspace_root().join("edge/tests/fixtures/dark.onnx");
    let program = Command::new(env!("CARGO_BIN_EXE_lsr-edge-under-test"))
        .arg("segment")
        .args(inputs)
        .args(["--output".as_ref(), output.as_os_str(), "--model".as_ref(), dark.as_os_str()])
        .args(flags)
        .output()
        .unwrap();
    assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
}

fn said(python: &Path, script: &str, arguments: &[&std::ffi::OsStr]) -> Value {
    let script = workspace_root().join("tests/readers").join(script);
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    let far = found.iter().zip(expected).any(|(a, b)| (a - b).abs() > tolerance);
    assert!(found.len() == expected.len() && !far, "{found:?}, expected {expected:?} within {tolerance}");
}

/// A dark rectangle of a slide is found where it is: in the mask and the probabilities by tifffile and OpenSlide, in the outlines by GEOS.
#[test]
fn a_blob_of_a_slide_is_found_in_its_place_by_every_reader() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (slide, output) = (folder.path().join("a.svs"), folder.path().join("out"));
    // At 0.5 um/px: the rectangle lies at (1200, 400) px and has 600 x 320 px, so its centre at (750, 280) um.
    let image = image::RgbImage::from_fn(3000, 1400, |x, y| {
        let inside = (1200..1800).contains(&x) && (400..720).contains(&y);
        image::Rgb(if inside { [40, 30, 60] } else { [244, 240, 245] })
    });
    let description = "Aperio test|MPP = 0.5".to_owned();
    SlideFile { tile: 256, stored: Stored::Jpeg, description, ..SlideFile::default() }.write(&slide, &image, &[4]);
    segment(&[&slide], &output, &["--tissue", "none"]);
    for file in ["a.mask.ome.tif", "a.probability.ome.tif"] {
        let found = read(&python, "read_pyramid.py", &output.join(file));
        let (tiff, openslide) = (&found["tifffile"], &found["openslide"]);
        assert_eq!((&tiff["ome"], &tiff["unit"]), (&Value::Bool(true), &Value::from("µm")));
        assert_eq!(tiff["levels"], serde_json::json!([[750, 350], [375, 175]]));
        near(&numbers(&tiff["um_per_px"]), &[2.0, 2.0], 0.0);
        near(&[tiff["resolution_um"].as_f64().unwrap(), openslide["um_per_px"].as_f64().unwrap()], &[2.0, 2.0], 1e-9);
        near(&numbers(&tiff["place"]), &[750.0, 280.0], 0.5);
        near(&numbers(&openslide["place"]), &[750.0, 280.0], 0.5);
        assert!(tiff["notes"]["notice"].as_str().unwrap().starts_with("research use only"), "{tiff}");
        assert_eq!(tiff["notes"]["model_sha256"].as_str().unwrap().len(), 64);
        if file.contains("mask") {
            assert_eq!(tiff["values"], serde_json::json!([0, 255]), "a level of the mask has other values");
        }
    }
    let outlines = read(&python, "read_geojson.py", &output.join("a.geojson"));
    assert_eq!((&outlines["errors"], &outlines["invalid"]), (&serde_json::json!([]), &serde_json::json!([])));
    // In pixels of the slide; a pixel of the mask is four of them.
    near(&numbers(&outlines["areas"]), &[600.0 * 320.0], 600.0 * 4.0);
    near(&numbers(&outlines["said"]), &numbers(&outlines["areas"]), 1e-6);
    near(&numbers(&outlines["centroids"][0]), &[1500.0, 560.0], 2.0);
}

/// A DICOM slide's mask is a DICOM Segmentation in the same study and frame of reference, and a dark rectangle is found in its place.
#[test]
fn a_dicom_slide_gets_a_segmentation_that_highdicom_reads() {
    let (Some(python), Some(data)) = (python(), shared_data()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, slide) = (data.join("slides/dicom/sm_image.dcm"), folder.path().join("a.dcm"));
    let output = folder.path().join("out");
    // 24 x 16 of the slide's pixels at (8, 16), in slides of 50 x 50 px at 0.499 um/px: about 6 x 4 pixels of the mask.
    let arguments = [source.as_os_str(), slide.as_os_str(), "8".as_ref(), "16".as_ref(), "24".as_ref(), "16".as_ref()];
    said(&python, "make_dicom.py", &arguments);
    segment(&[&slide], &output, &["--tissue", "none"]);
    // The centre of the rectangle, counted from the centre of the first pixel.
    let place = [slide.as_os_str(), "19.5".as_ref(), "23.5".as_ref()];
    let file = output.join("a.seg.dcm");
    let found = said(&python, "read_dicom_seg.py", &[&[file.as_os_str()], &place[..]].concat());
    assert_eq!((&found["size"], &found["segments"]), (&serde_json::json!([13, 13]), &Value::from(1)));
    assert_eq!((&found["label"], &found["algorithm"]), (&Value::from("cancer"), &Value::from("AUTOMATIC")));
    near(&numbers(&found["spacing_mm"]), &[0.002, 0.002], 0.0);
    assert_eq!(found["same"], serde_json::json!([true, true, true, true, true]));
    assert!((20..=30).contains(&found["set"].as_u64().unwrap()), "{found}");
    // Half a pixel of the mask.
    near(&numbers(&found["place"]), &numbers(&found["expected"]), 0.001);
    // The same run gives the same names.
    let again = folder.path().join("again");
    segment(&[&slide], &again, &["--tissue", "none"]);
    let file = again.join("a.seg.dcm");
    assert_eq!(said(&python, "read_dicom_seg.py", &[&[file.as_os_str()], &place[..]].concat())["uids"], found["uids"]);

    // With a coarser level in the same series it is one slide still: the coarse level is read, the mask lies where it lay.
    let series = folder.path().join("series");
    std::fs::create_dir(&series).unwrap();
    let (slide, half) = (series.join("a.dcm"), series.join("half.dcm"));
    let arguments = [source.as_os_str(), slide.as_os_str(), "8".as_ref(), "16".as_ref(), "24".as_ref(), "16".as_ref(), half.as_os_str()];
    said(&python, "make_dicom.py", &arguments);
    let of_series = folder.path().join("of-series");
    segment(&[&series], &of_series, &["--tissue", "none"]);
    let record: Value = serde_json::from_slice(&std::fs::read(of_series.join("a.json")).unwrap()).unwrap();
    assert_eq!((&record["input"]["levels"], &record["input"]["level"]), (&serde_json::json!([[50, 50], [25, 25]]), &Value::from(1)));
    assert!(!of_series.join("half.json").exists());
    let file = of_series.join("a.seg.dcm");
    let coarse = said(&python, "read_dicom_seg.py", &[file.as_os_str(), slide.as_os_str(), "19.5".as_ref(), "23.5".as_ref()]);
    assert_eq!((&coarse["size"], &coarse["same"]), (&found["size"], &found["same"]));
    near(&numbers(&coarse["place"]), &numbers(&coarse["expected"]), 0.001);
}

/// The slides of the data folder, as a user has them: what cannot be read is named, and memory stays below what was said.
#[test]
fn slides_of_scanners_are_segmented_within_the_memory_that_was_said() {
    let Some(data) = shared_data() else { return };
    let output = tempfile::tempdir().unwrap();
    let slides = data.join("slides");
    let file = |name: &str| slides.join(name);
    let child = Command::new(env!("CARGO_BIN_EXE_lsr-edge-under-test"))
        .arg("segment")
        .args(
            ["cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs", "broken.svs", "dicom/sm_image.dcm", "dicom/sm_image_control.dcm"]
                .map(file),
        )
        .args(["dicom/seg_image_sm_control.dcm"].map(file))
        .args(["--um-per-px-if-missing", "0.5", "--tissue", "none", "--output"])
        .arg(output.path())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (peak, program) = watched(child);
    let stderr = String::from_utf8_lossy(&program.stderr);
    assert_eq!(program.status.code(), Some(1), "{stderr}");
    let failed: Vec<&str> = stderr.lines().filter(|line| line.starts_with("failed: ")).collect();
    assert_eq!(failed.len(), 2, "{stderr}");
    assert!(
        failed[0].contains("broken.svs: damaged or unsupported slide: it begins neither like a TIFF nor like a DICOM file"),
        "{failed:?}"
    );
    assert!(
        failed[1].contains("seg_image_sm_control.dcm: damaged or unsupported slide: SOP class 1.2.840.10008.5.1.4.1.1.66.4"),
        "{failed:?}"
    );
    let said = stated_mb(&stderr);
    assert_eq!(said.len(), 4, "{stderr}");
    let most = said.iter().copied().fold(0.0, f64::max);
    println!("peak {peak:.0} MB, said {said:?}");
    assert!(peak > 30.0 && peak <= most, "{peak} MB of {most} that were said");
    for (name, files) in [
        ("cmu-1-small-region", &["mask.ome.tif", "probability.ome.tif", "geojson", "overlay.png", "json"][..]),
        ("tcga-cr-7395-01a-01-ts1", &["mask.ome.tif", "geojson", "json"]),
        ("sm_image", &["mask.ome.tif", "geojson", "seg.dcm", "json"]),
        ("sm_image_control", &["seg.dcm", "json"]),
    ] {
        for file in files {
            assert!(output.path().join(format!("{name}.{file}")).is_file(), "{name}.{file}");
        }
    }
    let record: Value = serde_json::from_slice(&std::fs::read(output.path().join("sm_image.json")).unwrap()).unwrap();
    assert_eq!(
        (&record["input"]["kind"], &record["input"]["um_per_px_source"]),
        (&Value::from("DICOM slide"), &Value::from("DICOM PixelSpacing"))
    );
    near(&[record["input"]["um_per_px"].as_f64().unwrap()], &[0.499], 1e-9);
}

/// With the feature `slides` OpenSlide reads what lsr-edge by itself refuses, to the same pixels, and JPEG-LS gives the pixels of the plain file.
#[test]
fn openslide_and_charls_read_the_rest() {
    let Some(program) = env::var_os("LSR_FEATURES") else {
        skip("features", "LSR_FEATURES does not name an lsr-edge with all its features (.ci/features.sh makes one)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let image = image::RgbImage::from_fn(700, 500, |x, y| image::Rgb([(x / 3) as u8, (y / 2) as u8, ((x * y) / 500) as u8]));
    for (name, stored) in [("plain.svs", Stored::Plain), ("packed.svs", Stored::PackBits)] {
        let file = SlideFile { tile: 128, stored, description: String::new(), ..SlideFile::default() };
        file.write(&folder.path().join(name), &image, &[]);
    }
    let dark = workspace_root().join("edge/tests/fixtures/dark.onnx");
    let run = |program: &std::ffi::OsStr, inputs: &[PathBuf], output: &Path| {
        let mut command = Command::new(program);
        command.arg("segment").args(inputs).args(["--tissue", "none", "--um-per-px-if-missing", "0.5", "--model"]).arg(&dark);
        command.arg("--output").arg(output).output().unwrap()
    };
    let slides = ["plain.svs", "packed.svs"].map(|name| folder.path().join(name));
    let said = run(&program, &slides, &output);
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && stderr.contains("packed: slide (OpenSlide), 700 x 500 px"), "{stderr}");
    let pixels = |name: &str| std::fs::read(output.join(name)).map(|bytes| tiles(&bytes)).unwrap();
    assert!(pixels("packed.probability.ome.tif") == pixels("plain.probability.ome.tif"));
    // The program as it is by default says what it lacks.
    let plain = folder.path().join("default");
    let said = run(env!("CARGO_BIN_EXE_lsr-edge-under-test").as_ref(), &slides, &plain);
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.code() == Some(1) && stderr.contains("packed.svs: damaged or unsupported slide: compression 32773"), "{stderr}");

    let Some(data) = shared_data() else { return };
    let slides = ["sm_image.dcm", "sm_image_jpegls.dcm"].map(|name| data.join("slides/dicom").join(name));
    let said = run(&program, &slides, &output);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(pixels("sm_image_jpegls.probability.ome.tif") == pixels("sm_image.probability.ome.tif"));
    let said = run(env!("CARGO_BIN_EXE_lsr-edge-under-test").as_ref(), &slides, &plain);
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(stderr.contains("sm_image_jpegls.dcm: damaged or unsupported slide: ") && stderr.contains("feature 'slides'"), "{stderr}");
}

/// Pixels of the first image of a TIFF of one byte each.
fn tiles(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = tiff::decoder::Decoder::new(std::io::Cursor::new(bytes)).unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    let mut pixels = vec![0; width as usize * height as usize];
    decoder.read_image_bytes(&mut pixels).unwrap();
    pixels
}

/// Grids of useq-schema lie where its own package puts them, and are visited in its order.
#[test]
fn plans_of_useq_schema_are_walked_as_it_walks_them() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let field = "fov_width: 100.0, fov_height: 80.5";
    let plans = [
        format!(
            "stage_positions: [{{x: 1000.0, y: 2000.0, z: 50.0}}]\ngrid_plan: {{rows: 3, columns: 4, overlap: [10.0, 5.0], {field}}}\n"
        ),
        format!(
            "stage_positions: [{{x: 1000.0, y: 2000.0, z: 50.0}}]\ngrid_plan: {{rows: 2, columns: 3, relative_to: top_left, mode: row_wise, {field}}}\n"
        ),
        format!("grid_plan: {{left: 5.0, top: 500.0, right: 450.0, bottom: -3.0, overlap: 12.5, {field}}}\n"),
        format!("grid_plan: {{left: 450.0, top: 0.0, right: 0.0, bottom: 60.0, {field}}}\n"),
        format!(
            "stage_positions:\n- x: -7.0\n  y: 3.5\n  sequence:\n    grid_plan: {{width: 333.0, height: 161.0, {field}}}\nchannels:\n- {{config: BF, exposure: 12.5}}\n"
        ),
    ];
    for (number, plan) in plans.iter().enumerate() {
        let path = folder.path().join(format!("{number}.yaml"));
        std::fs::write(&path, plan).unwrap();
        let expected: Vec<Vec<f64>> = read(&python, "read_useq.py", &path).as_array().unwrap().iter().map(numbers).collect();
        let plan = PlanFile::read(&path).unwrap().plan;
        let mut scan = Scan::new(0, plan, plan.z.unwrap_or_default()).unwrap();
        let mut found = Vec::new();
        while let Some(visit) = scan.next_visit() {
            found.push([visit.target.x, visit.target.y].map(|um| f64::from(um.unwrap().nm()) / 1000.0));
            scan.exposed();
        }
        assert_eq!(found.len(), expected.len(), "plan {number}");
        for (found, expected) in found.iter().zip(&expected) {
            // Pitches are whole nanometres.
            near(found, expected, 1e-2);
        }
    }
}
