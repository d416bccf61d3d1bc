//! What lsr-edge writes, opened by programs of others.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_tests::{skip, workspace_root};
use serde_json::Value;
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
