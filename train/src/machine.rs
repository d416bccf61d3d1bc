//! What this machine is, and what this process takes of it, as far as the system says.

use crate::device::DeviceChoice;
use std::fs;

/// The device's own name; the written choice where the system does not say.
pub(crate) fn device_name(choice: DeviceChoice) -> String {
    let name = match choice {
        DeviceChoice::Cpu => processor_name(),
        DeviceChoice::Cuda(index) => gpu(index).map(|(name, _)| name),
    };
    name.unwrap_or_else(|| choice.to_string())
}

/// The processor's own name, as Linux has it on x86; nothing elsewhere.
pub(crate) fn processor_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, name) = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?;
    Some(name.trim().to_owned())
}

/// Memory of the machine in megabytes (10^6 bytes), all of it and what is available; nothing where the system is not Linux.
pub(crate) fn memory_mb() -> Option<(f64, f64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    Some((megabytes(&text, "MemTotal:")?, megabytes(&text, "MemAvailable:")?))
}

/// Memory of the GPU that is in use, megabytes (10^6 bytes), by whatever process; nothing on the CPU.
pub(crate) fn device_memory_mb(choice: DeviceChoice) -> Option<f64> {
    match choice {
        DeviceChoice::Cpu => None,
        DeviceChoice::Cuda(index) => gpu(index).map(|(_, used)| used),
    }
}

/// Name and megabytes in use.
#[cfg(feature = "cuda")]
fn gpu(index: usize) -> Option<(String, f64)> {
    let gpu = crate::device::cuda::gpu(index).ok()?;
    Some((gpu.name, gpu.memory_total_mb - gpu.memory_free_mb))
}

#[cfg(not(feature = "cuda"))]
fn gpu(_: usize) -> Option<(String, f64)> {
    None
}

/// The high-water mark of resident memory in megabytes (10^6 bytes), as Linux keeps it; nothing elsewhere.
pub(crate) fn peak_memory_mb() -> Option<f64> {
    megabytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// A line "name value kB" of the kernel's.
fn megabytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read_in_megabytes() {
        let text = "MemTotal:       24689764 kB\nMemFree:  1 kB\nMemAvailable:        1000 kB\n";
        assert_eq!(megabytes(text, "MemAvailable:"), Some(1.024));
        assert_eq!(megabytes(text, "VmHWM:"), None);
        assert_eq!(megabytes("MemTotal: many kB", "MemTotal:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_says_how_much_memory_there_is() {
        let (total, available) = memory_mb().unwrap();
        assert!(0.0 < available && available <= total, "{available} of {total}");
        assert!(peak_memory_mb().unwrap() < total);
    }
}
