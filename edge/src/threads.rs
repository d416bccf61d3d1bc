//! Rows of an integer network on the threads of rayon's pool, which sleep when there is nothing to do.

use crate::int8::Split;

/// So many threads of the pool that this is used in.
#[derive(Debug, Clone, Copy)]
pub struct Threads(usize);

impl Threads {
    /// Runs `work` in the current pool with all its threads; with one where the caller is a thread of the pool itself, because then other images
    /// are running on the others.
    pub fn with<T: Send>(work: impl FnOnce(&Self) -> T + Send) -> T {
        match rayon::current_num_threads() {
            threads if threads > 1 && rayon::current_thread_index().is_none() => rayon::scope(|_| work(&Self(threads))),
            _ => work(&Self(1)),
        }
    }

    /// All threads of the pool that this is called on.
    pub fn of_pool() -> Self {
        Self(rayon::current_num_threads())
    }
}

impl Split for Threads {
    fn threads(&self) -> usize {
        self.0
    }

    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        rayon::join(a, b);
    }
}
