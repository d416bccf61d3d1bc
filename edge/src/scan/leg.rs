//! A stretch of fields that are visited one after the other: one pulse, one frame, on to the next.

use super::clock::Clock;
use super::error::ScanError;
use super::mark::brightness;
use super::scanner::{REST, Scanner};
use super::worker::Job;
use crate::error::one_line;
use crate::field::MAX_PIXELS;
use crate::live::milliseconds;
use crate::session::ScanTimes;
use crate::source::Frame;
use crate::stage::StageError;
use crate::stage::wire::{Ending, ErrorCode, Event, Exposure, ScanPlan};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long one wait for news of the controller is; a frame is noticed as late as that.
const LOOK: Duration = Duration::from_millis(2);
/// Longest time of a move with its rest and pulse.
const TRAVEL: Duration = Duration::from_secs(180);

/// What came of a visit.
enum Visit {
    /// One pulse, one frame; and whether the scan has ended with it.
    Taken { frame: Frame, exposure: Exposure, exposed: Instant, over: bool },
    /// Something else, in words.
    Doubt(String),
}

impl Scanner<'_> {
    /// Visits these fields; ends early where something is in doubt. Either way the stage rests afterwards.
    pub(super) fn leg(&mut self, run: Range<u32>) -> Result<(), ScanError> {
        // News of before is of no interest at rest.
        while self.controller.event(Duration::ZERO).is_some() {}
        let plan = ScanPlan { first_visit: run.start, z: Some(self.z), light: Some(self.light), ..self.settings.plan };
        let asked = Instant::now();
        let operation = self.controller.scan(plan)?;
        self.controller.pause_scan().or_else(ended)?;
        let mut clock = self.read_clock(asked)?;
        let last = run.end - 1;
        let mut over = false;
        for visit in run {
            let Some(field) = self.visits.field(visit) else { break };
            match self.visit(operation, field, &clock)? {
                Visit::Doubt(reason) => {
                    self.doubt(field, &reason);
                    break;
                }
                Visit::Taken { frame, exposure, exposed, over: ended } => {
                    over = ended;
                    let (travel, waited) = (milliseconds(exposed.duration_since(clock.asked)), milliseconds(exposed.elapsed()));
                    // The stage goes on while the frame is looked at.
                    if visit < last && !over {
                        clock = self.go_on()?;
                    }
                    if let Err(reason) = self.take(field, frame, exposure, ScanTimes { travel, frame: waited, ..ScanTimes::default() }) {
                        self.doubt(field, &reason);
                        break;
                    }
                }
            }
        }
        if !over {
            self.controller.come_to_rest(REST)?;
        }
        Ok(())
    }

    /// Lets the paused scan go to its next field, and no further.
    fn go_on(&self) -> Result<Clock, ScanError> {
        let asked = Instant::now();
        self.controller.resume_scan().or_else(ended)?;
        self.controller.pause_scan().or_else(ended)?;
        self.read_clock(asked)
    }

    fn read_clock(&self, asked: Instant) -> Result<Clock, ScanError> {
        let read = Instant::now();
        Ok(Clock { asked, read: Some((read, self.controller.status()?.uptime_us)) })
    }

    /// Waits for the pulse of this field and for its frame.
    fn visit(&mut self, operation: u32, field: u32, clock: &Clock) -> Result<Visit, ScanError> {
        let mut frames: Vec<Frame> = Vec::new();
        let mut pulse: Option<(Exposure, Instant)> = None;
        let (mut rests, mut over) = (false, false);
        loop {
            self.check()?;
            while let Some(frame) = self.frame_within(Duration::ZERO)? {
                frames.push(frame);
            }
            if let Some((exposure, exposed)) = pulse {
                if frames.len() > 1 {
                    return Ok(self.strays(&frames, "more than one frame came for its pulse"));
                }
                if rests && let Some(frame) = frames.pop() {
                    return Ok(Visit::Taken { frame, exposure, exposed, over });
                }
                if exposed.elapsed() > self.settings.frame_timeout && frames.is_empty() {
                    return Ok(Visit::Doubt(format!("no frame came within {} s", self.settings.frame_timeout.as_secs_f64())));
                }
            }
            match self.controller.event(LOOK) {
                Some(Event::FieldExposed { field: found, exposure }) if exposure.operation == operation => {
                    if found != field || pulse.is_some() {
                        return Ok(Visit::Doubt(format!("the controller went on to field {found}")));
                    }
                    while let Some(frame) = self.frame_within(Duration::ZERO)? {
                        frames.push(frame);
                    }
                    let earliest = clock.earliest(exposure.time_us);
                    if frames.iter().any(|frame| frame.seen < earliest) {
                        let doubt = self.strays(&frames, "a frame came before its pulse");
                        self.take_back("another frame came after its own");
                        return Ok(doubt);
                    }
                    self.hand_on()?;
                    pulse = Some((exposure, Instant::now()));
                }
                // Paused before it has begun to move: it had not sent its news yet.
                Some(Event::ScanPaused { operation: of, .. }) if of == operation && pulse.is_none() => {
                    self.controller.resume_scan().or_else(ended)?;
                    self.controller.pause_scan().or_else(ended)?;
                }
                Some(Event::ScanPaused { operation: of, .. }) if of == operation => rests = true,
                Some(Event::Finished { operation: of, ending, .. }) if of == operation => match ending {
                    Ending::Done if pulse.is_some() => (rests, over) = (true, true),
                    Ending::Done => return Ok(Visit::Doubt("the controller ended the scan before it".to_owned())),
                    Ending::Stopped => return Err(StageError::Stopped.into()),
                    Ending::Faulted(fault) => return Err(ScanError::Faulted(fault)),
                },
                Some(_) => {}
                None if Some(self.controller.welcome()?.boot) != self.boot => return Err(StageError::Restarted.into()),
                None if clock.asked.elapsed() > TRAVEL => {
                    return Err(StageError::TimeOut { what: "the way to a field", seconds: TRAVEL.as_secs_f64() }.into());
                }
                None => {}
            }
        }
    }

    fn strays(&mut self, frames: &[Frame], what: &str) -> Visit {
        self.counts.stray_frames += frames.len() as u32;
        let names: Vec<&str> = frames.iter().map(|frame| frame.name.as_str()).collect();
        Visit::Doubt(format!("{what} ({})", names.join(", ")))
    }

    /// Takes a frame for a field's, and holds the field back until the next pulse. Otherwise says why not.
    fn take(&mut self, field: u32, frame: Frame, exposure: Exposure, times: ScanTimes) -> Result<(), String> {
        let begun = Instant::now();
        let Frame { name, picture, seen, utc, .. } = frame;
        let refused = |reason: String| format!("its frame {name} cannot be used: {reason}");
        let frame_sha256 = picture.sha256();
        let picture = picture.field(self.pixel_size, MAX_PIXELS).map_err(|error| refused(one_line(&error)))?;
        let level = brightness(&picture.image);
        if level <= self.dark_limit() {
            return Err(refused(format!("its mean level {level:.0} of 255 is that of darkness")));
        }
        let decode_ms = milliseconds(begun.elapsed());
        let taken = Instant::now();
        self.visits.take(field);
        let (visits, boot) = (self.visits.count(field), self.boot.unwrap_or_default());
        self.held = Some(Job { field, visits, exposure, boot, frame: name, frame_sha256, picture, seen, utc, times, decode_ms, taken });
        Ok(())
    }
}

/// A scan that is over needs no word any more; how it ended is told by its event.
fn ended(error: StageError) -> Result<(), StageError> {
    match error {
        StageError::Refused(ErrorCode::NoScan | ErrorCode::ScanNotPaused) => Ok(()),
        other => Err(other),
    }
}
