//! The diagnosis as a table for people, one line a thing.

use super::{CudaFound, Diagnosis};
use crate::device::CudaVersion;
use std::fmt::{Display, Write};

impl Diagnosis {
    /// The table.
    pub fn table(&self) -> String {
        let mut lines = Lines(String::new());
        match &self.cuda {
            Some(_) => lines.add("lsr-train", format_args!("{}, built with CUDA", self.lsr_train)),
            None => lines.add("lsr-train", format_args!("{}, built without CUDA", self.lsr_train)),
        }
        let processor = &self.processor;
        let name = processor.name.as_deref().unwrap_or("not named by the system");
        lines.add("processor", format_args!("{name}, {} cores", processor.cores));
        let (wide, narrow) = (processor.vectors, processor.narrow_vectors);
        let narrow = if narrow == wide {
            String::new()
        } else {
            format!("; {}, {} numbers each, where the width is no multiple of {}", narrow.name, narrow.lanes, wide.lanes)
        };
        lines.add("vectors", format_args!("{}, {} numbers each{narrow}", wide.name, wide.lanes));
        if let (Some(total), Some(available)) = (processor.memory_total_mb, processor.memory_available_mb) {
            lines.add("memory", format_args!("{:.1} GB, {:.1} GB available", total / 1e3, available / 1e3));
        }
        match &self.cuda {
            Some(cuda) => lines.cuda(cuda),
            None => lines.add("CUDA", "not in this build: cargo build --release -p lsr-train --features cuda"),
        }
        lines.add("MPI", self.mpi.as_deref().unwrap_or("not in this build: cargo build --release -p lsr-train --features mpi"));
        let usable = if self.problem.is_some() { "cannot be used" } else { "can be used" };
        lines.add("device", format_args!("{} {usable}", self.device));
        if let Some(check) = &self.kernels {
            lines.add(
                "kernels",
                format_args!(
                    "relative error against the processor: convolution {:.1e}, product of matrices {:.1e} (at most {:.0e})",
                    check.convolution, check.product, check.allowed
                ),
            );
        }
        lines.0
    }
}

struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, text: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{name:12} {text}");
    }

    fn cuda(&mut self, cuda: &CudaFound) {
        let built_for = cuda.built_for.map_or_else(|| "an unknown release".to_owned(), |version| version.to_string());
        let found = |version: Option<CudaVersion>| version.map(|version| version.to_string());
        let driver = cuda.driver.map(|driver| {
            let old = cuda.built_for.is_some_and(|built_for| driver < built_for);
            let advice = if old { ": older than that, install a newer NVIDIA driver" } else { "" };
            format!("runs CUDA up to {driver}; this build is made for {built_for}{advice}")
        });
        let headers = cuda.headers.as_ref().map(|folder| folder.display().to_string());
        for (name, found) in [("CUDA driver", driver), ("NVRTC", found(cuda.compiler)), ("headers", headers)] {
            self.add(name, found.as_deref().unwrap_or("missing"));
        }
        for missing in &cuda.missing {
            self.add("to install", missing);
        }
        for gpu in &cuda.gpus {
            let ((major, minor), free, total) = (gpu.compute_capability, gpu.memory_free_mb / 1e3, gpu.memory_total_mb / 1e3);
            self.add(
                &format!("GPU {}", gpu.index),
                format_args!("{}, compute capability {major}.{minor}, {free:.1} of {total:.1} GB free", gpu.name),
            );
        }
        if cuda.driver.is_some() && cuda.gpus.is_empty() {
            self.add("GPU", "none that the driver offers (see CUDA_VISIBLE_DEVICES)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KernelCheck, Processor, Vectors};
    use super::*;
    use crate::device::{DeviceChoice, DeviceError, Gpu};

    fn workstation() -> Diagnosis {
        let version = |major, minor| Some(CudaVersion { major, minor });
        let gpu = Gpu {
            index: 0,
            name: "NVIDIA H100".to_owned(),
            compute_capability: (9, 0),
            memory_free_mb: 80_123.0,
            memory_total_mb: 85_000.0,
        };
        Diagnosis {
            lsr_train: "0.1.0".to_owned(),
            processor: Processor {
                name: None,
                cores: 16,
                vectors: Vectors { name: "AVX-512", lanes: 16 },
                narrow_vectors: Vectors { name: "AVX2", lanes: 8 },
                memory_total_mb: Some(137_000.0),
                memory_available_mb: Some(130_000.0),
            },
            cuda: Some(CudaFound {
                built_for: version(13, 0),
                driver: version(13, 2),
                compiler: version(13, 0),
                headers: Some("toolkit/include".into()),
                missing: vec![],
                gpus: vec![gpu],
            }),
            mpi: None,
            device: DeviceChoice::Cuda(0),
            kernels: Some(KernelCheck { convolution: 2e-4, product: 1e-7, allowed: 5e-3 }),
            problem: None,
        }
    }

    #[test]
    fn a_workstation_has_a_line_for_each_thing() {
        let table = workstation().table();
        for line in [
            "lsr-train    0.1.0, built with CUDA",
            "processor    not named by the system, 16 cores",
            "vectors      AVX-512, 16 numbers each; AVX2, 8 numbers each, where the width is no multiple of 16",
            "memory       137.0 GB, 130.0 GB available",
            "CUDA driver  runs CUDA up to 13.2; this build is made for 13.0",
            "NVRTC        13.0",
            "headers      toolkit/include",
            "GPU 0        NVIDIA H100, compute capability 9.0, 80.1 of 85.0 GB free",
            "MPI          not in this build: cargo build --release -p lsr-train --features mpi",
            "device       cuda:0 can be used",
            "kernels      relative error against the processor: convolution 2.0e-4, product of matrices 1.0e-7 (at most 5e-3)",
        ] {
            assert!(table.lines().any(|found| found == line), "no line '{line}' in:\n{table}");
        }
        assert!(!table.contains("to install"), "{table}");
    }

    #[test]
    fn what_is_missing_is_said_with_how_to_get_it() {
        let mut diagnosis = workstation();
        let mut old = diagnosis.clone();
        old.cuda.as_mut().unwrap().driver = Some(CudaVersion { major: 12, minor: 4 });
        assert!(old.table().contains("up to 12.4; this build is made for 13.0: older than that, install a newer NVIDIA driver"));
        let cuda = diagnosis.cuda.as_mut().unwrap();
        (cuda.compiler, cuda.gpus) = (None, vec![]);
        cuda.missing = vec![crate::CudaPart::KernelCompiler.to_string()];
        diagnosis.problem = Some(DeviceError::NoSuchGpu { index: 0, count: 0 });
        let table = diagnosis.table();
        for part in ["NVRTC        missing\n", "to install   libnvrtc", "GPU          none", "cuda:0 cannot be used"] {
            assert!(table.contains(part), "no '{part}' in:\n{table}");
        }
    }

    #[test]
    fn the_json_has_the_problem_as_text() {
        let mut diagnosis = workstation();
        let json = |diagnosis: &Diagnosis| serde_json::to_value(diagnosis).unwrap();
        assert!(json(&diagnosis)["problem"].is_null());
        diagnosis.problem = Some(DeviceError::NoSuchGpu { index: 3, count: 1 });
        let json = json(&diagnosis);
        assert!(json["problem"].as_str().unwrap().contains("no GPU 3"), "{json}");
        assert_eq!(json["cuda"]["driver"], "13.2");
        assert_eq!(json["device"], "cuda:0");
    }
}
