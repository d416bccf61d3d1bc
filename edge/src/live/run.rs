//! Takes a source's frames one after the other and makes fields of them.

use super::{Given, Live, LiveEvent, Seen, SourceState};
use crate::error::{Error, one_line};
use crate::interrupt::Interrupt;
use crate::source::{Mailbox, Source, Taken};
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Works until the source ends or a stop is asked for. `each` hears every field that is kept. A frame that is no field is told of, and the next one comes.
///
/// # Errors
/// What the source ended with, and an error after which no field could be kept any more.
pub fn run(live: &Live, source: &mut dyn Source, mut each: impl FnMut(&Arc<Seen>)) -> Result<(), Error> {
    let interrupt = live.segmenter.interrupt();
    let mailbox = Mailbox::new(live.settings.policy);
    live.set_source_state(SourceState::Running);
    // Ends the thread that takes frames in when this one ends first.
    let over = Interrupt::default();
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| mailbox.fill(source, &over));
        let ended = loop {
            if interrupt.is_set() {
                break Ok(());
            }
            let taken = mailbox.take(LOOK);
            live.set_frames(mailbox.counts());
            match taken {
                Ok(Taken::Frame(frame)) => {
                    let name = frame.name.clone();
                    match live.process(frame, &Given::default()) {
                        Ok(seen) => each(&seen),
                        Err(error) if error.stops_batch() => break Err(error),
                        Err(error) => live.tell_failed(&name, &error),
                    }
                }
                Ok(Taken::Nothing) => {}
                Ok(Taken::End) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        over.set();
        ended
    });
    let reason = ended.as_ref().err().map(|error| one_line(error));
    live.set_source_state(match &reason {
        None => SourceState::Ended,
        Some(reason) => SourceState::Failed { reason: reason.clone() },
    });
    live.tell(LiveEvent::Ended { reason });
    ended
}
