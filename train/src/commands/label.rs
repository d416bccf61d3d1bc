//! `lsr-train label`.

use crate::cli::LabelArgs;
use crate::commands::labels_counted;
use lsr_train::{Dataset, LabelSettings, Result};

pub(crate) fn label(args: &LabelArgs) -> Result<()> {
    if let Some(known) = &args.known {
        let blocks = lsr_train::known_blocks(&lsr_train::read_binary_blocks(known)?)?;
        lsr_train::write_blocks(&args.output, &blocks)?;
        eprintln!("{} blocks in {} ({})", blocks.len(), args.output.display(), labels_counted(&blocks));
        return Ok(());
    }
    let data = Dataset::open(&args.data)?.select(&args.images)?;
    let (block_px, stride_px) = (args.block, args.stride.unwrap_or(args.block));
    let text = if args.binary {
        let blocks = lsr_train::binary_labels_from_masks(&data, block_px, stride_px, args.cancer_from)?;
        lsr_train::write_binary_blocks(&args.output, &blocks)?;
        let cancer = blocks.iter().filter(|block| block.cancer).count();
        format!("{} blocks in {} ({cancer} cancer, {} other)", blocks.len(), args.output.display(), blocks.len() - cancer)
    } else {
        let settings = LabelSettings { block_px, stride_px, noise: args.noise, seed: args.seed };
        let blocks = lsr_train::label_from_masks(&data, settings)?;
        lsr_train::write_blocks(&args.output, &blocks)?;
        format!("{} blocks in {} ({})", blocks.len(), args.output.display(), labels_counted(&blocks))
    };
    eprintln!("{text}");
    Ok(())
}
