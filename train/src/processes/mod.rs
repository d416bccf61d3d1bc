//! Training in several processes, on several GPUs or machines: who this process is, and sums over all of them.
//!
//! Every process holds the whole network and a part of each batch. What differs from ordinary data parallelism is the loss: the counts of a
//! group that is spread over processes are brought together before it (see `fit::spread`), and so are BatchNorm's statistics, so that
//! several processes follow the very steps of one. All of it is made of one operation, a sum of `f64` over all processes, which MPI gives
//! (feature `mpi`); a process alone is its own sum.

mod connection;
mod launched;
mod share;
mod sum;

pub use connection::Connection;
pub(crate) use connection::library;
pub use share::Share;
pub(crate) use sum::sum_over;

use serde::Serialize;
use std::time::Duration;

/// This process among those that train together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Processes {
    /// Number of this one, from 0. The first one writes.
    pub rank: usize,
    /// How many there are.
    pub count: usize,
    /// Number of this one among those on its machine, from 0.
    pub local_rank: usize,
}

impl Processes {
    /// One process that trains by itself.
    pub const ALONE: Self = Self { rank: 0, count: 1, local_rank: 0 };

    /// Whether there is no other.
    pub fn alone(self) -> bool {
        self.count == 1
    }

    /// Whether this is the one that writes.
    pub fn is_first(self) -> bool {
        self.rank == 0
    }

    /// Adds up over all processes; each of them must ask for the same sums in the same order.
    pub fn sum(self, values: &mut [f64]) {
        if !self.alone() {
            connection::sum(values);
        }
    }

    /// The same of numbers of single precision, such as gradients.
    pub fn sum_single(self, values: &mut [f32]) {
        if !self.alone() {
            connection::sum(values);
        }
    }

    /// Time that this process has spent in sums, waiting for others included.
    pub fn exchanged(self) -> Duration {
        connection::exchanged()
    }

    /// Whether any process says so.
    pub fn any(self, this: bool) -> bool {
        let mut count = [f64::from(u8::from(this))];
        self.sum(&mut count);
        count[0] > 0.0
    }

    /// Waits for all processes to come here.
    pub fn wait(self) {
        self.sum(&mut [0.0]);
    }
}

impl std::fmt::Display for Processes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} of {}", self.rank + 1, self.count)
    }
}
