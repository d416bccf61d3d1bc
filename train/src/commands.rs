//! What each command of `lsr-train` does, in the order in which they are used.

use crate::cli::{EvaluateArgs, ExportArgs, FitArgs, LabelArgs, PriorArgs, SynthArgs};
use crate::progress::{TerminalObserver, bar};
use lsr_train::{Dataset, Error, LabelSettings, Prior, Result, Run, RunFolder};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn synth(args: &SynthArgs) -> Result<()> {
    let progress = bar(args.images, "making tissue");
    lsr_train::write_synthetic(&args.output, args.images, args.size, args.um_per_px, args.seed, |_| progress.inc(1))?;
    progress.finish_and_clear();
    eprintln!("{} images of {} x {} px with masks in {}", args.images, args.size, args.size, args.output.display());
    Ok(())
}

pub(crate) fn label(args: &LabelArgs) -> Result<()> {
    let data = Dataset::open(&args.data)?.select(&args.images)?;
    let settings = LabelSettings { block_px: args.block, stride_px: args.stride.unwrap_or(args.block), noise: args.noise, seed: args.seed };
    let blocks = lsr_train::label_from_masks(&data, settings)?;
    lsr_train::write_blocks(&args.output, &blocks)?;
    let mut per_label: BTreeMap<usize, usize> = BTreeMap::new();
    for block in &blocks {
        *per_label.entry(block.z).or_default() += 1;
    }
    let counts: Vec<String> = per_label.iter().map(|(z, n)| format!("z {z}: {n}")).collect();
    eprintln!("{} blocks in {} ({})", blocks.len(), args.output.display(), counts.join(", "));
    Ok(())
}

pub(crate) fn prior(args: &PriorArgs) -> Result<()> {
    let prior = match &args.blocks {
        None => Prior::table_1(),
        Some(blocks) => {
            let (data, blocks) = (Dataset::open(&args.data)?, lsr_train::read_blocks(blocks)?);
            Prior::from_masks(&data, &blocks, args.annotated, args.seed)?
        }
    };
    prior.write(&args.output)?;
    for label in prior.labels() {
        let Some(count) = prior.counts(label).and_then(|counts| counts.get(lsr_train::CANCER)) else { continue };
        let n = prior.annotated(label);
        eprintln!("z {label:>2}: {:6.2} +- {:5.2} % cancer, from {n} blocks", 100.0 * count.mean, 100.0 * count.std);
        if n < 5 {
            eprintln!("warning: z {label}: {n} blocks are few for a standard deviation; annotate more or merge labels");
        }
    }
    Ok(())
}

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

pub(crate) fn evaluate(args: &EvaluateArgs) -> Result<()> {
    let data = Dataset::open(&args.data)?.select(&args.images)?;
    let run = RunFolder::open(&args.run)?;
    let progress = bar(data.names().count() as u64, "evaluating");
    let step = |name: &str| {
        progress.set_message(name.to_owned());
        progress.inc(1);
    };
    let result = lsr_train::evaluate(&run, &data, args.band, args.output.as_deref(), step, |text| eprintln!("warning: {text}"))?;
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

pub(crate) fn export(args: &ExportArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    lsr_train::export(&run, &args.output, |text| eprintln!("warning: {text}"))?;
    eprintln!("{} written", args.output.display());
    Ok(())
}
