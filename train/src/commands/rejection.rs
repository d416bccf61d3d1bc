//! `lsr-train rejection`.

use crate::cli::RejectionArgs;
use crate::progress::bar;
use lsr_train::{Dataset, RejectionData, Result, RunFolder};
use std::path::PathBuf;

pub(crate) fn rejection(args: &RejectionArgs) -> Result<()> {
    let settings = args.known.settings();
    settings.check()?;
    let run = RunFolder::open(&args.run)?;
    let reference = Dataset::open(&args.reference)?.select(&args.reference_images)?.without_masks();
    let data = Dataset::open(&args.data)?.select(&args.images)?;
    let open = |folder: &PathBuf| {
        let name = folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned());
        Ok((name, Dataset::open(std::slice::from_ref(folder))?))
    };
    let other = args.other.iter().map(open).collect::<Result<Vec<_>>>()?;
    let images = data.names().count() + other.iter().map(|(_, data)| data.names().count()).sum::<usize>() + 1;
    let progress = bar(images as u64, "judging");
    let step = |name: &str| {
        progress.set_message(name.to_owned());
        progress.inc(1);
    };
    let on = RejectionData { reference: &reference, data: &data, other: &other };
    let result = lsr_train::rejection(&run, on, &settings, args.field, step, |text| eprintln!("warning: {text}"))?;
    progress.finish_and_clear();
    lsr_train::write_rejection(&result, &args.output)?;
    print!("{}", lsr_train::rejection_table(&result));
    eprintln!("{} written", args.output.display());
    Ok(())
}
