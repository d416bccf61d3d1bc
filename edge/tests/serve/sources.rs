//! Fields that come by themselves.

use crate::program::{json as json_of, names, run};
use crate::service::{Service, command, field, png};
use crate::slide_file::SlideFile;
use image::imageops::replace;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use tiff::decoder::{Decoder, DecodingResult};

#[test]
fn images_of_a_folder_come_once_each() {
    let place = tempfile::tempdir().unwrap();
    let images = place.path().join("images");
    fs::create_dir(&images).unwrap();
    for (name, square) in [("a.png", 8), ("b.png", 16)] {
        fs::write(images.join(name), png(&field(64, 48, [4, 4], square))).unwrap();
    }
    fs::write(images.join("c.png"), "no image").unwrap();
    let source = images.to_str().unwrap();
    let service = Service::start(&place.path().join("store"), &["--source", source, "--um-per-px", "2", "--json", "--exit-at-end"]);
    let lines: Vec<Value> = service.lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
    let found: Vec<_> = lines.iter().map(|record| (record["name"].clone(), record["cancer"]["mask_pixels"].clone())).collect();
    assert_eq!(found, [(json!("a"), json!(64)), (json!("b"), json!(256))]);
    assert_eq!(service.ended().0, 0);
}

#[test]
fn a_cameras_folder_is_watched() {
    let place = tempfile::tempdir().unwrap();
    let frames = place.path().join("frames");
    fs::create_dir(&frames).unwrap();
    fs::write(frames.join("old.png"), png(&field(64, 48, [4, 4], 8))).unwrap();
    let source = format!("watch:{}", frames.display());
    let service = Service::start(&place.path().join("store"), &["--source", &source, "--um-per-px", "2"]);
    service.until("/api/v1/health", |health| health["source"]["state"] == "running");
    fs::write(frames.join("new.png"), png(&field(64, 48, [4, 4], 24))).unwrap();
    let record = service.until("/api/v1/fields/latest", |record| record["name"] == "new.png");
    assert_eq!((&record["number"], &record["cancer"]["mask_pixels"]), (&json!(1), &json!(576)));
    // A frame that cannot be read is counted, and the next one comes.
    let good = png(&field(64, 48, [4, 4], 16));
    fs::write(frames.join("torn.png"), [&good[..60], &good[good.len() - 20..]].concat()).unwrap();
    service.until("/api/v1/health", |health| health["failed"] == 1);
    fs::write(frames.join("next.png"), &good).unwrap();
    service.until("/api/v1/fields/latest", |record| record["name"] == "next.png");
    fs::remove_dir_all(&frames).unwrap();
    let health = service.until("/api/v1/health", |health| health["status"] == "degraded");
    assert!(health["source"]["reason"].as_str().unwrap().contains("frames"), "{health}");
}

#[test]
fn raw_pixels_on_standard_input() {
    let place = tempfile::tempdir().unwrap();
    let flags = ["--source", "rgb:64x48", "--um-per-px", "2", "--every", "--exit-at-end", "--json"];
    let mut service = Service::of(command(place.path(), &flags).stdin(Stdio::piped()));
    let mut stdin = service.stdin();
    for square in [4, 8, 12, 16] {
        stdin.write_all(field(64, 48, [4, 4], square).as_raw()).unwrap();
    }
    drop(stdin);
    let lines: Vec<Value> = service.lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
    let pixels: Vec<u64> = lines.iter().map(|record| record["cancer"]["mask_pixels"].as_u64().unwrap()).collect();
    assert_eq!(pixels, [16, 64, 144, 256]);
    assert_eq!(lines[3]["name"], "stdin-3");
    assert_eq!(service.ended().0, 0);
}

/// A camera that is faster than the network: the newest frame is worked on, the others are counted.
#[test]
fn frames_that_come_too_fast_are_dropped_and_counted() {
    let place = tempfile::tempdir().unwrap();
    let image = place.path().join("a.png");
    fs::write(&image, png(&field(400, 400, [10, 10], 100))).unwrap();
    let flags = ["--source", image.to_str().unwrap(), "--rate", "1000", "--um-per-px", "2", "--keep", "none"];
    let service = Service::start(&place.path().join("store"), &flags);
    let health = service.until("/api/v1/health", |health| health["fields"].as_u64() >= Some(20));
    let number = |name: &str| health[name].as_u64().unwrap();
    assert!(number("dropped") > 20, "{health}");
    assert!(number("frames").abs_diff(number("fields") + number("dropped")) <= 4, "{health}");
    // Without pictures that are kept, a field's numbers stay and its mask goes with the next fields.
    service.until("/api/v1/fields/latest", |record| record["number"].as_u64() > Some(60));
    service.get("/api/v1/fields/1/mask.png").refused(410, "was not kept");
    assert_eq!(service.get("/api/v1/fields/1").expect(200).json()["artefacts"], json!([]));
}

