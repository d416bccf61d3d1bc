//! What the measurement ran on.

use crate::device::DeviceChoice;

/// The device's own name; the written choice where the system does not say.
pub(super) fn device_name(choice: DeviceChoice) -> String {
    match choice {
        DeviceChoice::Cpu => {
            let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
            line.map_or_else(|| choice.to_string(), |(_, name)| name.trim().to_owned())
        }
        DeviceChoice::Cuda(index) => gpu(index).map_or_else(|| choice.to_string(), |(name, _)| name),
    }
}

/// Memory of the GPU that is in use, megabytes (10^6 bytes), by whatever process; nothing on the CPU.
pub(super) fn device_memory_mb(choice: DeviceChoice) -> Option<f64> {
    match choice {
        DeviceChoice::Cpu => None,
        DeviceChoice::Cuda(index) => gpu(index).map(|(_, used)| used as f64 / 1e6),
    }
}

/// Name and bytes in use.
#[cfg(feature = "cuda")]
fn gpu(index: usize) -> Option<(String, usize)> {
    let context = cudarc::driver::CudaContext::new(index).ok()?;
    let (free, total) = context.mem_get_info().ok()?;
    Some((context.name().ok()?, total - free))
}

#[cfg(not(feature = "cuda"))]
fn gpu(_: usize) -> Option<(String, usize)> {
    None
}

/// The high-water mark of resident memory in megabytes (10^6 bytes), as Linux keeps it; nothing elsewhere.
pub(super) fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6)
}
