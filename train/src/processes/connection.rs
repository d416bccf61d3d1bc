//! The connection to the other processes: MPI where the build has it and a launcher has started several.

use super::Processes;
use super::launched::as_one_of_several;
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Holds MPI open. Where a process panics, it takes the others with it: they would wait for its sums for ever.
pub struct Connection {
    processes: Processes,
    #[cfg(feature = "mpi")]
    _universe: Option<mpi::environment::Universe>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.processes).finish()
    }
}

impl Connection {
    /// Joins the processes that a launcher (`mpirun`, `srun`) has started together with this one; a process alone needs no MPI.
    ///
    /// # Errors
    /// Several processes with a build that has no MPI: they would train the same run side by side. An MPI library that does not start.
    #[cfg(feature = "mpi")]
    pub fn open() -> Result<Self> {
        use mpi::Threading;
        use mpi::traits::Communicator;
        if as_one_of_several().is_none() {
            return Ok(Self { processes: Processes::ALONE, _universe: None });
        }
        let refused = |found: String| Error::setting("MPI", "a library that starts, for several processes", found);
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Serialized).ok_or_else(|| refused("one that has been started before".into()))?;
        if threading < Threading::Serialized {
            return Err(refused(format!("one that allows {threading:?} alone, where calls from different threads in turn are needed")));
        }
        let world = universe.world();
        let local = world.split_shared(world.rank());
        let number = |rank: i32| usize::try_from(rank).unwrap_or(0);
        let processes = Processes { rank: number(world.rank()), count: number(world.size()), local_rank: number(local.rank()) };
        Ok(Self { processes, _universe: Some(universe) })
    }

    /// Refuses several processes: this build has no MPI.
    ///
    /// # Errors
    /// Several processes: they would train the same run side by side.
    #[cfg(not(feature = "mpi"))]
    pub fn open() -> Result<Self> {
        match as_one_of_several() {
            None => Ok(Self { processes: Processes::ALONE }),
            Some((variable, count)) => Err(Error::setting(
                "processes",
                "one process with this build, which has no MPI (build one with: cargo build --release -p lsr-train --features mpi)",
                format!("{variable}={count}"),
            )),
        }
    }

    /// Who this process is.
    pub fn processes(&self) -> Processes {
        self.processes
    }

    /// Ends this process and, through MPI, all others: they cannot go on without it.
    pub fn abort(&self, code: u8) -> ! {
        #[cfg(feature = "mpi")]
        if !self.processes.alone() {
            use mpi::traits::Communicator;
            mpi::topology::SimpleCommunicator::world().abort(code.into());
        }
        std::process::exit(code.into());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.processes.alone() {
            self.abort(101);
        }
    }
}

/// Name and version of the MPI library; none in a build without.
#[cfg(feature = "mpi")]
pub(crate) fn library() -> Option<String> {
    let (major, minor) = mpi::environment::version();
    let name = mpi::environment::library_version().unwrap_or_default();
    // Libraries go on with packages and dates.
    Some(format!("{} (MPI {major}.{minor})", name.split([',', '\n']).next().unwrap_or_default().trim()))
}

/// Name and version of the MPI library; none in a build without.
#[cfg(not(feature = "mpi"))]
pub(crate) fn library() -> Option<String> {
    None
}

/// Nanoseconds spent in sums.
static EXCHANGED: AtomicU64 = AtomicU64::new(0);

pub(super) fn exchanged() -> Duration {
    Duration::from_nanos(EXCHANGED.load(Ordering::Relaxed))
}

/// Adds up over all processes.
#[cfg(feature = "mpi")]
pub(super) fn sum<T: mpi::traits::Equivalence + Clone>(values: &mut [T])
where
    [T]: mpi::traits::Buffer + mpi::traits::BufferMut,
{
    use mpi::collective::SystemOperation;
    use mpi::topology::SimpleCommunicator;
    use mpi::traits::CommunicatorCollectives;
    let started = std::time::Instant::now();
    let own = values.to_vec();
    SimpleCommunicator::world().all_reduce_into(&own[..], values, SystemOperation::sum());
    EXCHANGED.fetch_add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Without MPI there is no other process: [`Connection::open`] sees to that.
#[cfg(not(feature = "mpi"))]
pub(super) fn sum<T>(_: &mut [T]) {}
