//! `lsr-train classify`.

use crate::cli::{ApplyArgs, ClassifyCommand, ClassifyFitArgs};
use crate::progress::bar;
use crate::signals::stop_flag;
use lsr_train::{Block, ClassifierEvent, ClassifierSettings, Dataset, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Lines are printed this often where no terminal shows a bar.
const LINE_EVERY: Duration = Duration::from_secs(30);

pub(crate) fn classify(command: ClassifyCommand) -> Result<()> {
    match command {
        ClassifyCommand::Fit(args) => fit(&args),
        ClassifyCommand::Apply(args) => apply(&args),
    }
}

fn fit(args: &ClassifyFitArgs) -> Result<()> {
    let standard = ClassifierSettings::default();
    let settings = ClassifierSettings {
        folds: args.folds.unwrap_or(standard.folds),
        steps: args.steps.unwrap_or(standard.steps),
        batch: args.batch.unwrap_or(standard.batch),
        width: args.width.unwrap_or(standard.width),
        depth: args.depth.unwrap_or(standard.depth),
        learning_rate: args.learning_rate.unwrap_or(standard.learning_rate),
        seed: args.seed.unwrap_or(standard.seed),
        device: args.device.unwrap_or(standard.device),
        um_per_px: args.um_per_px,
    };
    let (data, labels) = (Dataset::open(&args.data)?, lsr_train::read_binary_blocks(&args.labels)?);
    let stop = stop_flag()?;
    let bar = bar((settings.folds as u64).saturating_mul(settings.steps as u64), "training");
    let say = |text: &str| if bar.is_hidden() { eprintln!("{text}") } else { bar.println(text) };
    let mut last_line = Instant::now();
    let mut progress = |event: ClassifierEvent| match event {
        ClassifierEvent::Step { fold, step, loss } => {
            let text = format!("fold {fold}  cross-entropy {loss:.4}");
            bar.set_position((fold * settings.steps + step) as u64);
            bar.set_message(text.clone());
            if bar.is_hidden() && last_line.elapsed() > LINE_EVERY {
                last_line = Instant::now();
                eprintln!("step {step}/{}  {text}", settings.steps);
            }
        }
        ClassifierEvent::Kept { fold } => {
            bar.set_position(((fold + 1) * settings.steps) as u64);
            bar.reset_eta();
            say(&format!("fold {fold} is finished already"));
        }
        ClassifierEvent::Warning(text) => say(&format!("warning: {text}")),
    };
    let calibration = lsr_train::fit_classifier(&data, &labels, &settings, &args.output, &mut progress, &stop)?;
    bar.finish_and_clear();
    eprint!("{}", calibration.table());
    if calibration.at_limit() {
        eprintln!("warning: a temperature of {} is the limit: these labels are too few, too easy or too hard", calibration.temperature);
    }
    eprintln!("classifier in {}", args.output.display());
    Ok(())
}

fn apply(args: &ApplyArgs) -> Result<()> {
    let data = Dataset::open(&args.data)?.select(&args.images)?;
    let progress = bar(data.names().count() as u64, "labelling");
    let step = |name: &str| {
        progress.set_message(name.to_owned());
        progress.inc(1);
    };
    let blocks = lsr_train::apply_classifier(&args.classifier, &data, args.stride, args.device.unwrap_or_default(), step)?;
    progress.finish_and_clear();
    if let Some(folder) = &args.map {
        lsr_train::write_low_resolution_maps(&blocks, folder)?;
    }
    lsr_train::write_blocks(&args.output, &blocks)?;
    eprintln!("{} blocks in {} ({})", blocks.len(), args.output.display(), labels_counted(&blocks));
    Ok(())
}

/// How many blocks each z has, as "z 0: 12, z 9: 3".
pub(crate) fn labels_counted(blocks: &[Block]) -> String {
    let mut per_label: BTreeMap<usize, usize> = BTreeMap::new();
    for block in blocks {
        *per_label.entry(block.z).or_default() += 1;
    }
    per_label.iter().map(|(z, n)| format!("z {z}: {n}")).collect::<Vec<_>>().join(", ")
}
