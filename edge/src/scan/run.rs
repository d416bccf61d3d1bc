//! A scan from its first field to its last, with everything that belongs to it.

use super::describe::{describe, recorded_z};
use super::error::ScanError;
use super::labels::Labels;
use super::scanner::{Scanned, Scanner};
use super::summary::{self, Summary};
use super::visits::Visits;
use super::worker::{Job, Worker};
use crate::error::Error;
use crate::live::{CountTable, Live, LiveSettings, NameLabels};
use crate::output::{NOTICE, write_whole};
use crate::segment::Segmenter;
use crate::session::{FieldRecord, Kind, Sessions};
use crate::source::{Policy, Source};
use crate::stage::wire::ScanPlan;
use crate::stage::{Controller, Port, Timing, Um};
use lsr_core::MonitorConfig;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::{Duration, Instant};

/// Fields that may wait to be segmented; the stage waits when there are more.
const QUEUE: usize = 4;

/// Who holds fields against the count prior.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// The monitor on the controller, by the prior that it was built with. It counts every look at a field.
    Controller,
    /// This program, by the session's prior. It counts a field when it is kept.
    Host,
}

impl Judge {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Host => "host",
        }
    }
}

/// What is scanned, and how.
#[derive(Debug, Clone)]
pub struct ScanSettings {
    /// The grid, with a light. Where it names no z, fields have that of the scan that is resumed, or the present one. Its first visit is not asked.
    pub plan: ScanPlan,
    /// Where the plan comes from: its file's name, SHA-256 and format; null for flags.
    pub plan_file: Value,
    /// Low-resolution classes of the fields.
    pub labels: Labels,
    /// Who holds them against the prior.
    pub judge: Judge,
    /// The host's prior.
    pub prior: CountTable,
    /// When the host raises an alarm.
    pub monitor: MonitorConfig<f64>,
    /// A field whose count lies more standard deviations from its label's is looked at once more before it is kept.
    pub repeat_beyond: Option<f64>,
    /// Name of this device.
    pub device: String,
    /// Where the frames come from, in words.
    pub source: String,
    /// Which pictures of each field are kept.
    pub keep: Vec<Kind>,
    /// Home the stage where it is not homed, at the beginning and after a reset of the controller.
    pub home: bool,
    /// Go on with the last scan in the store.
    pub resume: bool,
    /// How long a frame may take after its pulse.
    pub frame_timeout: Duration,
    /// How often a field is visited again whose frame is missing or doubtful.
    pub repeats: u32,
}

