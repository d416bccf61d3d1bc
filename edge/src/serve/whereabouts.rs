//! Where the stage rests, so that a field that comes by itself can be said to be of that place.

use super::stage::StageLink;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::source::{Frame, Next, Position, Source};
use crate::stage::micrometres;
use crate::stage::wire::{StageState, Status};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two looks at the stage.
const LOOK: Duration = Duration::from_millis(100);
/// Between two tries to find it.
const AWAY: Duration = Duration::from_secs(2);
/// How long the stage must have rested when a frame is seen: the frame may be older than that moment.
const RESTED: Duration = Duration::from_millis(500);
/// How old the last look may be.
const FRESH: Duration = Duration::from_millis(500);

/// A rest of the stage that is going on as far as is known.
#[derive(Debug, Clone, Copy)]
struct Rest {
    position: Position,
    since: Instant,
    seen: Instant,
}

/// Where the stage rests. A command ends the rest at once, not only when the next look finds it moving.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// The rest, and how many commands there were: a look that was begun before one says nothing.
    rest: Mutex<(Option<Rest>, u64)>,
}

impl Whereabouts {
    /// A command is about to be given, or was just given.
    pub(super) fn disturb(&self) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        *rest = (None, rest.1 + 1);
    }

    fn commands(&self) -> u64 {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// What a look that was begun after so many commands has found.
    fn looked(&self, commands: u64, found: Option<Position>) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.1 != commands {
            return;
        }
        let now = Instant::now();
        rest.0 = found.map(|position| match rest.0 {
            Some(before) if before.position == position => Rest { seen: now, ..before },
            _ => Rest { position, since: now, seen: now },
        });
    }

    /// Where the stage stood for a frame that was seen then; nothing where it had not rested for long enough.
    fn at(&self, seen: Instant) -> Option<Position> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner).0?;
        (rest.since + RESTED <= seen && seen <= rest.seen + FRESH).then_some(rest.position)
    }
}

impl StageLink {
    /// Looks where the stage rests, until a stop is asked for.
    pub fn watch(&self, interrupt: &Interrupt) {
        while !interrupt.is_set() {
            let commands = self.whereabouts().commands();
            let found = self.status();
            let pause = if found.is_ok() { LOOK } else { AWAY };
            self.whereabouts().looked(commands, found.ok().as_ref().and_then(rests_at));
            let until = Instant::now() + pause;
            while !interrupt.is_set() && Instant::now() < until {
                sleep(LOOK.min(pause));
            }
        }
    }
}

/// The place of a stage that is homed and at rest.
fn rests_at(status: &Status) -> Option<Position> {
    let rests = status.state == StageState::Idle && status.operation.is_none() && status.homed.x && status.homed.y;
    rests.then(|| Position { x_um: micrometres(status.position.x), y_um: micrometres(status.position.y) })
}

/// A source whose frames are of the place where the stage rests.
pub struct Placed<'a> {
    source: &'a mut dyn Source,
    stage: &'a StageLink,
}

impl<'a> Placed<'a> {
    /// Frames that know their place keep it.
    pub fn new(source: &'a mut dyn Source, stage: &'a StageLink) -> Self {
        Self { source, stage }
    }
}

impl Source for Placed<'_> {
    fn next(&mut self, patience: Duration) -> Result<Next, Error> {
        Ok(match self.source.next(patience)? {
            Next::Frame(frame) if frame.position.is_none() => {
                let position = self.stage.whereabouts().at(frame.seen);
                Next::Frame(Frame { position, ..frame })
            }
            other => other,
        })
    }

    fn is_live(&self) -> bool {
        self.source.is_live()
    }

    fn passed_over(&self) -> usize {
        self.source.passed_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_needs_a_rest_that_no_command_ended() {
        let whereabouts = Whereabouts::default();
        let here = Position { x_um: 1.0, y_um: 2.0 };
        let now = Instant::now();
        assert_eq!(whereabouts.at(now), None);
        whereabouts.looked(0, Some(here));
        assert_eq!(whereabouts.at(now), None, "it may have come there just now");
        assert_eq!(whereabouts.at(Instant::now() + RESTED), None, "nobody has looked for as long");
        {
            // A while ago.
            let mut rest = whereabouts.rest.lock().unwrap();
            rest.0 = rest.0.map(|rest| Rest { since: rest.since.checked_sub(RESTED).unwrap_or(rest.since), ..rest });
        }
        assert_eq!(whereabouts.at(Instant::now()), Some(here));
        whereabouts.disturb();
        whereabouts.looked(0, Some(here));
        assert_eq!(whereabouts.at(Instant::now() + RESTED), None, "that look was begun before the command");
    }
}
