//! `lsr-edge serve --stage`: fields that come by themselves are of the place where the stage rests, or of none.

use crate::peer::Peer;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The next field that is as asked for, and all before it.
fn until(fields: &Receiver<Value>, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let field = fields.recv_timeout(end.saturating_duration_since(Instant::now())).unwrap();
        if wanted(&field) {
            return field;
        }
    }
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    spawn(move || BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

#[test]
fn a_live_field_is_of_the_place_where_the_stage_rests() {
    let peer = Peer::unix();
    peer.microscope().move_us = 1_500_000;
    let place = tempfile::tempdir().unwrap();
    let image = place.path().join("field.png");
    image::RgbImage::from_pixel(64, 64, image::Rgb([180, 120, 170])).save(&image).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lsr-edge"))
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--rate", "10", "--stage", &peer.port.to_string(), "--source"])
        .arg(&image)
        .arg("--store")
        .arg(place.path().join("store"))
        .arg("--model")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dark.onnx"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (said, out) = (lines(child.stderr.take().unwrap()), lines(child.stdout.take().unwrap()));
    let running = Running(child);
    let (sender, fields) = channel::<Value>();
    spawn(move || out.iter().map(|line| serde_json::from_str(&line).unwrap()).try_for_each(|field| sender.send(field)));
    let address = loop {
        let line = said.recv_timeout(PATIENCE).unwrap();
        if let Some((_, address)) = line.split_once("listening on http://") {
            break address.to_owned();
        }
    };
    let command = |command: Value| {
        let answer = ureq::post(&format!("http://{address}/api/v1/stage")).content_type("application/json").send(command.to_string());
        assert_eq!(answer.unwrap().status(), 200);
    };
    let number = |field: &Value| field["number"].as_u64().unwrap();
    let first = until(&fields, |_| true);
    assert_eq!(first["position"], Value::Null, "it is not homed: nobody knows where it is");
    command(json!({ "command": "home" }));
    let homed = until(&fields, |field| field["position"].is_object());
    assert_eq!(homed["position"], json!({ "x_um": 0.0, "y_um": 0.0 }));
    command(json!({ "command": "move", "x_um": 1234.5, "y_um": 50.0 }));
    // From the command on no field is of the old place, though the stage needs a second and a half to leave it for good.
    let moving = until(&fields, |field| field["position"].is_null());
    let arrived = until(&fields, |field| field["position"].is_object());
    assert_eq!(arrived["position"], json!({ "x_um": 1234.5, "y_um": 50.0 }));
    // A move of 1.5 s and a rest of 0.5 s, at ten fields a second.
    assert!(number(&arrived) - number(&moving) >= 15, "{moving} to {arrived}");
    drop(running);
}
