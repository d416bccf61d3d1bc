//! Fields as they come, one after the other: from a frame to a field of a session that everybody may look at.
//!
//! ```text
//! Frame ─ decode ─► network ─► mask, quality, distance ─ encode ─► pictures on the disk ─► Monitor ─► row on the disk ─► Recent, Mosaic, events
//! ```
//!
//! [`Live::process`] is this line; a scan takes its two halves, to ask the controller in between. A field is told of only when it is kept.

mod draft;
mod labels;
mod latency;
mod mosaic;
mod prior;
mod recent;
mod run;
mod seen;
mod statistics;

pub(crate) use draft::{Arrival, Verdict};
pub use labels::NameLabels;
pub use latency::{Latency, StageLatency};
pub use mosaic::MosaicView;
pub use prior::CountTable;
pub use run::run;
pub use seen::Seen;
pub use statistics::{LabelPoint, LabelView, StatisticsView};

use crate::error::{Error, one_line};
use crate::output::{NOTICE, png};
use crate::segment::Segmenter;
use crate::session::{FieldRecord, Kind, SessionRecord, SessionStore, utc_text};
use crate::source::{Frame, Policy};
use image::ExtendedColorType;
use lsr_core::{BlockMoments, MonitorConfig};
use mosaic::Mosaic;
use recent::Recent;
use serde::Serialize;
use serde_json::{Value, json};
use statistics::Statistics;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// Events that a slow listener may be behind; it misses the older ones.
const EVENTS: usize = 64;

/// How fields are worked on and kept.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Folder of the store.
    pub folder: PathBuf,
    /// Name of this device.
    pub device: String,
    /// Where fields come from, in words.
    pub source: String,
    /// What becomes of frames that come too fast.
    pub policy: Policy,
    /// Pictures that are kept of every field.
    pub keep: Vec<Kind>,
    /// Labels of fields.
    pub labels: NameLabels,
    /// The count prior of the labels.
    pub prior: CountTable,
    /// When an alarm is raised.
    pub monitor: MonitorConfig<f64>,
    /// Most pixels of a field.
    pub max_pixels: u64,
    /// Whether fields wait for a broker to take them.
    pub tell: bool,
    /// What a scan does besides; none where no stage is sent anywhere.
    pub scan: Option<Value>,
}

/// What is said of a field from outside.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Its label.
    pub label: Option<u8>,
    /// Its pixel size, where it comes without one.
    pub um_per_px: Option<f64>,
}

/// What happens, as listeners hear it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LiveEvent {
    /// A field is kept.
    Field {
        /// Its number.
        number: u64,
        /// Its label's alarm.
        alarm: bool,
    },
    /// A frame that is no field.
    Failed {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// Settings or alarms have changed.
    Changed,
    /// The source has ended.
    Ended {
        /// Why, unless by itself.
        reason: Option<String>,
    },
}

/// What the source is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SourceState {
    /// There is none: fields are posted.
    None,
    /// Frames come.
    Running,
    /// It has given its last frame.
    Ended,
    /// It has failed.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A session that goes on.
pub struct Live {
    segmenter: Segmenter,
    settings: LiveSettings,
    session: SessionRecord,
    begun: Instant,
    numbers: AtomicU64,
    failed: AtomicU64,
    threshold: RwLock<f32>,
    source: Mutex<SourceState>,
    frames: Mutex<[u64; 2]>,
    journal: Mutex<Journal>,
    recent: Recent,
    events: broadcast::Sender<LiveEvent>,
}

/// What every field changes, in one order for all.
struct Journal {
    store: SessionStore,
    statistics: Statistics,
    mosaic: Mosaic,
    latency: Latency,
}

impl Live {
    /// Begins a session.
    ///
    /// # Errors
    /// [`Error::OutputFolder`], [`Error::Store`]; [`Error::Moments`] for a prior or a monitor that core refuses.
    pub fn begin(segmenter: Segmenter, settings: LiveSettings) -> Result<Self, Error> {
        let session = described(&segmenter, &settings, SessionStore::new_id(&settings.folder)?);
        let store = SessionStore::begin(&settings.folder, session.clone(), settings.tell)?;
        Self::of(segmenter, settings, session, store)
    }

    /// Goes on with a session that has ended, and says which fields it has. What was counted then is counted again.
    ///
    /// # Errors
    /// [`Error::OtherSession`], [`Error::Store`], [`Error::Moments`].
    pub fn go_on(segmenter: Segmenter, settings: LiveSettings, session: SessionRecord) -> Result<(Self, Vec<FieldRecord>), Error> {
        let wanted = described(&segmenter, &settings, session.id.clone());
        let (store, fields) = SessionStore::go_on(&settings.folder, &session, &wanted, settings.tell)?;
        let live = Self::of(segmenter, settings, session, store)?;
        let mut journal = live.journal();
        for field in &fields {
            let block = BlockMoments::from_u8_sums(field.sums())?;
            let judged = journal.statistics.judge(field, &block)?;
            journal.statistics.take(field, &block, judged);
        }
        drop(journal);
        live.numbers.store(fields.iter().map(|field| field.number).max().unwrap_or(0), Ordering::Relaxed);
        Ok((live, fields))
    }

