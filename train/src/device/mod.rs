//! Where tensors live: this machine's CPU or one of its NVIDIA GPUs.
//!
//! One binary serves both, because burn picks its backend at run time. The GPU is opt-in twice: the feature `cuda` when
//! building, and `cuda` or `cuda:N` when running. burn's own default device would be the GPU as soon as CUDA is compiled
//! in, so it is never used.
//!
//! CUDA is loaded when it is first touched, and what is missing then ends the process with a panic inside its loader.
//! [`DeviceChoice::open`] therefore asks for each part first and names all that are missing in one error. `cuda` is the one
//! place that looks for parts of CUDA; `lsr-train doctor` shows what it finds.

#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod gpu;

pub use gpu::{CudaVersion, Gpu};

use crate::processes::Processes;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Where tensors live. Written `cpu`, `cuda` (the first GPU) or `cuda:N`, on the command line and in configurations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// This machine's processor, all cores of it.
    #[default]
    Cpu,
    /// The NVIDIA GPU with this index, counted from 0 in the driver's order.
    Cuda(usize),
}

impl DeviceChoice {
    /// Opens the device, without autodiff: whoever trains adds it.
    ///
    /// # Errors
    ///
    /// The CPU is always there. For a GPU: [`DeviceError::NoCudaInBuild`] without the feature `cuda`; with it,
    /// [`DeviceError::CudaIncomplete`] when a part of CUDA is not installed, [`DeviceError::Driver`] when the driver
    /// refuses, and [`DeviceError::NoSuchGpu`] when the index is beyond the machine's GPUs.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(index) => open_cuda(index),
        }
    }

    /// Opens the device to draw masks with a trained network: where it cannot be used on this machine, the processor, which gives the same
    /// masks up to rounding. Says so.
    pub(crate) fn open_or_cpu(self, warn: &mut impl FnMut(&str)) -> Device {
        self.open().unwrap_or_else(|error| {
            warn(&format!("the run was trained on {self}, which cannot be used here; going on with the processor ({error})"));
            Device::flex()
        })
    }

    /// The device of one of several processes: the processor for all of them; of GPUs, those from the given one on, in the order of the
    /// processes on this machine, and again from the first where there are more processes than GPUs (a launcher may show each process its
    /// own GPU alone, which then has index 0).
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub(crate) fn among(self, processes: Processes) -> Result<Self, DeviceError> {
        match self {
            Self::Cuda(first) if !processes.alone() => {
                let count = gpus(first)?;
                Ok(Self::Cuda((first + processes.local_rank) % count))
            }
            other => Ok(other),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = ParseDeviceError;

    fn from_str(text: &str) -> Result<Self, ParseDeviceError> {
        match text.split_once(':') {
            None if text == "cpu" => Some(Self::Cpu),
            None if text == "cuda" => Some(Self::Cuda(0)),
            // Digits alone: `parse` would also take a plus sign.
            Some(("cuda", index)) if index.bytes().all(|b| b.is_ascii_digit()) => index.parse().ok().map(Self::Cuda),
            _ => None,
        }
        .ok_or_else(|| ParseDeviceError { text: text.to_owned() })
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = ParseDeviceError;

    fn try_from(text: String) -> Result<Self, ParseDeviceError> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

/// A text that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no device: expected \"cpu\", \"cuda\" (the first GPU) or \"cuda:N\", N being the GPU's index from 0")]
pub struct ParseDeviceError {
    /// What was given.
    pub text: String,
}

/// Why a device cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The binary was built without the feature `cuda`.
    #[error("{wanted} was asked for, but this build has no CUDA: build one with `cargo build --release -p lsr-train --features cuda`")]
    NoCudaInBuild {
        /// The device that was asked for.
        wanted: DeviceChoice,
    },
    /// Parts of CUDA are not installed, or not where they are looked for.
    #[error("CUDA is incomplete on this machine: {}", list(missing))]
    CudaIncomplete {
        /// Every part that was not found.
        missing: Vec<CudaPart>,
    },
    /// The driver is there and refuses to start.
    #[error("the NVIDIA driver does not start: {reason}")]
    Driver {
        /// The driver's own name for its reason.
        reason: String,
    },
    /// The index is beyond the GPUs that the driver offers.
    #[error("there is no GPU {index}: the NVIDIA driver offers {count}, counted from 0 (see CUDA_VISIBLE_DEVICES)")]
    NoSuchGpu {
        /// The index that was asked for.
        index: usize,
        /// How many GPUs there are.
        count: usize,
    },
    /// The device computes nothing, or something else than the processor.
    #[error("{device} does not compute as it should: {reason}")]
    Kernels {
        /// The device.
        device: DeviceChoice,
        /// What was expected and what was found.
        reason: String,
    },
}

/// A part of CUDA that is needed at run time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CudaPart {
    /// `libcuda`, the driver's library.
    #[error("libcuda is not found (it comes with the NVIDIA driver: install that, release 580 or newer)")]
    Driver,
    /// `libnvrtc`, which compiles the kernels.
    #[error(
        "libnvrtc is not found (it comes with the CUDA toolkit 13, NVIDIA's package cuda-toolkit-13-0; its folder must be in the loader's path, \
         LD_LIBRARY_PATH on Linux)"
    )]
    KernelCompiler,
    /// The headers that the kernels include.
    #[error(
        "the CUDA headers are not found (looked for {}; they come with the CUDA toolkit too: set CUDA_PATH to the folder that has include/)",
        looked_for.display()
    )]
    Headers {
        /// The file that was looked for.
        looked_for: PathBuf,
    },
}

