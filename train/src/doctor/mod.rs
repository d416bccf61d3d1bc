//! What `lsr-train` finds on this machine, whether the device that is asked for can be used, and what to install when it cannot.

mod kernels;
mod report;

pub use kernels::KernelCheck;

use crate::device::{CudaVersion, DeviceChoice, DeviceError, Gpu};
use crate::machine;
use crate::network::{Architecture, NetworkConfig, NormKind, UpSampling};
use crate::processes;
use serde::{Serialize, Serializer};
use std::path::PathBuf;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Version of lsr-train.
    pub lsr_train: String,
    /// The processor and its memory.
    pub processor: Processor,
    /// CUDA on this machine; nothing where the build has none.
    pub cuda: Option<CudaFound>,
    /// The MPI library; nothing where the build has none.
    pub mpi: Option<String>,
    /// The device that was asked for; otherwise the best one that this build is made for.
    pub device: DeviceChoice,
    /// What two kernels of that device compute, where it is a GPU that can be used.
    pub kernels: Option<KernelCheck>,
    /// Why that device cannot be used, if it cannot.
    #[serde(serialize_with = "as_text")]
    pub problem: Option<DeviceError>,
}

/// The processor and its memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Processor {
    /// Its own name, where the system says it.
    pub name: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// Vector instructions of the fused network, for its widths that are a multiple of 16.
    pub vectors: Vectors,
    /// The same for all other widths.
    pub narrow_vectors: Vectors,
    /// All memory, megabytes (10^6 bytes).
    pub memory_total_mb: Option<f64>,
    /// What of it is available, megabytes.
    pub memory_available_mb: Option<f64>,
}

/// Vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Vectors {
    /// Their name.
    pub name: &'static str,
    /// Numbers of 32 bits in a vector.
    pub lanes: usize,
}

/// What of CUDA is on this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CudaFound {
    /// The release that this build is made for, where it was told.
    pub built_for: Option<CudaVersion>,
    /// The newest release that the driver runs, where there is a driver.
    pub driver: Option<CudaVersion>,
    /// Version of NVRTC, the kernel compiler.
    pub compiler: Option<CudaVersion>,
    /// Folder of the headers.
    pub headers: Option<PathBuf>,
    /// What is missing, each with how to get it.
    pub missing: Vec<String>,
    /// The GPUs that the driver offers.
    pub gpus: Vec<Gpu>,
}

/// Looks at the machine, and tries the device that is asked for. Without one, it is the best GPU in a build with CUDA and the processor in a
/// build without.
pub fn doctor(wanted: Option<DeviceChoice>) -> Diagnosis {
    let cuda = find_cuda();
    let best = || match &cuda {
        Some(cuda) => DeviceChoice::Cuda(Gpu::best(&cuda.gpus).map_or(0, |gpu| gpu.index)),
        None => DeviceChoice::Cpu,
    };
    let device = wanted.unwrap_or_else(best);
    let (kernels, problem) = match (device.open(), device) {
        (Err(problem), _) => (None, Some(problem)),
        (Ok(_), DeviceChoice::Cpu) => (None, None),
        (Ok(opened), DeviceChoice::Cuda(_)) => {
            let found = kernels::check(&opened);
            let fault = found.as_ref().map_or_else(|reason| Some(reason.clone()), KernelCheck::fault);
            (found.ok(), fault.map(|reason| DeviceError::Kernels { device, reason }))
        }
    };
    Diagnosis {
        lsr_train: env!("CARGO_PKG_VERSION").to_owned(),
        processor: processor(),
        cuda,
        mpi: processes::library(),
        device,
        kernels,
        problem,
    }
}

fn processor() -> Processor {
    let vectors = |width| {
        let network =
            NetworkConfig { architecture: Architecture::Unet, width, depth: 1, norm: NormKind::Batch, up: UpSampling::Nearest, outputs: 1 };
        let (name, lanes) = network.vectors();
        Vectors { name, lanes }
    };
    let memory = machine::memory_mb();
    Processor {
        name: machine::processor_name(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        vectors: vectors(16),
        narrow_vectors: vectors(8),
        memory_total_mb: memory.map(|(total, _)| total),
        memory_available_mb: memory.map(|(_, available)| available),
    }
}

#[cfg(not(feature = "cuda"))]
fn find_cuda() -> Option<CudaFound> {
    None
}

#[cfg(feature = "cuda")]
fn find_cuda() -> Option<CudaFound> {
    use crate::device::cuda;
    let installed = cuda::Installed::look();
    // A driver that refuses has no GPU to show; its reason is that of opening the device.
    let gpus = installed.driver.and_then(|_| cuda::count().ok()).map_or_else(Vec::new, |count| (0..count).flat_map(cuda::gpu).collect());
    Some(CudaFound {
        built_for: CudaVersion::of_build(),
        driver: installed.driver,
        compiler: installed.compiler,
        missing: installed.missing().iter().map(ToString::to_string).collect(),
        headers: installed.headers.ok(),
        gpus,
    })
}

fn as_text<S: Serializer>(problem: &Option<DeviceError>, serializer: S) -> Result<S::Ok, S::Error> {
    match problem {
        Some(problem) => serializer.collect_str(problem),
        None => serializer.serialize_none(),
    }
}