    fn of(segmenter: Segmenter, settings: LiveSettings, session: SessionRecord, store: SessionStore) -> Result<Self, Error> {
        let statistics = Statistics::new(&settings.prior, settings.monitor)?;
        let threshold = RwLock::new(segmenter.settings().threshold);
        let journal = Journal { store, statistics, mosaic: Mosaic::new(), latency: Latency::new()? };
        Ok(Self {
            segmenter,
            settings,
            session,
            begun: Instant::now(),
            numbers: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            threshold,
            source: Mutex::new(SourceState::None),
            frames: Mutex::new([0; 2]),
            journal: Mutex::new(journal),
            recent: Recent::new(),
            events: broadcast::channel(EVENTS).0,
        })
    }

    /// Makes a field of a frame: segments it, keeps it, and then tells of it.
    ///
    /// # Errors
    /// What is wrong with the picture; [`Error::Model`], [`Error::Write`], [`Error::Store`]. Nothing is told of a field that is not kept.
    pub fn process(&self, frame: Frame, given: &Given) -> Result<Arc<Seen>, Error> {
        let result = self.processed(frame, given);
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    fn processed(&self, frame: Frame, given: &Given) -> Result<Arc<Seen>, Error> {
        let arrival = self.arrival(frame, given)?;
        self.keep(self.look(arrival)?, None)
    }

    /// Tells of a frame that became no field.
    pub fn tell_failed(&self, name: &str, error: &Error) {
        self.tell(LiveEvent::Failed { name: name.to_owned(), reason: one_line(error) });
    }

    fn tell(&self, event: LiveEvent) {
        // Nobody listening is no error.
        let _ = self.events.send(event);
    }

    /// Hears what happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<LiveEvent> {
        self.events.subscribe()
    }

    /// The session.
    pub fn session(&self) -> &SessionRecord {
        &self.session
    }

    /// How it is done.
    pub fn settings(&self) -> &LiveSettings {
        &self.settings
    }

    /// The fields that came last.
    pub fn recent(&self) -> Vec<Arc<Seen>> {
        self.recent.all()
    }

    /// The last field.
    pub fn latest(&self) -> Option<Arc<Seen>> {
        self.recent.all().pop()
    }

    /// A field, while it is among the last ones.
    pub fn recent_field(&self, number: u64) -> Option<Arc<Seen>> {
        self.recent.all().into_iter().find(|seen| seen.record().number == number)
    }

    /// Counts by label, and of all.
    pub fn statistics(&self) -> StatisticsView {
        self.journal().statistics.view()
    }

    /// How long what takes.
    pub fn latency(&self) -> Vec<StageLatency> {
        self.journal().latency.view()
    }

    /// How long since the session began.
    pub fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Frames that failed.
    pub fn failures(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Where the mosaic lies; none before the first field with a position.
    pub fn mosaic(&self) -> Option<MosaicView> {
        self.journal().mosaic.view()
    }

    /// The mosaic as a PNG, with or without the mask.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn mosaic_png(&self, with_mask: bool) -> Result<Option<Vec<u8>>, Error> {
        let drawn = self.journal().mosaic.drawn(with_mask);
        let encode =
            |image: image::RgbImage| png(Path::new("mosaic.png"), image.as_raw(), [image.width(), image.height()], ExtendedColorType::Rgb8);
        drawn.map(encode).transpose()
    }

    /// The mask's threshold for fields from now on.
    pub fn threshold(&self) -> f32 {
        *self.threshold.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets it.
    ///
    /// # Errors
    /// [`Error::Flag`] outside (0, 1).
    pub fn set_threshold(&self, threshold: f32) -> Result<(), Error> {
        if !(threshold > 0.0 && threshold < 1.0) {
            return Err(Error::Flag { flag: "threshold", value: threshold.into(), expected: "a number in (0, 1)" });
        }
        *self.threshold.write().unwrap_or_else(PoisonError::into_inner) = threshold;
        self.tell(LiveEvent::Changed);
        Ok(())
    }

    /// A person has seen the alarm of a label.
    ///
    /// # Errors
    /// [`Error::Moments`] for a label without a prior.
    pub fn acknowledge(&self, label: u8) -> Result<(), Error> {
        self.journal().statistics.acknowledge(label)?;
        self.tell(LiveEvent::Changed);
        Ok(())
    }

    /// What the source is doing.
    pub fn source_state(&self) -> SourceState {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_source_state(&self, state: SourceState) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Frames that the source has given, and those of them that were dropped.
    pub fn frames(&self) -> [u64; 2] {
        *self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_frames(&self, frames: [u64; 2]) {
        *self.frames.lock().unwrap_or_else(PoisonError::into_inner) = frames;
    }

    /// Name of the class of the mask.
    pub(crate) fn mask_class(&self) -> &str {
        self.segmenter.model().card().metadata.mask_class_name()
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session, as it is kept.
fn described(segmenter: &Segmenter, settings: &LiveSettings, id: String) -> SessionRecord {
    let card = segmenter.model().card();
    let described = json!({
        "segmentation": segmenter.settings(),
        "keep": settings.keep,
        "policy": match settings.policy {
            Policy::Newest => "newest",
            Policy::Every => "every",
        },
        "labels": settings.labels,
        "prior": settings.prior,
        "monitor": settings.monitor,
        "max_pixels": settings.max_pixels,
        "scan": settings.scan,
    });
    SessionRecord {
        id,
        begun_utc: utc_text(SystemTime::now()),
        device: settings.device.clone(),
        source: settings.source.clone(),
        settings: described,
        model_sha256: card.sha256.clone(),
        model: serde_json::to_value(card).unwrap_or_default(),
        lsr_edge: crate::VERSION.to_owned(),
        notice: NOTICE.to_owned(),
    }
}

/// Milliseconds to a microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
