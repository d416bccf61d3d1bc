//! `lsr-train rescale`.

use crate::cli::RescaleArgs;
use crate::progress::bar;
use lsr_train::{Dataset, RescaleSettings, Result};

pub(crate) fn rescale(args: &RescaleArgs) -> Result<()> {
    let data = Dataset::open(&args.data)?.select(&args.images)?;
    let settings = RescaleSettings { from_um_per_px: args.from_um_per_px, um_per_px: args.um_per_px, prefix: args.prefix.clone() };
    let count = data.names().count();
    let progress = bar(count as u64, "rescaling");
    let step = |name: &str| {
        progress.set_message(name.to_owned());
        progress.inc(1);
    };
    lsr_train::rescale(&data, &settings, &args.output, step)?;
    progress.finish_and_clear();
    eprintln!("{count} images of {} um/px in {}", args.um_per_px, args.output.display());
    Ok(())
}