/// What is told while a scan goes on, from whichever thread it happens in.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// The first field comes.
    Begun {
        /// The session.
        session: &'a str,
        /// Fields that were done before.
        done: usize,
        /// Fields of the plan.
        fields: u32,
    },
    /// A field is kept.
    Field(&'a FieldRecord),
    /// Something that a person should know.
    Note(&'a str),
}

/// What a scan begins with. A new session begins when the stage has said where it is.
enum Start {
    /// A session that goes on, with the fields that it has.
    Resumed(Box<Live>, Vec<FieldRecord>),
    New(Box<Segmenter>),
}

/// Scans, segments and keeps every field of a plan. `segmenter` names the store's folder and has the wish to stop.
///
/// # Errors
/// [`ScanError`]: everything after which a scan cannot go on by itself. Fields whose frames never came are no error but are in the summary.
pub fn run(
    port: Port,
    timing: Timing,
    source: &mut dyn Source,
    segmenter: Segmenter,
    settings: &ScanSettings,
    tell: &(dyn Fn(Told<'_>) + Sync),
) -> Result<Summary, ScanError> {
    let begun = Instant::now();
    // What can be refused without the controller is refused before it is asked for anything.
    if !source.is_live() {
        return Err(ScanError::NoCamera { source_name: settings.source.clone() });
    }
    let (folder, fields) = (segmenter.output().to_owned(), settings.plan.fields());
    let light = settings.plan.light.filter(|light| light.permille > 0).ok_or(ScanError::NoLight)?;
    let visits = Visits::new(&settings.plan, settings.repeats)?;
    if let (Judge::Host, Some(label)) = (settings.judge, settings.labels.all().find(|&label| !settings.prior.has(label))) {
        return Err(Error::NotInPrior { label }.into());
    }
    let (pixel_size, interrupt) = (segmenter.pixel_size(), segmenter.interrupt().clone());
    let earlier = if settings.resume { Some(Sessions::open(&folder)?.last_scan()?) } else { None };
    let (start, z) = match earlier {
        Some(session) => {
            let z = settings.plan.z.or(recorded_z(&session)).unwrap_or_default();
            let (live, before) = Live::go_on(segmenter, live_settings(settings, &folder, z), session)?;
            (Start::Resumed(Box::new(live), before), Some(z))
        }
        None => (Start::New(Box::new(segmenter)), settings.plan.z),
    };

    let controller = Controller::connect(port, timing)?;
    let known = controller.ping()?.labels;
    if let (Judge::Controller, Some(label)) = (settings.judge, settings.labels.all().find(|&label| label >= known)) {
        return Err(ScanError::UnknownLabel { label, labels: known });
    }
    let (queue, jobs) = sync_channel(QUEUE);
    let (done, answers) = channel();
    let mut scanner = Scanner::new(&controller, source, pixel_size, interrupt, settings, light, visits, (queue, answers), tell);
    let z = scanner.begin(z)?;
    let (live, before) = match start {
        Start::Resumed(live, before) => (*live, before),
        Start::New(segmenter) => (Live::begin(*segmenter, live_settings(settings, &folder, z))?, Vec::new()),
    };
    for place in summary::places(&before) {
        scanner.known(place.field);
    }
    tell(Told::Begun { session: &live.session().id, done: before.len(), fields });

    let worker = Worker {
        live: &live,
        controller: &controller,
        judge: settings.judge,
        repeat_beyond: settings.repeat_beyond,
        columns: settings.plan.columns.into(),
        labels: &settings.labels,
        tell,
        asks: true,
        unlikely: HashMap::new(),
        done,
    };
    let mut scanned = in_parallel(scanner, worker, jobs)?;
    let kept = Sessions::open(&folder)?.all_fields(&live.session().id)?;
    scanned.counts.fields = kept.len() - before.len();
    scanned.counts.seconds = begun.elapsed().as_secs_f64();
    let moments = |label| (settings.judge == Judge::Controller).then(|| controller.moments(label).ok()).flatten();
    let summary = Summary {
        notice: NOTICE,
        lsr_edge: crate::VERSION,
        session: live.session().id.clone(),
        model_sha256: live.session().model_sha256.clone(),
        fields,
        every_field_once: summary::once(&kept, fields),
        failed: scanned.failed,
        repeats: summary::places(&kept).map(|scan| u64::from(scan.visits.saturating_sub(1))).sum(),
        unlikely_fields: summary::places(&kept).filter(|scan| !scan.unlikely.is_empty()).count(),
        controller_starts: summary::starts(&kept),
        cancer: summary::region(&kept)?,
        unfit_fields: kept.iter().filter(|field| !field.quality.fit).count(),
        flagged_fields: summary::flagged(&kept),
        labels: summary::labels(&kept, moments),
        mean_scan_times_ms: summary::mean_scan_times(&kept),
        mean_times_ms: summary::mean_times(&kept),
        this_run: scanned.counts,
    };
    write_summary(&folder.join(&summary.session).join("summary.json"), &summary)?;
    Ok(summary)
}

fn live_settings(settings: &ScanSettings, folder: &Path, z: Um) -> LiveSettings {
    LiveSettings {
        folder: folder.to_owned(),
        device: settings.device.clone(),
        source: settings.source.clone(),
        policy: Policy::Every,
        keep: settings.keep.clone(),
        labels: NameLabels::default(),
        prior: match settings.judge {
            Judge::Host => settings.prior.clone(),
            Judge::Controller => CountTable::default(),
        },
        monitor: settings.monitor,
        max_pixels: crate::field::MAX_PIXELS,
        tell: false,
        scan: Some(describe(settings, z)),
    }
}

fn write_summary(path: &Path, summary: &Summary) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(summary).map_err(|error| Error::Write { path: path.to_owned(), source: error.into() })?;
    text.push(b'\n');
    write_whole(path, &text)
}

/// The scanner here, the worker in a thread of its own. Where the scanner fails, the worker still finishes what it was given.
fn in_parallel(scanner: Scanner<'_>, worker: Worker<'_>, jobs: Receiver<Job>) -> Result<Scanned, ScanError> {
    let (scanned, worked) = std::thread::scope(|scope| {
        let working = scope.spawn(move || worker.run(jobs));
        // The scanner's end of the queue goes with it, so the worker ends, too.
        let scanned = scanner.scan();
        (scanned, working.join().unwrap_or(Err(ScanError::WorkerEnded)))
    });
    match (scanned, worked) {
        (Ok(scanned), Ok(())) => Ok(scanned),
        (_, Err(ScanError::Edge(Error::Interrupted))) => Err(ScanError::Interrupted),
        // The worker's error is the cause where both have one.
        (Err(ScanError::WorkerEnded), Err(error)) | (Ok(_), Err(error)) | (Err(error), _) => Err(error),
    }
}
