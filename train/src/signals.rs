//! SIGINT and SIGTERM: the first asks for an orderly end, the second does not wait.

use lsr_train::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that the first signal sets; the second one ends the process with 130.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let on_signal = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if on_signal.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("finishing the step and writing what is needed to go on (once more to stop at once)");
    })
    .map_err(|error| Error::Setting { name: "signal handler", expected: "a free one".into(), found: error.to_string() })?;
    Ok(stop)
}
