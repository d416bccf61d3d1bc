//! `lsr-edge scan` as a user runs it, at a whole microscope: every field is in the results once, and its mask is that of its place, whatever happens.

use crate::camera::Whim;
use crate::microscope::Microscope;
use crate::slide::{FIELD, Slide, segmented};
use lsr_edge::Model;
use lsr_edge::session::{FieldRecord, Kind, ScanPlace, Sessions};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Wall-clock limit of a program; an emulated chip on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(300);
/// Corner of the first field and distance of fields, um: whole pixels, and whole steps of the carriages.
const CORNER: [u32; 2] = [200, 300];
const PITCH: [u32; 2] = [30, 45];
const LABEL: &str = "9";

/// The program.
const LSR_EDGE: &str = env!("CARGO_BIN_EXE_lsr-edge-under-test");

/// A scan at a microscope.
struct Scan<'a> {
    microscope: &'a Microscope,
    columns: u32,
    rows: u32,
}

/// The program while it runs; ended whatever happens.
struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Exit code, standard output and standard error.
    fn end(mut self) -> (Option<i32>, String, String) {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "still running after {PATIENCE:?}: {}", fs::read_to_string(&self.stderr).unwrap());
            sleep(Duration::from_millis(10));
        };
        (status.code(), fs::read_to_string(&self.stdout).unwrap(), fs::read_to_string(&self.stderr).unwrap())
    }

    fn good(self) -> (String, String) {
        let (code, stdout, stderr) = self.end();
        assert_eq!(code, Some(0), "{stderr}");
        (stdout, stderr)
    }
}

impl<'a> Scan<'a> {
    const fn new(microscope: &'a Microscope, columns: u32, rows: u32) -> Self {
        Self { microscope, columns, rows }
    }

    /// The grid by flags.
    fn begin(&self, extra: &[&str]) -> Running {
        let [x, y] = CORNER.map(|um| um.to_string());
        let [pitch_x, pitch_y] = PITCH.map(|um| um.to_string());
        let (columns, rows) = (self.columns.to_string(), self.rows.to_string());
        let grid =
            ["--x", &x, "--y", &y, "--z", "50", "--columns", &columns, "--rows", &rows, "--pitch-x", &pitch_x, "--pitch-y", &pitch_y];
        let rest = ["--settle-ms", "0", "--after-us", "5000", "--light", "0", "40", "--um-per-px", "1", "--label", LABEL];
        self.start(&[&grid[..], &rest, extra].concat())
    }

    fn start(&self, flags: &[&str]) -> Running {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.microscope.path(name));
        let child = Command::new(LSR_EDGE)
            .args(["scan", "--stage", &self.microscope.port(), "--json", "--source"])
            .arg(format!("watch:{}", self.microscope.path("frames").display()))
            .arg("--store")
            .arg(self.out())
            .args(flags)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Running { child, stdout, stderr }
    }

    fn stage(&self, action: &str) -> Output {
        Command::new(LSR_EDGE).args(["stage", "--port", &self.microscope.port(), action]).output().unwrap()
    }

    fn out(&self) -> PathBuf {
        self.microscope.path("out")
    }

    /// The fields of the last session.
    fn fields(&self) -> Vec<FieldRecord> {
        let Ok(sessions) = Sessions::open(&self.out()) else { return Vec::new() };
        let Ok(session) = sessions.last_scan() else { return Vec::new() };
        sessions.all_fields(&session.id).unwrap()
    }

    /// Waits until so many fields are done.
    fn until(&self, running: &mut Running, fields: usize) {
        let end = Instant::now() + PATIENCE;
        while self.fields().len() < fields {
            assert!(Instant::now() < end, "{} fields in {PATIENCE:?}", self.fields().len());
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none() || self.fields().len() >= fields, "ended with {ended:?} after {} fields", self.fields().len());
            sleep(Duration::from_millis(5));
        }
    }

    fn summary(&self) -> Value {
        let session = Sessions::open(&self.out()).unwrap().last_scan().unwrap().id;
        serde_json::from_slice(&fs::read(self.out().join(session).join("summary.json")).unwrap()).unwrap()
    }

    /// Every field once, each with the mask and the sums of its own place, and judged by the controller but for those whose answer was lost.
    fn check(&self, lost: usize) -> Vec<FieldRecord> {
        let (slide, model) = (Slide::new(), Model::embedded().unwrap());
        let found = self.fields();
        let mut fields = BTreeMap::new();
        let mut sums = BTreeMap::new();
        let mut judged = 0;
        for record in &found {
            let scan = place_of(record);
            let field = scan.field;
            let place = [field % self.columns, field / self.columns];
            let um = [0, 1].map(|axis| f64::from(CORNER[axis] + place[axis] * PITCH[axis]));
            let view = slide.view(um[0], um[1]);
            let (mask, expected) = segmented(&model, &view);
            assert_eq!((record.number, record.pixels), (u64::from(field) + 1, FIELD * FIELD));
            assert_eq!(record.sums(), expected, "field {field} is not what lies at its place");
            let written = image::open(self.out().join(record.path_of(Kind::Mask).unwrap())).unwrap().into_luma8();
            assert!(written == mask, "the mask of field {field}");
            assert_eq!([scan.column, scan.row], place);
            for axis in [0, 1] {
                assert!((scan.position_um[axis] - um[axis]).abs() < 0.32, "{scan:?}");
            }
            let position = record.position.unwrap();
            assert_eq!([position.x_um, position.y_um], scan.position_um[..2]);
            judged += u64::from(record.z_score.is_some_and(f64::is_finite));
            assert_eq!(fields.insert(field, &record.name), None, "field {field} is there twice");
            sums.insert(expected.sum, field);
        }
        assert_eq!(fields.len() as u32, self.columns * self.rows, "fields are missing");
        assert_eq!(sums.len(), fields.len(), "two places look alike: the test would not see them changed");
        let pulses: BTreeSet<_> = found.iter().map(place_of).map(|scan| (scan.boot, scan.trigger_id)).collect();
        assert_eq!(pulses.len(), found.len(), "two fields of one pulse");
        let summary = self.summary();
        assert_eq!(summary["every_field_once"].as_bool(), Some(true));
        assert_eq!(summary["labels"][0]["judged"].as_u64(), Some(judged));
        assert!(judged as usize >= fields.len() - lost, "{judged} of {} fields were judged", fields.len());
        found
    }
}

