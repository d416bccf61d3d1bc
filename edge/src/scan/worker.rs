//! The thread that segments: frames in, kept fields out, while the stage is on its way to the next field.

use super::error::ScanError;
use super::run::{Judge, Told};
use crate::field::Field;
use crate::live::{Arrival, Live, Verdict, milliseconds};
use crate::session::{ScanPlace, ScanTimes, StageTimes, UnlikelyVisit};
use crate::source::Position;
use crate::stage::wire::{Consistency, Direction, Exposure, FieldSummary};
use crate::stage::{Controller, StageError, position_um};
use lsr_core::Drift;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Instant, SystemTime};

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
    pub(super) seen: Instant,
    pub(super) utc: SystemTime,
    pub(super) times: ScanTimes,
    pub(super) decode_ms: f64,
    /// When its frame was decoded.
    pub(super) taken: Instant,
}

/// What became of a job.
pub(super) enum Done {
    /// The field is kept.
    Kept,
    /// Its count is so unlikely that it should be looked at once more.
    Unlikely { field: u32, z_score: f64 },
}

pub(super) struct Worker<'a> {
    pub(super) live: &'a Live,
    pub(super) controller: &'a Controller,
    pub(super) judge: Judge,
    /// Standard deviations beyond which a field is looked at once more.
    pub(super) repeat_beyond: Option<f64>,
    pub(super) columns: u32,
    pub(super) labels: &'a super::Labels,
    pub(super) tell: &'a (dyn Fn(Told<'_>) + Sync),
    /// Whether the controller can still be asked.
    pub(super) asks: bool,
    /// Visits whose count was unlikely, of fields that are not kept yet.
    pub(super) unlikely: HashMap<u32, UnlikelyVisit>,
    pub(super) done: Sender<Done>,
}

impl Worker<'_> {
    /// Works until there is nothing more to come.
    pub(super) fn run(mut self, jobs: Receiver<Job>) -> Result<(), ScanError> {
        for job in jobs {
            let done = self.work(job)?;
            // The scanner may have ended with an error of its own; what it has handed on is kept all the same.
            let _ = self.done.send(done);
        }
        Ok(())
    }

    fn work(&mut self, job: Job) -> Result<Done, ScanError> {
        let Job { field, visits, exposure, boot, frame, frame_sha256, picture, seen, utc, mut times, decode_ms, taken } = job;
        times.queue = milliseconds(taken.elapsed());
        let position = position_um(&exposure.position);
        let scan = ScanPlace {
            field,
            row: field / self.columns,
            column: field % self.columns,
            visits,
            trigger_id: exposure.trigger_id,
            boot,
            exposed_us: exposure.time_us,
            position_um: position,
            light_permille: exposure.light,
            unlikely: self.unlikely.get(&field).copied().into_iter().collect(),
            times_ms: times,
        };
        let mut draft = self.live.look(Arrival {
            name: frame,
            field: picture,
            input_sha256: frame_sha256,
            seen,
            utc,
            position: Some(Position { x_um: position[0], y_um: position[1] }),
            label: self.labels.of(field),
            scan: Some(scan),
            times: StageTimes { capture: milliseconds(seen.elapsed()), decode: decode_ms, ..StageTimes::default() },
        })?;
        let name = format!("field {field}");
        if let Some(warning) = draft.record.quality.warning(&name) {
            (self.tell)(Told::Note(&warning));
        }
        if let Some(warning) = draft.record.training_distance.as_ref().and_then(|distance| distance.warning(&name)) {
            (self.tell)(Told::Note(&warning));
        }
        let asked = Instant::now();
        let verdict = match self.judge {
            Judge::Host => None,
            Judge::Controller => {
                let label = draft.record.label.filter(|_| draft.record.quality.fit);
                let judged = label.map(|label| self.ask(FieldSummary::new(label, draft.record.sums()), field)).transpose()?.flatten();
                Some(judged.map_or_else(Verdict::default, verdict_of))
            }
        };
        let z_score = match verdict {
            Some(verdict) => verdict.z_score,
            None => self.live.z_score(&draft)?,
        };
        if let Some(z_score) = z_score.filter(|z| self.repeat_beyond.is_some_and(|limit| z.abs() > limit))
            && !self.unlikely.contains_key(&field)
        {
            let (trigger_id, count_fraction) = (exposure.trigger_id, draft.record.cancer.count_fraction);
            self.unlikely.insert(field, UnlikelyVisit { trigger_id, count_fraction, z_score });
            return Ok(Done::Unlikely { field, z_score });
        }
        if let Some(scan) = &mut draft.record.scan {
            scan.times_ms.judge = milliseconds(asked.elapsed());
        }
        let seen = self.live.keep(draft, verdict)?;
        (self.tell)(Told::Field(seen.record()));
        Ok(Done::Kept)
    }

    /// Asks the controller what it makes of a field. A question that was not sent is asked again, as is one to a controller that has forgotten it in
    /// a reset. One whose answer is lost otherwise is not, since the field would count twice in the controller's moments: such a field has no score.
    fn ask(&mut self, summary: FieldSummary, field: u32) -> Result<Option<Consistency>, ScanError> {
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

fn verdict_of(judged: Consistency) -> Verdict {
    let drift = |direction| match direction {
        Direction::Above => Drift::Above,
        Direction::Below => Drift::Below,
    };
    Verdict { z_score: Some(judged.z_score.into()), alarm: judged.alarm.map(drift) }
}
