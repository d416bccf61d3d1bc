//! `lsr-train prior`.

use crate::cli::PriorArgs;
use lsr_train::{Dataset, Prior, Result};

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
