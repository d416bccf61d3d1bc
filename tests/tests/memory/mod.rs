//! How much memory a program takes, and how much it said that it would.

use std::fs;
use std::process::{Child, Output};
use std::time::Duration;

/// Waits for a program, and gives the most memory that it had, in MB, besides what it said.
pub(crate) fn watched(mut child: Child) -> (f64, Output) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    let said = [child.stderr.take().map(reading), child.stdout.take().map(reading)];
    // The kernel keeps the highest mark itself; only what comes after the last look is missed.
    let code = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        peak = peak.max(mark.unwrap_or(0.0) * 1024.0 / 1e6);
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let [stderr, stdout] = said.map(|thread| thread.map_or_else(Vec::new, |thread| thread.join().unwrap()));
    (peak, Output { status: code, stdout, stderr })
}

fn reading(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// `... at most N MB of memory`, of every slide.
pub(crate) fn stated_mb(stderr: &str) -> Vec<f64> {
    let number = |line: &str| line.split("at most ").nth(1)?.strip_suffix(" MB of memory")?.parse().ok();
    stderr.lines().filter_map(number).collect()
}
