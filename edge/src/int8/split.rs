//! How work is spread over threads, handed in from outside.

/// Runs two pieces of work, perhaps at the same time.
pub trait Split: Sync {
    /// How many threads may work at once.
    fn threads(&self) -> usize;

    /// Runs both to their end.
    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send);
}

/// Everything on the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneThread;

impl Split for OneThread {
    fn threads(&self) -> usize {
        1
    }

    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        a();
        b();
    }
}
