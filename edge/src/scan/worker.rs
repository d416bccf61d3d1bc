//! The thread that segments: frames in, rows out, while the stage is on its way to the next field.

use super::error::ScanError;
use super::labels::Labels;
use super::run::Told;
use super::store::{FieldTimes, Row, Store};
use crate::field::Field;
use crate::output::{OutputFiles, Pictures, Timings};
use crate::segment::{Clock, Segmenter};
use crate::stage::wire::{Consistency, Exposure, FieldSummary};
use crate::stage::{Controller, StageError, direction_word, position_um};
use lsr_core::U8Sums;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// A field with its frame.
pub(super) struct Job {
    pub(super) field: u32,
    pub(super) visits: u32,
    pub(super) exposure: Exposure,
    /// The controller's start.
    pub(super) boot: u32,
    pub(super) frame: String,
    pub(super) frame_sha256: String,
    pub(super) picture: Field,
    pub(super) times: FieldTimes,
    /// When its frame was decoded.
    pub(super) taken: Instant,
}

pub(super) struct Worker<'a> {
    pub(super) segmenter: &'a Segmenter,
    pub(super) controller: &'a Controller,
    pub(super) pictures: Pictures,
    pub(super) columns: u32,
    pub(super) labels: &'a Labels,
    pub(super) tell: &'a (dyn Fn(Told<'_>) + Sync),
    /// Whether the controller can still be asked.
    pub(super) asks: bool,
    pub(super) store: Store,
}

impl Worker<'_> {
    /// Works until there is nothing more to come, and gives the store back.
    pub(super) fn run(mut self, jobs: Receiver<Job>) -> Result<Store, ScanError> {
        for job in jobs {
            let row = self.row(job)?;
            let row = self.store.append(row)?;
            (self.tell)(Told::Row(row));
        }
        Ok(self.store)
    }

    fn row(&mut self, job: Job) -> Result<Row, ScanError> {
        let Job { field, visits, exposure, boot, frame, frame_sha256, picture, mut times, taken } = job;
        times.queue = ms(taken.elapsed());
        let (mut clock, mut timings) = (Clock(Instant::now()), Timings::default());
        let found = self.segmenter.find(&picture, self.segmenter.settings().threshold, &mut timings, &|_| ())?;
        times.inference = clock.lap();
        let (row, column) = (field / self.columns, field % self.columns);
        let files = OutputFiles::new(self.segmenter.output(), &format!("r{row:03}-c{column:03}"));
        let paths = files.write_pictures(picture.image, &found.mask, &found.probability, self.pictures)?;
        times.write = clock.lap();
        let mut sums = U8Sums::default();
        sums.push_row(&found.probability);
        let label = self.labels.of(field);
        let judged =
            label.filter(|_| found.quality.fit).map(|label| self.judge(FieldSummary::new(label, sums), field)).transpose()?.flatten();
        times.judge = clock.lap();
        if let Some(warning) = found.quality.warning(&format!("field {field}")) {
            (self.tell)(Told::Note(&warning));
        }
        if let Some(warning) = found.training_distance.as_ref().and_then(|distance| distance.warning(&format!("field {field}"))) {
            (self.tell)(Told::Note(&warning));
        }
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Row {
            field,
            row,
            column,
            visits,
            trigger_id: exposure.trigger_id,
            boot,
            time_us: exposure.time_us,
            position_um: position_um(&exposure.position),
            light_permille: exposure.light,
            frame,
            frame_sha256,
            pictures: paths.iter().map(|path| name(path)).collect(),
            pixels: sums.pixels,
            sum: sums.sum,
            sum_of_squares: sums.sum_of_squares,
            cancer: found.cancer,
            quality: Some(found.quality),
            training_distance: found.training_distance,
            label,
            z_score: judged.map(|judged| judged.z_score),
            alarm: judged.and_then(|judged| judged.alarm).map(|alarm| direction_word(alarm).to_owned()),
            model_sha256: self.segmenter.model().card().sha256.clone(),
            lsr_edge: crate::VERSION.to_owned(),
            scan_sha256: self.store.scan_sha256().to_owned(),
            times_ms: times,
        })
    }

    /// Asks the controller what it makes of a field. A question that was not sent is asked again, as is one to a controller that has forgotten it in
    /// a reset. One whose answer is lost otherwise is not, since the field would count twice in the controller's moments: such a field has no score.
    fn judge(&mut self, summary: FieldSummary, field: u32) -> Result<Option<Consistency>, ScanError> {
        while self.asks {
            let boot = self.controller.welcome().map(|welcome| welcome.boot).ok();
            match self.controller.field(summary) {
                Ok(judged) => return Ok(Some(judged)),
                Err(StageError::NotSent { .. }) => {}
                Err(StageError::Refused(code)) => return Err(StageError::Refused(code).into()),
                Err(error) => {
                    let lost = matches!(error, StageError::Unknown { .. });
                    if lost && self.controller.welcome().is_ok_and(|welcome| Some(welcome.boot) != boot) {
                        continue;
                    }
                    (self.tell)(Told::Note(&format!("field {field} is not held against the prior: {error}")));
                    // Each further question would wait for a controller that is gone.
                    self.asks = lost;
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }
}

/// Milliseconds, to a microsecond.
pub(super) fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
