//! `lsr-train fit`.

use crate::cli::FitArgs;
use crate::progress::TerminalObserver;
use crate::signals::stop_flag;
use lsr_train::{Result, Run, RunFolder};

pub(crate) fn fit(args: FitArgs) -> Result<()> {
    let from_file = args.config.as_deref().map(lsr_train::FitOptions::read).transpose()?.unwrap_or_default();
    let options = args.options.or(from_file);
    let run = if args.resume { Run::resume(options, &args.output)? } else { Run::create(options, &args.output)? };
    let mut observer = TerminalObserver::default();
    let summary = lsr_train::train(&run, &mut observer, &*stop_flag()?)?;
    observer.finish();
    drop(run);
    let folder = RunFolder::open(&args.output)?;
    lsr_train::write_run_report(&folder, &folder.path("report.html"), |text| eprintln!("warning: {text}"))?;
    eprintln!("{} steps done; run in {}, report in {}", summary.steps, args.output.display(), folder.path("report.html").display());
    Ok(())
}
