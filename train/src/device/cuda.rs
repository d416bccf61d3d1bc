//! Looks for the parts of CUDA that are needed at run time, and for GPUs.

use super::{CudaPart, CudaVersion, DeviceError, Gpu};
use cudarc::driver::{CudaContext, result::DriverError};
use std::path::PathBuf;

/// What of CUDA is installed.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    /// The newest CUDA that the driver runs, where there is a driver.
    pub(crate) driver: Option<CudaVersion>,
    /// Version of the kernel compiler, where it is found.
    pub(crate) compiler: Option<CudaVersion>,
    /// Folder of the headers, or the file that was looked for in vain.
    pub(crate) headers: Result<PathBuf, PathBuf>,
}

impl Installed {
    /// Looks.
    pub(crate) fn look() -> Self {
        let (driver, compiler) = libraries();
        // Where cubecl-cuda will look; its own look-up panics when there is nothing.
        let root = cubecl_cuda::install::cuda_path().unwrap_or_else(|| PathBuf::from("/usr/local/cuda"));
        let (folder, header) = (root.join("include"), root.join("include").join("cuda_fp16.h"));
        Self { driver, compiler, headers: if header.is_file() { Ok(folder) } else { Err(header) } }
    }

    /// Every part that was not found.
    pub(crate) fn missing(&self) -> Vec<CudaPart> {
        let driver = self.driver.is_none().then_some(CudaPart::Driver);
        let compiler = self.compiler.is_none().then_some(CudaPart::KernelCompiler);
        let headers = self.headers.as_ref().err().map(|looked_for| CudaPart::Headers { looked_for: looked_for.clone() });
        [driver, compiler, headers].into_iter().flatten().collect()
    }
}

/// Versions of the driver and of the kernel compiler, where their libraries are found. A library that does not tell its version counts as 0.0.
fn libraries() -> (Option<CudaVersion>, Option<CudaVersion>) {
    let (mut driver, mut major, mut minor) = (0, 0, 0);
    // SAFETY: loading a library runs its initialisers. These are NVIDIA's own two, found by their names in the loader's path: the very ones that
    // burn loads right afterwards. The two questions are asked only of a library that is there; each writes to the integers that it is given,
    // which live until it returns, and needs nothing to be initialised.
    #[expect(unsafe_code, reason = "cudarc marks the questions unsafe, because asking loads the library")]
    let (has_driver, has_compiler) = unsafe {
        let found = (cudarc::driver::sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present());
        if found.0 {
            let _ = cudarc::driver::sys::cuDriverGetVersion(&raw mut driver);
        }
        if found.1 {
            let _ = cudarc::nvrtc::sys::nvrtcVersion(&raw mut major, &raw mut minor);
        }
        found
    };
    let natural = |number: i32| u32::try_from(number).unwrap_or(0);
    let compiler = CudaVersion { major: natural(major), minor: natural(minor) };
    (has_driver.then(|| CudaVersion::from_number(natural(driver))), has_compiler.then_some(compiler))
}

/// How many GPUs the driver offers; the driver must be there.
pub(crate) fn count() -> Result<usize, DeviceError> {
    let count = CudaContext::device_count().map_err(refused)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// A GPU; the driver must be there.
pub(crate) fn gpu(index: usize) -> Result<Gpu, DeviceError> {
    let context = CudaContext::new(index).map_err(refused)?;
    let (free, total) = context.mem_get_info().map_err(refused)?;
    let (major, minor) = context.compute_capability().map_err(refused)?;
    Ok(Gpu {
        index,
        name: context.name().map_err(refused)?,
        compute_capability: (major.unsigned_abs(), minor.unsigned_abs()),
        memory_free_mb: free as f64 / 1e6,
        memory_total_mb: total as f64 / 1e6,
    })
}

fn refused(error: DriverError) -> DeviceError {
    DeviceError::Driver { reason: format!("{:?}", error.0) }
}
