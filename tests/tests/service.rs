//! `lsr-edge serve`, used by programs of others: its page in Chromium, its API by tests that are made from its own document.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

#[path = "../../edge/tests/slide_file/mod.rs"]
mod slide_file;

use image::imageops::{flip_horizontal, flip_vertical, replace, rotate90};
use image::{Rgb, RgbImage};
use lsr_edge::session::Outbox;
use lsr_tests::{skip, workspace_root};
use serde_json::{Value, json};
use slide_file::SlideFile;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A service that ends with its test.
struct Service {
    child: Child,
    /// Its address, with the token.
    link: String,
}

impl Service {
    fn start(store: &Path, flags: &[&str]) -> Self {
        Self::of(Path::new(env!("CARGO_BIN_EXE_lsr-edge-under-test")), store, flags)
    }

    fn of(program: &Path, store: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.arg("serve").arg("--store").arg(store).args(["--listen", "127.0.0.1:0"]).args(flags);
        // Where the test's own files lie: the page shows a source as it was given.
        command.current_dir(store.parent().unwrap());
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let link = lines.by_ref().find_map(|line| Some(line.split_once("listening on ")?.1.split(' ').next()?.to_owned()));
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, link: link.unwrap() }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sample fields side by side, turned, on glass: a slide at 1 um/px.
fn slide(path: &Path) {
    let samples =
        ["field-1.png", "field-2.png"].map(|name| image::open(workspace_root().join("edge/samples").join(name)).unwrap().into_rgb8());
    let mut slide = RgbImage::from_pixel(2400, 2000, Rgb([246; 3]));
    for row in 0..4_u32 {
        for column in 0..5_u32 {
            let sample = &samples[((row + column) % 2) as usize];
            let turned = match (row * 5 + column) % 4 {
                0 => sample.clone(),
                1 => flip_horizontal(sample),
                2 => flip_vertical(sample),
                _ => rotate90(sample),
            };
            replace(&mut slide, &turned, i64::from(200 + 400 * column), i64::from(200 + 400 * row));
        }
    }
    SlideFile { tile: 256, ..SlideFile::default() }.write(path, &slide, &[4]);
}

/// Opens it with a token, sees fields arrive, moves the threshold, exports, sees an alarm; without the token sees nothing. Screenshots stay in
/// `target/tmp/page`.
#[test]
fn the_page_in_a_browser() {
    let Some(chromium) = env::var_os("LSR_BROWSER") else {
        skip("browser", "LSR_BROWSER does not name a Chromium (.ci/browser.sh installs one)");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("slide.svs");
    slide(&path);
    // Label 0 means no cancer at all, which is wrong for most of these fields.
    let flags = ["--require-token", "--source", "slide:slide.svs", "--rate", "3", "--field-px", "200", "--label", "0", "--device", "demo"];
    let service = Service::start(&place.path().join("store"), &flags);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&folder).unwrap();
    let script = workspace_root().join("tests/browser/page.mjs");
    let node = Command::new("node").arg(script).arg(chromium).arg(&service.link).arg(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&node.stdout);
    assert!(node.status.success(), "{said}{}", String::from_utf8_lossy(&node.stderr));
    println!("{said}screenshots: {}", folder.display());
}

/// Requests that schemathesis makes from the API's document: none is answered by a failure of the service, and every answer is as the document says.
#[test]
fn the_api_keeps_to_its_document() {
    let Some(python) = env::var_os("LSR_READERS").map(PathBuf::from) else {
        skip("readers", "LSR_READERS does not name a Python with tests/readers/requirements.txt (.ci/readers.sh makes one)");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let model = workspace_root().join("edge/tests/fixtures/dark.onnx");
    let samples = workspace_root().join("edge/samples");
    let flags = ["--model", model.to_str().unwrap(), "--source", samples.to_str().unwrap()];
    let service = Service::start(&place.path().join("store"), &flags);
    let run = Command::new(python.with_file_name("schemathesis"))
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", service.link))
        // Events do not end. Whether a body that is any bytes is an image, a document cannot say; and so with tiny thresholds.
        .args(["--exclude-path", "/api/v1/events", "--exclude-checks", "positive_data_acceptance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "60", "--seed", "1", "--continue-on-failure", "--no-color"])
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{}", said.lines().skip_while(|line| !line.contains("SUMMARY")).collect::<Vec<_>>().join("\n"));
}

/// lsr-edge with all its features: `LSR_FEATURES`.
fn with_all_features() -> Option<PathBuf> {
    let program = env::var_os("LSR_FEATURES").map(PathBuf::from);
    if program.is_none() {
        skip("features", "LSR_FEATURES does not name an lsr-edge with all its features (.ci/features.sh makes one)");
    }
    program
}

/// The network that calls dark pixels cancer.
fn dark() -> PathBuf {
    workspace_root().join("edge/tests/fixtures/dark.onnx")
}

/// Every field that a camera gives until it ends.
fn seen(program: &Path, pipeline: &str) -> Vec<Value> {
    let place = tempfile::tempdir().unwrap();
    let source = format!("camera:{pipeline}");
    let run = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--um-per-px", "2", "--every", "--json", "--exit-at-end", "--source", &source])
        .arg("--store")
        .arg(place.path())
        .arg("--model")
        .arg(dark())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(run.status.success(), "{pipeline}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_camera_through_gstreamer() {
    let Some(program) = with_all_features() else { return };
    // Rows of 966 bytes, which GStreamer ends at 968.
    let test = "videotestsrc num-buffers=12 is-live=true ! video/x-raw,width=322,height=240,framerate=30/1";
    let fields = seen(&program, test);
    assert_eq!(fields.len(), 12);
    assert_eq!((&fields[0]["width"], &fields[0]["height"], &fields[11]["name"]), (&json!(322), &json!(240), &json!("camera-12")));

    // Files at thirty frames a second: the square is where it was, in every frame.
    let place = tempfile::tempdir().unwrap();
    let frames = 30_u32;
    let corner = |number: u32| [4 + 2 * number, 10];
    for number in 0..frames {
        let [left, top] = corner(number);
        let inside = |x, y| (left..left + 40).contains(&x) && (top..top + 40).contains(&y);
        let image =
            RgbImage::from_fn(130, 64, |x, y| Rgb(if inside(x, y) { [8; 3] } else { [230, 180 + ((x * 31 + y * 17) % 23) as u8, 210] }));
        image.save(place.path().join(format!("{number}.png"))).unwrap();
    }
    let replay =
        format!("multifilesrc location={}/%d.png stop-index={} caps=image/png,framerate=30/1 ! pngdec", place.path().display(), frames - 1);
    let fields = seen(&program, &replay);
    assert_eq!(fields.len(), frames as usize);
    assert!(fields.iter().all(|field| field["cancer"]["mask_pixels"] == 1600), "{fields:?}");
    let ms = |number: usize| fields[number]["seen_ms"].as_f64().unwrap();
    let seconds = (ms(29) - ms(0)) / 1000.0;
    assert!((0.8..1.6).contains(&seconds), "29 frames in {seconds} s");

    let store = place.path().join("store");
    for (pipeline, word) in [("nosuchelement", "nosuchelement"), ("filesrc location=/no/such/file ! pngdec", "/no/such/file")] {
        let source = format!("camera:{pipeline}");
        let run =
            Command::new(&program).args(["serve", "--listen", "127.0.0.1:0", "--source", &source, "--store"]).arg(&store).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{said}");
        assert!(said.contains(word), "{said}");
    }
}

/// A broker that ends with its test.
struct Mosquitto(Child);

impl Mosquitto {
    fn start(port: u16, folder: &Path) -> Self {
        let settings = folder.join("mosquitto.conf");
        fs::write(&settings, format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")).unwrap();
        let child = Command::new("mosquitto").arg("-c").arg(&settings).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "mosquitto does not listen");
            sleep(Duration::from_millis(20));
        }
        Self(child)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything that is told from now on.
struct Listener(Child, std::sync::mpsc::Receiver<String>);

impl Listener {
    fn start(port: u16) -> Self {
        // It keeps what it says back where nobody is at a terminal.
        let mut child = Command::new("stdbuf")
            .args(["-oL", "mosquitto_sub", "-d", "-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", "lsr-edge/+/fields"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let listener = Self(child, lines);
        while !listener.line().starts_with("Subscribed") {}
        listener
    }

    fn line(&self) -> String {
        self.1.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// The fields' ids until so many different ones were heard.
    fn ids(&self, count: usize) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        while ids.len() < count {
            if let Ok(told) = serde_json::from_str::<Value>(&self.line()) {
                assert!(told["cancer"]["count_fraction"].is_number() && told["device"] == "here", "{told}");
                ids.insert(told["id"].as_str().unwrap().to_owned());
            }
        }
        ids
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fields that were kept while the broker was away are told when it is there again, also by the next start of a program that was killed.
#[test]
fn fields_are_told_to_a_broker_at_least_once() {
    let Some(program) = with_all_features() else { return };
    let place = tempfile::tempdir().unwrap();
    let (store, model) = (place.path().join("store"), dark());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let broker = Mosquitto::start(port, place.path());
    let listener = Listener::start(port);
    let address = format!("127.0.0.1:{port}");
    let flags = ["--model", model.to_str().unwrap(), "--device", "here", "--mqtt", &address];
    let service = Service::of(&program, &store, &flags);
    let sample = fs::read(workspace_root().join("edge/samples/field-1.png")).unwrap();
    let post = |service: &Service, count: u32| -> BTreeSet<String> {
        let posted = (0..count).map(|_| ureq::post(format!("{}/api/v1/fields", service.link)).send(&sample[..]).unwrap());
        let record = |mut answer: ureq::http::Response<ureq::Body>| answer.body_mut().read_json::<Value>().unwrap();
        posted.map(record).map(|record| format!("{}/{}", record["session"].as_str().unwrap(), record["number"])).collect()
    };
    let told = post(&service, 3);
    assert_eq!(listener.ids(3), told);
    // The broker tells its listeners before the program knows that it has taken a field; without that word a field is told again.
    let outbox = Outbox::open(&store).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while outbox.waiting().unwrap() > 0 {
        assert!(Instant::now() < end, "the broker's word does not come");
        sleep(Duration::from_millis(10));
    }
    drop(outbox);
    drop(listener);
    drop(broker);
    let away = post(&service, 4);
    // SIGKILL.
    drop(service);
    let _broker = Mosquitto::start(port, place.path());
    let listener = Listener::start(port);
    let service = Service::of(&program, &store, &flags);
    assert_eq!(listener.ids(4), away, "those that were told are not told again");
    let told = post(&service, 2);
    assert_eq!(listener.ids(2), told);
}
