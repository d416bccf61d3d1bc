//! `lsr-train report`.

use crate::cli::ReportArgs;
use lsr_train::{Result, RunFolder};

pub(crate) fn report(args: &ReportArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let output = args.output.clone().unwrap_or_else(|| run.path("report.html"));
    lsr_train::write_run_report(&run, &output, |text| eprintln!("warning: {text}"))?;
    eprintln!("{} written", output.display());
    Ok(())
}
