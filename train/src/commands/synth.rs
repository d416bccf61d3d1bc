//! `lsr-train synth`.

use crate::cli::SynthArgs;
use crate::progress::bar;
use lsr_train::Result;

pub(crate) fn synth(args: &SynthArgs) -> Result<()> {
    let progress = bar(args.images, "making tissue");
    lsr_train::write_synthetic(&args.output, args.images, args.size, args.um_per_px, args.seed, |_| progress.inc(1))?;
    progress.finish_and_clear();
    eprintln!("{} images of {} x {} px with masks in {}", args.images, args.size, args.size, args.output.display());
    Ok(())
}