fn list(missing: &[CudaPart]) -> String {
    missing.iter().map(CudaPart::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(index: usize) -> Result<Device, DeviceError> {
    Err(DeviceError::NoCudaInBuild { wanted: DeviceChoice::Cuda(index) })
}

#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> Result<Device, DeviceError> {
    gpus(index)?;
    Ok(Device::cuda(index))
}

/// How many GPUs there are; one with this index must be among them.
#[cfg(not(feature = "cuda"))]
fn gpus(index: usize) -> Result<usize, DeviceError> {
    Err(DeviceError::NoCudaInBuild { wanted: DeviceChoice::Cuda(index) })
}

/// How many GPUs there are; one with this index must be among them.
#[cfg(feature = "cuda")]
fn gpus(index: usize) -> Result<usize, DeviceError> {
    let missing = cuda::Installed::look().missing();
    if !missing.is_empty() {
        return Err(DeviceError::CudaIncomplete { missing });
    }
    let count = cuda::count()?;
    if index >= count {
        return Err(DeviceError::NoSuchGpu { index, count });
    }
    Ok(count)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_written_as_it_is_read() {
        for (text, choice, written) in [
            ("cpu", DeviceChoice::Cpu, "cpu"),
            ("cuda", DeviceChoice::Cuda(0), "cuda:0"),
            ("cuda:0", DeviceChoice::Cuda(0), "cuda:0"),
            ("cuda:17", DeviceChoice::Cuda(17), "cuda:17"),
        ] {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string(), written);
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(json, format!("\"{written}\""));
            assert_eq!(serde_json::from_str::<DeviceChoice>(&json).unwrap(), choice);
        }
        assert_eq!(DeviceChoice::default(), DeviceChoice::Cpu);
    }

    #[test]
    fn what_names_no_device_is_refused_with_the_text_in_the_error() {
        for text in ["", "gpu", "CPU", " cpu", "cpu:0", "cuda:", "cuda:-1", "cuda:+1", "cuda: 1", "cuda:1:2", "cuda:99999999999999999999"] {
            let error = text.parse::<DeviceChoice>().unwrap_err();
            assert_eq!(error, ParseDeviceError { text: text.to_owned() });
            assert!(error.to_string().starts_with(&format!("{text:?} names no device")), "{error}");
        }
        let error = serde_json::from_str::<DeviceChoice>("\"gpu\"").unwrap_err();
        assert!(error.to_string().contains("\"gpu\" names no device"), "{error}");
    }

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(DeviceChoice::Cpu.open(), Ok(Device::flex()));
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn without_cuda_in_the_build_a_gpu_is_refused_with_the_command_that_builds_one() {
        let error = DeviceChoice::Cuda(1).open().unwrap_err();
        assert_eq!(error, DeviceError::NoCudaInBuild { wanted: DeviceChoice::Cuda(1) });
        assert!(error.to_string().contains("cargo build --release -p lsr-train --features cuda"), "{error}");
        assert!(error.to_string().starts_with("cuda:1 was asked for"), "{error}");
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn a_gpu_that_cannot_be_there_is_an_error_on_every_machine() {
        // Which error depends on the machine; that it is one, and no panic, does not.
        assert!(DeviceChoice::Cuda(usize::MAX).open().is_err());
    }

    #[test]
    fn all_missing_parts_stand_in_one_line() {
        let missing =
            vec![CudaPart::Driver, CudaPart::KernelCompiler, CudaPart::Headers { looked_for: PathBuf::from("cuda/include/cuda_fp16.h") }];
        let line = DeviceError::CudaIncomplete { missing }.to_string();
        for part in ["libcuda", "libnvrtc", "cuda/include/cuda_fp16.h", "CUDA_PATH"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains('\n'), "{line}");
    }
}
