//! A scan from its first field to its last, with everything that belongs to it.

use super::describe::{describe, recorded_z};
use super::error::ScanError;
use super::labels::Labels;
use super::scanner::{Scanned, Scanner};
use super::store::{Row, Store};
use super::summary::{self, Summary};
use super::visits::Visits;
use super::worker::{Job, Worker};
use crate::error::Error;
use crate::output::{NOTICE, Pictures};
use crate::segment::Segmenter;
use crate::source::Source;
use crate::stage::wire::ScanPlan;
use crate::stage::{Controller, Port, Timing};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Fields that may wait to be segmented; the stage waits when there are more.
const QUEUE: usize = 4;

/// What is scanned, and how.
#[derive(Debug, Clone)]
pub struct ScanSettings {
    /// The grid, with a light. Where it names no z, fields have that of the scan that is resumed, or the present one. Its first visit is not asked.
    pub plan: ScanPlan,
    /// Which fields are held against the prior on the controller.
    pub labels: Labels,
    /// Which pictures of each field are written.
    pub pictures: Pictures,
    /// Home the stage where it is not homed, at the beginning and after a reset of the controller.
    pub home: bool,
    /// Go on with the scan in the output folder.
    pub resume: bool,
    /// How long a frame may take after its pulse.
    pub frame_timeout: Duration,
    /// How often a field is visited again.
    pub repeats: u32,
}

/// What is told while a scan goes on, from whichever thread it happens in.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// The first field comes.
    Begun {
        /// Fields that were done before.
        done: usize,
        /// Fields of the plan.
        fields: u32,
    },
    /// A field is done.
    Row(&'a Row),
    /// Something that a person should know.
    Note(&'a str),
}

/// Scans, segments and records every field of a plan. `segmenter` names the output folder and has the wish to stop.
///
/// # Errors
/// [`ScanError`]: everything after which a scan cannot go on by itself. Fields whose frames never came are no error but are in the summary.
pub fn run(
    port: Port,
    timing: Timing,
    source: &mut dyn Source,
    segmenter: &Segmenter,
    settings: &ScanSettings,
    tell: &(dyn Fn(Told<'_>) + Sync),
) -> Result<Summary, ScanError> {
    let begun = Instant::now();
    // What can be refused without the controller is refused before it is asked for anything.
    let (folder, fields) = (segmenter.output(), settings.plan.fields());
    let light = settings.plan.light.filter(|light| light.permille > 0).ok_or(ScanError::NoLight)?;
    let visits = Visits::new(&settings.plan, settings.repeats)?;
    let open = |z| Store::open(folder, &describe(settings, segmenter, z), fields, settings.resume);
    let (z, store) = if settings.resume {
        let z = settings.plan.z.or(recorded_z(&Store::read_scan(folder)?)).unwrap_or_default();
        (Some(z), Some(open(z)?))
    } else {
        Store::refuse_existing(folder)?;
        (settings.plan.z, None)
    };

    let controller = Controller::connect(port, timing)?;
    check_labels(&settings.labels, controller.ping()?.labels)?;
    let (queue, jobs) = sync_channel(QUEUE);
    let mut scanner = Scanner::new(&controller, source, segmenter, settings, light, visits, queue, tell);
    let store = scanner.begin(z, |z| store.map_or_else(|| open(z), Ok))?;
    let before = store.rows().len();
    tell(Told::Begun { done: before, fields });

    let (pictures, columns) = (settings.pictures, settings.plan.columns.into());
    let worker = Worker { segmenter, controller: &controller, pictures, columns, labels: &settings.labels, tell, asks: true, store };
    let (store, mut scanned) = in_parallel(scanner, worker, jobs)?;
    scanned.counts.fields = store.rows().len() - before;
    scanned.counts.seconds = begun.elapsed().as_secs_f64();
    let rows = store.rows();
    let summary = Summary {
        notice: NOTICE,
        lsr_edge: crate::VERSION,
        scan_sha256: store.scan_sha256().to_owned(),
        fields,
        every_field_once: summary::once(rows, fields),
        failed: scanned.failed,
        repeats: rows.iter().map(|row| u64::from(row.visits.saturating_sub(1))).sum(),
        controller_starts: summary::starts(rows),
        cancer: summary::region(rows)?,
        unfit_fields: rows.iter().filter(|row| !row.is_fit()).count(),
        flagged_fields: summary::flagged(rows),
        labels: summary::labels(rows, |label| controller.moments(label).ok()),
        mean_times_ms: summary::mean_times(rows),
        this_run: scanned.counts,
    };
    store.write_summary(&summary)?;
    Ok(summary)
}

/// The scanner here, the worker in a thread of its own. Where the scanner fails, the worker still finishes what it was given.
fn in_parallel(scanner: Scanner<'_>, worker: Worker<'_>, jobs: Receiver<Job>) -> Result<(Store, Scanned), ScanError> {
    let (scanned, worked) = std::thread::scope(|scope| {
        let working = scope.spawn(move || worker.run(jobs));
        // The scanner's end of the queue goes with it, so the worker ends, too.
        let scanned = scanner.scan();
        (scanned, working.join().unwrap_or(Err(ScanError::WorkerEnded)))
    });
    match (scanned, worked) {
        (Ok(scanned), Ok(store)) => Ok((store, scanned)),
        (_, Err(ScanError::Edge(Error::Interrupted))) => Err(ScanError::Interrupted),
        // The worker's error is the cause where both have one.
        (Err(ScanError::WorkerEnded), Err(error)) | (Ok(_), Err(error)) | (Err(error), _) => Err(error),
    }
}

fn check_labels(labels: &Labels, known: u8) -> Result<(), ScanError> {
    match labels.largest() {
        Some(label) if label >= known => Err(ScanError::UnknownLabel { label, labels: known }),
        _ => Ok(()),
    }
}
