//! Between the thread that takes frames in and the one that works on them.

use super::{Frame, Next, Source};
use crate::error::Error;
use crate::interrupt::Interrupt;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What becomes of frames that come faster than they are worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The newest wins: at most one frame waits, and one that is replaced is counted as dropped. What is shown is never older than the work on one field.
    Newest,
    /// None is lost: the source waits.
    Every,
}

/// At most one frame that waits.
#[derive(Debug)]
pub struct Mailbox {
    policy: Policy,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Frame>,
    came: u64,
    dropped: u64,
    end: Option<Result<(), Error>>,
}

/// What was in it.
#[derive(Debug)]
pub enum Taken {
    /// A frame.
    Frame(Frame),
    /// Nothing in time.
    Nothing,
    /// The source has ended, and everything of it was taken.
    End,
}

impl Mailbox {
    /// An empty one.
    pub fn new(policy: Policy) -> Self {
        Self { policy, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Fills it until the source ends or a stop is asked for; to be run on a thread of its own.
    pub fn fill(&self, source: &mut dyn Source, interrupt: &Interrupt) {
        let end = loop {
            if interrupt.is_set() {
                break Ok(());
            }
            match source.next(LOOK) {
                Ok(Next::Frame(frame)) => self.put(frame, interrupt),
                Ok(Next::Nothing) => {}
                Ok(Next::End) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.state().end = Some(end);
        self.changed.notify_all();
    }

    fn put(&self, frame: Frame, interrupt: &Interrupt) {
        let mut state = self.state();
        state.came += 1;
        match self.policy {
            Policy::Newest => {
                state.dropped += state.waiting.len() as u64;
                state.waiting.clear();
            }
            Policy::Every => {
                while !state.waiting.is_empty() && !interrupt.is_set() {
                    state = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        state.waiting.push_back(frame);
        self.changed.notify_all();
    }

    /// Takes a frame out.
    ///
    /// # Errors
    /// What the source ended with, once.
    pub fn take(&self, patience: Duration) -> Result<Taken, Error> {
        let until = Instant::now() + patience;
        let mut state = self.state();
        loop {
            if let Some(frame) = state.waiting.pop_front() {
                self.changed.notify_all();
                return Ok(Taken::Frame(frame));
            }
            if let Some(end) = &mut state.end {
                return std::mem::replace(end, Ok(())).map(|()| Taken::End);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Taken::Nothing);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Frames that came, and those of them that were dropped.
    pub fn counts(&self) -> [u64; 2] {
        let state = self.state();
        [state.came, state.dropped]
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Picture;
    use std::thread::{scope, sleep};

    /// Five frames at once, and then the end.
    struct Five(u32);

    impl Source for Five {
        fn next(&mut self, _patience: Duration) -> Result<Next, Error> {
            self.0 += 1;
            Ok(if self.0 > 5 { Next::End } else { Next::Frame(Frame::now(self.0.to_string(), Picture::File(Vec::new()))) })
        }

        fn is_live(&self) -> bool {
            true
        }
    }

    fn slowly(policy: Policy) -> (Vec<String>, [u64; 2]) {
        let mailbox = Mailbox::new(policy);
        let mut names = Vec::new();
        scope(|scope| {
            scope.spawn(|| mailbox.fill(&mut Five(0), &Interrupt::default()));
            sleep(Duration::from_millis(50));
            while let Taken::Frame(frame) = mailbox.take(Duration::from_secs(5)).unwrap() {
                names.push(frame.name);
            }
        });
        (names, mailbox.counts())
    }

    #[test]
    fn the_newest_wins_or_every_frame_is_taken() {
        assert_eq!(slowly(Policy::Newest), (vec!["5".to_owned()], [5, 4]));
        assert_eq!(slowly(Policy::Every), (["1", "2", "3", "4", "5"].map(str::to_owned).to_vec(), [5, 0]));
    }

    #[test]
    fn an_error_comes_after_what_was_there_and_nothing_is_waited_for_in_vain() {
        struct Broken;
        impl Source for Broken {
            fn next(&mut self, _patience: Duration) -> Result<Next, Error> {
                Err(Error::NotAnImage)
            }

            fn is_live(&self) -> bool {
                true
            }
        }
        let mailbox = Mailbox::new(Policy::Newest);
        assert!(matches!(mailbox.take(Duration::from_millis(1)), Ok(Taken::Nothing)));
        mailbox.fill(&mut Broken, &Interrupt::default());
        assert!(matches!(mailbox.take(Duration::from_millis(1)), Err(Error::NotAnImage)));
        assert!(matches!(mailbox.take(Duration::from_millis(1)), Ok(Taken::End)));
    }
}
