//! A field on its way: decoded, looked at, kept.

use super::seen::{Pixels, Seen};
use super::statistics::Judged;
use super::{Given, Live, LiveEvent, milliseconds};
use crate::error::Error;
use crate::field::{Field, PixelSize};
use crate::output::{NOTICE, Timings};
use crate::segment::Clock;
use crate::session::{FieldRecord, Kind, ScanPlace, SessionStore, StageTimes, utc_text};
use crate::source::{Frame, Position};
use lsr_core::{BlockMoments, Drift};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

/// A frame that is decoded, and what is known of it.
pub(crate) struct Arrival {
    pub(crate) name: String,
    pub(crate) field: Field,
    pub(crate) input_sha256: String,
    /// When it was seen first.
    pub(crate) seen: Instant,
    /// The same by the wall clock.
    pub(crate) utc: SystemTime,
    pub(crate) position: Option<Position>,
    pub(crate) label: Option<u8>,
    /// Its place in a scan, which gives it its number.
    pub(crate) scan: Option<ScanPlace>,
    /// Until now.
    pub(crate) times: StageTimes,
}

/// A field that was looked at; nobody knows of it yet.
pub(crate) struct Draft {
    pub(crate) record: FieldRecord,
    pixels: Pixels,
    block: BlockMoments<f64>,
    pictures: Vec<(Kind, Arc<[u8]>)>,
    seen: Instant,
}

/// What a monitor elsewhere says of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) z_score: Option<f64>,
    pub(crate) alarm: Option<Drift>,
}

impl Live {
    /// Decodes a frame.
    ///
    /// # Errors
    /// What is wrong with the picture.
    pub(super) fn arrival(&self, frame: Frame, given: &Given) -> Result<Arrival, Error> {
        let taken = Instant::now();
        let Frame { name, picture, seen, utc, position, pixel_size } = frame;
        let given_size = given.um_per_px.map(PixelSize::of_request);
        let pixel_size = pixel_size.or(given_size).unwrap_or_else(|| self.segmenter.pixel_size());
        let input_sha256 = picture.sha256();
        let field = picture.field(pixel_size, self.settings.max_pixels)?;
        let label = given.label.or_else(|| self.settings.labels.of(&name));
        let times = StageTimes { capture: milliseconds(taken - seen), decode: milliseconds(taken.elapsed()), ..StageTimes::default() };
        Ok(Arrival { name, field, input_sha256, seen, utc, position, label, scan: None, times })
    }

    /// Segments a field and encodes the pictures that are kept of it.
    ///
    /// # Errors
    /// [`Error::Model`], [`Error::TooLarge`], [`Error::Interrupted`], [`Error::Moments`].
    pub(crate) fn look(&self, arrival: Arrival) -> Result<Draft, Error> {
        let Arrival { name, field, input_sha256, seen, utc, position, label, scan, mut times } = arrival;
        let threshold = self.threshold();
        let (mut clock, mut timings) = (Clock(Instant::now()), Timings::default());
        let found = self.segmenter.find(&field, threshold, &mut timings, &|_| ())?;
        clock.lap();
        times.inference = timings.resample + timings.inference;
        times.mask = timings.training_distance + timings.mask;

        let (width, height) = field.image.dimensions();
        let pixel_size = field.pixel_size;
        let pixels = Pixels::new(field.image, found.probability, found.mask);
        let encode = |&kind: &Kind| Ok((kind, pixels.png(kind)?));
        let pictures = self.settings.keep.iter().map(encode).collect::<Result<Vec<_>, Error>>()?;
        times.encode = clock.lap();

        let sums = found.sums;
        let block = BlockMoments::from_u8_sums(sums)?;
        let number = match &scan {
            Some(scan) => u64::from(scan.field) + 1,
            None => self.numbers.fetch_add(1, Ordering::Relaxed) + 1,
        };
        let record = FieldRecord {
            session: self.session.id.clone(),
            number,
            name,
            seen_utc: utc_text(utc),
            seen_ms: milliseconds(seen.saturating_duration_since(self.begun)),
            input_sha256,
            width,
            height,
            um_per_px: pixel_size.um_per_px,
            um_per_px_source: pixel_size.source.words(),
            position,
            scan,
            threshold,
            pixels: sums.pixels,
            sum: sums.sum,
            sum_of_squares: sums.sum_of_squares,
            cancer: found.cancer,
            quality: found.quality,
            training_distance: found.training_distance,
            label,
            z_score: None,
            alarm: None,
            artefacts: Vec::new(),
            times_ms: times,
            model_sha256: self.session.model_sha256.clone(),
            lsr_edge: crate::VERSION.to_owned(),
            notice: NOTICE.to_owned(),
        };
        Ok(Draft { record, pixels, block, pictures, seen })
    }

    /// How many standard deviations the count of a field lies above the prior, if it has a label and is fit to be counted. Nothing is counted by that.
    ///
    /// # Errors
    /// [`Error::Moments`].
    pub(crate) fn z_score(&self, draft: &Draft) -> Result<Option<f64>, Error> {
        Ok(self.journal().statistics.judge(&draft.record, &draft.block)?.as_ref().map(Judged::z_score))
    }

    /// Keeps a field and then tells of it. It is held against the session's own prior, unless another monitor has judged it.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Store`], [`Error::Moments`]. Nothing is told of a field that is not kept.
    pub(crate) fn keep(&self, draft: Draft, verdict: Option<Verdict>) -> Result<Arc<Seen>, Error> {
        let Draft { mut record, pixels, block, pictures, seen } = draft;
        let mut clock = Clock(Instant::now());
        let number = record.number;
        let write =
            |(kind, bytes): &(Kind, Arc<[u8]>)| SessionStore::write_picture(&self.settings.folder, &self.session.id, number, *kind, bytes);
        record.artefacts = pictures.iter().map(write).collect::<Result<_, _>>()?;

        let mut journal = self.journal();
        let judged = match verdict {
            None => journal.statistics.judge(&record, &block)?,
            Some(_) => None,
        };
        let own = || Verdict { z_score: judged.as_ref().map(Judged::z_score), alarm: judged.as_ref().and_then(Judged::alarm) };
        let Verdict { z_score, alarm } = verdict.unwrap_or_else(own);
        (record.z_score, record.alarm) = (z_score, alarm);
        journal.store.add(&record)?;
        let stored = clock.lap();
        journal.statistics.take(&record, &block, judged);
        if let Some(position) = record.position {
            journal.mosaic.place(position, record.um_per_px, &pixels.image, &pixels.mask);
        }
        let (times, alarm) = (record.times_ms, record.alarm.is_some());
        let field = Arc::new(Seen::new(record, pixels));
        self.recent.push(Arc::clone(&field));
        self.tell(LiveEvent::Field { number, alarm });
        journal.latency.add(&times, [stored, clock.lap()], milliseconds(seen.elapsed()));
        Ok(field)
    }
}
