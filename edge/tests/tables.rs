//! Unfit fields are named, and `fields.csv` and `fields.jsonl` have one row for every record.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod program;

use program::{blobs, json, segment};
use serde_json::Value;
use std::fs;
use tempfile::tempdir;

#[test]
fn unfit_fields_are_named_and_every_field_has_its_row() {
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&input).unwrap();
    let good = blobs(120, 90, 3);
    good.save(input.join("good.png")).unwrap();
    image::imageops::blur(&good, 4.0).save(input.join("blurred.png")).unwrap();
    image::RgbImage::from_pixel(60, 60, image::Rgb([245, 243, 244])).save(input.join("glass.png")).unwrap();
    image::RgbImage::from_fn(120, 90, |x, y| image::Rgb(good.get_pixel(x, y).0.map(|level| level / 4)))
        .save(input.join("night, \"dark\".png"))
        .unwrap();
    fs::write(input.join("broken.png"), "no image").unwrap();
    let said = segment(&[&input], &output, &[]);
    let lines = ["unfit: blurred: out of focus", "unfit: glass: without tissue", "unfit: night, \"dark\": underexposed", "broken.png"];
    said.expect(1, &lines);
    assert!(!said.stderr.contains("unfit: good"), "{said:?}");
    assert!(said.stdout.starts_with("4 written, 3 of them unfit, 1 failed"), "{said:?}");

    let quality = &json(&output.join("blurred.json"))["quality"];
    assert_eq!((&quality["fit"], &quality["unfit"]), (&false.into(), &serde_json::json!(["out-of-focus"])));
    assert!(output.join("glass.mask.png").exists(), "unfit fields have masks too");

    let csv = fs::read(output.join("fields.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let at = |row: &csv::StringRecord, column: &str| row[header.iter().position(|name| name == column).unwrap()].to_owned();
    let found: Vec<[String; 3]> = rows.iter().map(|row| ["name", "fit", "unfit"].map(|column| at(row, column))).collect();
    let expected = [
        ["blurred", "false", "out-of-focus"],
        ["glass", "false", "no-tissue"],
        ["good", "true", ""],
        ["night, \"dark\"", "false", "underexposed"],
    ];
    assert_eq!(found, expected.map(|row| row.map(str::to_owned)));

    let lines = fs::read_to_string(output.join("fields.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), rows.len());
    for (row, line) in rows.iter().zip(&lines) {
        let record = json(&output.join(format!("{}.json", at(row, "name"))));
        assert_eq!(line["mask_area_mm2"], record["cancer"]["mask_area_mm2"]);
        assert_eq!(at(row, "mask_area_mm2").parse::<f64>().unwrap(), record["cancer"]["mask_area_mm2"].as_f64().unwrap());
        assert_eq!(line["model_sha256"], record["model"]["sha256"]);
        assert_eq!(line["unfit"], record["quality"]["unfit"]);
        assert_eq!(line.as_object().unwrap().len(), header.len());
    }

    // One more image: its row is added, the others stay; files that are no records do not matter.
    fs::write(output.join("notes.json"), "{\"lsr_edge\": 1}").unwrap();
    let more = folder.path().join("extra.png");
    blobs(70, 70, 5).save(&more).unwrap();
    segment(&[&more], &output, &[]).expect(0, &[]);
    let names: Vec<String> = fs::read_to_string(output.join("fields.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["blurred", "extra", "glass", "good", "night, \"dark\""]);
}
