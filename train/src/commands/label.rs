//! `lsr-train label`.

use crate::cli::LabelArgs;
use lsr_train::{Dataset, LabelSettings, Result};
use std::collections::BTreeMap;

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
