//! `lsr-train fit`.

use crate::cli::FitArgs;
use crate::progress::TerminalObserver;
use lsr_train::{Error, Result, Run};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn fit(args: FitArgs) -> Result<()> {
    let from_file = args.config.as_deref().map(lsr_train::FitOptions::read).transpose()?.unwrap_or_default();
    let options = args.options.or(from_file);
    let run = if args.resume { Run::resume(options, &args.output)? } else { Run::create(options, &args.output)? };
    let stop = Arc::new(AtomicBool::new(false));
    let on_signal = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // The second signal does not wait for the step to end.
        if on_signal.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("finishing the step and writing a checkpoint (once more to stop at once)");
    })
    .map_err(|error| Error::Setting { name: "signal handler", expected: "a free one".into(), found: error.to_string() })?;
    let mut observer = TerminalObserver::default();
    let summary = lsr_train::train(&run, &mut observer, &stop)?;
    observer.finish();
    eprintln!("{} steps done; run in {}", summary.steps, args.output.display());
    Ok(())
}
