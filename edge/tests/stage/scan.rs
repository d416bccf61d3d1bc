//! `lsr-edge scan` where it is refused, or has no camera. Whole scans are in the `firmware` tests of the package lsr-tests.

use crate::peer::Peer;
use lsr_edge::session::Sessions;
use lsr_edge::stage::wire::Command as Asked;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
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
            ("--stage", port),
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
        let by_file = extra.contains(&"--plan");
        for (name, value) in good.iter().filter(|(name, _)| !extra.contains(name) && (*name == "--stage" || !by_file)) {
            command.args([name, value]);
        }
        if !extra.contains(&"--light") && !by_file {
            command.args(["--light", "0", "40"]);
        }
        if !extra.contains(&"--source") {
            command.arg("--source").arg(format!("watch:{}", self.path("frames").display()));
        }
        if !extra.contains(&"--store") {
            command.arg("--store").arg(self.path("out"));
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
    place.refused(&["--columns", "0"], "the plan of the scan: columns of the scan: expected 1 to 65535, found 0");
    place.refused(&["--columns", "2000", "--rows", "2000"], "the plan of the scan has 4000000 fields: expected at most 1000000");
    place.refused(&["--light", "0", "0"], "the scan needs a light of the controller, brighter than 0");
    place.refused(&["--light", "0", "101"], "--light 101: expected 0 to 100 percent");
    place.refused(&["--um-per-px", "0"], "--um-per-px 0: expected micrometres per pixel");
    place.refused(&["--frame-timeout", "0"], "--frame-timeout 0: expected 0.001 to 1000000 seconds");
    place.refused(&["--x", "3e9"], "3000000000 um: expected a length");
    place.refused(&["--model", "/no/such/model.onnx"], "cannot read /no/such/model.onnx");
    let nowhere = place.path("nowhere");
    place.refused(&["--source", &format!("watch:{}", nowhere.display())], &format!("cannot read {}", nowhere.display()));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/samples").to_owned();
    place.refused(
        &["--source", &folder],
        &format!(
            "a scan needs a camera that takes a picture at every pulse (watch:FOLDER, camera:PIPELINE or rgb:WIDTHxHEIGHT), not {folder}"
        ),
    );
    place.refused(&["--repeat-beyond", "0"], "--repeat-beyond 0: expected standard deviations above 0");
    place.refused(&["--monitor", "host", "--label", "10"], "label 10: the count prior has no such label (--prior names another one)");
    place.refused(&["--monitor", "host", "--false-alarm-rate", "2"], "--false-alarm-rate 2: ");
    let labels = place.write("labels.csv", "field,label\n6,1\n");
    place.refused(&["--labels", &labels], &format!("labels {labels}: line 2: field 6: the plan has 6, counted from 0"));
    place.refused(&["--stage", "tcp:nowhere"], "port 'tcp:nowhere': no port number");
    place.refused(&[], "cannot open unix:/no/such/controller");
    assert!(!place.path("out").exists(), "nothing was begun");
    let plan = place.write("plan.toml", "[grid]\nx_um = 0\ny_um = 0\ncolumns = 1\nrows = 1\npitch_x_um = 1\npitch_y_um = 1\n");
    place.refused(&["--plan", &plan], "the pixel size of the frames is missing");
    place.refused(&["--plan", &plan, "--um-per-px", "1"], "the scan needs a light of the controller");
    place.refused(&["--plan", &plan, "--um-per-px", "1", "--light", "0", "40"], "cannot open unix:/no/such/controller");
    let other = place.write("plan.yaml", "grid_plan: {rows: 2, columns: 2, fov_width: 9, fov_height: 9}\nz_plan: {range: 4, step: 1}\n");
    place
        .refused(&["--plan", &other], &format!("plan {other}: z_plan: a scan takes one picture a field of one grid, and does not do that"));
    let wrong: [&[&str]; 5] = [
        &["--label", "1", "--labels", "a.csv"],
        &["--keep", "video"],
        &["--columns", "70000"],
        &["--plan", &plan, "--x", "1"],
        &["--plan", &plan, "--width-us", "9"],
    ];
    for extra in wrong {
        assert_eq!(place.scan("unix:/no/such/controller", extra).0, Some(2), "{extra:?}");
    }
}

#[test]
fn there_is_nothing_to_resume() {
    let place = Place::new();
    place.refused(&["--resume"], &format!("cannot read {}", place.path("out/session.sqlite").display()));
    fs::create_dir(place.path("out")).unwrap();
    let database = place.write("out/session.sqlite", "");
    place.refused(&["--resume"], &format!("store {database}: "));
    place.write("out/session.sqlite", "no database at all, but rather long for a text that says so little");
    place.refused(&["--resume"], &format!("store {database}: file is not a database"));
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
    let (_, stderr) = place.scan(&port, &["--home", "--store", &format!("{file}/out")]);
    assert!(stderr.contains(&format!("error: output folder {file}/out cannot be written to")), "{stderr}");

    let (code, stderr) = place.scan(&port, &["--frame-timeout", "0.05"]);
    assert_eq!(code, Some(1));
    let error = "error: 3 pulses without light gave no dark frame within 0.05 s each; no frame came: does the camera's program run, and does \
                 each pulse give it a new frame?\n";
    assert!(stderr.starts_with("session ") && stderr.ends_with(error), "{stderr}");
    assert_eq!((peer.fault(), peer.light(), peer.last_command()), (None, 0, Some(Asked::Goodbye)));
    assert_eq!(peer.microscope().count(|command| matches!(command, Asked::Scan(_))), 0, "no field without a mark before it");
    // The plan was recorded first, with the z that the stage had.
    let session = Sessions::open(&place.path("out")).unwrap().last_scan().unwrap();
    let plan = &session.settings["scan"]["plan"];
    assert_eq!((&plan["z_um"], &plan["columns"]), (&json!(0.0), &json!(3)));
    let (_, stderr) = place.scan(&port, &["--resume", "--columns", "4", "--label", "9"]);
    let differs = "is another one: settings.scan.labels is null there and 9 here, settings.scan.plan.columns is 3 there and 4 here; it goes on only with";
    assert!(stderr.contains(differs), "{stderr}");
    let (_, stderr) = place.scan(&port, &["--resume", "--frame-timeout", "0.05"]);
    assert!(stderr.ends_with(error), "{stderr}");
    assert_eq!(Sessions::open(&place.path("out")).unwrap().list().unwrap().len(), 1, "it went on with the session");
}
