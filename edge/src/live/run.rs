//! Takes a source's frames and makes fields of them.

use super::{Given, Live, LiveEvent, Seen, SourceState};
use crate::error::{Error, one_line};
use crate::interrupt::Interrupt;
use crate::source::{Mailbox, Policy, Source, Taken};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::scope;
use std::time::Duration;

/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Works until the source ends or a stop is asked for. `each` hears every field that is kept. A frame that is no field is told of, and the next one comes.
///
/// Where every frame is worked on, they are so one after the other, each by all processors. Where the newest wins, each processor has a field of its own:
/// not everything about a field can be spread, so more of them get through, and one may be kept a moment before another that was seen earlier.
///
/// # Errors
/// What the source ended with, and an error after which no field could be kept any more.
pub fn run(live: &Live, source: &mut dyn Source, each: impl FnMut(&Arc<Seen>) + Send) -> Result<(), Error> {
    let mailbox = Mailbox::new(live.settings.policy);
    live.set_source_state(SourceState::Running);
    let each = Mutex::new(each);
    let each = |seen: &Arc<Seen>| (each.lock().unwrap_or_else(PoisonError::into_inner))(seen);
    // Ends the threads when one of them ends first.
    let over = Interrupt::default();
    let work = |pool: Option<ThreadPool>| {
        let ended = work(live, &mailbox, pool.as_ref(), &over, &each);
        over.set();
        ended
    };
    let ended = scope(|scope| {
        scope.spawn(|| mailbox.fill(source, &over));
        let pools = match live.settings.policy {
            Policy::Every => vec![None],
            Policy::Newest => (0..rayon::current_num_threads()).map(|_| ThreadPoolBuilder::new().num_threads(1).build().ok()).collect(),
        };
        let workers: Vec<_> = pools.into_iter().map(|pool| scope.spawn(|| work(pool))).collect();
        // A worker that panics is none of ours: what it calls is guarded.
        workers.into_iter().map(|worker| worker.join().unwrap_or(Ok(()))).fold(Ok(()), Result::and)
    });
    let reason = ended.as_ref().err().map(|error| one_line(error));
    live.set_source_state(match &reason {
        None => SourceState::Ended,
        Some(reason) => SourceState::Failed { reason: reason.clone() },
    });
    live.tell(LiveEvent::Ended { reason });
    ended
}

/// Works on one frame after the other, in a pool of its own or with all processors.
fn work(
    live: &Live,
    mailbox: &Mailbox,
    pool: Option<&ThreadPool>,
    over: &Interrupt,
    each: &(dyn Fn(&Arc<Seen>) + Sync),
) -> Result<(), Error> {
    while !live.segmenter.interrupt().is_set() {
        let taken = mailbox.take(LOOK);
        live.set_frames(mailbox.counts());
        match taken {
            Ok(Taken::Frame(frame)) => {
                let name = frame.name.clone();
                let process = || live.process(frame, &Given::default());
                let result = match pool {
                    Some(pool) => pool.install(process),
                    None => process(),
                };
                match result {
                    Ok(seen) => each(&seen),
                    Err(error) if error.stops_batch() => return Err(error),
                    Err(error) => live.tell_failed(&name, &error),
                }
            }
            Ok(Taken::Nothing) if over.is_set() => return Ok(()),
            Ok(Taken::Nothing) => {}
            Ok(Taken::End) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
