//! `lsr-train export`.

use crate::cli::ExportArgs;
use lsr_train::{Dataset, Result, RunFolder};

pub(crate) fn export(args: &ExportArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let settings = args.known.settings();
    settings.check()?;
    // Nothing may depend on masks.
    let images = if args.reference.is_empty() { None } else { Some(Dataset::open(&args.reference)?.select(&args.images)?.without_masks()) };
    let reference = images.as_ref().map(|images| (images, &settings));
    lsr_train::export(&run, &args.output, reference, |text| eprintln!("warning: {text}"))?;
    eprintln!("{} written", args.output.display());
    Ok(())
}
