//! `NAME.geojson`: the mask as polygons.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod program;

use program::{blobs, json, segment};
use serde_json::Value;
use std::fs;
use tempfile::tempdir;

/// Columns and rows of a ring's corners.
fn ring(value: &Value) -> Vec<[usize; 2]> {
    let corner = |corner: &Value| [0, 1].map(|i| usize::try_from(corner[i].as_u64().unwrap()).unwrap());
    value.as_array().unwrap().iter().map(corner).collect()
}

/// Filled by the rule of even and odd, all polygons together are the mask; and each says its own area and mean probability.
#[test]
fn polygons_are_the_mask() {
    let folder = tempdir().unwrap();
    let (image, output) = (folder.path().join("a.png"), folder.path().join("out"));
    blobs(140, 90, 4).save(&image).unwrap();
    segment(&[&image], &output, &["--um-per-px", "0.5"]).expect(0, &[]);
    let mask = image::open(output.join("a.mask.png")).unwrap().into_luma8();
    let probability = image::open(output.join("a.probability.png")).unwrap().into_luma8();
    let record = json(&output.join("a.json"));
    let collection = json(&output.join("a.geojson"));
    assert_eq!(collection["type"], "FeatureCollection");
    assert_eq!(collection["lsr_edge"]["model_sha256"], record["model"]["sha256"]);
    assert_eq!(collection["lsr_edge"]["input_sha256"], record["input"]["sha256"]);
    assert_eq!(collection["lsr_edge"]["um_per_px"], 0.5);
    let features = collection["features"].as_array().unwrap();
    assert_eq!(features.len(), usize::try_from(record["regions"].as_u64().unwrap()).unwrap());
    assert!(features.len() > 5, "{}", features.len());

    let (width, height) = (140, 90);
    let mut filled = vec![0_u32; width * height];
    for feature in features {
        assert_eq!((&feature["type"], &feature["geometry"]["type"]), (&"Feature".into(), &"Polygon".into()));
        assert_eq!(feature["properties"]["objectType"], "annotation");
        assert_eq!(feature["properties"]["classification"]["color"], serde_json::json!([200, 0, 0]));
        let mut inside = vec![false; width * height];
        for ring in feature["geometry"]["coordinates"].as_array().unwrap().iter().map(ring) {
            assert_eq!(ring.first(), ring.last());
            for pair in ring.windows(2).filter(|pair| pair[0][0] == pair[1][0]) {
                let (x, rows) = (pair[0][0], pair[0][1].min(pair[1][1])..pair[0][1].max(pair[1][1]));
                rows.for_each(|y| inside[y * width + x..(y + 1) * width].iter_mut().for_each(|pixel| *pixel = !*pixel));
            }
        }
        let pixels: Vec<usize> = (0..inside.len()).filter(|&i| inside[i]).collect();
        let mean = pixels.iter().map(|&i| f64::from(probability.as_raw()[i])).sum::<f64>() / 255.0 / pixels.len() as f64;
        let said = |name: &str| feature["properties"]["measurements"][name].as_f64().unwrap();
        assert_eq!(said("Area px^2"), pixels.len() as f64);
        assert!((said("Area µm^2") - pixels.len() as f64 / 4.0).abs() < 1e-9);
        assert!((said("Mean probability") - mean).abs() < 1e-9);
        pixels.iter().for_each(|&i| filled[i] += 1);
    }
    assert!(filled.iter().zip(mask.as_raw()).all(|(&count, &mask)| count == u32::from(mask == 255)));
}

/// The same run gives the same bytes; another threshold other names for its regions, none of them twice.
#[test]
fn the_same_run_gives_the_same_bytes() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("a.png");
    blobs(96, 64, 1).save(&image).unwrap();
    let of = |output: &str, flags: &[&str]| {
        let output = folder.path().join(output);
        segment(&[&image], &output, flags).expect(0, &[]);
        fs::read(output.join("a.geojson")).unwrap()
    };
    let ids = |bytes: &[u8]| -> Vec<String> {
        let collection: Value = serde_json::from_slice(bytes).unwrap();
        collection["features"].as_array().unwrap().iter().map(|feature| feature["id"].as_str().unwrap().to_owned()).collect()
    };
    let (first, second, other) = (of("first", &[]), of("second", &[]), of("other", &["--threshold", "0.45"]));
    assert_eq!(first, second);
    let all: Vec<String> = [ids(&first), ids(&other)].concat();
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert!(!all.is_empty() && different.len() == all.len());
    // RFC 9562: version 8, and the variant of its own.
    assert!(all.iter().all(|id| id.len() == 36 && &id[14..15] == "8" && "89ab".contains(&id[19..20])), "{all:?}");
}
