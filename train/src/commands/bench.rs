//! `lsr-train bench`.

use crate::cli::BenchArgs;
use crate::progress::bar;
use indicatif::ProgressBar;
use lsr_train::{BenchSettings, Error, Observer, Result, RunConfig, StepReport};

struct Steps(ProgressBar);

impl Observer for Steps {
    fn start(&mut self, config: &RunConfig, _: usize) {
        self.0.set_length(config.steps as u64);
    }

    fn step(&mut self, _: &StepReport, _: f64) {
        self.0.inc(1);
    }

    fn warn(&mut self, text: &str) {
        eprintln!("warning: {text}");
    }
}

pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    let settings = BenchSettings {
        device: args.device,
        batch: args.batch,
        groups: args.groups,
        size: args.size,
        width: args.width,
        depth: args.depth,
        preset: args.loss.unwrap_or_default(),
        steps: args.steps,
        warm_up: args.warm_up,
        threads: args.threads,
        parts: !args.steps_only,
    };
    let mut steps = Steps(bar(0, "timing steps"));
    let measured = lsr_train::bench(&settings, &mut steps)?;
    steps.0.finish_and_clear();
    if args.json {
        let json = serde_json::to_string_pretty(&measured).map_err(|error| Error::Setting {
            name: "bench",
            expected: "numbers".into(),
            found: error.to_string(),
        })?;
        println!("{json}");
    } else {
        print!("{}", measured.table());
    }
    Ok(())
}
