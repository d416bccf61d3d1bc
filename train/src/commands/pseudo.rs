//! `lsr-train pseudo`.

use crate::cli::PseudoArgs;
use crate::progress::bar;
use lsr_train::{Dataset, Prior, PseudoData, PseudoSettings, Result, RunFolder};
use std::collections::BTreeSet;

pub(crate) fn pseudo(args: &PseudoArgs) -> Result<()> {
    let data = Dataset::open(&args.data)?;
    let (blocks, prior) = (lsr_train::read_blocks(&args.blocks)?, Prior::read(&args.prior)?);
    let runs = args.run.iter().map(|run| RunFolder::open(run)).collect::<Result<Vec<_>>>()?;
    let settings = PseudoSettings { teacher_std: args.teacher_std, margin: args.margin, device: args.device.unwrap_or_default() };
    let images: BTreeSet<&str> = blocks.iter().map(|block| block.image.as_str()).collect();
    let lesson = PseudoData { data: &data, blocks: &blocks, prior: &prior };
    let progress = bar(images.len() as u64, "pseudo masks");
    let step = |name: &str| {
        progress.set_message(name.to_owned());
        progress.inc(1);
    };
    let report = lsr_train::pseudo_masks(&runs, lesson, settings, &args.output, step, |text| eprintln!("warning: {text}"))?;
    progress.finish_and_clear();
    let sure = report.sure.values().sum::<f64>() / report.sure.len().max(1) as f64;
    eprintln!("{} pseudo masks in {} ({:.1} % of their pixels are sure)", report.sure.len(), args.output.display(), 100.0 * sure);
    Ok(())
}
