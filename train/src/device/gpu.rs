//! What is said about a GPU and about releases of CUDA, whatever the build has.

use serde::{Serialize, Serializer};
use std::fmt;

/// A release of CUDA, written as in "13.0".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CudaVersion {
    /// Before the point.
    pub major: u32,
    /// After it.
    pub minor: u32,
}

#[cfg(any(feature = "cuda", test))]
impl CudaVersion {
    /// From CUDA's own number, 1000 times the major and 10 times the minor version.
    pub(crate) fn from_number(number: u32) -> Self {
        Self { major: number / 1000, minor: number % 1000 / 10 }
    }

    /// The release that a build with CUDA is made for; none where the build was not told.
    pub(crate) fn of_build() -> Option<Self> {
        option_env!("CUDARC_CUDA_VERSION")?.parse().ok().map(Self::from_number)
    }
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for CudaVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A GPU that the driver offers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gpu {
    /// Index, as in `cuda:N`.
    pub index: usize,
    /// Its own name.
    pub name: String,
    /// Compute capability, major and minor.
    pub compute_capability: (u32, u32),
    /// Memory that no process holds, megabytes (10^6 bytes).
    pub memory_free_mb: f64,
    /// All of its memory, megabytes.
    pub memory_total_mb: f64,
}

impl Gpu {
    /// The newest, and of these the one with most free memory; the first of equals.
    pub(crate) fn best(gpus: &[Self]) -> Option<&Self> {
        gpus.iter().reduce(|best, gpu| {
            let better = (gpu.compute_capability, gpu.memory_free_mb) > (best.compute_capability, best.memory_free_mb);
            if better { gpu } else { best }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_from_cudas_number_and_ordered() {
        assert_eq!(CudaVersion::from_number(13000).to_string(), "13.0");
        assert_eq!(CudaVersion::from_number(12090).to_string(), "12.9");
        assert!(CudaVersion::from_number(12090) < CudaVersion::from_number(13000));
        assert_eq!(serde_json::to_string(&CudaVersion::from_number(13020)).unwrap(), "\"13.2\"");
        // The workspace's own settings name the release.
        assert_eq!(CudaVersion::of_build(), Some(CudaVersion { major: 13, minor: 0 }));
    }

    #[test]
    fn the_newest_gpu_is_the_best_and_free_memory_decides_between_equals() {
        let gpu = |index, compute_capability, memory_free_mb| Gpu {
            index,
            name: String::new(),
            compute_capability,
            memory_free_mb,
            memory_total_mb: 80e3,
        };
        let best = |gpus: &[Gpu]| Gpu::best(gpus).map(|gpu| gpu.index);
        assert_eq!(best(&[]), None);
        assert_eq!(best(&[gpu(0, (7, 5), 16e3), gpu(1, (9, 0), 8e3)]), Some(1));
        assert_eq!(best(&[gpu(0, (9, 0), 8e3), gpu(1, (9, 0), 70e3)]), Some(1));
        assert_eq!(best(&[gpu(0, (9, 0), 70e3), gpu(1, (9, 0), 70e3)]), Some(0));
    }
}
