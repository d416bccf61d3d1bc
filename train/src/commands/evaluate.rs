//! `lsr-train evaluate`.

use crate::cli::EvaluateArgs;
use crate::progress::bar;
use lsr_train::{Dataset, Error, Result, RunFolder};

pub(crate) fn evaluate(args: &EvaluateArgs) -> Result<()> {
    let data = Dataset::open(&args.data)?.select(&args.images)?;
    let run = RunFolder::open(&args.run)?;
    let progress = bar(data.names().count() as u64, "evaluating");
    let step = |name: &str| {
        progress.set_message(name.to_owned());
        progress.inc(1);
    };
    let result =
        lsr_train::evaluate(&run, &data, args.band, args.turned, args.output.as_deref(), step, |text| eprintln!("warning: {text}"))?;
    progress.finish_and_clear();
    eprint!("{}", lsr_train::evaluation_table(&result));
    let json = serde_json::to_string_pretty(&result).map_err(|error| Error::Setting {
        name: "evaluation",
        expected: "numbers".into(),
        found: error.to_string(),
    })?;
    println!("{json}");
    Ok(())
}
