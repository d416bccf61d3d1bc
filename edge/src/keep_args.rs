//! Command-line type of the pictures that are kept of each field.

use clap::ValueEnum;
use lsr_edge::session::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keep {
    Mask,
    Probability,
    Frame,
    Overlay,
    None,
}

/// Kinds of pictures that are kept, each once.
pub(crate) fn kinds(keep: &[Keep]) -> Vec<Kind> {
    let kind = |keep: &Keep| match keep {
        Keep::Mask => Some(Kind::Mask),
        Keep::Probability => Some(Kind::Probability),
        Keep::Frame => Some(Kind::Frame),
        Keep::Overlay => Some(Kind::Overlay),
        Keep::None => None,
    };
    let mut kinds: Vec<Kind> = keep.iter().filter_map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