impl Scan<'_> {
    /// The list names it, and its fields are one picture in the stage's places.
    fn stitched(&self) {
        let session = |arguments: &[&str]| {
            let output = Command::new(LSR_EDGE).arg("session").args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let (store, folder) = (self.out(), self.microscope.path("stitched"));
        let store = store.to_str().unwrap();
        let listed = session(&["list", store]);
        assert!(listed.contains(&format!("a scan of {} x {}", self.columns, self.rows)), "{listed}");
        session(&["export", store, "--format", "ome-tiff", "-o", folder.to_str().unwrap()]);
        let fields = self.fields();
        let record = fs::read(folder.join(format!("{}.json", fields[0].session))).unwrap();
        let record: Value = serde_json::from_slice(&record).unwrap();
        let side = |axis: usize, count: u32| (count - 1) * PITCH[axis] + FIELD;
        assert_eq!(record["stitched"]["size"], serde_json::json!([side(0, self.columns), side(1, self.rows)]));
        assert_eq!(record["stitched"]["fields"].as_u64(), Some(fields.len() as u64));
        for axis in 0..2 {
            let corner = record["stitched"]["corner_um"][axis].as_f64().unwrap();
            assert!((corner - (f64::from(CORNER[axis]) - f64::from(FIELD) / 2.0)).abs() < 0.5, "{record}");
        }
    }
}

fn place_of(record: &FieldRecord) -> &ScanPlace {
    record.scan.as_ref().unwrap()
}

#[test]
fn a_hundred_fields_are_there_once_although_the_controller_is_reset_in_the_middle() {
    let Some(microscope) = Microscope::start(&[]) else { return };
    let scan = Scan::new(&microscope, 10, 10);
    let begun = Instant::now();
    let mut running = scan.begin(&["--home"]);
    scan.until(&mut running, 47);
    microscope.reset();
    let (stdout, stderr) = running.good();
    let seconds = begun.elapsed().as_secs_f64();
    assert!(stderr.contains("the controller was reset (watchdog)"), "{stderr}");
    let mut fields = scan.check(0);
    fields.sort_by(|a, b| a.seen_utc.cmp(&b.seen_utc));
    assert_eq!(stdout.lines().count(), 100, "a line a field");
    let summary = scan.summary();
    assert_eq!((summary["controller_starts"].as_u64(), summary["this_run"]["resets"].as_u64()), (Some(2), Some(1)));
    let boots: Vec<_> = fields.iter().map(|field| place_of(field).boot).collect();
    let after = boots.iter().filter(|boot| **boot == boots[99]).count();
    let moments = &summary["labels"][0]["controller"];
    // Those that were seen before the reset and waited to be segmented are judged after it: the one held back and the queue.
    let judged = moments["fields"].as_u64().unwrap() as usize;
    assert!((after..=after + 6).contains(&judged), "{after} fields were seen after the reset, and judged: {moments}");
    scan.stitched();
    let script = microscope.script();
    println!(
        "100 fields of {FIELD} px in {seconds:.1} s ({:.2}/s) with two homings and a reset at field {}; the chip ran at {:.2} of its speed\n\
         {} pulses in the light, {} without; means in ms: {}\n{}",
        100.0 / seconds,
        100 - after,
        microscope.pace(),
        script.lit,
        script.dark,
        summary["mean_scan_times_ms"],
        summary["cancer"]
    );
}

