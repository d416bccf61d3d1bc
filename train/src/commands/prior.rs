//! `lsr-train prior`.

use crate::cli::{EstimateArgs, PriorArgs, PriorCommand, SheetArgs};
use lsr_train::{CANCER, Dataset, Estimate, Prior, Result};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn prior(args: &PriorArgs) -> Result<()> {
    match &args.command {
        PriorCommand::Paper(args) => {
            Prior::table_1().write(&args.output)?;
            eprintln!("Table 1 of the paper in {}", args.output.display());
            Ok(())
        }
        PriorCommand::Estimate(args) => estimate(args),
        PriorCommand::Sheet(args) => sheet(args),
        PriorCommand::Import(args) => {
            let prior = Prior::read_text(&args.mu, &args.sigma, args.unit, args.rho_floor)?;
            prior.write(&args.output)?;
            let order = match prior.classes() {
                2 => format!("; column {} is taken as cancer", CANCER + 1),
                _ => String::new(),
            };
            eprintln!("{} labels of {} classes in {}{order}", prior.labels().count(), prior.classes(), args.output.display());
            Ok(())
        }
        PriorCommand::Export(args) => {
            Prior::read(&args.prior)?.write_text(&args.mu, &args.sigma, args.unit)?;
            eprintln!("means in {}, standard deviations in {}", args.mu.display(), args.sigma.display());
            Ok(())
        }
    }
}

fn estimate(args: &EstimateArgs) -> Result<()> {
    let (annotated, expected) = match (&args.sheet, &args.blocks) {
        (Some(sheet), _) => {
            let filled = lsr_train::read_sheet(sheet)?;
            eprintln!("{} blocks filled in, {} left blank and skipped", filled.blocks.len(), filled.blank);
            let highest = filled.blocks.iter().map(|block| block.z).max().unwrap_or(0);
            (filled.blocks, (0..=highest).collect())
        }
        (None, Some(blocks)) => {
            let (data, blocks) = (Dataset::open(&args.data)?, lsr_train::read_blocks(blocks)?);
            let chosen = lsr_train::choose_blocks(&blocks, args.annotated, args.seed)?;
            let images: BTreeSet<&str> = chosen.iter().map(|block| block.image.as_str()).collect();
            eprintln!("{} of {} blocks looked up in the masks of {} images", chosen.len(), blocks.len(), images.len());
            (lsr_train::count_in_masks(&data, &chosen, args.classes)?, lsr_train::expected_labels(&blocks))
        }
        // The command line's definition requires one of them.
        (None, None) => (Vec::new(), BTreeSet::new()),
    };
    let estimate = Estimate::new(&annotated, args.rho_floor)?;
    estimate.prior().write(&args.output)?;
    eprint!("{}", estimate.table());
    for doubt in estimate.doubts(&expected) {
        eprintln!("warning: {doubt}");
    }
    Ok(())
}

fn sheet(args: &SheetArgs) -> Result<()> {
    let (data, blocks) = (Dataset::open(&args.data)?, lsr_train::read_blocks(&args.blocks)?);
    let chosen = lsr_train::choose_blocks(&blocks, args.annotated, args.seed)?;
    lsr_train::write_sheet(&args.output, &data, &chosen, args.context, args.seed)?;
    let mut per_label: BTreeMap<usize, usize> = BTreeMap::new();
    for block in &chosen {
        *per_label.entry(block.z).or_default() += 1;
    }
    for (z, _) in per_label.iter().filter(|(_, n)| **n < 2) {
        eprintln!("warning: z {z}: one block has no standard deviation; merge labels, or delete its row from the sheet to leave z {z} out");
    }
    let page = args.output.join("sheet.html");
    eprintln!("{} blocks of {} labels; open {} to fill them in, then:", chosen.len(), per_label.len(), page.display());
    eprintln!("lsr-train prior estimate --sheet sheet.csv --output prior.csv");
    Ok(())
}
