//! An MPS2 (AN386, Cortex-M4F) in QEMU, as a process that always ends.

use crate::chip::built;
use lsr_tests::skip;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longest wait for anything that QEMU is to say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running QEMU.
pub(crate) struct Qemu(Child);

/// The board's firmware, where it has been built, and QEMU.
pub(crate) fn firmware() -> Option<PathBuf> {
    let path = built("LSR_MPS2_AN386")?;
    if Command::new("qemu-system-arm").arg("--version").stdout(Stdio::null()).status().is_err() {
        skip("firmware", "qemu-system-arm is not installed");
        return None;
    }
    Some(path)
}

impl Qemu {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let started = Command::new("qemu-system-arm")
            .args(["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-kernel"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(started.unwrap_or_else(|error| panic!("qemu-system-arm: {error}")))
    }

    pub(crate) fn output(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    pub(crate) fn log(&mut self) -> ChildStderr {
        self.0.stderr.take().unwrap()
    }

    /// Why it says nothing any more.
    pub(crate) fn end(&mut self) -> String {
        format!("QEMU: {:?}", self.0.try_wait())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What comes, as it comes, from a thread of its own.
pub(crate) fn forward<T: Send + 'static>(items: impl Iterator<Item = T> + Send + 'static) -> Receiver<T> {
    let (to, from) = channel();
    std::thread::spawn(move || {
        for item in items {
            if to.send(item).is_err() {
                return;
            }
        }
    });
    from
}