#[test]
fn without_leave_to_home_a_reset_ends_the_scan_and_says_how_to_go_on() {
    let Some(microscope) = Microscope::start(&[]) else { return };
    let scan = Scan::new(&microscope, 4, 3);
    let (code, _, stderr) = scan.begin(&[]).end();
    assert_eq!((code, &*stderr), (Some(1), "error: the stage is not homed: `lsr-edge stage home` first, or --home\n"));
    assert!(scan.stage("home").status.success());
    let mut running = scan.begin(&[]);
    scan.until(&mut running, 3);
    microscope.reset();
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(1));
    let words = "the controller was reset (watchdog) and no longer knows where the stage is: `lsr-edge stage home`, then the same command with --resume";
    assert!(stderr.contains(words), "{stderr}");
    assert!(scan.stage("home").status.success());
    scan.begin(&["--resume"]).good();
    scan.check(0);
}

#[test]
fn a_program_that_is_killed_or_interrupted_goes_on_where_it_was() {
    let Some(microscope) = Microscope::start(&[]) else { return };
    let scan = Scan::new(&microscope, 5, 4);
    let mut running = scan.begin(&["--home"]);
    scan.until(&mut running, 4);
    running.signal("-KILL");
    assert_eq!(running.end().0, None);
    // The host was lost: a person must have seen that.
    sleep(Duration::from_secs(3));
    let (code, _, stderr) = scan.begin(&["--resume"]).end();
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("the host was silent for more than 1000 ms; when its cause is gone, `lsr-edge stage acknowledge`, then"),
        "{stderr}"
    );
    assert!(scan.stage("acknowledge").status.success());
    let done = scan.fields().len();
    let mut running = scan.begin(&["--resume"]);
    scan.until(&mut running, done + 4);
    running.signal("-INT");
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(
        stderr.ends_with("error: interrupted: the stage was stopped and the light is off; the same command with --resume goes on\n"),
        "{stderr}"
    );
    sleep(Duration::from_millis(200));
    assert!(!microscope.lit(), "the light's output is on");
    let status = String::from_utf8(scan.stage("status").stdout).unwrap();
    assert!(status.contains("fault         none\n") && status.contains("light         0 %, 0 %, 0 %, 0 %\n"), "{status}");
    scan.begin(&["--resume"]).good();
    scan.check(0);
}

#[test]
fn a_frame_that_is_missing_late_doubled_or_damaged_is_never_taken_for_another_field() {
    let late = Whim::Late(Duration::from_millis(900));
    let again = Whim::Again(Duration::from_millis(60));
    let whims =
        [(3, Whim::Misses), (6, late), (9, Whim::Doubles), (13, Whim::Damages), (16, Whim::Misses), (17, Whim::Misses), (21, again)];
    let Some(microscope) = Microscope::start(&whims) else { return };
    let scan = Scan::new(&microscope, 5, 4);
    let (_, stderr) = scan.begin(&["--home", "--frame-timeout", "0.6"]).good();
    scan.check(0);
    let summary = scan.summary();
    println!("{stderr}{}", summary["this_run"]);
    let repeats = summary["repeats"].as_u64().unwrap();
    assert!(repeats >= 8, "each whim costs a visit, one of a field that is done costs two: {repeats}");
    assert!(stderr.contains("another frame came after its own"), "{stderr}");
    assert!(
        summary["this_run"]["stray_frames"].as_u64() >= Some(4),
        "the late frame, and two times two for one pulse: {}",
        summary["this_run"]
    );
}

