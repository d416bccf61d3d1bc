//! `lsr-train export`.

use crate::cli::ExportArgs;
use lsr_train::{Result, RunFolder};

pub(crate) fn export(args: &ExportArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    lsr_train::export(&run, &args.output, |text| eprintln!("warning: {text}"))?;
    eprintln!("{} written", args.output.display());
    Ok(())
}
