//! `lsr-train reproduce`.

use crate::cli::ReproduceArgs;
use crate::progress::ReproduceObserver;
use crate::signals::stop_flag;
use lsr_train::{Budget, ReproduceSettings, Result};

pub(crate) fn reproduce(args: &ReproduceArgs) -> Result<()> {
    let mut budget = if args.quick { Budget::quick() } else { Budget::full() };
    let whole = [
        (&mut budget.annotated, args.annotated),
        (&mut budget.width, args.width),
        (&mut budget.depth, args.depth),
        (&mut budget.group, args.group),
        (&mut budget.groups, args.groups),
        (&mut budget.steps, args.steps),
        (&mut budget.classifier_steps, args.classifier_steps),
    ];
    for (setting, given) in whole {
        *setting = given.unwrap_or(*setting);
    }
    for (setting, given) in [(&mut budget.scale, args.scale), (&mut budget.block_px, args.block)] {
        *setting = given.unwrap_or(*setting);
    }
    budget.learning_rate = args.learning_rate.unwrap_or(budget.learning_rate);
    let settings = ReproduceSettings {
        data: args.data.clone(),
        test: args.test.clone(),
        systems: args.systems.clone(),
        seeds: args.seeds.unwrap_or(if args.quick { 1 } else { 3 }),
        budget,
        jobs: args.jobs,
        device: args.device,
        um_per_px: args.um_per_px,
    };
    let mut observer = ReproduceObserver::new(settings.seeds);
    lsr_train::reproduce(&settings, &args.output, &mut observer, &*stop_flag()?)?;
    observer.finish();
    eprintln!("report in {} (table.md, report.html, figures/)", args.output.display());
    Ok(())
}