#[test]
fn a_camera_that_stays_blind_is_named_and_its_field_too() {
    let whims: Vec<_> = (1..=2).map(|pulse| (pulse + 4, Whim::Misses)).collect();
    let Some(microscope) = Microscope::start(&whims) else { return };
    let scan = Scan::new(&microscope, 4, 2);
    let (code, _, stderr) = scan.begin(&["--home", "--frame-timeout", "1", "--repeats", "1"]).end();
    assert_eq!(code, Some(1));
    // Fields 0, 1, 2, 3 and back: the fifth pulse is field 7's.
    assert!(stderr.ends_with("error: 1 of 8 fields failed: 7 (no frame came within 1 s); --resume visits them again\n"), "{stderr}");
    assert_eq!(scan.fields().len(), 7);
    scan.begin(&["--resume"]).good();
    scan.check(0);
}

#[test]
fn a_camera_that_is_a_frame_behind_is_found_out() {
    let Some(microscope) = Microscope::start(&[]) else { return };
    let scan = Scan::new(&microscope, 2, 1);
    microscope.script().lags = true;
    let (code, stdout, stderr) = scan.begin(&["--home", "--frame-timeout", "0.5", "--repeats", "1"]).end();
    assert_eq!((code, &*stdout, scan.fields().len()), (Some(1), "", 0), "{stderr}");
    assert!(stderr.contains("error: 2 of 2 fields failed: 0 (its frame ") && stderr.contains("is that of darkness)"), "{stderr}");
    microscope.script().lags = false;
    scan.begin(&["--resume"]).good();
    scan.check(0);
}

#[test]
fn a_line_that_is_lost_and_found_costs_no_field() {
    let Some(microscope) = Microscope::start(&[]) else { return };
    let scan = Scan::new(&microscope, 5, 4);
    let mut running = scan.begin(&["--home"]);
    for fields in [3, 9, 14] {
        scan.until(&mut running, fields);
        microscope.cut();
    }
    let (_, stderr) = running.good();
    // A question may be under way each time.
    scan.check(3);
    println!("{stderr}{}", scan.summary()["this_run"]);
}

/// A plan out of a file; every count is far from the label's, so every field is looked at twice, and what is kept says so.
#[test]
fn an_unlikely_field_is_looked_at_once_more() {
    let Some(microscope) = Microscope::start(&[]) else { return };
    let scan = Scan::new(&microscope, 2, 2);
    let plan = microscope.path("plan.toml");
    let ([x, y], [pitch_x, pitch_y]) = (CORNER, PITCH);
    let text = format!(
        "um_per_px = 1\nlabel = {LABEL}\nsettle_ms = 0\n[grid]\nx_um = {x}\ny_um = {y}\nz_um = 50\ncolumns = 2\nrows = 2\npitch_x_um = {pitch_x}\n\
         pitch_y_um = {pitch_y}\n[pulse]\nafter_us = 5000\n[light]\nchannel = 0\npercent = 40\n"
    );
    fs::write(&plan, text).unwrap();
    let host = ["--plan", path(&plan), "--home", "--monitor", "host", "--repeat-beyond", "3"];
    let (stdout, stderr) = scan.start(&host).good();
    let fields = scan.check(0);
    for field in &fields {
        let place = place_of(field);
        let [first] = place.unlikely[..] else { panic!("{place:?}") };
        assert_eq!(place.visits, 2);
        assert!(first.trigger_id < place.trigger_id && first.z_score.abs() > 3.0);
        // The same place gives the same count.
        assert!((first.count_fraction - field.cancer.count_fraction).abs() < 1e-9 && Some(first.z_score) == field.z_score, "{place:?}");
        assert!(stderr.contains(&format!("field {} (row {}, column {}) is looked at once more", place.field, place.row, place.column)));
    }
    assert_eq!(stdout.lines().count(), 4, "a line a field that is kept");
    let summary = scan.summary();
    assert_eq!(
        (summary["unlikely_fields"].as_u64(), summary["repeats"].as_u64(), summary["this_run"]["pulses_in_vain"].as_u64()),
        (Some(4), Some(4), Some(0))
    );
    assert_eq!(summary["labels"][0]["controller"], Value::Null, "this program is the judge");
    let session = Sessions::open(&scan.out()).unwrap().last_scan().unwrap();
    assert_eq!(
        (&session.settings["scan"]["plan_file"]["name"], &session.settings["scan"]["monitor"]),
        (&Value::from("plan.toml"), &Value::from("host"))
    );
    // The session's own commands know the scan.
    let out = scan.out();
    let csv = microscope.path("fields.csv");
    let exported = Command::new(LSR_EDGE).args(["session", "export", path(&out), "--output", path(&csv)]).output().unwrap();
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let table = fs::read_to_string(&csv).unwrap();
    assert!(table.lines().next().unwrap().contains("z_um,row,column,trigger_id,controller_boot,visits"), "{table}");
    assert_eq!(table.lines().count(), 5);
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