/// A slide with a dark square: fields come where there is tissue, in a snake, and the mosaic has the square in its place.
#[test]
fn a_slide_is_a_virtual_microscope() {
    let place = tempfile::tempdir().unwrap();
    let mut slide = image::RgbImage::from_pixel(1024, 768, image::Rgb([255; 3]));
    replace(&mut slide, &field(512, 512, [128, 256], 128), 256, 128);
    // Black would be ink.
    slide.pixels_mut().filter(|pixel| pixel.0[0] < 80).for_each(|pixel| pixel.0 = [80, pixel.0[1] + 15, 60]);
    let path = place.path().join("slide.svs");
    SlideFile::default().write(&path, &slide, &[4]);
    let source = format!("slide:{}", path.display());
    let flags = ["--source", &source, "--field-px", "64", "--json", "--exit-at-end", "--keep", "mask,probability,frame"];
    let store = place.path().join("store");
    let service = Service::start(&store, &flags);
    let records: Vec<Value> = service.lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
    assert!((16..=36).contains(&records.len()), "{}", records.len());
    let position = |record: &Value| [&record["position"]["x_um"], &record["position"]["y_um"]].map(|um| um.as_f64().unwrap());
    let rows: Vec<f64> = records.iter().map(|record| position(record)[1]).collect();
    assert!(rows.is_sorted(), "{rows:?}");
    let first: Vec<f64> = records.iter().map(position).filter(|place| place[1] == rows[0]).map(|place| place[0]).collect();
    assert!(first.is_sorted() || first.iter().rev().is_sorted(), "{first:?}");
    // The square lies at 384 to 512 and 384 to 512 um, in fields of 128 um.
    assert!(records.iter().any(|record| position(record) == [448.0, 448.0]), "nobody looked at the square");
    for record in &records {
        let [x, y] = position(record);
        let share = record["cancer"]["mask_fraction"].as_f64().unwrap();
        let inside = x == 448.0 && y == 448.0;
        assert!(if inside { share > 0.9 } else { share < 0.1 }, "{x} {y}: {share}");
    }
    assert_eq!(records[0]["um_per_px_source"], "virtual microscope");
    stitched(&store, &place.path().join("stitched"), &records);
}

/// The same fields as one picture: each in its place, and the square's outline where the square is.
fn stitched(store: &Path, output: &Path, records: &[Value]) {
    let export = ["session".as_ref(), "export".as_ref(), store.as_os_str(), "--format".as_ref(), "ome-tiff".as_ref(), "-o".as_ref()];
    let said = run(export.into_iter().chain([output.as_os_str()]));
    said.expect(0, &[]);
    let session = records[0]["session"].as_str().unwrap();
    let file = |name: &str| output.join(format!("{session}.{name}"));
    let all = ["frame.ome.tif", "geojson", "json", "mask.ome.tif", "probability.ome.tif"];
    assert_eq!(names(output), all.map(|name| format!("{session}.{name}")));
    let record = json_of(&file("json"));
    let whole = &record["stitched"];
    assert_eq!((&whole["fields"], &whole["um_per_px"], &whole["regions"]), (&json!(records.len()), &json!(2.0), &json!(1)));
    let numbers = |value: &Value| [0, 1].map(|at| value[at].as_f64().unwrap());
    let (size, corner) = (numbers(&whole["size"]), numbers(&whole["corner_um"]));
    assert!(said.stdout.contains(&format!("{} x {} px at 2 um/px", size[0], size[1])), "{said:?}");
    for (name, kind, colours) in [("mask", "mask", 1), ("probability", "probability", 1), ("frame", "frame", 3)] {
        let mut decoder = Decoder::new(File::open(file(&format!("{name}.ome.tif"))).unwrap()).unwrap();
        assert_eq!(decoder.dimensions().unwrap(), (size[0] as u32, size[1] as u32));
        let DecodingResult::U8(pixels) = decoder.read_image().unwrap() else { panic!("{name}") };
        // Every field lies in its place, and nothing elsewhere.
        let ground = if colours == 3 { 255 } else { 0 };
        let mut expected = vec![ground; size[0] as usize * size[1] as usize * colours];
        for field in records {
            let path = field["artefacts"].as_array().unwrap().iter().find(|artefact| artefact["kind"] == kind).unwrap()["path"].as_str();
            let image = image::open(store.join(path.unwrap())).unwrap();
            let own = if colours == 3 { image.into_rgb8().into_raw() } else { image.into_luma8().into_raw() };
            let at = [("x_um", 0), ("y_um", 1)]
                .map(|(name, axis)| ((field["position"][name].as_f64().unwrap() - 64.0 - corner[axis]) / 2.0) as usize);
            for (y, row) in own.chunks_exact(64 * colours).enumerate() {
                let from = ((at[1] + y) * size[0] as usize + at[0]) * colours;
                expected[from..from + row.len()].copy_from_slice(row);
            }
        }
        assert!(pixels == expected, "{name}");
    }
    let outlines = json_of(&file("geojson"));
    let ring = outlines["features"][0]["geometry"]["coordinates"][0].as_array().unwrap();
    for (axis, from) in corner.into_iter().enumerate() {
        let along: Vec<f64> = ring.iter().map(|corner| corner[axis].as_f64().unwrap()).collect();
        let (first, last) = along.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
        // 384 to 512 um, but for the border's blur.
        let at = [384.0, 512.0].map(|um| (um - from) / 2.0);
        assert!((first - at[0]).abs() <= 2.0 && (last - at[1]).abs() <= 2.0, "{first} {last} {at:?}");
    }
    // Fields that nobody knows the place of are not put together.
    let elsewhere = tempfile::tempdir().unwrap();
    let image = elsewhere.path().join("a.png");
    fs::write(&image, png(&field(64, 64, [10, 10], 20))).unwrap();
    let other = elsewhere.path().join("store");
    let flags = ["--source", image.to_str().unwrap(), "--um-per-px", "2", "--exit-at-end", "--json"];
    assert_eq!(Service::start(&other, &flags).lines.iter().count(), 1);
    let export = ["session".as_ref(), "export".as_ref(), other.as_os_str(), "--format".as_ref(), "ome-tiff".as_ref(), "-o".as_ref()];
    run(export.into_iter().chain([output.as_os_str()])).expect(1, &["none of its 1 fields has a place"]);
}
