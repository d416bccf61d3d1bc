//! `lsr-edge scan` where it is refused, or has no camera. Whole scans are in the `firmware` tests of the package lsr-tests.

use crate::peer::Peer;
use lsr_edge::stage::wire::Command as Asked;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir(place.path("frames")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code and standard error of a scan with these flags on top of good ones.
    fn scan(&self, port: &str, extra: &[&str]) -> (Option<i32>, String) {
        let good = [
            ("--port", port),
            ("--x", "100"),
            ("--y", "200"),
            ("--columns", "3"),
            ("--rows", "2"),
            ("--pitch-x", "50"),
            ("--pitch-y", "60"),
            ("--um-per-px", "1"),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_lsr-edge"));
        command.arg("scan");
        // A flag that is given takes the place of the good one.
        for (name, value) in good.iter().filter(|(name, _)| !extra.contains(name)) {
            command.args([name, value]);
        }
        if !extra.contains(&"--light") {
            command.args(["--light", "0", "40"]);
        }
        if !extra.contains(&"--frames") {
            command.arg("--frames").arg(self.path("frames"));
        }
        if !extra.contains(&"--output") {
            command.arg("--output").arg(self.path("out"));
        }
        let output = command.args(extra).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// An error that begins like this, before a controller is asked for.
    fn refused(&self, extra: &[&str], begins: &str) {
        let (code, stderr) = self.scan("unix:/no/such/controller", extra);
        assert!(code == Some(1) && stderr.starts_with(&format!("error: {begins}")), "{extra:?}: {stderr}");
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn what_is_wrong_is_said_before_the_controller_is_asked_for_anything() {
    let place = Place::new();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    place.refused(&["--columns", "0"], "the plan of the scan: columns of the scan: expected 1 to 65535, found 0");
    place.refused(&["--columns", "2000", "--rows", "2000"], "the plan of the scan has 4000000 fields: expected at most 1000000");
    place.refused(&["--light", "0", "0"], "the scan needs a light of the controller, brighter than 0");
    place.refused(&["--light", "0", "101"], "--light 101: expected 0 to 100 percent");
    place.refused(&["--um-per-px", "0"], "--um-per-px 0: expected micrometres per pixel");
    place.refused(&["--frame-timeout", "0"], "--frame-timeout 0: expected 0.001 to 1000000 seconds");
    place.refused(&["--x", "3e9"], "3000000000 um: expected a length");
    place.refused(&["--model", "/no/such/model.onnx"], "cannot read /no/such/model.onnx");
    place.refused(&["--frames", &text(&place.path("nowhere"))], &format!("cannot read {}", place.path("nowhere").display()));
    let labels = place.write("labels.csv", "field,label\n6,1\n");
    place.refused(&["--labels", &labels], &format!("labels {labels}: line 2: field 6: the plan has 6, counted from 0"));
    place.refused(&["--port", "tcp:nowhere"], "port 'tcp:nowhere': no port number");
    place.refused(&[], "cannot open unix:/no/such/controller");
    assert!(!place.path("out").exists(), "nothing was begun");
    for extra in [&["--label", "1", "--labels", "a.csv"][..], &["--pictures", "video"], &["--columns", "70000"]] {
        assert_eq!(place.scan("unix:/no/such/controller", extra).0, Some(2), "{extra:?}");
    }
}

#[test]
fn another_scan_is_neither_overwritten_nor_continued() {
    let place = Place::new();
    place.refused(&["--resume"], &format!("{} does not exist: there is no scan to resume", place.path("out/scan.json").display()));
    fs::create_dir(place.path("out")).unwrap();
    let scan = json!({ "plan": { "columns": 4, "z_um": 12.5 }, "lsr_edge": "0.0.1" });
    let path = place.write("out/scan.json", &scan.to_string());
    place.refused(&[], &format!("{} holds a scan: --resume goes on with it", place.path("out").display()));
    let (_, stderr) = place.scan("unix:/no/such/controller", &["--resume"]);
    assert!(stderr.starts_with(&format!("error: {path} is about another scan: ")), "{stderr}");
    assert!(stderr.contains("lsr_edge is \"0.0.1\" there and") && stderr.contains("and 7 more;"), "{stderr}");
    place.write("out/scan.json", "{");
    place.refused(&["--resume"], &format!("{path}: EOF while parsing"));
    let file = place.write("file", "");
    place.refused(&["--output", &format!("{file}/out"), "--resume"], &format!("{file}/out/scan.json does not exist"));
}

/// A controller without a camera, one that is not homed, one that lacks the label, and a folder for results that is none.
#[test]
fn a_scan_without_a_camera_says_so_and_leaves_it_dark_and_at_rest() {
    let peer = Peer::unix();
    let port = peer.port.to_string();
    let place = Place::new();
    let (code, stderr) = place.scan(&port, &[]);
    assert_eq!((code, &*stderr), (Some(1), "error: the stage is not homed: `lsr-edge stage home` first, or --home\n"));
    let (_, stderr) = place.scan(&port, &["--label", "10"]);
    assert_eq!(stderr, "error: label 10: the controller's prior has 10, counted from 0\n");
    let file = place.write("file", "");
    let (_, stderr) = place.scan(&port, &["--home", "--output", &format!("{file}/out")]);
    assert!(stderr.contains(&format!("error: output folder {file}/out cannot be written to")), "{stderr}");

    let (code, stderr) = place.scan(&port, &["--frame-timeout", "0.05"]);
    assert_eq!(code, Some(1));
    let error = "error: 3 pulses without light gave no dark frame within 0.05 s each; no frame came: does the camera's program run, and does it \
                 write a new file for each pulse into --frames?\n";
    assert_eq!(stderr, error);
    assert_eq!((peer.fault(), peer.light(), peer.last_command()), (None, 0, Some(Asked::Goodbye)));
    assert_eq!(peer.microscope().count(|command| matches!(command, Asked::Scan(_))), 0, "no field without a mark before it");
    // The plan was recorded first, with the z that the stage had.
    let scan: Value = serde_json::from_slice(&fs::read(place.path("out/scan.json")).unwrap()).unwrap();
    assert_eq!((&scan["plan"]["z_um"], &scan["plan"]["columns"]), (&json!(0.0), &json!(3)));
    let (_, stderr) = place.scan(&port, &["--resume", "--columns", "4"]);
    assert!(stderr.contains("is about another scan: plan.columns is 3 there and 4 here; a scan goes on with"), "{stderr}");
    let (_, stderr) = place.scan(&port, &["--resume", "--frame-timeout", "0.05"]);
    assert_eq!(stderr, error);
}
