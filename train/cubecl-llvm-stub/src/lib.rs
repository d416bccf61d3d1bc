//! Stands in for the crate `cubecl-llvm` 0.11.3, put in by `[patch.crates-io]` of the workspace.
//!
//! **Why.** `cubecl-cuda` 0.11 can turn a kernel into GPU code in two ways: as CUDA C++ through NVIDIA's NVRTC (its
//! feature `cpp`, which `lsr-train` switches on) or through LLVM. It depends on `cubecl-llvm` in both cases, and the
//! real crate's build downloads an LLVM bundle from outside the package registry. With `cpp` none of that code runs:
//! only [`PtxVersion::for_driver`](nvptx::ptx_version::PtxVersion::for_driver) is called, and its answer is not read.
//!
//! **What.** The names that `cubecl-cuda` 0.11.3 mentions, and nothing else. Whatever would compile a kernel refuses.
//!
//! **When it can go.** As soon as `cubecl-cuda` makes `cubecl-llvm` an optional dependency: then delete this folder,
//! the `[patch.crates-io]` entry and the workspace's `exclude`. With any other version of `cubecl-cuda` compare the
//! names first: `grep -r cubecl_llvm` in its sources.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use cubecl_core::CompilationError;
use cubecl_core::environment::backtrace::BackTrace;
use cubecl_core::ir::attributes::BufferIOAttr;
use cubecl_core::ir::nvidia::SmArch;
use cubecl_core::prelude::KernelDefinition;

/// What the LLVM backend would compile for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlvmTarget {
    /// NVIDIA's virtual instruction set.
    Nvptx,
}

/// The LLVM backend's compiler; this one compiles nothing.
#[derive(Clone, Debug)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

/// Options of the LLVM backend, never read.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    /// An AMD architecture; none can be named here.
    pub arch: Option<core::convert::Infallible>,
    /// The NVIDIA architecture.
    pub sm_arch: Option<SmArch>,
    /// The PTX version to write.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Whether scalars travel in the kernel's parameter block.
    pub grid_constants: bool,
}

/// A compiled kernel as PTX; none is ever made.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// PTX text that ends in a zero byte.
    pub ptx: Vec<core::ffi::c_char>,
    /// Name of the kernel in `ptx`.
    pub entrypoint: String,
    /// Intermediate code, for logs.
    pub ir: String,
    /// Dynamic shared memory of a launch, in bytes.
    pub shared_memory_size: usize,
    /// Which buffers the kernel reads and writes.
    pub io: Vec<BufferIOAttr>,
}

/// What the LLVM backend makes of a kernel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PlironArtifact {
    /// PTX for an NVIDIA GPU.
    NvptxCode(NvptxModule),
}

impl PlironCompiler {
    /// Refuses every kernel.
    pub fn compile(&mut self, _kernel: KernelDefinition, _options: &PlironOptions) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic {
            reason: "this build has no LLVM backend; build cubecl-cuda with its feature `cpp`".into(),
            backtrace: BackTrace::capture(),
        })
    }

    /// Name of the language that precompiled kernels would have to be in.
    pub fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}

/// Names of the NVIDIA part.
pub mod nvptx {
    /// The version of PTX to write.
    pub mod ptx_version {
        /// A PTX version. There is no value of this type: nothing here writes PTX.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum PtxVersion {}

        impl PtxVersion {
            /// `None` for every driver; NVRTC chooses its own version.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl core::fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match *self {}
            }
        }
    }
}

/// Names of the part that all targets share.
pub mod shared {
    /// What the LLVM backend can lower.
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        /// The GPU whose features would be narrowed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            /// An NVIDIA GPU.
            Nvptx,
        }

        /// Leaves the properties as they are: `cubecl-cuda` calls this only for the LLVM backend, which refuses
        /// every kernel afterwards.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}
