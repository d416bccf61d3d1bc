//! `lsr-train quantize`.

use crate::cli::QuantizeArgs;
use crate::progress::StageObserver;
use crate::signals::stop_flag;
use lsr_train::{Dataset, Error, Result, RunFolder};

pub(crate) fn quantize(args: &QuantizeArgs) -> Result<()> {
    let settings = args.settings();
    settings.check()?;
    let run = RunFolder::open(&args.run)?;
    // Labels are not needed, so nothing may depend on them.
    let calibration = Dataset::open(&args.calibration)?.select(&args.images)?.without_masks();
    let validation = if args.validate.is_empty() { None } else { Some(Dataset::open(&args.validate)?.select(&args.validate_images)?) };
    let mut observer = StageObserver::default();
    let report = lsr_train::quantize(&run, &calibration, validation.as_ref(), &settings, &args.output, &mut observer, &*stop_flag()?)?;
    observer.finish();
    eprint!("{}", lsr_train::quantize_table(&report));
    eprintln!("{} written", args.output.display());
    let json = serde_json::to_string_pretty(&report).map_err(|error| Error::Setting {
        name: "report",
        expected: "numbers".into(),
        found: error.to_string(),
    })?;
    println!("{json}");
    Ok(())
}
